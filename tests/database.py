"""For tests of two transactions at the same time."""

from django.db import connection


def wait_for_waiting(number: int) -> None:
    """Return when so many connections to this database wait for a lock."""
    with connection.cursor() as cursor:
        waiting = 0
        while waiting < number:
            cursor.execute("SELECT pg_sleep(0.02)")
            # PostgreSQL shows a transaction the same snapshot of its activity, unless told not to.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            [waiting] = cursor.fetchone()

"""What the launcher itself asks a database: does it answer, have worker and dialer come up."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from config.local.process import StackError

CONNECT_TIMEOUT = 5  # seconds


def check_database(url: str) -> None:
    """Refuse a DATABASE_URL that nothing answers, without ever showing its password.

    A driver's message may quote any part of the URL, and a password with a bare `@`, `/`, `?` or
    `#` ends up in what it takes for the host, the port or the name. So nothing of a doubtful URL
    is shown, and the message for another one only if the password does not occur in it.
    """
    try:
        if not url.startswith(("postgresql://", "postgres://")):
            raise ValueError
        parts = conninfo_to_dict(url)
        ports = str(parts.get("port") or 5432).split(",")
        if not all(port.isdigit() for port in ports):
            raise ValueError
        if not url.count("@") == urlsplit(url).netloc.count("@") <= 1:
            raise ValueError
    except (ValueError, psycopg.Error):
        raise StackError(
            "DATABASE_URL must read postgresql://user:password@host:port/name, with special"
            " characters percent-encoded"
        ) from None
    try:
        _first_value(url, "SELECT 1")
    except psycopg.Error as error:
        host = parts.get("host") or "localhost"
        target = f"{parts.get('user') or ''}@{host}/{parts.get('dbname') or ''}"
        reason = (str(error).strip().splitlines() or ["no answer"])[0]
        password = str(parts.get("password") or "")
        if password and password in reason:
            reason = "no answer"
        raise StackError(f"cannot connect to DATABASE_URL ({target}): {reason}") from None


class WorkerWatch:
    """Tells whether a worker has registered since this was made.

    Rows of killed workers stay fresh for half a minute, and somebody else's worker may use the
    same database; but numbers of rows only grow.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._newest = _first_value(url, "SELECT coalesce(max(id), 0) FROM procrastinate_workers")

    def has_new_worker(self) -> bool:
        query = "SELECT EXISTS (SELECT FROM procrastinate_workers WHERE id > %s)"
        try:
            return bool(_first_value(self._url, query, self._newest))
        except psycopg.Error:
            return False


class DialerWatch:
    """Tells whether a dialer has begun to listen for wake-ups since this was made.

    Its listener is the last thing that it starts, on a connection that does nothing else: its one
    statement stays visible. As with workers, somebody else's dialer may use the same database.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._since = _first_value(url, "SELECT clock_timestamp()")

    def has_new_dialer(self) -> bool:
        query = """
            SELECT EXISTS (
                SELECT FROM pg_stat_activity WHERE datname = current_database()
                    AND backend_start > %s AND query = 'LISTEN outdial_dial' AND state = 'idle'
            )
        """
        try:
            return bool(_first_value(self._url, query, self._since))
        except psycopg.Error:
            return False


def _first_value(url: str, query: str, *parameters: Any) -> Any:
    with psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT, autocommit=True) as connection:
        row = connection.execute(query, parameters).fetchone()
    return row[0] if row else None

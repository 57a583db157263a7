"""Waking the dialers. Here and not beside them: settings of every app change what they may do."""

from datetime import datetime

from django.db import connection

CHANNEL = "outdial_dial"
_WAKE = """
INSERT INTO workspaces_dialschedule AS schedule (workspace_id, next_dial_at) VALUES (%s, %s)
ON CONFLICT (workspace_id) DO UPDATE
    SET next_dial_at = LEAST(schedule.next_dial_at, excluded.next_dial_at)
"""
_NOTIFY = f"SELECT pg_notify('{CHANNEL}', '')"


def wake(workspace_id: str, now: datetime, *, notify: bool = True) -> None:
    """Have a dialer look at the workspace now, when the transaction at hand commits.

    Waits for the one who is claiming calls of this workspace (milliseconds), so it is never lost to a
    claim that did not see the change yet. Call it before `change_counts`: a claim holds the lock of the
    schedule while it waits for a counter. `notify=False` for the dialer itself, which looks anyway.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WAKE, [bytes.fromhex(workspace_id), now])
        if notify:
            cursor.execute(_NOTIFY)

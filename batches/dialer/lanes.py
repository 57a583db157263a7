"""The calls of a batch that are due, in lanes: those of one time zone, in the order of their turn.

A window opens and closes for a whole lane, so nothing is written when it does, and a change of the
batch's hours holds for all its calls at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from batches.dialer.tenants import DialedBatch
from batches.schedule import is_allowed, next_allowed
from workspaces.sql import array_literal, fetch_all

# `call_due` and `call_due_of_session`, skipping from one time zone to the next: a probe for each.
_LANES_OF = """
SELECT batch.id, lane.timezone, lane.due
FROM unnest(%s::bytea[]) AS batch (id) CROSS JOIN LATERAL (
    WITH RECURSIVE lane AS (
        (SELECT call.timezone, call.next_attempt_at AS due FROM batches_call AS call
        WHERE call.{key} = batch.id AND call.status = 'pending'
        ORDER BY call.timezone, call.next_attempt_at LIMIT 1)
        UNION ALL
        SELECT following.* FROM lane CROSS JOIN LATERAL (
            SELECT call.timezone, call.next_attempt_at FROM batches_call AS call
            WHERE call.{key} = batch.id AND call.status = 'pending'
                AND call.timezone > lane.timezone
            ORDER BY call.timezone, call.next_attempt_at LIMIT 1
        ) AS following
    ) SELECT * FROM lane
) AS lane
"""
_LANES = _LANES_OF.format(key="batch_id")
_LANES_OF_SESSIONS = _LANES_OF.format(key="session_id")

# The first of each lane, then locked by id: others may have taken or changed them meanwhile.
_DUE = """
SELECT call.id, call.batch_id, call.phone_number, call.caller_id,
    EXISTS (
        SELECT FROM batches_donotcallentry AS entry
        WHERE entry.workspace_id = call.workspace_id AND entry.phone_number = call.phone_number
            AND entry.deleted_at IS NULL
    ),
    EXISTS (
        SELECT FROM batches_lease AS lease
        WHERE lease.workspace_id = call.workspace_id AND lease.to_number = call.phone_number
    )
FROM batches_call AS call
WHERE call.status = 'pending' AND call.next_attempt_at <= %s AND call.id = ANY(ARRAY(
    SELECT first.id
    FROM unnest(%s::bytea[], %s::bytea[], %s::text[]) AS lane (batch_id, session_id, timezone)
    CROSS JOIN LATERAL (
        (SELECT call.id FROM batches_call AS call
        WHERE lane.session_id IS NULL AND call.batch_id = lane.batch_id
            AND call.timezone = lane.timezone
            AND call.status = 'pending' AND call.next_attempt_at <= %s
        ORDER BY call.next_attempt_at, call.id LIMIT %s)
        UNION ALL
        (SELECT call.id FROM batches_call AS call
        WHERE lane.session_id IS NOT NULL AND call.session_id = lane.session_id
            AND call.timezone = lane.timezone
            AND call.status = 'pending' AND call.next_attempt_at <= %s
        ORDER BY call.next_attempt_at, call.id LIMIT %s)
    ) AS first
))
ORDER BY call.next_attempt_at, call.id FOR NO KEY UPDATE OF call SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class Lane:
    """`timezone` as stored, '' for the batch's own; `due`: when its first call is."""

    batch: DialedBatch
    timezone: str
    due: datetime

    def ready_at(self, now: datetime) -> datetime | None:
        """When its first call may be dialed, by its due time and the window. None: never."""
        zone = self.timezone or self.batch.timezone
        return next_allowed(max(self.due, now), zone, self.batch.window)

    def is_ready(self, now: datetime) -> bool:
        zone = self.timezone or self.batch.timezone
        return self.due <= now and is_allowed(now, zone, self.batch.window)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A due call, its row locked. `caller`: the number that it was called from before."""

    id: bytes
    batch_id: bytes
    phone_number: str
    caller: bytes | None
    is_listed: bool
    is_in_flight: bool  # the same number, by another batch


def lanes_of(batches: Sequence[DialedBatch]) -> list[Lane]:
    """The lanes that have a pending call, whether it is due or not."""
    whole = {batch.id: batch for batch in batches if not batch.only_session}
    sessions = {batch.session_id: batch for batch in batches if batch.only_session}
    return [*_lanes(_LANES, whole), *_lanes(_LANES_OF_SESSIONS, sessions)]


def lock_due(lanes: Sequence[Lane], now: datetime, most: int) -> list[Candidate]:
    """Due calls of these lanes in the order of their turn, at most so many of each lane.

    Calls that somebody else is working on are left out.
    """
    if not lanes:
        return []
    params = [
        now,
        array_literal([lane.batch.id for lane in lanes]),
        [lane.batch.session_id if lane.batch.only_session else None for lane in lanes],
        [lane.timezone for lane in lanes],
        *(now, most) * 2,
    ]
    return [
        Candidate(
            bytes(id_), bytes(batch_id), number, None if caller is None else bytes(caller), *flags
        )
        for id_, batch_id, number, caller, *flags in fetch_all(_DUE, params)
    ]


def _lanes(statement: str, batches: dict[Any, DialedBatch]) -> list[Lane]:
    if not batches:
        return []
    rows = fetch_all(statement, [array_literal(list(batches))])
    return [Lane(batches[bytes(key)], timezone, due) for key, timezone, due in rows]

"""A claim in the database: calls in progress, their attempts and leases, counters and cursors."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from batches.models import AttemptStatus, CallStatus, EventReason
from batches.services.counters import change_counts
from calling.carriers.base import Credentials, Detection
from workspaces.ids import new_object_id
from workspaces.sql import array_literal, execute


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A call that is ours to place, from `place_at` on.

    `pace`: the account and the time between its calls, if it has a limit of calls a second. `cursor`:
    where the rotation of its batch stands after it. `account_id` None: the number has no account.
    `is_sandbox`: of a sandbox, which rings nobody.
    """

    attempt_id: bytes
    request_uuid: UUID
    workspace_id: bytes
    batch_id: bytes
    call_id: bytes
    session_id: bytes | None
    phone_id: bytes
    from_number: str
    to_number: str
    carrier: str
    account_id: bytes | None
    credentials: Credentials
    detection: Detection
    records: bool
    place_at: datetime
    pace: tuple[bytes, timedelta] | None
    cursor: int
    is_sandbox: bool = False


_CLAIM = f"""
WITH claimed AS (
    SELECT * FROM unnest(
        %s::bytea[], %s::uuid[], %s::bytea[], %s::bytea[], %s::bytea[], %s::bytea[], %s::bytea[],
        %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::bytea[]
    ) AS claimed (
        id, request_uuid, workspace_id, batch_id, call_id, session_id, phone_id,
        from_number, to_number, place_at, look_at, event_id
    )
), moved AS (
    UPDATE batches_call AS call SET
        status = '{CallStatus.IN_PROGRESS.value}', last_attempt_id = claimed.id,
        caller_id = claimed.phone_id, is_cancel_requested = false, updated_at = %s::timestamptz
    FROM claimed WHERE call.id = claimed.call_id
), attempted AS (
    INSERT INTO batches_callattempt (
        id, workspace_id, batch_id, call_id, session_id, request_uuid, phone_id, from_number, to_number,
        status, carrier_call_id, talk_seconds, hangup_cause, recording_url, transcript, created_at
    )
    SELECT id, workspace_id, batch_id, call_id, session_id, request_uuid, phone_id, from_number,
        to_number, '{AttemptStatus.QUEUED.value}', '', 0, '', '', '', place_at
    FROM claimed
), leased AS (
    INSERT INTO batches_lease
        (id, workspace_id, batch_id, call_id, phone_id, to_number, look_at, looks)
    SELECT id, workspace_id, batch_id, call_id, phone_id, to_number, look_at, 0 FROM claimed
)
INSERT INTO batches_callevent
    (id, workspace_id, call_id, from_status, to_status, reason, request_uuid, created_at)
SELECT event_id, workspace_id, call_id, '{CallStatus.PENDING.value}',
    '{CallStatus.IN_PROGRESS.value}', '{EventReason.CLAIMED.value}', request_uuid, %s::timestamptz
FROM claimed
"""  # noqa: S608 (our own words)
_DEFER = """
UPDATE batches_call AS call SET next_attempt_at = deferred.until
FROM unnest(%s::bytea[], %s::timestamptz[]) AS deferred (id, until) WHERE call.id = deferred.id
"""
_TURN = """
INSERT INTO batches_rotationcursor AS cursor (batch_id, workspace_id, position, claimed_at)
SELECT turn.*, %s::timestamptz FROM unnest(%s::bytea[], %s::bytea[], %s::int[]) AS turn
ON CONFLICT (batch_id) DO UPDATE
    SET position = excluded.position, claimed_at = excluded.claimed_at
"""


def store_claim(
    calls: Sequence[Claimed],
    deferred: Mapping[bytes, datetime],
    *,
    now: datetime,
    lease: timedelta,
) -> None:
    """The caller holds the rows of all these calls, and the lock of the workspace's schedule."""
    if deferred:
        execute(_DEFER, [array_literal(list(deferred)), list(deferred.values())])
    if not calls:
        return
    execute(_CLAIM, [*_columns(calls, lease), now, now])
    cursors = {call.batch_id: (call.workspace_id, call.cursor) for call in calls}
    workspaces, positions = zip(*cursors.values(), strict=True)
    batches = array_literal(list(cursors))
    execute(_TURN, [now, batches, array_literal(list(workspaces)), array_literal(list(positions))])
    for batch_id, number in sorted(Counter(call.batch_id for call in calls).items()):
        change_counts(
            workspace_id=calls[0].workspace_id.hex(),
            batch_id=batch_id.hex(),
            changes={CallStatus.PENDING: -number, CallStatus.IN_PROGRESS: number},
        )


def _columns(calls: Sequence[Claimed], lease: timedelta) -> list[object]:
    return [
        array_literal([call.attempt_id for call in calls]),
        [call.request_uuid for call in calls],
        array_literal([call.workspace_id for call in calls]),
        array_literal([call.batch_id for call in calls]),
        array_literal([call.call_id for call in calls]),
        [call.session_id for call in calls],
        array_literal([call.phone_id for call in calls]),
        [call.from_number for call in calls],
        [call.to_number for call in calls],
        [call.place_at for call in calls],
        [call.place_at + lease for call in calls],
        array_literal([bytes.fromhex(new_object_id()) for _ in calls]),
    ]

"""Calls that were taken up and not dialed: put back, skipped, or taken out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from batches.models import BatchStatus, CallBatch, CallStatus, EventReason
from batches.services.outbox import ENDS, tell_calls
from batches.services.outcomes import count_ends
from batches.services.sessions import complete_if_done, obstacle_of
from batches.states import move_batch
from workspaces.ids import new_object_id
from workspaces.sql import array_literal, fetch_all

# An attempt that was not made leaves nothing behind but its events. A contact who was taken out
# meanwhile does not go back into the queue.
_GIVE_BACK = f"""
WITH given AS (
    SELECT * FROM unnest(
        %s::bytea[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::timestamptz[]
    )
        AS given (attempt_id, status, reason, detail, event_id, not_before)
), ended AS (
    DELETE FROM batches_lease AS lease USING given
    WHERE lease.id = given.attempt_id AND lease.batch_id = %s::bytea
        AND (lease.sent_at IS NULL OR given.reason IN
            ('{EventReason.NEVER_PLACED.value}', '{EventReason.CARRIER_REFUSED.value}'))
        -- What a callback has told of rings, whatever the answer to the request was.
        AND EXISTS (
            SELECT FROM batches_callattempt AS attempt
            WHERE attempt.id = lease.id AND attempt.status = 'queued' AND attempt.carrier_call_id = ''
        )
    RETURNING lease.id, lease.call_id, given.status, given.reason, given.detail, given.event_id,
        given.not_before
), gone AS (
    DELETE FROM batches_callattempt AS attempt USING ended WHERE attempt.id = ended.id
    RETURNING attempt.id, attempt.request_uuid
), moved AS (
    UPDATE batches_call AS call SET
        status = CASE
            WHEN call.is_cancel_requested AND ended.status = '{CallStatus.PENDING.value}'
            THEN '{CallStatus.CANCELLED.value}' ELSE ended.status END,
        next_attempt_at = GREATEST(call.next_attempt_at, ended.not_before),
        is_cancel_requested = false, updated_at = %s::timestamptz
    FROM ended
    WHERE call.id = ended.call_id AND call.status = '{CallStatus.IN_PROGRESS.value}'
        AND call.last_attempt_id = ended.id
    RETURNING call.id, call.workspace_id, ended.id AS attempt_id, call.status,
        CASE WHEN call.status = ended.status
            THEN ended.reason ELSE '{EventReason.CANCEL_REQUESTED.value}' END AS reason,
        ended.detail, ended.event_id
), told AS (
    INSERT INTO batches_callevent (
        id, workspace_id, call_id, from_status, to_status, reason, request_uuid, detail, created_at
    )
    SELECT event_id, workspace_id, moved.id, '{CallStatus.IN_PROGRESS.value}', status, reason,
        gone.request_uuid, detail, %s::timestamptz
    FROM moved JOIN gone ON gone.id = moved.attempt_id
)
SELECT status, event_id FROM moved
"""  # noqa: S608 (our own words)
_SKIP = f"""
WITH named AS (
    SELECT * FROM unnest(%s::bytea[], %s::bytea[]) AS named (call_id, event_id)
), moved AS (
    UPDATE batches_call AS call SET status = '{CallStatus.SKIPPED.value}', updated_at = %s::timestamptz
    FROM named
    WHERE call.id = named.call_id AND call.batch_id = %s::bytea
        AND call.status = '{CallStatus.PENDING.value}'
        AND EXISTS (
            SELECT FROM batches_donotcallentry AS entry
            WHERE entry.workspace_id = call.workspace_id
                AND entry.phone_number = call.phone_number AND entry.deleted_at IS NULL
        )
    RETURNING call.id, call.workspace_id, named.event_id
)
INSERT INTO batches_callevent
    (id, workspace_id, call_id, from_status, to_status, reason, created_at)
SELECT event_id, workspace_id, id, '{CallStatus.PENDING.value}', '{CallStatus.SKIPPED.value}',
    '{EventReason.DO_NOT_CALL.value}', %s::timestamptz
FROM moved RETURNING to_status, id
"""  # noqa: S608 (our own words)


@dataclass(frozen=True, slots=True)
class Return:
    """Why an attempt was not made, and where its call goes. `detail` is a word for the timeline.

    `not_before`: the call is not due earlier than that.
    """

    status: CallStatus
    reason: EventReason
    detail: str = ""
    not_before: datetime | None = None


def give_back(*, batch_id: str, returns: Mapping[str, Return], now: datetime) -> int:
    """Undo claims of one batch, by attempt id. Returns how many.

    An attempt of which the carrier may know by now stays, unless the reason is that it was never placed,
    or not taken.
    """
    given = list(returns.values())
    params = [
        array_literal([bytes.fromhex(id_) for id_ in returns]),
        [one.status.value for one in given],
        [one.reason.value for one in given],
        [one.detail for one in given],
        array_literal([bytes.fromhex(new_object_id()) for _ in given]),
        [one.not_before for one in given],
        *(bytes.fromhex(batch_id), now, now),
    ]
    with transaction.atomic():
        batch = CallBatch.objects.select_for_update(no_key=True).get(id=batch_id)
        moved = fetch_all(_GIVE_BACK, params)
        _conclude(batch, CallStatus.IN_PROGRESS, moved, now)
    return len(moved)


def skip_listed(*, batch_id: str, call_ids: Sequence[str], now: datetime) -> int:
    """Skip pending calls of one batch whose numbers are on the do-not-call list. Returns how many."""
    events = array_literal([bytes.fromhex(new_object_id()) for _ in call_ids])
    ids = array_literal([bytes.fromhex(id_) for id_ in call_ids])
    with transaction.atomic():
        batch = CallBatch.objects.select_for_update(no_key=True).get(id=batch_id)
        moved = fetch_all(_SKIP, [ids, events, now, bytes.fromhex(batch_id), now])
        _conclude(batch, CallStatus.PENDING, moved, now)
    return len(moved)


def close_if_idle(*, batch_id: str, now: datetime) -> None:
    """Complete an active batch that has nothing left to dial, pause one that cannot dial it."""
    with transaction.atomic():
        batch = CallBatch.objects.select_for_update(no_key=True).get(id=batch_id)
        if batch.status != BatchStatus.ACTIVE:
            return
        complete_if_done(batch, now=now)
        if batch.status == BatchStatus.ACTIVE and (obstacle := obstacle_of(batch)):
            move_batch(batch, BatchStatus.PAUSED, now=now, reason=obstacle.reason)


def _conclude(
    batch: CallBatch, old: CallStatus, moved: Sequence[tuple[str, bytes]], now: datetime
) -> None:
    """Tell and count these moves: to which status, and the id of the timeline's entry."""
    tell_calls(batch, [entry for status, entry in moved if status in ENDS])
    changes = Counter({old.value: -len(moved)})
    changes.update(status for status, _ in moved)
    count_ends(batch, changes, now)

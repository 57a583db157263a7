"""What integrators are told of batches, calls and numbers: events, in the transaction of their cause.

The names in `data` are those of the API; absent values are left out. A contact's variables are not
told: they are personal, and may be long.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from batches.models import (
    BatchStatus,
    CallBatch,
    CallStatus,
    DoNotCallEntry,
    Import,
    PauseReason,
)
from batches.services.counters import COLUMNS, PICKED
from calling.models import CarrierAccount
from calling.numbers import digits
from workspaces.ids import new_object_id
from workspaces.models import Event, EventType
from workspaces.services.events import event_of
from workspaces.sql import array_literal, execute, fetch_row, insert_rows

ENDS = frozenset({CallStatus.COMPLETED, CallStatus.FAILED, CallStatus.SKIPPED, CallStatus.UNKNOWN})
# Why an account is given up.
GIVEN_UP = (PauseReason.CARRIER_REFUSED, PauseReason.CARRIER_FAILING)
_OF_A_MOVE: dict[BatchStatus, EventType] = {
    BatchStatus.ACTIVE: EventType.BATCH_STARTED,
    BatchStatus.STOPPED: EventType.BATCH_STOPPED,
    BatchStatus.PAUSED: EventType.BATCH_PAUSED,
    BatchStatus.COMPLETED: EventType.BATCH_COMPLETED,
}


def _time(column: str) -> str:
    """As `utc_text` writes it."""
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


_COUNTS = ", ".join(
    f"'{name}', coalesce(sum({column}), 0)" for name, column in COLUMNS.items() if name != PICKED
)
_TOTAL = " + ".join(f"sum({column})" for name, column in COLUMNS.items() if name != PICKED)
# With a start its contacts are still to come, so it tells no numbers.
_TELL_MOVE = f"""
INSERT INTO workspaces_event (id, workspace_id, type, data, created_at)
SELECT %s::bytea, batch.workspace_id, %s::text, jsonb_strip_nulls(jsonb_build_object(
    'batchId', encode(batch.id, 'hex'),
    'batchName', batch.name,
    'queue_status', batch.status,
    'statusReason', NULLIF(batch.status_reason, ''),
    'uuid', NULLIF(session.uuid, ''),
    'totalCalls', counted.total,
    'calls', counted.calls,
    'callsPicked', counted.picked
)), %s::timestamptz
FROM batches_callbatch AS batch
LEFT JOIN batches_dialingsession AS session ON session.id = batch.session_id
LEFT JOIN LATERAL (
    SELECT coalesce({_TOTAL}, 0) AS total, jsonb_build_object({_COUNTS}) AS calls,
        coalesce(sum(picked), 0) AS picked
    FROM batches_callcounter WHERE batch_id = batch.id
) AS counted ON batch.status <> '{BatchStatus.ACTIVE.value}'
WHERE batch.id = %s::bytea
"""  # noqa: S608 (our own words)
# An entry of a call's timeline becomes an event, under its id. The attempt is the one that it is about.
_TELL_CALLS = f"""
INSERT INTO workspaces_event (id, workspace_id, type, data, created_at)
SELECT entry.id, entry.workspace_id, 'call.' || entry.to_status, jsonb_strip_nulls(jsonb_build_object(
    'callId', encode(call.id, 'hex'),
    'batchId', encode(call.batch_id, 'hex'),
    'batchName', %s::text,
    'phoneNumber', substr(call.phone_number, 2),
    'externalId', NULLIF(call.external_id, ''),
    'callStatus', entry.to_status,
    'reason', entry.reason,
    'attemptsMade', call.attempts_made,
    'uuid', NULLIF(session.uuid, ''),
    'attempt', CASE WHEN attempt.id IS NOT NULL THEN jsonb_build_object(
        'requestUUID', attempt.request_uuid,
        'from', substr(attempt.from_number, 2),
        'callStatus', attempt.status,
        'callDuration', attempt.talk_seconds,
        'answeredBy', NULLIF(attempt.answered_by, ''),
        'hangupCause', NULLIF(attempt.hangup_cause, ''),
        'createdAt', {_time("attempt.created_at")},
        'answeredAt', {_time("attempt.answered_at")},
        'endedAt', {_time("attempt.ended_at")}
    ) END
)), entry.created_at
FROM unnest(%s::bytea[]) AS wanted (id)
JOIN batches_callevent AS entry ON entry.id = wanted.id
JOIN batches_call AS call ON call.id = entry.call_id
LEFT JOIN batches_callattempt AS attempt ON attempt.request_uuid = entry.request_uuid
LEFT JOIN batches_dialingsession AS session
    ON session.id = COALESCE(attempt.session_id, %s::bytea)
"""  # noqa: S608 (our own words)
_ACCOUNT_TOLD = """
SELECT 1 FROM workspaces_event
WHERE workspace_id = %s::bytea AND created_at > %s::timestamptz
    AND type = %s AND data ->> 'accountId' = %s
LIMIT 1
"""
# An account's batches are paused one after the other, by several dialers.
_ONE_PAUSE = timedelta(minutes=1)


def batch_created(batch: CallBatch, *, calls: int, now: datetime) -> Event:
    """The unsaved event of a new batch, which has so many calls already."""
    data = {
        "batchId": batch.id,
        "batchName": batch.name,
        "queue_status": batch.status,
        "userId": batch.created_by_id,
        "totalCalls": calls,
    }
    return event_of(batch.workspace_id, EventType.BATCH_CREATED, data, now=now)


def tell_move(batch: CallBatch, *, now: datetime) -> None:
    """A batch has got the status that it has. One statement."""
    status = BatchStatus(batch.status)
    ids = bytes.fromhex(new_object_id()), bytes.fromhex(batch.id)
    execute(_TELL_MOVE, [ids[0], _OF_A_MOVE[status].value, now, ids[1]])


def tell_calls(batch: CallBatch, entries: Sequence[bytes]) -> None:
    """Calls of a batch have ended; `entries` are the ids of what their timelines say of it, of moves to
    one of `ENDS`. One statement, whatever their number.
    """
    if not entries:
        return
    session = None if batch.session_id is None else bytes.fromhex(batch.session_id)
    execute(_TELL_CALLS, [batch.name, array_literal(list(entries)), session])


def number_listed(entry: DoNotCallEntry, *, now: datetime) -> Event:
    """The unsaved event of a number on the do-not-call list."""
    data: dict[str, Any] = {
        "entryId": entry.id,
        "phoneNumber": digits(entry.phone_number),
        "type": entry.type,
        "batchId": entry.batch_id,
        "requestUUID": entry.request_uuid and str(entry.request_uuid),
        "userId": entry.created_by_id,
    }
    told = {name: value for name, value in data.items() if value}
    return event_of(entry.workspace_id, EventType.DNC_ADDED, told, now=now)


def numbers_imported(record: Import, added: int, *, now: datetime) -> Event:
    """The unsaved event of a file of numbers for the do-not-call list: one, however many."""
    data = {"importId": record.id, "added": added, "userId": record.created_by_id}
    return event_of(record.workspace_id, EventType.DNC_ADDED, data, now=now)


def tell_carrier_paused(account_id: str, reason: PauseReason, *, now: datetime) -> None:
    """A batch was paused because its carrier account is given up: told once for all of its batches.

    Whoever calls this holds locks of batches and of no account.
    """
    found = CarrierAccount.objects.select_for_update(no_key=True).defer("credentials")
    account = found.filter(id=account_id).first()
    if account is None:
        return
    type_ = EventType.CARRIER_PAUSED
    workspace = bytes.fromhex(account.workspace_id)
    if fetch_row(_ACCOUNT_TOLD, [workspace, now - _ONE_PAUSE, type_.value, account_id]) is None:
        data = {"accountId": account_id, "integration": account.carrier, "reason": reason.value}
        insert_rows(event_of(account.workspace_id, type_, data, now=now))

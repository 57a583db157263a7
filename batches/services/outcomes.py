"""What carriers say of attempts, into attempts, calls, counters and batches: step three of dialing.

The one place where an outcome is recorded, whoever brings it: the dialer, a callback, a look-up. Every
move is a compare-and-set, so a late, repeated or out-of-order report changes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from batches.models import (
    AttemptStatus,
    BatchStatus,
    CallAttempt,
    CallBatch,
    CallStatus,
    EventReason,
)
from batches.services.counters import PICKED, change_counts
from batches.services.outbox import ENDS, tell_calls
from batches.services.sessions import complete_if_done
from batches.states import ATTEMPT_MOVES
from calling.carriers.base import AnsweredBy, CallExtras, CallReport
from calling.models import OnVoicemail
from workspaces.ids import new_object_id
from workspaces.services.dialing import wake
from workspaces.sql import array_literal, execute, fetch_all

_MOVES = [(source.value, to.value) for source, targets in ATTEMPT_MOVES.items() for to in targets]
_UNDER_WAY = [AttemptStatus.QUEUED, AttemptStatus.RINGING, AttemptStatus.IN_PROGRESS]
_VOICEMAIL = AttemptStatus.VOICEMAIL.value
_HANG_UP, _RETRY = OnVoicemail.HANG_UP.value, OnVoicemail.RETRY.value
_LONGEST = 128  # of the carrier's short texts
_CHANGES_A_CALL = {*AttemptStatus} - {AttemptStatus.QUEUED, AttemptStatus.RINGING}

# `next` is what becomes of the call, for an attempt that is the call's last one.
_RECORD = f"""
WITH report AS (
    SELECT * FROM unnest(
        %s::bytea[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::int[], %s::boolean[],
        %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[]
    ) AS report (
        attempt_id, status, at, answered_at, talk_seconds, permanent,
        hangup_cause, carrier_call_id, answered_by, recording_url, transcript, event_id
    )
), move AS (
    SELECT * FROM unnest(%s::text[], %s::text[]) AS move (source, target)
), heard AS (
    UPDATE batches_callattempt AS attempt SET
        status = move.target,
        answered_by = COALESCE(NULLIF(report.answered_by, ''), attempt.answered_by),
        answered_at = COALESCE(attempt.answered_at, report.answered_at),
        ended_at = CASE WHEN report.status = ANY(%s::text[]) THEN NULL
            ELSE LEAST(report.at, %s::timestamptz) END,
        talk_seconds = report.talk_seconds,
        hangup_cause = report.hangup_cause,
        carrier_call_id = COALESCE(NULLIF(report.carrier_call_id, ''), attempt.carrier_call_id),
        recording_url = COALESCE(NULLIF(report.recording_url, ''), attempt.recording_url),
        transcript = COALESCE(NULLIF(report.transcript, ''), attempt.transcript)
    FROM report JOIN move ON move.target IN (report.status, '{_VOICEMAIL}')
    WHERE attempt.id = report.attempt_id AND attempt.batch_id = %s::bytea
        AND attempt.status = move.source
        -- Who answered may have been told before.
        AND move.target = CASE WHEN report.status = '{AttemptStatus.COMPLETED.value}'
                AND COALESCE(NULLIF(report.answered_by, ''), attempt.answered_by)
                    = '{AnsweredBy.MACHINE.value}'
            THEN '{_VOICEMAIL}' ELSE report.status END
    RETURNING attempt.id, attempt.call_id, attempt.request_uuid, attempt.status, attempt.phone_id,
        attempt.answered_at, attempt.ended_at, report.permanent, report.event_id
), ended AS (
    DELETE FROM batches_lease AS lease USING heard
    WHERE lease.id = heard.id AND heard.ended_at IS NOT NULL
), goes_on AS (
    UPDATE batches_lease AS lease SET
        look_at = CASE WHEN call.is_cancel_requested THEN LEAST(lease.look_at, expected.at)
            ELSE expected.at END,
        looks = 0, unsure_since = NULL
    FROM heard JOIN batches_call AS call ON call.id = heard.call_id,
        (SELECT %s::timestamptz AS at) AS expected
    WHERE lease.id = heard.id AND heard.ended_at IS NULL
), next AS (
    SELECT call.id, call.workspace_id, call.status AS old, heard.id AS attempt_id, heard.status AS how,
        heard.permanent, heard.ended_at, heard.request_uuid, heard.event_id,
        heard.answered_at IS NOT NULL AND NOT call.is_picked AS is_first_answer,
        CASE
            WHEN heard.ended_at IS NULL THEN call.status
            WHEN heard.status = 'completed' THEN 'completed'
            WHEN heard.status = '{_VOICEMAIL}'
                AND COALESCE(agent.on_voicemail, '') NOT IN ('{_HANG_UP}', '{_RETRY}')
            THEN 'completed'
            WHEN heard.status = 'unknown' THEN 'unknown'
            WHEN call.status = 'unknown' THEN 'failed'
            WHEN call.is_cancel_requested THEN 'cancelled'
            WHEN heard.status = 'canceled' OR heard.permanent THEN 'failed'
            WHEN heard.status = '{_VOICEMAIL}' AND agent.on_voicemail = '{_HANG_UP}' THEN 'failed'
            WHEN call.attempts_made < %s::int THEN 'pending'
            ELSE 'failed'
        END AS new
    FROM heard JOIN batches_call AS call ON call.id = heard.call_id
    LEFT JOIN calling_phonenumber AS phone
        ON phone.id = heard.phone_id AND heard.status = '{_VOICEMAIL}'
    LEFT JOIN calling_agent AS agent ON agent.id = phone.agent_id
    WHERE call.last_attempt_id = heard.id AND call.status IN ('in-progress', 'unknown')
), moved AS (
    UPDATE batches_call AS call SET
        status = next.new,
        attempts_made = call.attempts_made
            + (next.ended_at IS NOT NULL AND next.old = 'in-progress')::int,
        is_picked = call.is_picked OR next.is_first_answer,
        next_attempt_at = CASE WHEN next.new = 'pending' THEN next.ended_at + %s::interval
            ELSE call.next_attempt_at END,
        is_cancel_requested = call.is_cancel_requested AND next.ended_at IS NULL,
        updated_at = %s::timestamptz
    FROM next
    WHERE call.id = next.id AND call.status = next.old
        AND (next.new <> next.old OR next.is_first_answer)
), told AS (
    INSERT INTO batches_callevent (
        id, workspace_id, call_id, from_status, to_status, reason, request_uuid, detail, created_at
    )
    SELECT event_id, workspace_id, id, old, new,
        CASE
            WHEN new = 'unknown' THEN '{EventReason.OUTCOME_UNKNOWN.value}'
            WHEN new = 'cancelled' THEN '{EventReason.CANCEL_REQUESTED.value}'
            WHEN new = 'pending' THEN '{EventReason.RETRY_LATER.value}'
            WHEN how = '{_VOICEMAIL}' THEN '{EventReason.VOICEMAIL.value}'
            WHEN new = 'completed' THEN '{EventReason.ANSWERED.value}'
            WHEN how = 'canceled' THEN '{EventReason.CARRIER_CANCELED.value}'
            WHEN permanent THEN '{EventReason.PERMANENT_FAILURE.value}'
            WHEN old = 'unknown' THEN '{EventReason.RESOLVED_LATE.value}'
            ELSE '{EventReason.ATTEMPTS_USED_UP.value}'
        END,
        request_uuid, how, %s::timestamptz
    FROM next WHERE new <> old
)
SELECT heard.id, next.old, next.new, COALESCE(next.is_first_answer, false), next.event_id
FROM heard LEFT JOIN next ON next.attempt_id = heard.id
"""  # noqa: S608 (our own words)
_IGNORED = f"""
INSERT INTO batches_callevent (
    id, workspace_id, call_id, from_status, to_status, reason, request_uuid, detail, created_at
)
SELECT ignored.event_id, call.workspace_id, call.id, call.status, call.status,
    '{EventReason.CALLBACK_IGNORED.value}', attempt.request_uuid, ignored.status, %s::timestamptz
FROM unnest(%s::bytea[], %s::text[], %s::bytea[]) AS ignored (attempt_id, status, event_id)
JOIN batches_callattempt AS attempt ON attempt.id = ignored.attempt_id
JOIN batches_call AS call ON call.id = attempt.call_id
"""  # noqa: S608 (our own words)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a carrier said of one attempt; `status` may also be `unknown`: it cannot say."""

    attempt_id: str
    status: AttemptStatus
    report: CallReport

    @classmethod
    def of(cls, attempt_id: str, report: CallReport) -> "Heard":
        return cls(attempt_id, AttemptStatus(report.progress.value), report)


def record_reports(
    *,
    batch_id: str,
    reports: Sequence[Heard],
    patience: timedelta,
    now: datetime,
    notify: bool = True,
) -> list[Heard]:
    """Record what was heard of attempts of one batch. Returns those that changed nothing.

    All or nothing, in one transaction: outcome, retry, counters and, with its last call, the completion
    of the batch. `patience`: how long to wait for the next callback of a call that goes on. `notify`:
    tell the dialers; not needed by one of them.
    """
    ignored: list[Heard] = []
    with transaction.atomic():
        batch = None
        if any(one.status in _CHANGES_A_CALL for one in reports):
            # Everybody who changes calls of the batch holds this, so the last one sees all others.
            batch = CallBatch.objects.select_for_update(no_key=True).get(id=batch_id)
        changes, ended = Counter[str](), list[bytes]()
        for wave in _waves(reports):
            rows = fetch_all(_RECORD, _params(batch_id, batch, wave, now, patience))
            heard = {bytes(row[0]).hex() for row in rows}
            ignored += [one for one in wave if one.attempt_id not in heard]
            for _, old, new, is_first_answer, entry in rows:
                if old != new:
                    changes[old] -= 1
                    changes[new] += 1
                    if new in ENDS:
                        ended.append(entry)
                changes[PICKED] += is_first_answer
        if batch is not None:
            tell_calls(batch, ended)
            count_ends(batch, changes, now, notify=notify)
    return ignored


def count_ends(
    batch: CallBatch, changes: Counter[str], now: datetime, *, notify: bool = False
) -> None:
    """Count what became of calls of a locked batch; free slots wake, the last call completes it."""
    if not any(changes.values()):
        return
    wake(batch.workspace_id, now, notify=notify)
    change_counts(workspace_id=batch.workspace_id, batch_id=batch.id, changes=changes)
    if batch.status == BatchStatus.ACTIVE and changes[CallStatus.PENDING] <= 0:
        complete_if_done(batch, now=now)


def record_ignored(ignored: Iterable[Heard], *, now: datetime) -> None:
    """Show in the timelines of their calls that these callbacks came, and changed nothing."""
    reports = list(ignored)
    execute(
        _IGNORED,
        [
            now,
            array_literal([bytes.fromhex(one.attempt_id) for one in reports]),
            [one.status.value for one in reports],
            array_literal([bytes.fromhex(new_object_id()) for _ in reports]),
        ],
    )


def record_extras(attempt_id: str, extras: CallExtras) -> bool:
    """Add to an attempt what was not known of it. Says whether that was anything."""
    found = CallAttempt.objects.filter(id=attempt_id)
    news = {
        "carrier_call_id": _clean(extras.carrier_call_id)[:_LONGEST],
        "answered_by": extras.answered_by.value if extras.answered_by else "",
        "recording_url": _clean(extras.recording_url),
        "transcript": _clean(extras.transcript),
    }
    changed = [
        found.filter(**{name: ""}).update(**{name: text}) for name, text in news.items() if text
    ]
    return any(changed)


def _waves(reports: Sequence[Heard]) -> Iterable[list[Heard]]:
    """In their order, no attempt twice in one statement."""
    wave: dict[str, Heard] = {}
    for one in reports:
        if one.attempt_id in wave:
            yield list(wave.values())
            wave = {}
        wave[one.attempt_id] = one
    if wave:
        yield list(wave.values())


def _clean(text: str) -> str:
    """What a carrier says must not keep its outcome from being recorded: PostgreSQL takes no NUL."""
    return text.replace("\0", "")


def _params(
    batch_id: str, batch: CallBatch | None, wave: list[Heard], now: datetime, patience: timedelta
) -> list[Any]:
    reports = [one.report for one in wave]
    sources, targets = zip(*_MOVES, strict=True)
    retry = batch.retry if batch else 0
    return [
        array_literal([bytes.fromhex(one.attempt_id) for one in wave]),
        [one.status.value for one in wave],
        [report.at for report in reports],
        [report.answered_at for report in reports],
        array_literal([report.talk_seconds for report in reports]),
        [report.permanent for report in reports],
        [_clean(report.hangup_cause)[:_LONGEST] for report in reports],
        [_clean(report.carrier_call_id)[:_LONGEST] for report in reports],
        [report.answered_by.value if report.answered_by else "" for report in reports],
        [_clean(report.recording_url) for report in reports],
        [_clean(report.transcript) for report in reports],
        array_literal([bytes.fromhex(new_object_id()) for _ in wave]),
        *(list(sources), list(targets), _UNDER_WAY, now, bytes.fromhex(batch_id)),
        *(now + patience, retry, timedelta(seconds=batch.delay if batch else 0), now, now),
    ]

"""What becomes of a simulated call, by the last two digits of the called number. Pure: no clock.

A call is computed, not run: `timeline` lists all that ever happens to it, and whoever asks later sees
how far down the list it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from uuid import UUID
from zlib import crc32

from calling.carriers.base import CallProgress, CallReport

QUEUED_FOR = 0.1  # seconds, before it rings


class Callbacks(Enum):
    """How the carrier reports of its own accord."""

    IN_ORDER = "in order"
    TWICE_AND_SHUFFLED = "twice and out of order"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One way that a call can go. `ring` and `talk` in seconds before scaling; no talk: no answer."""

    ring: float = 0  # 0: an answered call of 1 to 2 seconds
    talk: float = 0
    end: CallProgress = CallProgress.COMPLETED
    hangup_cause: str = "normal_clearing"
    permanent: bool = False
    callbacks: Callbacks = Callbacks.IN_ORDER
    fault: str = ""  # what `place` fails with, after the number has rung
    is_lost: bool = False  # a look-up cannot tell what became of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A script put on the clock when the number rang; `scale` stretches all of its durations."""

    script: Script
    call_id: str
    rang_at: datetime
    scale: float
    hung_up_at: datetime | None = None


ANSWERED = Script()
BUSY = Script(ring=0.5, end=CallProgress.BUSY, hangup_cause="user_busy")
FAILED = Script(ring=0.3, end=CallProgress.FAILED, hangup_cause="network_out_of_order")
BUSY_AT_FIRST = "05"
SCRIPTS = {
    "01": BUSY,
    "02": Script(ring=2, end=CallProgress.NO_ANSWER, hangup_cause="no_answer"),
    "03": FAILED,
    "04": replace(FAILED, hangup_cause="unallocated_number", permanent=True),
    BUSY_AT_FIRST: ANSWERED,
    "06": Script(callbacks=Callbacks.NONE),
    "07": Script(callbacks=Callbacks.TWICE_AND_SHUFFLED),
    "08": Script(callbacks=Callbacks.NONE, fault="an internal error"),
    "09": Script(callbacks=Callbacks.NONE, fault="a time-out", is_lost=True),
    "10": Script(ring=8, talk=20),
}


def script_for(*, to_number: str, request_uuid: UUID, called_before: bool) -> Script:
    digits = to_number[-2:]
    if digits == BUSY_AT_FIRST and not called_before:
        return BUSY
    script = SCRIPTS.get(digits, ANSWERED)
    if script.ring:
        return script
    # Another length for each call, the same one whenever it is asked for.
    seconds = 1 + crc32(request_uuid.bytes) / 2**32
    return replace(script, ring=0.4 * seconds, talk=0.6 * seconds)


def timeline(plan: Plan) -> list[CallReport]:
    """All that happens to the call, in order; each report's `at` is when it begins to be true."""
    planned = _undisturbed(plan)
    if plan.hung_up_at is None:
        return planned
    canceled = CallReport(
        progress=CallProgress.CANCELED,
        at=plan.hung_up_at,
        carrier_call_id=plan.call_id,
        hangup_cause="originator_cancel",
    )
    return [*(report for report in planned if report.at <= plan.hung_up_at), canceled]


def report_at(plan: Plan, now: datetime) -> CallReport:
    """How far the call is. Never before its beginning, not even by a clock that is behind."""
    reports = timeline(plan)
    return next((report for report in reversed(reports) if report.at <= now), reports[0])


def callbacks(plan: Plan) -> Sequence[tuple[datetime, CallReport]]:
    """What the carrier reports of its own accord, in this order, each with when it is due."""
    _, *reports = timeline(plan)  # that it is queued is the answer to `place`
    match plan.script.callbacks:
        case Callbacks.NONE:
            return []
        case Callbacks.TWICE_AND_SHUFFLED:
            end = reports[-1]
            return [(end.at, report) for report in (*reversed(reports), end)]
        case Callbacks.IN_ORDER:
            return [(report.at, report) for report in reports]


def _undisturbed(plan: Plan) -> list[CallReport]:
    script = plan.script
    report = partial(CallReport, carrier_call_id=plan.call_id)

    def after(seconds: float) -> datetime:
        return plan.rang_at + timedelta(seconds=seconds * plan.scale)

    reports = [
        report(progress=CallProgress.QUEUED, at=plan.rang_at),
        report(progress=CallProgress.RINGING, at=after(QUEUED_FOR)),
    ]
    answered_at = after(script.ring) if script.talk else None
    if answered_at:
        reports.append(
            report(progress=CallProgress.IN_PROGRESS, at=answered_at, answered_at=answered_at)
        )
    end = report(
        progress=script.end,
        at=after(script.ring + script.talk),
        answered_at=answered_at,
        talk_seconds=max(1, round(script.talk * plan.scale)) if answered_at else 0,
        permanent=script.permanent,
        hangup_cause=script.hangup_cause,
    )
    return [*reports, end]

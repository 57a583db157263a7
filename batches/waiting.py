"""Why a pending call is not being dialed, for people who wonder: what the dialer would say."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from batches.dialer.claim import BUSY_AGAIN
from batches.dialer.contacts import capped_contacts
from batches.dialer.lines import Line, lines_of
from batches.dialer.tenants import DialedBatch, InFlight, Tenant, as_dialed, in_flight, tenant_of
from batches.models import BatchStatus, Call, CallBatch, CallStatus, PauseReason
from batches.schedule import is_allowed, next_allowed
from workspaces.sql import fetch_all

_OF_BATCH = {
    BatchStatus.DRAFT: "The batch has not been started.",
    BatchStatus.STOPPED: "The batch was stopped.",
    BatchStatus.PAUSED: "The system paused the batch: {reason}.",
    BatchStatus.COMPLETED: "The batch is completed; start it again to dial this call.",
}
_WHY_PAUSED = {
    PauseReason.NO_NUMBER: "it has no calling number left (no_number)",
    PauseReason.CARRIER_REFUSED: "the carrier refuses its calls (carrier_refused)",
    PauseReason.CARRIER_FAILING: "the carrier is failing (carrier_failing)",
    PauseReason.KILL_SWITCH: "calling was switched off (kill_switch)",
}
# Of several blocked numbers the one that is likely free first is told: the first of these.
_OF_LINES = {
    "carrier_pace": "The carrier account starts only so many calls a second.",
    "carrier_failing": "The carrier has failed, or asked for a pause; a call will try again.",
    "carrier_limit": "The carrier account has as many calls as it may have at a time.",
    "number_limit": "{who} as many calls as it may have at a time.",
    "number_cap": "{who} made all its calls of the day: until {clock}.",
    "no_agent": "{who} no agent: nobody would speak when the call is answered.",
    "kill_switch": "{who} been switched off: {why}",
}
_LISTED_AND_BUSY = """
SELECT
    EXISTS (
        SELECT FROM batches_donotcallentry
        WHERE workspace_id = %s AND phone_number = %s AND deleted_at IS NULL
    ),
    EXISTS (SELECT FROM batches_lease WHERE workspace_id = %s AND to_number = %s)
"""


@dataclass(frozen=True, slots=True)
class Wait:
    """`until`: when the wait ends by itself; None when nobody knows. `detail` is a sentence."""

    reason: str
    until: datetime | None
    detail: str


def waiting_for(call: Call, batch: CallBatch, now: datetime) -> Wait | None:
    """The first thing that keeps a pending call from being dialed; None for any other call.

    In the order of the claim. Reads `batch.session`. At most nine statements; none for a batch that is
    not being dialed.
    """
    if call.status != CallStatus.PENDING:
        return None
    if (status := BatchStatus(batch.status)) in _OF_BATCH:
        reason = _WHY_PAUSED[PauseReason(batch.status_reason)] if batch.status_reason else ""
        return Wait(f"batch_{status.value}", None, _OF_BATCH[status].format(reason=reason))
    tenant = tenant_of(call.workspace_id)
    if not tenant.is_active:
        return Wait("workspace_suspended", None, "The workspace is suspended.")
    if tenant.kill_reason:
        detail = f"Calling is switched off for the workspace: {tenant.kill_reason}"
        return Wait("kill_switch", None, detail)
    session = batch.session
    if session and session.only_its_calls and call.session_id != session.id:
        detail = "The batch was started for other calls only; a start without callData includes it."
        return Wait("other_session", None, detail)
    dialed = as_dialed(tenant, batch.id)
    if not dialed.numbers:
        return Wait("no_number", None, "None of the batch's calling numbers is active.")
    return _of_turn(call, tenant, dialed, now)


def _of_turn(call: Call, tenant: Tenant, batch: DialedBatch, now: datetime) -> Wait:
    pause = _of_time(call, batch, now)
    if pause is not None and pause.reason == "window":
        return pause
    zone = call.timezone or batch.timezone
    obstacle = _of_contact(call, tenant, batch, zone, now) or _of_limits(
        call, tenant, batch, zone, now
    )
    if pause is None:
        return obstacle or Wait("dialer", now, "Next in turn.")
    # The claim puts a call off for what stands in its way: then that is the reason, not the pause.
    return obstacle if obstacle and _outlasts(obstacle, call.next_attempt_at, now) else pause


def _outlasts(obstacle: Wait, due: datetime, now: datetime) -> bool:
    """Without an end of its own, an obstacle is looked at again after so long at most."""
    return due <= (obstacle.until or now + BUSY_AGAIN)


def _of_contact(
    call: Call, tenant: Tenant, batch: DialedBatch, zone: str, now: datetime
) -> Wait | None:
    number = call.phone_number
    who = [tenant.id, number]
    [(is_listed, is_busy)] = fetch_all(_LISTED_AND_BUSY, [*who, *who])
    if is_listed and batch.honours_dnc:
        detail = "The number is on the do-not-call list: it is skipped when its turn comes."
        return Wait("do_not_call", None, detail)
    if is_busy:
        return Wait("contact_busy", None, "Another batch is calling this number.")
    if until := capped_contacts(tenant, [number], now).get(number):
        cap = tenant.contact_daily_cap
        times = "once" if cap == 1 else f"{cap} times"
        detail = f"The number was called {times} within 24 hours: until {_clock(until, zone)}."
        return Wait("contact_cap", until, detail)
    return None


def _of_time(call: Call, batch: DialedBatch, now: datetime) -> Wait | None:
    """What decides of its pause and its hours, as `Lane.ready_at` takes them together."""
    zone = call.timezone or batch.timezone
    due = max(call.next_attempt_at, now)
    what = f"Attempt {call.attempts_made + 1}"
    opens = next_allowed(due, zone, batch.window)
    if opens is None:
        detail = (
            "The hours and days of the batch and those of the workspace have nothing in common."
        )
        return Wait("window", None, detail)
    if opens > due:
        outside = "Outside of the calling hours"
        if not is_allowed(now, zone, batch.window):
            return Wait("window", opens, f"{outside}: until {_clock(opens, zone)}.")
        detail = f"{what} is due outside of the calling hours: it waits until"
        return Wait("window", opens, f"{detail} {_clock(opens, zone)}.")
    if due > now:
        state = "is due at" if call.attempts_made else "was put off until"
        return Wait("retry_delay", due, f"{what} {state} {_clock(due, zone)}.")
    return None


def _of_limits(
    call: Call, tenant: Tenant, batch: DialedBatch, zone: str, now: datetime
) -> Wait | None:
    flying: InFlight = in_flight(tenant)
    lines = lines_of(tenant, batch.numbers, flying, now, lock=False)
    own = lines.get(bytes.fromhex(call.caller_id)) if call.caller_id else None
    if own is not None and not own.keeps_its_contacts:
        own = None  # another number may call
    usable: list[Line] = [own] if own is not None else list(lines.values())
    if usable and all(line.blocked_by for line in usable):
        who = "The number that it is called from has" if own else "Each of its calling numbers has"
        return _of_lines(usable, who, zone, now)
    if tenant.concurrency_limit and flying.total >= tenant.concurrency_limit:
        detail = f"The workspace has {flying.total} calls at a time, as many as it may."
        return Wait("workspace_limit", None, detail)
    return None


def _of_lines(blocked: list[Line], who: str, zone: str, now: datetime) -> Wait:
    reasons = list(_OF_LINES)
    first = min(
        blocked, key=lambda line: (reasons.index(str(line.blocked_by)), line.free_at or now)
    )
    reason = str(first.blocked_by)
    clock = _clock(first.free_at, zone) if first.free_at else ""
    detail = _OF_LINES[reason].format(who=who, clock=clock, why=first.kill_reason)
    return Wait(reason, first.free_at, detail)


def _clock(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%A %d %B %Y, %H:%M} ({zone})"

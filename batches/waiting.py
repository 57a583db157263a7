"""Why a pending call is not being dialed, for people who wonder: what the dialer would say."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from batches.dialer.contacts import capped_contacts
from batches.dialer.lines import Line, lines_of
from batches.dialer.tenants import DialedBatch, InFlight, Tenant, as_dialed, in_flight, tenant_of
from batches.models import BatchStatus, Call, CallBatch, CallStatus, PauseReason
from batches.schedule import next_allowed
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
    PauseReason.KILL_SWITCH: "dialing is switched off (kill_switch)",
}
_OF_LINES = {
    "number_cap": "Its calling numbers have made all the calls of the day.",
    "number_limit": "Its calling numbers have as many calls as they may have at a time.",
    "carrier_limit": "The carrier account has as many calls as it may have at a time.",
    "carrier_pace": "The carrier account starts only so many calls a second.",
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

    Reads `batch.session`. At most eight statements; none for a batch that is not being dialed.
    """
    if call.status != CallStatus.PENDING:
        return None
    if (wait := _of_batch(call, batch)) is not None:
        return wait
    tenant = tenant_of(call.workspace_id)
    if not tenant.is_active:
        return Wait("workspace_suspended", None, "The workspace is suspended.")
    dialed = as_dialed(tenant, batch.id)
    if not dialed.numbers:
        return Wait("no_number", None, "None of the batch's calling numbers is active.")
    return (
        _of_contact(call, tenant, dialed, now)
        or _of_time(call, dialed, now)
        or _of_limits(call, tenant, dialed, now)
        or Wait("dialer", now, "Next in turn.")
    )


def _of_batch(call: Call, batch: CallBatch) -> Wait | None:
    status = BatchStatus(batch.status)
    if status in _OF_BATCH:
        reason = _WHY_PAUSED[PauseReason(batch.status_reason)] if batch.status_reason else ""
        return Wait(f"batch_{status.value}", None, _OF_BATCH[status].format(reason=reason))
    session = batch.session
    if session and session.only_its_calls and call.session_id != session.id:
        detail = "The batch was started for other calls only; a start without callData includes it."
        return Wait("other_session", None, detail)
    return None


def _of_contact(call: Call, tenant: Tenant, batch: DialedBatch, now: datetime) -> Wait | None:
    who = [tenant.id, call.phone_number]
    [(is_listed, is_busy)] = fetch_all(_LISTED_AND_BUSY, [*who, *who])
    if is_listed and batch.honours_dnc:
        detail = "The number is on the do-not-call list: it is skipped when its turn comes."
        return Wait("do_not_call", None, detail)
    if until := capped_contacts(tenant, [call.phone_number], now).get(call.phone_number):
        detail = f"The number was called {tenant.contact_daily_cap} times within 24 hours."
        return Wait("contact_cap", until, detail)
    if is_busy:
        return Wait("contact_busy", None, "Another batch is calling this number.")
    return None


def _of_time(call: Call, batch: DialedBatch, now: datetime) -> Wait | None:
    zone = call.timezone or batch.timezone
    due = max(call.next_attempt_at, now)
    opens = next_allowed(due, zone, batch.window)
    if opens is None:
        detail = (
            "The hours and days of the batch and those of the workspace have nothing in common."
        )
        return Wait("window", None, detail)
    if opens > due:
        return Wait("window", opens, f"Outside of the calling hours: until {_clock(opens, zone)}.")
    if due > now:
        what = f"Attempt {call.attempts_made + 1}" if call.attempts_made else "The attempt"
        return Wait("retry_delay", due, f"{what} is due at {_clock(due, zone)}.")
    return None


def _of_limits(call: Call, tenant: Tenant, batch: DialedBatch, now: datetime) -> Wait | None:
    flying: InFlight = in_flight(tenant)
    if tenant.concurrency_limit and flying.total >= tenant.concurrency_limit:
        detail = f"The workspace has {flying.total} calls at a time, as many as it may."
        return Wait("workspace_limit", None, detail)
    lines = lines_of(tenant, batch.numbers, flying, now, lock=False)
    own = lines.get(bytes.fromhex(call.caller_id)) if call.caller_id else None
    usable: list[Line] = [own] if own is not None else list(lines.values())
    blocked = [line.blocked_by for line in usable]
    if not all(blocked):
        return None
    times = [line.free_at for line in usable]
    until = None if None in times else min(time for time in times if time is not None)
    first = next(reason for reason in blocked if reason is not None)
    return Wait(first, until, _OF_LINES[first])


def _clock(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%A %d %B %Y, %H:%M} ({zone})"

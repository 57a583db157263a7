"""The front page: what is running, what needs a hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from batches.dialer.tenants import window_of
from batches.models import BatchStatus, CallStatus, ImportStatus, PauseReason
from batches.overview import (
    Found,
    Running,
    Setup,
    batches_with_unknown_calls,
    calls_in_flight,
    carrier_trouble,
    expiring_keys,
    failing_webhooks,
    imports_in_vain,
    kill_switches,
    numbers_without_agent,
    paused_batches,
    running_batches,
    setup_of,
)
from batches.schedule import next_allowed
from batches.traffic import Hour, calls_today
from calling.carriers.registry import CARRIERS
from workspaces.back_office.reach import Reach, reach_of
from workspaces.back_office.webhook_words import state_of
from workspaces.templatetags.back_office import Bar, moment

_PAUSED = {
    PauseReason.NO_NUMBER: (
        "It has no calling number left.",
        "Give it an active number, then start it again.",
    ),
    PauseReason.CARRIER_REFUSED: (
        "The carrier refuses its calls.",
        "See what the carrier account says, settle it with the carrier, then start the batch again.",
    ),
    PauseReason.CARRIER_FAILING: (
        "The carrier fails again and again.",
        "When the carrier is well again, start the batch again.",
    ),
    PauseReason.KILL_SWITCH: (
        "Calling was switched off.",
        "Release the kill switch; it offers to let the batch go on.",
    ),
}
_SWITCHED_OFF = {
    "workspace": ("workspaces_workspace", "All calling of {} is switched off"),
    "phonenumber": ("calling_phonenumber", "Calling from {} is switched off"),
    "carrieraccount": ("calling_carrieraccount", "Calling with an account of {} is switched off"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something for a person to see to: `status` in a word, what it is, and what to do about it."""

    status: str
    label: str
    title: str
    url: str
    where: str = ""
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class More:
    """What did not fit."""

    number: int
    what: str
    url: str


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """For the theme, which renders `admin/index.html` with it. `?live` asks for the live part alone."""
    layout = "outdial/bare.html" if "live" in request.GET else "admin/base.html"
    return {**context, "layout": layout, **_figures(reach_of(request))}


def _figures(reach: Reach) -> dict[str, Any]:
    now = timezone.localtime()
    running, active = running_batches(reach)
    hours = calls_today(reach, now)
    settled = sum(hour.settled for hour in hours)
    setup = Setup(True, True, True) if running else setup_of(reach)
    return {
        "now": now,
        "running": [(one, _share(one), _waits(one, now)) for one in running],
        "active": active,
        "in_flight": calls_in_flight(reach),
        "placed": sum(hour.placed for hour in hours),
        "answered": sum(hour.answered for hour in hours),
        "settled": settled,
        "hours": [_bar(hour) for hour in hours],
        "troubles": list(_troubles(reach, now)),
        "setup": setup,
        "is_new": not (setup.has_number and setup.has_key and setup.has_batch),
        "may_lead": reach.leads_any,
    }


def _share(one: Running) -> list[tuple[str, str]]:
    """Widths of the progress bar: done, in flight."""
    if not one.total:
        return []
    parts = (("od-completed", one.done), ("od-in-progress", one.in_flight))
    return [(css, f"{100 * value / one.total:.2f}") for css, value in parts if value]


def _waits(one: Running, now: datetime) -> str:
    """Why nothing rings, as far as it is known without asking for each call."""
    if one.in_flight or not one.pending:
        return ""
    batch = one.batch
    window = window_of(batch.calling_hour_start, batch.calling_hour_end, batch.allowed_days)
    narrowed = window.narrowed_by(
        window_of(
            batch.workspace.calling_hour_start,
            batch.workspace.calling_hour_end,
            batch.workspace.allowed_days,
        )
    )
    opens = next_allowed(now, batch.timezone, narrowed)
    if opens is None:
        return "Its hours and those of the workspace have nothing in common."
    if one.next_dial_at is None:
        return "Nothing can be called; its page says why."
    if one.next_dial_at <= now:
        return "Its turn is next."
    outside = " (outside of its calling hours)" if opens > now else ""
    return f"Waits until {moment(max(one.next_dial_at, opens))}{outside}."


def _bar(hour: Hour) -> Bar:
    missed = hour.placed - hour.answered
    text = f"{hour.start:%H:%M}: {hour.placed:,} calls, {hour.answered:,} answered"
    label = str(hour.start.hour) if hour.start.hour % 3 == 0 else ""
    return Bar(label, text, [("od-completed", hour.answered), ("od-missed", missed)])


# --- What needs a hand ----------------------------------------------------------------------------


def _troubles(reach: Reach, now: datetime) -> Iterator[Trouble | More]:
    yield from _switched_off(kill_switches(reach))
    yield from _paused(paused_batches(reach))
    yield from _carriers(carrier_trouble(reach, now), now)
    yield from _unknown(batches_with_unknown_calls(reach))
    yield from _without_agent(numbers_without_agent(reach))
    yield from _webhooks(failing_webhooks(reach), now)
    yield from _keys(expiring_keys(reach, now), now)
    yield from _imports(imports_in_vain(reach, now))


def _switched_off(found: Found) -> Iterator[Trouble | More]:
    for row in found.rows:
        page, title = _SWITCHED_OFF[row["kind"]]
        label = _carrier(row["called"]) if row["kind"] == "carrieraccount" else row["called"]
        yield Trouble(
            status="off",
            label="switched off",
            title=f"{title.format(label)}.",
            url=_page(page, row["id"]),
            where="" if row["kind"] == "workspace" else row["of_workspace"],
            text=f"Since {moment(row['killed_at'])}: {row['kill_reason']}",
            advice="Release the kill switch when calls may go again.",
        )
    yield from _more(found, "kill switches that are on", "calling_phonenumber")


def _paused(found: Found) -> Iterator[Trouble | More]:
    for batch in found.rows:
        text, advice = _PAUSED[PauseReason(batch.status_reason)]
        yield Trouble(
            status="paused",
            label="paused",
            title=batch.name,
            url=_page("batches_callbatch", batch.id),
            where=batch.workspace.name,
            text=f"{text} Paused since {moment(batch.updated_at)}.",
            advice=advice,
        )
    yield from _more(found, "paused batches", "batches_callbatch", status__exact=BatchStatus.PAUSED)


def _carriers(found: Found, now: datetime) -> Iterator[Trouble | More]:
    for account in found.rows:
        is_failing = bool(account.failures)
        sentences = []
        if is_failing:
            times = "once" if account.failures == 1 else f"{account.failures} times in a row"
            sentences.append(f"Failed {times}.")
        if account.resting_until and account.resting_until > now:
            sentences.append(f"Rests until {moment(account.resting_until)}.")
        if account.last_error:
            sentences.append(f"Last error, {moment(account.last_error_at)}: {account.last_error}")
        yield Trouble(
            status="failed" if is_failing else "refused",
            label="failing" if is_failing else "refused",
            title=f"{_carrier(account.carrier)} account",
            url=_page("calling_carrieraccount", account.id),
            where=account.workspace.name,
            text=" ".join(sentences),
            advice="It is tried again by itself."
            if is_failing
            else "Calls that were refused are not tried by themselves: look at the account.",
        )
    yield from _more(found, "carrier accounts in trouble", "calling_carrieraccount")


def _unknown(found: Found) -> Iterator[Trouble]:
    for row in found.rows:
        calls = "1 call" if row["calls"] == 1 else f"{row['calls']:,} calls"
        yield Trouble(
            status="unknown",
            label="unknown",
            title=f"{calls} of {row['name']}",
            url=_list(
                "batches_call",
                batch__id__exact=row["batch_id"],
                status__exact=CallStatus.UNKNOWN,
            ),
            where=row["in_workspace"],
            text="The carrier could not say whether they rang, so they are not called again.",
            advice="Retry them if a second ring does no harm.",
        )


def _without_agent(found: Found) -> Iterator[Trouble | More]:
    for phone in found.rows:
        yield Trouble(
            status="paused",
            label="no agent",
            title=phone.number,
            url=_page("calling_phonenumber", phone.id),
            where=phone.workspace.name,
            text="Nobody would speak when a call from it is answered, so it makes none.",
            advice="Choose its agent.",
        )
    yield from _more(found, "numbers without an agent", "calling_phonenumber")


def _webhooks(found: Found, now: datetime) -> Iterator[Trouble | More]:
    for endpoint in found.rows:
        state = state_of(endpoint, now)
        yield Trouble(
            status=state.status,
            label=state.label,
            title=f"Webhook to {endpoint.url}",
            url=_page("workspaces_webhookendpoint", endpoint.id),
            where=endpoint.workspace.name,
            text=f"{state.detail[:1].upper()}{state.detail[1:]}.",
            advice="It is tried again by itself; its page says what was answered."
            if endpoint.is_enabled
            else "When the receiver is well again, switch it on and send again what it has missed.",
        )
    yield from _more(found, "webhooks in trouble", "workspaces_webhookendpoint")


def _keys(found: Found, now: datetime) -> Iterator[Trouble | More]:
    for key in found.rows:
        is_over = key.expires_at <= now
        yield Trouble(
            status="revoked" if is_over else "paused",
            label="expired" if is_over else "expires",
            title=f"API key {key.name}",
            url=_page("workspaces_apikey", key.id),
            where=key.workspace.name,
            text=f"It {'ended' if is_over else 'ends'} on {moment(key.expires_at)}.",
            advice="Make a new one and give it to whoever uses this one.",
        )
    yield from _more(found, "keys that expire", "workspaces_apikey")


def _imports(found: Found) -> Iterator[Trouble | More]:
    for record in found.rows:
        is_ours = record.status == ImportStatus.FAILED
        yield Trouble(
            status="failed",
            label="import failed" if is_ours else "import refused",
            title=record.file_name or "A file",
            url=_page("batches_import", record.id),
            where=record.workspace.name,
            text=f"Sent by {record.created_by} on {moment(record.created_at)};"
            f" nothing of it was stored.",
            advice="Send the file again." if is_ours else "Mend the file and send it again.",
        )
    yield from _more(found, "imports in vain", "batches_import")


def _more(found: Found, what: str, page: str, **query: str) -> Iterator[More]:
    hidden = found.total - len(found.rows)
    if hidden > 0:
        yield More(hidden, what, _list(page, **query))


def _carrier(name: str) -> str:
    return CARRIERS[name].title if name in CARRIERS else name.capitalize()


def _page(model: str, id_: str) -> str:
    return reverse(f"admin:{model}_change", args=[id_])


def _list(model: str, **query: str) -> str:
    address = reverse(f"admin:{model}_changelist")
    return f"{address}?{urlencode(query)}" if query else address

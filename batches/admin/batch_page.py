"""The page of a batch: how it is doing, what it waits for, and its calls."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property

from batches.admin.batch_deeds import MOST_LOOKED_AHEAD, outlook_in_words, possible_deeds
from batches.backlog import Backlog, backlog_of
from batches.call_pages import CallPage, read_page
from batches.dialer.tenants import called_today
from batches.models import BatchNumber, BatchStatus, CallBatch, CallStatus
from batches.preflight import preflight
from batches.selection import CallSelection
from batches.services.counters import PICKED, counts_of, total_of
from batches.statistics import BatchStatistics, statistics_of
from batches.wording import narrowed_in_words, settings_in_words, zone_in_words
from workspaces.templatetags.back_office import Bar, share

CALLS_A_PAGE = 25
MOST_SEARCHED = 100_000  # calls; in a larger batch only a whole number is looked up
# What took long to find out is told again for so many times as long, so that people who leave the
# page open do not keep the database busy.
_TIMES_AS_LONG = 20
_OUTCOMES = (
    *(CallStatus.COMPLETED, CallStatus.IN_PROGRESS, CallStatus.FAILED, CallStatus.SKIPPED),
    *(CallStatus.UNKNOWN, CallStatus.CANCELLED, CallStatus.PENDING),
)
_BUTTONS = {
    "start": ("Start", "play_arrow", "primary"),
    "stop": ("Stop", "stop", "primary"),
    "upload": ("Upload contacts", "upload_file", "default"),
    "edit": ("Change", "edit", "default"),
    "retry": ("Retry calls", "replay", "default"),
    "cancel": ("Take contacts out", "person_remove", "default"),
    "delete": ("Delete", "delete", "default"),
}
_BLOCKED = {
    "kill_switch": "switched off: {reason}",
    "no_agent": "has no agent",
    "number_cap": "made all its calls of the day",
    "number_limit": "as many calls as it may have at a time",
    "carrier_limit": "its carrier account has as many calls as it may",
    "carrier_failing": "its carrier fails; a call will try again",
    "carrier_pace": "at the pace of its carrier account",
}
_RESTS = {
    BatchStatus.DRAFT: "The batch has not been started.",
    BatchStatus.STOPPED: "The batch was stopped.",
    BatchStatus.PAUSED: "The system paused the batch.",
    BatchStatus.COMPLETED: "The batch is completed.",
}


@dataclass(frozen=True, slots=True)
class Share:
    css: str
    label: str
    number: int
    percent: str  # for the width
    share: str  # for people


@dataclass(frozen=True, slots=True)
class RotationRow:
    """A calling number of the batch. `state` empty: it may call. Limits of 0 are none."""

    phone: Any
    state: str
    free_at: datetime | None
    today: int
    in_flight: int


@dataclass(frozen=True)
class Picture:
    """How a batch is doing now. Some twenty statements, whatever its size."""

    batch: CallBatch
    now: datetime

    @cached_property
    def counts(self) -> dict[str, int]:
        return counts_of(self.batch.id)

    @cached_property
    def backlog(self) -> Backlog:
        return backlog_of(self.batch, self.now)

    @cached_property
    def statistics(self) -> BatchStatistics:
        return _statistics(self.batch, self.now)

    @property
    def total(self) -> int:
        return total_of(self.counts)

    @property
    def pending(self) -> int:
        return self.counts[CallStatus.PENDING]

    @property
    def done(self) -> int:
        return self.total - self.pending - self.counts[CallStatus.IN_PROGRESS]

    @property
    def done_percent(self) -> str:
        return f"{100 * self.done / self.total:.2f}" if self.total else "0"

    @property
    def answered(self) -> int:
        return self.counts[PICKED]

    @property
    def answer_rate(self) -> str:
        rate = self.statistics.answer_rate
        return "–" if rate is None else share(round(rate * 10_000), 10_000)

    @property
    def is_active(self) -> bool:
        return self.batch.status == BatchStatus.ACTIVE

    @property
    def is_live(self) -> bool:
        """Whether something may change by itself."""
        is_moving = self.is_active or self.backlog.in_flight > 0
        return is_moving and self.batch.deleted_at is None

    @property
    def left_out(self) -> int:
        """Pending calls that the present session leaves out, where that is known."""
        groups = self.backlog.groups
        if not self.backlog.dialed.only_session or any(group.is_capped for group in groups):
            return 0
        return max(0, self.pending - sum(group.calls for group in groups))

    @property
    def rests(self) -> str:
        """Why no call of it is dialed, whatever its calls are."""
        if self.batch.deleted_at:
            return "The batch was deleted."
        return _RESTS.get(BatchStatus(self.batch.status), "")

    @property
    def groups(self) -> list[dict[str, Any]]:
        return [
            {"group": group, "place": zone_in_words(group.timezone)}
            for group in self.backlog.groups
        ]

    @property
    def outcomes(self) -> list[Share]:
        return [
            Share(
                css=f"od-{status.value}",
                label=status.label,
                number=number,
                percent=f"{100 * number / self.total:.2f}",
                share=share(number, self.total),
            )
            for status in _OUTCOMES
            if (number := self.counts[status])
        ]

    @cached_property
    def hours(self) -> list[Bar]:
        """The last 24 hours, the one that runs last; those without attempts, too."""
        found = {hour["hour"]: hour for hour in self.statistics.attempts_per_hour}
        this = self.now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return [
            _bar(this - timedelta(hours=back), found.get(this - timedelta(hours=back)))
            for back in range(23, -1, -1)
        ]

    @property
    def attempts_of_the_day(self) -> int:
        return sum(bar.total for bar in self.hours)

    @cached_property
    def rotation(self) -> list[RotationRow]:
        rows = BatchNumber.objects.filter(batch=self.batch).order_by("position")
        phones = [row.phone for row in rows.select_related("phone__agent")]
        ids = [bytes.fromhex(phone.id) for phone in phones]
        today = called_today(self.backlog.tenant, ids, self.now)
        return [
            self._rotation_row(phone, today.get(id_, 0))
            for phone, id_ in zip(phones, ids, strict=True)
        ]

    def _rotation_row(self, phone: Any, today: int) -> RotationRow:
        line = self.backlog.lines.get(phone.id)
        if line is None:
            state, free_at = "not active", None
        else:
            state = _BLOCKED.get(line.blocked_by or "", "").format(reason=line.kill_reason)
            free_at = line.free_at if line.blocked_by else None
        return RotationRow(phone, state, free_at, today, self.backlog.in_flight_from(phone.id))


def show(model_admin: Any, request: HttpRequest, batch: CallBatch) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        raise PermissionDenied
    picture = Picture(batch, timezone.now())
    may_steer = model_admin.may_steer(request, batch)
    context = {
        **model_admin.admin_site.each_context(request),
        **_context(picture),
        "title": batch.name,
        "opts": model_admin.opts,
        "original": batch,
        "settings": settings_in_words(batch),
        "narrowed": narrowed_in_words(batch, batch.workspace),
        "buttons": _buttons(batch, picture.counts) if may_steer else [],
        "may_steer": may_steer,
        "looks_ahead": not (picture.is_active or batch.deleted_at)
        and (picture.pending > 0 or batch.status == BatchStatus.DRAFT),
        "imports": batch.imports.filter(dry_run=False).order_by("-created_at", "-id")[:3],
        **_calls(request, picture),
    }
    return TemplateResponse(request, "admin/batches/callbatch/page.html", context)


def live(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """The part of the page that changes by itself. When the status has changed, so have the buttons:
    the page is loaded again."""
    batch = _seen(model_admin, request, object_id)
    if request.GET.get("was", batch.status) != batch.status:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = _context(Picture(batch, timezone.now()))
    return TemplateResponse(request, "admin/batches/callbatch/live.html", context)


def look_ahead(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """What a start would do; it looks at every pending call, so the page does not wait for it."""
    batch = _seen(model_admin, request, object_id)
    if batch.deleted_at:
        raise Http404
    pending = counts_of(batch.id)[CallStatus.PENDING]
    if pending > MOST_LOOKED_AHEAD:
        facts = [
            f"{pending:,} calls are pending: too many to look at each of them before the start. This"
            " page tells what they wait for while the batch runs."
        ]
        return TemplateResponse(request, "admin/batches/callbatch/preflight.html", {"facts": facts})
    found = preflight(batch, timezone.now())
    facts = [fact for fact in outlook_in_words(found) if not fact.startswith("Mind: ")]
    context = {"facts": facts, "warnings": found.warnings, "zones": found.zones}
    return TemplateResponse(request, "admin/batches/callbatch/preflight.html", context)


def _seen(model_admin: Any, request: HttpRequest, object_id: str) -> CallBatch:
    batch: CallBatch | None = model_admin.get_object(request, object_id)
    if batch is None:
        raise Http404
    return batch


def _context(picture: Picture) -> dict[str, Any]:
    address = reverse("admin:batches_callbatch_live", args=[picture.batch.id])
    return {
        "batch": picture.batch,
        "picture": picture,
        "live_url": f"{address}?was={picture.batch.status}",
    }


def _buttons(batch: CallBatch, counts: dict[str, int]) -> list[dict[str, str]]:
    buttons = []
    for verb in possible_deeds(batch, counts):
        label, icon, variant = _BUTTONS[verb]
        url = reverse(f"admin:batches_callbatch_{verb}", args=[batch.id])
        buttons.append({"label": label, "icon": icon, "variant": variant, "url": url})
    return buttons


def _bar(hour: datetime, found: dict[str, Any] | None) -> Bar:
    begins = hour.astimezone(timezone.get_current_timezone())
    ends = begins + timedelta(hours=1)
    made = found["attempts"] if found else 0
    answered = found["answered"] if found else 0
    calls = "1 call" if made == 1 else f"{made:,} calls"
    return Bar(
        label=f"{begins:%H}" if begins.hour % 3 == 0 else "",
        text=f"{begins:%H:%M}–{ends:%H:%M}: {calls}, {answered:,} answered",
        parts=[("od-completed", answered), ("od-missed", made - answered)],
    )


def _statistics(batch: CallBatch, now: datetime) -> BatchStatistics:
    key = f"batch-statistics-{batch.id}-{batch.status}"
    found: BatchStatistics | None = cache.get(key)
    if found is None:
        started = time.perf_counter()
        found = statistics_of(batch, now=now)
        kept = (time.perf_counter() - started) * _TIMES_AS_LONG
        if kept > 1:
            cache.set(key, found, kept)
    return found


# --- Calls ----------------------------------------------------------------------------------------


def _calls(request: HttpRequest, picture: Picture) -> dict[str, Any]:
    """The page of calls that the address asks for; what it asks in vain finds nothing."""
    status = request.GET.get("status", "")
    search = request.GET.get("q", "").strip()[:200].replace("\0", "")
    wanted = request.GET.get("page", "")
    number = int(wanted) if wanted.isdecimal() and len(wanted) < 8 else 1
    known = status if status in CallStatus.values else ""
    page = _found(picture, known, search, max(1, number))
    pages = ceil(page.total / CALLS_A_PAGE)
    query = request.GET.copy()
    query.pop("page", None)
    return {
        "calls": page.calls,
        "calls_total": page.total,
        "page_number": max(1, number),
        "pages": pages,
        "is_filtered": bool(known or search),
        "query": query.urlencode(),
        "status": known,
        "q": search,
        "statuses": CallStatus.choices,
        "is_large": picture.total > MOST_SEARCHED,
    }


def _found(picture: Picture, status: str, search: str, number: int) -> CallPage:
    selections = _selections(status or None, search, picture.total <= MOST_SEARCHED)
    page = CallPage(0, [])
    for selection in selections:
        page = read_page(
            picture.batch,
            selection,
            sort_by="createdAt",
            descending=True,
            page=number,
            limit=CALLS_A_PAGE,
        )
        if page.total:
            break
    return page


def _selections(status: str | None, search: str, may_look_at_all: bool) -> Sequence[CallSelection]:
    """One after the other until one finds something: a whole number by its index first."""
    if not search:
        return [CallSelection(status=status)]
    whole = "+" + "".join(filter(str.isdecimal, search))
    by_number = CallSelection(status=status, phone_number=whole)
    return (
        [by_number, CallSelection(status=status, search=search)] if may_look_at_all else [by_number]
    )

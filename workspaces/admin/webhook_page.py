"""The page of a webhook: how it is doing, what it wants, and its deliveries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Page
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from workspaces.admin.webhook_figures import Figures, figures_of
from workspaces.back_office.base import AuditedAdmin
from workspaces.back_office.paging import ShortPaginator
from workspaces.back_office.webhook_words import (
    answer_in_words,
    delivery_in_words,
    state_of,
    type_in_words,
    types_in_words,
)
from workspaces.models import (
    DeliveryStatus,
    EventType,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)

DELIVERIES_A_PAGE = 25
# A type stands with the event: among more deliveries it would take seconds to look for a rare one.
MOST_LOOKED_THROUGH = ShortPaginator.MOST_COUNTED
FAST, SLOW = 3, 30  # seconds between two looks
_SOON = timedelta(minutes=2)
_BUTTONS = {
    "test": ("Send a test", "send", "primary"),
    "replay": ("Send a span again", "replay", "default"),
    "switch_on": ("Switch on", "play_arrow", "primary"),
    "edit": ("Change", "edit", "default"),
    "switch_off": ("Switch off", "pause", "default"),
    "rotate": ("New secret", "key", "default"),
    "delete": ("Delete", "delete", "default"),
}


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A line of a table. `last`: the attempt that was made last, without what was answered."""

    delivery: WebhookDelivery
    last: WebhookAttempt | None

    @property
    def status(self) -> tuple[str, str]:
        return delivery_in_words(self.delivery)

    @property
    def what(self) -> str:
        return type_in_words(self.delivery.event.type)

    @property
    def answer(self) -> str:
        return answer_in_words(self.last)[1] if self.last else ""


def show(
    model_admin: AuditedAdmin[Any], request: HttpRequest, endpoint: WebhookEndpoint
) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        raise PermissionDenied
    may_steer = model_admin.may_steer(request, endpoint)
    context = {
        **model_admin.admin_site.each_context(request),
        **_live(request, endpoint),
        "title": endpoint.url,
        "opts": model_admin.opts,
        "original": endpoint,
        "buttons": _buttons(endpoint) if may_steer else [],
        "types": types_in_words(endpoint.event_types),
        "statuses": DeliveryStatus.choices,
        "event_types": EventType.choices,
        "most_looked_through": MOST_LOOKED_THROUGH,
    }
    return TemplateResponse(request, "admin/workspaces/webhookendpoint/page.html", context)


def live(model_admin: AuditedAdmin[Any], request: HttpRequest, object_id: str) -> HttpResponse:
    """What changes by itself. When it was switched off meanwhile, the buttons are others: the page is
    loaded again."""
    endpoint = model_admin.get_object(request, object_id)
    if endpoint is None:
        raise Http404
    if request.GET.get("was", endpoint.disabled_reason) != endpoint.disabled_reason:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {**_live(request, endpoint), "is_alone": True}
    return TemplateResponse(request, "admin/workspaces/webhookendpoint/live.html", context)


def rows_of(deliveries: Iterable[WebhookDelivery]) -> Sequence[DeliveryRow]:
    """One statement for the last attempts of all of them."""
    deliveries = list(deliveries)
    attempts = WebhookAttempt.objects.filter(delivery__in=[one.id for one in deliveries])
    last_ones = attempts.order_by("delivery_id", "-started_at").distinct("delivery_id")
    last = {one.delivery_id: one for one in last_ones.defer("response")}
    return [DeliveryRow(one, last.get(one.id)) for one in deliveries]


def every(due_at: datetime | None, now: datetime) -> int:
    """How often to look after what is waiting, by when the first of it is due; 0: nothing waits."""
    if due_at is None:
        return 0
    return FAST if due_at < now + _SOON else SLOW


def _live(request: HttpRequest, endpoint: WebhookEndpoint) -> dict[str, Any]:
    now = timezone.now()
    figures = figures_of([endpoint.id])[endpoint.id]
    due_at = _due_at(endpoint, figures)
    query = request.GET.copy()
    for name in ("was", "page"):
        query.pop(name, None)
    status, type_ = query.get("status", ""), query.get("type", "")
    page = _page(endpoint, status, type_, request.GET.get("page", ""))
    asked = query.copy()
    asked["was"], asked["page"] = endpoint.disabled_reason, str(page.number)
    address = reverse("admin:workspaces_webhookendpoint_live", args=[endpoint.id])
    return {
        "endpoint": endpoint,
        "now": now,
        "state": state_of(endpoint, now),
        "figures": figures,
        "rows": rows_of(page),
        "page": page,
        "is_capped": page.paginator.count == MOST_LOOKED_THROUGH,
        "query": query.urlencode(),
        "status": status,
        "type": type_,
        "due_at": due_at,
        "every": every(due_at, now),
        "live_url": f"{address}?{asked.urlencode()}",
    }


def _due_at(endpoint: WebhookEndpoint, figures: Figures) -> datetime | None:
    if figures.due_at and endpoint.rests_until:
        return max(figures.due_at, endpoint.rests_until)
    return figures.due_at


def _page(endpoint: WebhookEndpoint, status: str, type_: str, number: str) -> Page[WebhookDelivery]:
    """The page that is asked for; what is asked in vain counts as not asked."""
    newest_first = ("-created_at", "-id")
    found: QuerySet[WebhookDelivery] = WebhookDelivery.objects.filter(endpoint=endpoint)
    if status in DeliveryStatus.values:
        found = found.filter(status=status)
    if type_ in EventType.values:
        recent = found.order_by(*newest_first).values("pk")[:MOST_LOOKED_THROUGH]
        found = WebhookDelivery.objects.filter(pk__in=recent, event__type=type_)
    found = found.select_related("event").defer("event__data").order_by(*newest_first)
    return ShortPaginator(found, DELIVERIES_A_PAGE).get_page(number)


def _buttons(endpoint: WebhookEndpoint) -> list[dict[str, str]]:
    left_out = {"switch_on"} if endpoint.is_enabled else {"test", "replay", "switch_off"}
    return [
        {
            "label": label,
            "icon": icon,
            "variant": variant,
            "url": reverse(f"admin:workspaces_webhookendpoint_{verb}", args=[endpoint.id]),
        }
        for verb, (label, icon, variant) in _BUTTONS.items()
        if verb not in left_out
    ]

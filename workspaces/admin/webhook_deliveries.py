"""Deliveries of webhooks: what was sent, each attempt, and what was answered."""

import json
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from workspaces.admin.webhook_page import every
from workspaces.back_office.base import ReadOnlyAdmin, actor_of
from workspaces.back_office.confirm import Confirmation, confirmed, row_to_steer
from workspaces.back_office.paging import ShortPaginator
from workspaces.back_office.reach import reach_of
from workspaces.back_office.theme import display
from workspaces.back_office.webhook_words import (
    answer_in_words,
    delivery_in_words,
    state_of,
    type_in_words,
)
from workspaces.ids import is_object_id
from workspaces.models import DeliveryStatus, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from workspaces.services.events import body_of, payload_of
from workspaces.services.webhooks import replay_delivery
from workspaces.templatetags.back_office import moment
from workspaces.webhooks.schedule import MOST_ATTEMPTS

_VARIANTS = {"queued": "info", "completed": "success", "failed": "danger"}


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin[WebhookDelivery]):
    """Found by way of their webhook; the list of all has the newest only, as the key has them."""

    list_display = ["created", "what", "webhook", "state", "attempts_made", "workspace"]
    sortable_by = ()
    paginator = ShortPaginator
    ordering = ["-id"]
    search_fields = ["id"]
    search_help_text = "The id of a delivery or of an event."

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        rows = super().get_queryset(request).select_related("workspace", "event", "endpoint")
        rows = rows.defer("endpoint__secret", "endpoint__old_secret")
        reach = reach_of(request)
        # By way of the webhooks: no index begins with the workspace.
        webhooks = reach.narrow(WebhookEndpoint.objects.all(), "workspace").values("id")
        return rows if reach.is_all else rows.filter(endpoint__in=webhooks)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[WebhookDelivery], search_term: str
    ) -> tuple[QuerySet[WebhookDelivery], bool]:
        term = search_term.strip()
        if not is_object_id(term):
            return (queryset.none() if term else queryset), False
        by_id = queryset.filter(pk=term)
        return (by_id if by_id.exists() else queryset.filter(event=term)), False

    # --- columns ---

    @display(description="queued")
    def created(self, delivery: WebhookDelivery) -> str:
        return moment(delivery.created_at)

    @display(description="event")
    def what(self, delivery: WebhookDelivery) -> str:
        return type_in_words(delivery.event.type)

    @display(description="webhook")
    def webhook(self, delivery: WebhookDelivery) -> str:
        return delivery.endpoint.url

    @display(description="status", label=_VARIANTS)
    def state(self, delivery: WebhookDelivery) -> tuple[str, str]:
        return delivery_in_words(delivery)

    # --- the page of one ---

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        name = "workspaces_webhookdelivery"
        return [
            path("<str:object_id>/live/", view(self.live_view), name=f"{name}_live"),
            path("<str:object_id>/again/", view(self.again_view), name=f"{name}_again"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        delivery = self._seen(request, object_id)
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        event = delivery.event
        context = {
            **self.admin_site.each_context(request),
            **_live(delivery),
            "title": f"Delivery: {type_in_words(event.type)}",
            "opts": self.opts,
            "original": delivery,
            "document": json.dumps(payload_of(event), ensure_ascii=False, indent=2),
            "body": body_of(event).decode(),
            "may_send": self.may_steer(request, delivery) and delivery.endpoint.is_enabled,
        }
        return TemplateResponse(request, "admin/workspaces/webhookdelivery/page.html", context)

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        context = _live(self._seen(request, object_id))
        return TemplateResponse(request, "admin/workspaces/webhookdelivery/live.html", context)

    def again_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        delivery = row_to_steer(self, request, object_id)
        question = Confirmation(
            title="Send it again?",
            text=f"The event goes to {delivery.endpoint.url} once more, as a delivery of its own.",
            facts=["It keeps its id, so a receiver that has it already can tell."],
            button="Send again",
        )
        made: list[str] = []

        def act(row: WebhookDelivery, values: dict[str, Any]) -> str:
            new = replay_delivery(
                workspace_id=row.workspace_id,
                delivery_id=row.id,
                actor=actor_of(request),
                now=timezone.now(),
            )
            made.append(new.id)
            return "It is on its way: this is the new delivery."

        response = confirmed(self, request, delivery, question, act)
        if not made:
            return response
        return HttpResponseRedirect(reverse("admin:workspaces_webhookdelivery_change", args=made))

    def _seen(self, request: HttpRequest, object_id: str) -> WebhookDelivery:
        delivery = self.get_object(request, object_id)
        if delivery is None:
            raise Http404
        return delivery


def _live(delivery: WebhookDelivery) -> dict[str, Any]:
    """How it stands, and every attempt. One statement."""
    now, endpoint = timezone.now(), delivery.endpoint
    attempts = WebhookAttempt.objects.for_workspace(delivery.workspace_id)
    found = attempts.filter(delivery=delivery).order_by("started_at", "id")
    due_at = delivery.next_attempt_at if delivery.status == DeliveryStatus.PENDING else None
    if due_at and endpoint.rests_until:
        due_at = max(due_at, endpoint.rests_until)
    return {
        "delivery": delivery,
        "status": delivery_in_words(delivery),
        "endpoint_state": state_of(endpoint, now),
        "what": type_in_words(delivery.event.type),
        "attempts": [(attempt, answer_in_words(attempt)) for attempt in found],
        "most_attempts": MOST_ATTEMPTS,
        "due_at": due_at,
        "is_due": due_at is not None and due_at <= now,
        "every": every(due_at, now),
    }

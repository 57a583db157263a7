"""Webhooks: where events are sent, what became of them, and sending them again."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request
from rest_framework.response import Response

from workspaces.api import webhook_serializers as shapes
from workspaces.api.base import ApiViewSet
from workspaces.api.endpoint import endpoint
from workspaces.api.pagination import page_data
from workspaces.api.serializers import DeletedSerializer
from workspaces.api.strict import PageQuery
from workspaces.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from workspaces.permissions import Access
from workspaces.services.webhooks import (
    MOST_REPLAYED,
    MOST_WEBHOOKS,
    create_webhook,
    delete_webhook,
    replay_delivery,
    replay_span,
    rotate_secret,
    send_test,
    update_webhook,
)

WEBHOOKS = ["Webhooks"]
CREATE = [
    OpenApiExample(
        "Batches and answered calls",
        request_only=True,
        value={
            "url": "https://hooks.example.com/outdial",
            "description": "Order system",
            "eventTypes": ["batch.completed", "call.completed"],
        },
    ),
    OpenApiExample(
        "Everything", request_only=True, value={"url": "https://hooks.example.com/outdial"}
    ),
]
REPLAY = [
    OpenApiExample(
        "What it missed in an hour",
        request_only=True,
        value={
            "since": "2025-05-15T14:00:00.000Z",
            "until": "2025-05-15T15:00:00.000Z",
            "onlyFailed": True,
        },
    )
]


class WebhookViewSet(ApiViewSet):
    @endpoint(
        Access.READ,
        message="Webhooks fetched successfully",
        query=PageQuery,
        result=shapes.WebhookListSerializer,
        operation="listWebhooks",
        tags=WEBHOOKS,
        summary="List webhooks",
        description="Newest first.",
    )
    def list(self, request: Request) -> Response:
        webhooks, query = self._webhooks(), self.valid_query()
        newest_first = webhooks.order_by("-created_at", "-id")
        data = page_data("webhooks", newest_first, webhooks.count(), query)
        return self.answer(shapes.WebhookListSerializer(data).data)

    @endpoint(
        Access.STEER,
        message="Webhook created successfully",
        body=shapes.CreateWebhookSerializer,
        result=shapes.NewWebhookSerializer,
        status=201,
        operation="createWebhook",
        tags=WEBHOOKS,
        summary="Create a webhook",
        description=(
            f"At most {MOST_WEBHOOKS} a workspace. The only answer that shows the secret, by which"
            " you verify what you receive (Standard Webhooks: `webhook-id`, `webhook-timestamp`,"
            " `webhook-signature`). Answer 2xx within 15 seconds. Anything else is tried again, ten"
            " times over three days; 410 switches the webhook off, and so do three days without any"
            " success. An event may come more than once: its `webhook-id` stays the same."
        ),
        examples=CREATE,
    )
    def create(self, request: Request) -> Response:
        secret, webhook = create_webhook(
            workspace_id=self.caller.workspace_id,
            user_id=self.caller.user_id,
            **self.valid_body(),
            actor=self.caller.actor,
            now=timezone.now(),
        )
        webhook.shown_secret = secret  # type: ignore[attr-defined]  # for the serializer
        return self.answer(shapes.NewWebhookSerializer(webhook).data)

    @endpoint(
        Access.READ,
        message="Webhook fetched successfully",
        result=shapes.WebhookSerializer,
        etag=True,
        operation="getWebhook",
        tags=WEBHOOKS,
        summary="Get a webhook",
    )
    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 (the path's name)
        webhook = get_object_or_404(self._webhooks(), id=self.path_id("id"))
        return self.answer(_webhook(webhook))

    @endpoint(
        Access.STEER,
        message="Webhook updated successfully",
        body=shapes.UpdateWebhookSerializer,
        result=shapes.WebhookSerializer,
        etag=True,
        operation="updateWebhook",
        tags=WEBHOOKS,
        summary="Update a webhook",
        description="What is left out stays. `enabled` switches it off and on again.",
    )
    def update(self, request: Request, id: str) -> Response:  # noqa: A002 (the path's name)
        webhook = update_webhook(
            workspace_id=self.caller.workspace_id,
            webhook_id=self.path_id("id"),
            changes=self.valid_body(),
            actor=self.caller.actor,
            now=timezone.now(),
            precondition=self.precondition(_webhook),
        )
        return self.answer(_webhook(webhook))

    @endpoint(
        Access.STEER,
        message="Webhook deleted successfully",
        result=DeletedSerializer,
        operation="deleteWebhook",
        tags=WEBHOOKS,
        summary="Delete a webhook",
        description="With its log; what is waiting is not sent.",
    )
    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002 (the path's name)
        webhook_id = self.path_id("id")
        delete_webhook(
            workspace_id=self.caller.workspace_id,
            webhook_id=webhook_id,
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self.answer({"deletedId": webhook_id})

    @endpoint(
        Access.STEER,
        message="Secret rotated successfully",
        result=shapes.NewSecretSerializer,
        operation="rotateWebhookSecret",
        tags=WEBHOOKS,
        summary="Rotate a webhook's secret",
        description=(
            "A new secret, which no other answer shows. For 24 hours every request has two"
            " signatures, of the new and of the old secret; rotate again, and the oldest ends."
        ),
    )
    def rotate(self, request: Request, id: str) -> Response:  # noqa: A002 (the path's name)
        secret = rotate_secret(
            workspace_id=self.caller.workspace_id,
            webhook_id=self.path_id("id"),
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self.answer({"secret": secret})

    @endpoint(
        Access.STEER,
        message="Test event queued successfully",
        result=shapes.WebhookDeliverySerializer,
        status=201,
        operation="testWebhook",
        tags=WEBHOOKS,
        summary="Send a test event",
        description="A `webhook.test` event, to this webhook only. Its delivery tells how it went.",
    )
    def test(self, request: Request, id: str) -> Response:  # noqa: A002 (the path's name)
        delivery = send_test(
            workspace_id=self.caller.workspace_id,
            webhook_id=self.path_id("id"),
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self.answer(shapes.WebhookDeliverySerializer(delivery).data)

    @endpoint(
        Access.STEER,
        message="Events queued successfully",
        body=shapes.ReplayWebhookSerializer,
        result=shapes.ReplayedSerializer,
        operation="replayWebhook",
        tags=WEBHOOKS,
        summary="Send a span of time again",
        description=(
            "Events from `since` up to `until`, each as a new delivery with the same `webhook-id`; at"
            f" most {MOST_REPLAYED:,} at a time. Events are kept for 30 days."
        ),
        examples=REPLAY,
    )
    def replay(self, request: Request, id: str) -> Response:  # noqa: A002 (the path's name)
        queued = replay_span(
            workspace_id=self.caller.workspace_id,
            webhook_id=self.path_id("id"),
            **self.valid_body(),
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self.answer({"queued": queued})

    def _webhooks(self) -> QuerySet[WebhookEndpoint]:
        webhooks = WebhookEndpoint.objects.for_workspace(self.caller.workspace_id)
        return webhooks.defer("secret", "old_secret")


class DeliveryViewSet(ApiViewSet):
    @endpoint(
        Access.READ,
        message="Deliveries fetched successfully",
        query=shapes.DeliveriesQuery,
        result=shapes.WebhookDeliveryListSerializer,
        operation="listWebhookDeliveries",
        tags=WEBHOOKS,
        summary="List a webhook's deliveries",
        description="What was sent, or waits to be, each with its last attempt; newest first.",
    )
    def list(self, request: Request, id: str) -> Response:  # noqa: A002 (the path's name)
        webhooks = WebhookEndpoint.objects.for_workspace(self.caller.workspace_id)
        webhook_id = self.path_id("id")
        get_object_or_404(webhooks.only("id"), id=webhook_id)
        query = self.valid_query()
        wanted = {"status": query.get("status"), "event__type": query.get("type")}
        deliveries = self._deliveries().filter(
            endpoint_id=webhook_id, **{name: value for name, value in wanted.items() if value}
        )
        attempts = self._attempts().order_by("delivery_id", "-started_at", "-id")
        last = Prefetch("attempts", attempts.distinct("delivery_id"), to_attr="last_attempts")
        newest_first = deliveries.order_by("-created_at", "-id").prefetch_related(last)
        data = page_data("deliveries", newest_first, deliveries.count(), query)
        return self.answer(shapes.WebhookDeliveryListSerializer(data).data)

    @endpoint(
        Access.READ,
        message="Delivery fetched successfully",
        result=shapes.WebhookDeliveryDetailsSerializer,
        operation="getWebhookDelivery",
        tags=WEBHOOKS,
        summary="Get a delivery",
        description="With the event that was sent and each attempt to send it.",
    )
    def retrieve(self, request: Request, id: str, deliveryId: str) -> Response:  # noqa: A002
        attempts = Prefetch("attempts", self._attempts().order_by("started_at", "id"))
        delivery = get_object_or_404(
            self._deliveries().prefetch_related(attempts),
            endpoint_id=self.path_id("id"),
            id=self.path_id("deliveryId"),
        )
        return self.answer(shapes.WebhookDeliveryDetailsSerializer(delivery).data)

    @endpoint(
        Access.STEER,
        message="Delivery queued successfully",
        result=shapes.WebhookDeliverySerializer,
        status=201,
        operation="replayWebhookDelivery",
        tags=WEBHOOKS,
        summary="Send one event again",
        description="As a new delivery with the same `webhook-id`, however the old one ended.",
    )
    def replay(self, request: Request, id: str, deliveryId: str) -> Response:  # noqa: A002
        delivery = replay_delivery(
            workspace_id=self.caller.workspace_id,
            webhook_id=self.path_id("id"),
            delivery_id=self.path_id("deliveryId"),
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self.answer(shapes.WebhookDeliverySerializer(delivery).data)

    def _deliveries(self) -> QuerySet[WebhookDelivery]:
        deliveries = WebhookDelivery.objects.for_workspace(self.caller.workspace_id)
        return deliveries.select_related("event")

    def _attempts(self) -> QuerySet[WebhookAttempt]:
        return WebhookAttempt.objects.for_workspace(self.caller.workspace_id)


def _webhook(webhook: WebhookEndpoint) -> Any:
    return shapes.WebhookSerializer(webhook).data

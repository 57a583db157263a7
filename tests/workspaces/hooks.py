"""Webhooks that have been sent something, and their pages."""

import html
import re
from typing import Any

from django.urls import reverse
from django.utils import timezone

from tests import factories
from workspaces.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint


def page(webhook: WebhookEndpoint, name: str = "change") -> str:
    return reverse(f"admin:workspaces_webhookendpoint_{name}", args=[webhook.pk])


def page_of(delivery: WebhookDelivery, name: str = "change") -> str:
    return reverse(f"admin:workspaces_webhookdelivery_{name}", args=[delivery.pk])


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


def words_of(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text_of(response)).split())


def delivered(webhook: WebhookEndpoint, status: str = "succeeded", **of_event: Any) -> Any:
    event = factories.EventFactory.create(workspace=webhook.workspace, **of_event)
    delivery = factories.WebhookDeliveryFactory.create(
        endpoint=webhook, event=event, status=status, attempts_made=1, finished_at=timezone.now()
    )
    attempted(delivery)
    return delivery


def attempted(delivery: WebhookDelivery, **answer: Any) -> None:
    values = {"status_code": 200, "duration_ms": 12, "started_at": timezone.now(), **answer}
    values.update(workspace=delivery.workspace, delivery=delivery, url=delivery.endpoint.url)
    WebhookAttempt.objects.create(**values)

"""Webhooks in every state, for the installation in the middle of its day."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from batches.models import Call
from tests import factories
from workspaces.models import (
    DeliveryStatus,
    Event,
    EventType,
    User,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    Workspace,
)

_ANSWERS: list[dict[str, Any]] = [
    {"error": "Could not connect: All connection attempts failed.", "duration_ms": 4012},
    {"status_code": 503, "response": "<html>Down for maintenance</html>", "duration_ms": 231},
    {"status_code": 200, "response": "", "duration_ms": 84},
]


@dataclass(frozen=True)
class ShownWebhooks:
    """`webhook` takes what it is sent; `delivery` came at the third attempt."""

    webhook: WebhookEndpoint
    delivery: WebhookDelivery


def webhooks(workspace: Workspace, maker: User, call: Call, now: datetime) -> ShownWebhooks:
    own = {"workspace": workspace, "created_by": maker}
    well = factories.WebhookEndpointFactory.create(
        **own,
        url="https://crm.acme.example/hooks/outdial",
        description="CRM",
        event_types=["batch.completed", "call.completed", "call.failed"],
    )
    factories.WebhookEndpointFactory.create(
        **own,
        url="https://warehouse.acme.example/incoming/calls?source=outdial",
        description="Data warehouse",
        failing_since=now - timedelta(hours=2),
    )
    factories.WebhookEndpointFactory.create(
        **own,
        url="https://old-reports.acme.example/hook",
        event_types=["dnc.added"],
        disabled_reason="gone",
        disabled_at=now - timedelta(days=1),
    )
    deliveries = [_delivery(well, call, now, number) for number in range(1, 31)]
    waiting = deliveries[-1]
    waiting.status, waiting.finished_at, waiting.attempts_made = DeliveryStatus.PENDING, None, 0
    waiting.next_attempt_at = now + timedelta(hours=2)  # nothing moves while the picture is taken
    waiting.save()
    shown = deliveries[-2]
    for number, answer in enumerate(_ANSWERS):
        _attempt(shown, now - timedelta(minutes=40 - 15 * number), **answer)
    shown.attempts_made = len(_ANSWERS)
    shown.save()
    return ShownWebhooks(well, shown)


def _delivery(endpoint: WebhookEndpoint, call: Call, now: datetime, number: int) -> WebhookDelivery:
    event: Event = factories.EventFactory.create(
        workspace=endpoint.workspace,
        type=EventType.CALL_COMPLETED if number % 3 else EventType.CALL_FAILED,
        data={
            "callId": call.id,
            "batchId": call.batch_id,
            "batchName": call.batch.name,
            "phoneNumber": call.phone_number.removeprefix("+"),
            "callStatus": "completed" if number % 3 else "failed",
            "attemptsMade": 1,
        },
        created_at=now - timedelta(minutes=60 - number),
        position=number,
    )
    delivery: WebhookDelivery = factories.WebhookDeliveryFactory.create(
        endpoint=endpoint,
        event=event,
        status=DeliveryStatus.FAILED if number == 20 else DeliveryStatus.SUCCEEDED,
        attempts_made=1,
        created_at=event.created_at,
        finished_at=event.created_at + timedelta(seconds=1),
    )
    if number < 29:
        _attempt(delivery, event.created_at, status_code=410 if number == 20 else 200)
    return delivery


def _attempt(delivery: WebhookDelivery, at: datetime, **answer: Any) -> None:
    WebhookAttempt.objects.create(
        workspace=delivery.workspace,
        delivery=delivery,
        url=delivery.endpoint.url,
        started_at=at,
        **{"duration_ms": 96, **answer},
    )

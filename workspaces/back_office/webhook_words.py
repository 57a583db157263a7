"""Webhooks, deliveries and attempts in words. What stands beside a text is a status for its colour."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus

from workspaces.models import (
    DeliveryStatus,
    DisabledReason,
    EventType,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from workspaces.templatetags.back_office import moment

_DELIVERIES = {
    DeliveryStatus.PENDING: ("queued", "waiting"),
    DeliveryStatus.SUCCEEDED: ("completed", "succeeded"),
    DeliveryStatus.FAILED: ("failed", "failed"),
}


def state_in_words(endpoint: WebhookEndpoint, now: datetime) -> tuple[str, str]:
    if not endpoint.is_enabled:
        if endpoint.disabled_reason == DisabledReason.BY_HAND:
            return "", "switched off"
        why = DisabledReason(endpoint.disabled_reason).label
        return "off", f"switched off: {why[:1].lower()}{why[1:]}"
    if endpoint.failing_since:
        return "failed", f"failing since {moment(endpoint.failing_since)}"
    if endpoint.rests_until and endpoint.rests_until > now:
        return "paused", f"resting until {moment(endpoint.rests_until)}"
    return "on", "working"


def type_in_words(event_type: str) -> str:
    return EventType(event_type).label if event_type in EventType.values else event_type


def types_in_words(event_types: Sequence[str]) -> str:
    return ", ".join(map(type_in_words, event_types)) or "All events"


def delivery_in_words(delivery: WebhookDelivery) -> tuple[str, str]:
    return _DELIVERIES[DeliveryStatus(delivery.status)]


def answer_in_words(attempt: WebhookAttempt) -> tuple[str, str]:
    """`404 Not Found`."""
    code = attempt.status_code
    if code is None:
        return "failed", "no answer"
    known = {status.value: status.phrase for status in HTTPStatus}
    return ("completed" if 200 <= code < 300 else "failed"), f"{code} {known.get(code, '')}".strip()

"""Webhooks, deliveries and attempts in words; of a pair of texts the first is for the colour."""

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class State:
    """`status`: for the colour; `detail`: since when and why, a sentence without its full stop."""

    status: str
    label: str
    detail: str = ""


def state_of(endpoint: WebhookEndpoint, now: datetime) -> State:
    if not endpoint.is_enabled:
        since = f"since {moment(endpoint.disabled_at)}"
        if endpoint.disabled_reason == DisabledReason.BY_HAND:
            return State("", "switched off", since)
        why = DisabledReason(endpoint.disabled_reason).label
        return State("off", "switched off", f"{why}, {since}")
    rests = bool(endpoint.rests_until and endpoint.rests_until > now)
    until = f"until {moment(endpoint.rests_until)}, as the receiver has asked"
    if endpoint.failing_since:
        since = f"since {moment(endpoint.failing_since)}"
        return State("failed", "failing", f"{since}; rests {until}" if rests else since)
    return State("paused", "resting", until) if rests else State("on", "working")


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

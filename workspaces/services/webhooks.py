"""Webhooks are made, changed and tried out here; `workspaces.webhooks` sends.

Names are looked up before a transaction begins. Each function is one transaction with its audit event,
which has the host of an address only: its path may be a secret of the receiver's.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from secrets import token_bytes
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404
from rest_framework.exceptions import ValidationError

from workspaces.callers import Actor
from workspaces.conditional import Precondition, unconditional
from workspaces.errors import field_error
from workspaces.models import (
    AuditEvent,
    DeliveryStatus,
    DisabledReason,
    Event,
    EventType,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    Workspace,
)
from workspaces.services.audit import audit_event
from workspaces.services.events import event_of
from workspaces.services.feed import deliver
from workspaces.sql import execute, insert_rows
from workspaces.webhooks.addresses import AddressRefused, check_url, parse_url

MOST_WEBHOOKS = 20  # of a workspace
MOST_REPLAYED = 100_000  # events at a time
OLD_SECRET_LIVES = timedelta(hours=24)
SUBSCRIBABLE: list[EventType] = [
    type_ for type_ in EventType if type_ is not EventType.WEBHOOK_TEST
]

# In the order of their ids: whoever records attempts meanwhile locks them in the same one.
_GIVE_UP = """
UPDATE workspaces_webhookdelivery SET status = 'failed', finished_at = %s
WHERE status = 'pending' AND id IN (
    SELECT id FROM workspaces_webhookdelivery
    WHERE endpoint_id = %s AND status = 'pending' ORDER BY id FOR NO KEY UPDATE
)
"""


def create_webhook(
    *,
    workspace_id: str,
    user_id: str,
    url: str,
    description: str,
    event_types: Sequence[str],
    actor: Actor,
    now: datetime,
) -> tuple[str, WebhookEndpoint]:
    """A new webhook and its secret, to be shown this once. No event types: all of them.

    Raises ValidationError on `url`: `too_many_webhooks`, or what is wrong with the address.
    """
    _check_url(url)
    secret = new_secret()
    endpoint = WebhookEndpoint(
        workspace_id=workspace_id,
        created_by_id=user_id,
        url=url,
        description=description,
        event_types=_ordered(event_types),
        secret=secret,
        created_at=now,
        updated_at=now,
    )
    with transaction.atomic():
        Workspace.objects.select_for_update(no_key=True).get(id=workspace_id)  # one at a time
        if WebhookEndpoint.objects.for_workspace(workspace_id).count() >= MOST_WEBHOOKS:
            message = f"A workspace has at most {MOST_WEBHOOKS} webhooks."
            raise field_error("url", message, "too_many_webhooks")
        changes = {"host": parse_url(url).host, "eventTypes": endpoint.event_types}
        insert_rows(endpoint, _audit("create", endpoint, actor, now, changes))
    return secret, endpoint


def update_webhook(
    *,
    workspace_id: str,
    webhook_id: str,
    changes: Mapping[str, Any],
    actor: Actor,
    now: datetime,
    precondition: Precondition = unconditional,
) -> WebhookEndpoint:
    """Set some of `url`, `description`, `event_types`, `enabled` (a bool).

    Whoever is switched off gets nothing, not even what is waiting; a later replay sends it.
    Raises Http404, PreconditionFailed, ValidationError on `url`.
    """
    if "url" in changes:
        _endpoint(workspace_id, webhook_id, locked=False)  # a stranger's is not looked up
        _check_url(changes["url"])
    with transaction.atomic():
        endpoint = _endpoint(workspace_id, webhook_id)
        precondition(endpoint)
        values = _set_fields(endpoint, changes)
        if "url" in values:  # another receiver, with a clean record
            values["failing_since"] = endpoint.failing_since = None
        endpoint.updated_at = now
        endpoint.save(update_fields=[*values, "updated_at"])
        if "enabled" in changes and changes["enabled"] != endpoint.is_enabled:
            if changes["enabled"]:
                _enable(endpoint)
            else:
                disable(endpoint, DisabledReason.BY_HAND, now=now)
        told = _told(endpoint, changes)
        _audit("update", endpoint, actor, now, told).save(force_insert=True)
    return endpoint


def _told(endpoint: WebhookEndpoint, changes: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"fields": sorted(changes)}
    if "url" in changes:
        told["host"] = parse_url(endpoint.url).host
    if "enabled" in changes:
        told["enabled"] = changes["enabled"]
    return told


def _set_fields(endpoint: WebhookEndpoint, changes: Mapping[str, Any]) -> dict[str, Any]:
    """All but `enabled`. Returns what was set."""
    values = {name: value for name, value in changes.items() if name != "enabled"}
    if "event_types" in values:
        values["event_types"] = _ordered(values["event_types"])
    for name, value in values.items():
        setattr(endpoint, name, value)
    return values


def delete_webhook(*, workspace_id: str, webhook_id: str, actor: Actor, now: datetime) -> None:
    """With its log. Raises Http404."""
    with transaction.atomic():
        endpoint = _endpoint(workspace_id, webhook_id, for_good=True)
        deliveries = WebhookDelivery.objects.for_workspace(workspace_id).filter(endpoint=endpoint)
        # Waits for those who record attempts right now: what they add would be left behind.
        list(deliveries.select_for_update().order_by("id").values_list("id").iterator())
        attempts = WebhookAttempt.objects.for_workspace(workspace_id)
        attempts.filter(delivery__in=deliveries)._raw_delete(attempts.db)
        deliveries._raw_delete(deliveries.db)
        _audit("delete", endpoint, actor, now, {"host": parse_url(endpoint.url).host}).save(
            force_insert=True
        )
        endpoint.delete()


def rotate_secret(*, workspace_id: str, webhook_id: str, actor: Actor, now: datetime) -> str:
    """A new secret, to be shown this once; the one before signs, too, for 24 hours. Raises Http404."""
    secret = new_secret()
    with transaction.atomic():
        endpoint = _endpoint(workspace_id, webhook_id)
        endpoint.old_secret, endpoint.old_secret_ends_at = endpoint.secret, now + OLD_SECRET_LIVES
        endpoint.secret, endpoint.updated_at = secret, now
        endpoint.save(update_fields=["secret", "old_secret", "old_secret_ends_at", "updated_at"])
        _audit("rotate_secret", endpoint, actor, now, {}).save(force_insert=True)
    return secret


def send_test(
    *, workspace_id: str, webhook_id: str, actor: Actor, now: datetime
) -> WebhookDelivery:
    """Queue a `webhook.test` event, for this webhook alone and whatever its types.

    Raises Http404, ValidationError (`webhook_disabled`).
    """
    with transaction.atomic():
        endpoint = _enabled_endpoint(workspace_id, webhook_id)
        event = event_of(workspace_id, EventType.WEBHOOK_TEST, {"webhookId": webhook_id}, now=now)
        delivery = _delivery_of(event, endpoint, now)
        audit = _audit("test", endpoint, actor, now, {"delivery": delivery.id})
        insert_rows(event, delivery, audit)
    return delivery


def replay_delivery(
    *,
    workspace_id: str,
    delivery_id: str,
    actor: Actor,
    now: datetime,
    webhook_id: str | None = None,
) -> WebhookDelivery:
    """Queue the event of a delivery (of this webhook) for its webhook once more, as a new delivery.

    Raises Http404, ValidationError (`webhook_disabled`).
    """
    rows = WebhookDelivery.objects.for_workspace(workspace_id).filter(id=delivery_id)
    if webhook_id is not None:
        rows = rows.filter(endpoint_id=webhook_id)
    with transaction.atomic():
        old = rows.select_related("event").first()
        if old is None:
            raise Http404
        endpoint = _enabled_endpoint(workspace_id, old.endpoint_id)
        delivery = _delivery_of(old.event, endpoint, now)
        audit = _audit("replay", endpoint, actor, now, {"delivery": old.id})
        insert_rows(delivery, audit)
    return delivery


def replay_span(
    *,
    workspace_id: str,
    webhook_id: str,
    since: datetime,
    until: datetime,
    types: Sequence[str],
    only_failed: bool,
    actor: Actor,
    now: datetime,
) -> int:
    """Queue the events of a span of time once more: `since` ≤ created < `until`. Returns how many.

    `types`: only these, of those that the webhook wants. `only_failed`: only what the webhook has not
    taken and is not waiting for, be it that it failed or that the webhook was switched off.
    Raises Http404, ValidationError (`webhook_disabled`, `too_many_events` on `since`).
    """
    with transaction.atomic():
        endpoint = _enabled_endpoint(workspace_id, webhook_id)
        events = _events_of_span(endpoint, since, until).filter(type__in=types or SUBSCRIBABLE)
        if only_failed:
            taken = WebhookDelivery.objects.filter(event=OuterRef("id"), endpoint=endpoint)
            events = events.filter(~Exists(taken.exclude(status=DeliveryStatus.FAILED)))
        chosen = list(events.order_by("position").values_list("id", "type")[: MOST_REPLAYED + 1])
        if len(chosen) > MOST_REPLAYED:
            message = f"These are more than {MOST_REPLAYED:,} events: choose a shorter span."
            raise field_error("since", message, "too_many_events")
        queued = deliver(workspace_id, chosen, now=now, endpoint_id=webhook_id)
        span = {"since": since.isoformat(), "until": until.isoformat()}
        told = {**span, "types": list(types), "onlyFailed": only_failed, "events": queued}
        _audit("replay", endpoint, actor, now, told).save(force_insert=True)
    return queued


def _events_of_span(endpoint: WebhookEndpoint, since: datetime, until: datetime) -> QuerySet[Event]:
    """Those that the webhook wants. Without a position they are about to be delivered anyway."""
    events = Event.objects.for_workspace(endpoint.workspace_id)
    return events.filter(
        created_at__gte=since,
        created_at__lt=until,
        position__isnull=False,
        type__in=endpoint.event_types or SUBSCRIBABLE,
    )


def disable(endpoint: WebhookEndpoint, reason: DisabledReason, *, now: datetime) -> None:
    """Switch off an endpoint whose row the caller has locked, and give up what waits for it."""
    endpoint.disabled_reason, endpoint.disabled_at = reason.value, now
    endpoint.updated_at = now
    endpoint.save(update_fields=["disabled_reason", "disabled_at", "updated_at"])
    execute(_GIVE_UP, [now, bytes.fromhex(endpoint.id)])


def new_secret() -> str:
    return "whsec_" + b64encode(token_bytes(32)).decode()


def _enable(endpoint: WebhookEndpoint) -> None:
    """With a clean record: what happened before must not switch it off again."""
    endpoint.disabled_reason, endpoint.disabled_at = "", None
    endpoint.failing_since = endpoint.rests_until = None
    endpoint.save(update_fields=["disabled_reason", "disabled_at", "failing_since", "rests_until"])


def _endpoint(
    workspace_id: str, webhook_id: str, *, locked: bool = True, for_good: bool = False
) -> WebhookEndpoint:
    endpoints = WebhookEndpoint.objects.for_workspace(workspace_id)
    if locked:
        endpoints = endpoints.select_for_update(no_key=not for_good)
    endpoint = endpoints.filter(id=webhook_id).first()
    if endpoint is None:
        raise Http404
    return endpoint


def _enabled_endpoint(workspace_id: str, webhook_id: str) -> WebhookEndpoint:
    endpoint = _endpoint(workspace_id, webhook_id)
    if not endpoint.is_enabled:
        raise field_error("id", "This webhook is switched off.", "webhook_disabled")
    return endpoint


def _delivery_of(event: Event, endpoint: WebhookEndpoint, now: datetime) -> WebhookDelivery:
    return WebhookDelivery(
        workspace_id=endpoint.workspace_id,
        endpoint=endpoint,
        event=event,
        next_attempt_at=now,
        created_at=now,
    )


def _ordered(event_types: Sequence[str]) -> list[str]:
    return [type_.value for type_ in SUBSCRIBABLE if type_.value in event_types]


def _check_url(url: str) -> None:
    try:
        check_url(url)
    except AddressRefused as refused:
        raise url_error(refused) from refused


def url_error(refused: AddressRefused) -> ValidationError:
    return field_error("url", refused.message, refused.code)


def _audit(
    what: str, endpoint: WebhookEndpoint, actor: Actor, now: datetime, changes: dict[str, Any]
) -> AuditEvent:
    return audit_event(
        actor=actor,
        action=f"webhook.{what}",
        target=endpoint,
        workspace_id=endpoint.workspace_id,
        now=now,
        changes=changes,
    )

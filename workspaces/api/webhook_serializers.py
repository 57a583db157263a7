"""Shapes of the webhook endpoints. Field names are the API's own."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from workspaces.api.fields import (
    BoundedListField,
    LineField,
    ObjectIdApiField,
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    UtcDateTimeField,
)
from workspaces.api.pagination import PaginationSerializer
from workspaces.api.strict import PageQuery, StrictSerializer
from workspaces.errors import field_error
from workspaces.models import (
    DeliveryStatus,
    DisabledReason,
    EventType,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from workspaces.services.events import payload_of
from workspaces.services.webhooks import SUBSCRIBABLE
from workspaces.webhooks.addresses import LONGEST_URL


@extend_schema_field(
    {
        "type": "string",
        "format": "uri",
        "minLength": 1,
        "maxLength": LONGEST_URL,
        "examples": ["https://hooks.example.com/outdial"],
    }
)
class WebhookUrlField(StrictCharField):
    """A URL; whether it may be sent to is for the service to say."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=LONGEST_URL, trim_whitespace=False, **kwargs)


class SubscriptionsField(BoundedListField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            child=StrictChoiceField(SUBSCRIBABLE),
            allow_empty=True,
            max_length=len(SUBSCRIBABLE),
            **kwargs,
        )


class UpdateWebhookSerializer(StrictSerializer):
    """What may change of a webhook. Validated data: as `update_webhook` takes it."""

    url = WebhookUrlField(
        required=False,
        help_text="`https://`, with a host on the internet, without credentials or a fragment.",
    )
    description = LineField(
        required=False, allow_blank=True, max_length=200, help_text="What it is for."
    )
    eventTypes = SubscriptionsField(
        required=False, source="event_types", help_text="What it is told of; none: everything."
    )
    enabled = StrictBooleanField(
        required=False,
        help_text="`false`: it gets nothing, not even what is waiting. A replay sends it later.",
    )


class CreateWebhookSerializer(StrictSerializer):
    """A new webhook."""

    url = WebhookUrlField(
        help_text="`https://`, with a host on the internet, without credentials or a fragment."
    )
    description = LineField(
        required=False, default="", allow_blank=True, max_length=200, help_text="What it is for."
    )
    eventTypes = SubscriptionsField(
        required=False,
        default=(),
        source="event_types",
        help_text="What it is told of; none: everything.",
    )


class WebhookSerializer(serializers.ModelSerializer[WebhookEndpoint]):
    _id = ObjectIdApiField(source="id")
    url = serializers.CharField()
    eventTypes = serializers.ListField(
        child=serializers.ChoiceField(SUBSCRIBABLE),
        source="event_types",
        help_text="None: everything.",
    )
    enabled = serializers.BooleanField(source="is_enabled")
    disabledReason = serializers.SerializerMethodField(
        help_text="`by_hand`; `gone`: it answered 410; `failing`: nothing has succeeded for three days."
    )
    failingSince = UtcDateTimeField(
        source="failing_since",
        allow_null=True,
        help_text="The first failure since it last succeeded.",
    )
    createdAt = UtcDateTimeField(source="created_at")
    updatedAt = UtcDateTimeField(source="updated_at")

    class Meta:
        model = WebhookEndpoint
        fields = [
            *("_id", "url", "description", "eventTypes", "enabled", "disabledReason"),
            *("failingSince", "createdAt", "updatedAt"),
        ]

    @extend_schema_field(serializers.ChoiceField(DisabledReason.choices, allow_null=True))
    def get_disabledReason(self, webhook: WebhookEndpoint) -> str | None:
        return webhook.disabled_reason or None


class NewWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(
        source="shown_secret", help_text="Verifies signatures: shown this once."
    )

    class Meta(WebhookSerializer.Meta):
        fields = [*WebhookSerializer.Meta.fields, "secret"]


class NewSecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="Verifies signatures: shown this once.")


class WebhookListSerializer(serializers.Serializer[Any]):
    webhooks = WebhookSerializer(many=True)
    pagination = PaginationSerializer()


class WebhookAttemptSerializer(serializers.ModelSerializer[WebhookAttempt]):
    startedAt = UtcDateTimeField(source="started_at")
    durationMs = serializers.IntegerField(source="duration_ms")
    statusCode = serializers.IntegerField(
        source="status_code", allow_null=True, help_text="None: there was no answer."
    )
    response = serializers.CharField(help_text="The beginning of the answer's body.")
    error = serializers.CharField(help_text="Why there was no answer.")

    class Meta:
        model = WebhookAttempt
        fields = ["url", "startedAt", "durationMs", "statusCode", "response", "error"]


class WebhookDeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    _id = ObjectIdApiField(source="id")
    webhookId = ObjectIdApiField(source="endpoint_id")
    eventId = ObjectIdApiField(source="event_id", help_text="The `webhook-id` of each request.")
    eventType = serializers.ChoiceField(EventType.choices, source="event.type")
    status = serializers.ChoiceField(DeliveryStatus.choices)
    attemptsMade = serializers.IntegerField(source="attempts_made")
    nextAttemptAt = serializers.SerializerMethodField(help_text="Of a pending one.")
    createdAt = UtcDateTimeField(source="created_at")
    finishedAt = UtcDateTimeField(source="finished_at", allow_null=True)

    class Meta:
        model = WebhookDelivery
        fields = [
            *("_id", "webhookId", "eventId", "eventType", "status", "attemptsMade"),
            *("nextAttemptAt", "createdAt", "finishedAt"),
        ]

    @extend_schema_field(UtcDateTimeField(allow_null=True))
    def get_nextAttemptAt(self, delivery: WebhookDelivery) -> str | None:
        is_pending = delivery.status == DeliveryStatus.PENDING
        field = self.fields["createdAt"]
        return field.to_representation(delivery.next_attempt_at) if is_pending else None


class WebhookListedDeliverySerializer(WebhookDeliverySerializer):
    lastAttempt = serializers.SerializerMethodField()

    class Meta(WebhookDeliverySerializer.Meta):
        fields = [*WebhookDeliverySerializer.Meta.fields, "lastAttempt"]

    @extend_schema_field(WebhookAttemptSerializer(allow_null=True))
    def get_lastAttempt(self, delivery: WebhookDelivery) -> dict[str, Any] | None:
        last = getattr(delivery, "last_attempts", [])  # a query of its own for all of a page
        return WebhookAttemptSerializer(last[0]).data if last else None


class SentEventSerializer(serializers.Serializer[Any]):
    """The body of the requests."""

    id = ObjectIdApiField()
    type = serializers.ChoiceField(EventType.choices)
    timestamp = UtcDateTimeField()
    data = serializers.DictField()  # type: ignore[assignment]  # not the property


class WebhookDeliveryDetailsSerializer(WebhookDeliverySerializer):
    event = serializers.SerializerMethodField()
    attempts = WebhookAttemptSerializer(many=True)

    class Meta(WebhookDeliverySerializer.Meta):
        fields = [*WebhookDeliverySerializer.Meta.fields, "event", "attempts"]

    @extend_schema_field(SentEventSerializer)
    def get_event(self, delivery: WebhookDelivery) -> dict[str, Any]:
        return payload_of(delivery.event)


class WebhookDeliveryListSerializer(serializers.Serializer[Any]):
    deliveries = WebhookListedDeliverySerializer(many=True)
    pagination = PaginationSerializer()


class DeliveriesQuery(PageQuery):
    status = StrictChoiceField(DeliveryStatus.choices, required=False)
    type = StrictChoiceField(EventType.choices, required=False, help_text="Of the event.")


class ReplayWebhookSerializer(StrictSerializer):
    """A span of time to send again."""

    since = UtcDateTimeField(help_text="The first moment of the span.")
    until = UtcDateTimeField(required=False, help_text="The first moment after it; default: now.")
    types = SubscriptionsField(
        required=False, default=(), help_text="Only these types of event; none: all that it wants."
    )
    onlyFailed = StrictBooleanField(
        required=False,
        default=False,
        source="only_failed",
        help_text="Only what it has not taken: what failed, and what happened while it was off.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        until: datetime = attrs.setdefault("until", timezone.now())
        if attrs["since"] >= until:
            raise field_error("since", "Must be before the end of the span.", "not_before_until")
        return attrs


class ReplayedSerializer(serializers.Serializer[Any]):
    queued = serializers.IntegerField(help_text="So many events are sent again.")

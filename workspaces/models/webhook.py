from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from workspaces.encryption import EncryptedJSONField
from workspaces.ids import ObjectIdField
from workspaces.models.event import Event, EventType
from workspaces.models.user import User
from workspaces.models.workspace import Workspace
from workspaces.querysets import WorkspaceManager


class DisabledReason(models.TextChoices):
    """Why an endpoint gets nothing."""

    BY_HAND = "by_hand", "Switched off"
    GONE = "gone", "It answered 410 Gone"
    FAILING = "failing", "It failed for days"


class WebhookEndpoint(models.Model):
    """An address that wants to be told of events.

    During a rotation there are two secrets, and both sign. `rests_until`: the receiver has asked to be
    left alone (Retry-After). `failing_since`: the first failure after its last success.
    """

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, db_index=False)
    url = models.TextField("URL")
    description = models.CharField(max_length=200, blank=True)
    event_types = ArrayField(
        models.CharField(max_length=32, choices=EventType.choices),
        default=list,
        blank=True,
        help_text="None: all of them.",
    )
    secret = EncryptedJSONField(editable=False)
    old_secret = EncryptedJSONField(null=True, editable=False)
    old_secret_ends_at = models.DateTimeField(null=True, editable=False)
    disabled_reason = models.CharField(
        max_length=16, choices=DisabledReason.choices, blank=True, default="", editable=False
    )
    disabled_at = models.DateTimeField(null=True, editable=False)
    rests_until = models.DateTimeField(null=True, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", db_index=False, editable=False
    )
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    objects: ClassVar[WorkspaceManager["WebhookEndpoint"]] = WorkspaceManager()

    class Meta:
        verbose_name = "webhook"
        indexes = [
            models.Index(fields=["workspace", "-created_at", "-id"], name="webhookendpoint_newest"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(event_types__contained_by=EventType.values),
                name="webhookendpoint_event_types_known",
            ),
            models.CheckConstraint(
                condition=Q(disabled_reason="", disabled_at__isnull=True)
                | (Q(disabled_reason__in=DisabledReason.values) & Q(disabled_at__isnull=False)),
                name="webhookendpoint_disabled_with_reason",
            ),
            models.CheckConstraint(
                condition=Q(old_secret__isnull=True, old_secret_ends_at__isnull=True)
                | Q(old_secret__isnull=False, old_secret_ends_at__isnull=False),
                name="webhookendpoint_old_secret_ends",
            ),
        ]

    def __str__(self) -> str:
        return f"Webhook to {self.url}"

    @property
    def is_enabled(self) -> bool:
        return not self.disabled_reason


class DeliveryStatus(models.TextChoices):
    PENDING = "pending", "Pending"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"  # its attempts are used up, or the endpoint was switched off


class WebhookDelivery(models.Model):
    """One event for one endpoint: the queue of what is to be sent, and afterwards its log.

    `next_attempt_at` is also the lease of whoever is sending it: moved ahead when it is taken.
    """

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, db_index=False)
    endpoint = models.ForeignKey(
        WebhookEndpoint, models.CASCADE, related_name="deliveries", db_index=False
    )
    event = models.ForeignKey(Event, models.CASCADE, related_name="deliveries")
    status = models.CharField(
        max_length=16, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING
    )
    attempts_made = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects: ClassVar[WorkspaceManager["WebhookDelivery"]] = WorkspaceManager()

    class Meta:
        verbose_name_plural = "webhook deliveries"
        indexes = [
            # What is due for an endpoint?
            models.Index(
                fields=["endpoint", "next_attempt_at"],
                name="webhookdelivery_due",
                condition=Q(status=DeliveryStatus.PENDING),
            ),
            # Its log, newest first.
            models.Index(fields=["endpoint", "-created_at", "-id"], name="webhookdelivery_newest"),
            # The same, of one status; the last success.
            models.Index(
                fields=["endpoint", "status", "-created_at", "-id"],
                name="webhookdelivery_by_status",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=DeliveryStatus.values), name="webhookdelivery_status_known"
            ),
        ]

    def __str__(self) -> str:
        return f"Delivery {self.id}"


class WebhookAttempt(models.Model):
    """One request to a receiver, with what came back. The request's body is that of the event."""

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, db_index=False)
    delivery = models.ForeignKey(
        WebhookDelivery, models.CASCADE, related_name="attempts", db_index=False
    )
    url = models.TextField("URL")
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    status_code = models.PositiveSmallIntegerField(null=True)
    response = models.TextField(blank=True, help_text="The beginning of the body.")
    error = models.CharField(max_length=200, blank=True, help_text="Why there was no answer.")

    objects: ClassVar[WorkspaceManager["WebhookAttempt"]] = WorkspaceManager()

    class Meta:
        indexes = [
            models.Index(fields=["delivery", "started_at"], name="webhookattempt_of_delivery"),
        ]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M:%S} {self.status_code or self.error}"

from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q

from workspaces.ids import ObjectIdField
from workspaces.models.workspace import Workspace
from workspaces.querysets import WorkspaceManager


class EventType(models.TextChoices):
    """What integrators are told of, by webhook and in the feed."""

    BATCH_CREATED = "batch.created", "Batch created"
    BATCH_STARTED = "batch.started", "Batch started"
    BATCH_STOPPED = "batch.stopped", "Batch stopped"
    BATCH_PAUSED = "batch.paused", "Batch paused by the system"
    BATCH_COMPLETED = "batch.completed", "Batch completed"
    CALL_COMPLETED = "call.completed", "Call completed"
    CALL_FAILED = "call.failed", "Call failed"
    CALL_SKIPPED = "call.skipped", "Call skipped"
    CALL_UNKNOWN = "call.unknown", "Call with an unknown outcome"
    DNC_ADDED = "dnc.added", "Number put on the do-not-call list"
    CARRIER_PAUSED = "carrier.paused", "Carrier account paused"
    WEBHOOK_TEST = "webhook.test", "Test of a webhook"


class Event(models.Model):
    """Something that integrators are told: an outbox, written in the transaction of what it tells.

    `position` is its place in the workspace's feed. It is given after the commit, by
    `workspaces.services.feed`: numbers given before would appear out of order, and a reader past a gap
    would never see what fills it.
    """

    KEPT_FOR: ClassVar[timedelta] = timedelta(days=30)

    id = ObjectIdField(primary_key=True)
    # Without a constraint: the check for every call that ends took a third of what its event costs.
    workspace = models.ForeignKey(Workspace, models.CASCADE, db_index=False, db_constraint=False)
    type = models.CharField(max_length=32, choices=EventType.choices)
    data = models.JSONField()
    created_at = models.DateTimeField()
    position = models.PositiveBigIntegerField(null=True)

    objects: ClassVar[WorkspaceManager["Event"]] = WorkspaceManager()

    class Meta:
        indexes = [
            # What has no place in the feed yet; next to nothing, most of the time.
            models.Index(
                fields=["workspace", "created_at", "id"],
                name="event_unpublished",
                condition=Q(position__isnull=True),
            ),
            # A span of time, for a replay; what is old, for the nightly clean-up.
            models.Index(fields=["workspace", "created_at"], name="event_of_span"),
            # Those of one type, newest first: what is found among calls by luck only, and nearly no
            # event has an entry.
            models.Index(
                fields=["workspace", "type", "-created_at", "-id"],
                name="event_of_type",
                condition=~Q(type__in=[EventType.CALL_COMPLETED, EventType.CALL_FAILED]),
            ),
        ]
        constraints = [
            # Also the reading order of the feed.
            models.UniqueConstraint(fields=["workspace", "position"], name="event_position_once"),
            models.CheckConstraint(condition=Q(type__in=EventType.values), name="event_type_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_type_display()} {self.id}"


class EventFeed(models.Model):
    """How far the feed of a workspace is: its last position, and up to which one it has been deleted."""

    workspace = models.OneToOneField(Workspace, models.CASCADE, primary_key=True)
    last_position = models.PositiveBigIntegerField(default=0)
    deleted_through = models.PositiveBigIntegerField(default=0)

    objects: ClassVar[WorkspaceManager["EventFeed"]] = WorkspaceManager()

    def __str__(self) -> str:
        return f"{self.workspace_id} {self.last_position}"

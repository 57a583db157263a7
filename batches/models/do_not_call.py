from typing import ClassVar

from django.db import models
from django.db.models import Q

from batches.models.batch import CallBatch
from batches.querysets import DoNotCallQuerySet
from calling.numbers import E164_PATTERN
from workspaces.ids import ObjectIdField
from workspaces.models import User, Workspace


class DoNotCallEntry(models.Model):
    """A number that the workspace must not call. A deleted entry stays as a tombstone."""

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, db_index=False)
    phone_number = models.CharField(max_length=16, help_text="E.164: +12125551234")
    type = models.CharField(max_length=64, blank=True)
    # The call it came from, when it came from one.
    batch = models.ForeignKey(
        CallBatch, models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    request_uuid = models.UUIDField("request UUID", null=True, blank=True)
    call_recording = models.TextField(blank=True)
    transcription = models.TextField(blank=True)
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", db_index=False, editable=False
    )
    created_at = models.DateTimeField(editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[DoNotCallQuerySet] = DoNotCallQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = "do-not-call entry"
        verbose_name_plural = "do-not-call entries"
        indexes = [
            # The list, newest first.
            models.Index(
                fields=["workspace", "-created_at", "-id"],
                name="donotcallentry_newest",
                condition=Q(deleted_at__isnull=True),
            ),
            # The history of a number: when was it taken off?
            models.Index(
                fields=["workspace", "phone_number"],
                name="donotcallentry_taken_off",
                condition=Q(deleted_at__isnull=False),
            ),
        ]
        constraints = [
            # Also the question before every call: is this number listed?
            models.UniqueConstraint(
                fields=["workspace", "phone_number"],
                name="donotcallentry_number_once",
                condition=Q(deleted_at__isnull=True),
            ),
            models.CheckConstraint(
                condition=Q(phone_number__regex=E164_PATTERN), name="donotcallentry_number_e164"
            ),
        ]

    def __str__(self) -> str:
        return self.phone_number

from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q

from workspaces.ids import ObjectIdField
from workspaces.models.workspace import Workspace
from workspaces.querysets import WorkspaceManager


class IdempotentRequest(models.Model):
    """A request that carried an `Idempotency-Key`, and its answer once it has been carried out.

    Claimed before the work begins (`finished_at` null), finished in the transaction of the write; a
    request that failed leaves nothing. `fingerprint` is a keyed digest of what was asked for: the body
    itself, which may hold a carrier's password, is not kept.
    """

    KEPT_FOR: ClassVar[timedelta] = timedelta(hours=24)

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, db_index=False)
    operation = models.CharField(max_length=64, help_text="As in the OpenAPI document.")
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(max_length=32)
    claimed_until = models.DateTimeField(help_text="Then a claim whose process died may be taken.")
    status_code = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(null=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects: ClassVar[WorkspaceManager["IdempotentRequest"]] = WorkspaceManager()

    class Meta:
        indexes = [
            # The hourly clean-up asks for the old ones.
            models.Index(fields=["created_at"], name="idempotentrequest_created_at"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "operation", "key"], name="idempotentrequest_key_once"
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True, status_code__isnull=True, body__isnull=True)
                | Q(finished_at__isnull=False, status_code__isnull=False, body__isnull=False),
                name="idempotentrequest_answer_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.key}"

from typing import ClassVar

from django.db import models

from workspaces.callers import CredentialKind
from workspaces.ids import ObjectIdField
from workspaces.models.user import User
from workspaces.models.workspace import Workspace
from workspaces.querysets import WorkspaceManager


class AuditEvent(models.Model):
    """Who did what, when, from where. Append-only; written in the transaction of the write itself."""

    id = ObjectIdField(primary_key=True)
    # Null only for acts on the installation itself (staff edits a user): they are no tenant's.
    workspace = models.ForeignKey(Workspace, models.CASCADE, null=True, db_index=False)
    # DO_NOTHING would dangle and CASCADE would erase the trace: a user with a past stays.
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    credential_kind = models.CharField(
        max_length=16, choices=[(kind.value, kind.name) for kind in CredentialKind]
    )
    credential = models.CharField(max_length=64, blank=True, help_text="Public id, never a secret.")
    action = models.CharField(max_length=64, help_text="noun.verb, as in batch.create")
    target_type = models.CharField(max_length=32)
    target_id = models.CharField(max_length=64, blank=True)
    changes = models.JSONField(default=dict)
    ip = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField()

    objects: ClassVar[WorkspaceManager["AuditEvent"]] = WorkspaceManager()

    class Meta:
        indexes = [
            # A workspace's trail, newest first (admin, later the API).
            models.Index(fields=["workspace", "-created_at", "-id"], name="auditevent_trail"),
            # "What happened to this batch?"
            models.Index(fields=["target_id", "-created_at"], name="auditevent_target"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_id}"

from typing import ClassVar

from django.db import models
from django.db.models import Q

from workspaces.models.workspace import Workspace
from workspaces.querysets import WorkspaceManager


class DialSchedule(models.Model):
    """When the dialer has to look at a workspace next; null: when something wakes it.

    One narrow row a workspace. Its lock is what makes limits countable: whoever claims calls of a
    workspace holds it. `workspaces.services.dialing.wake` brings the moment forward.
    """

    workspace = models.OneToOneField(Workspace, models.CASCADE, primary_key=True)
    next_dial_at = models.DateTimeField(null=True)

    objects: ClassVar[WorkspaceManager["DialSchedule"]] = WorkspaceManager()

    class Meta:
        indexes = [
            # Which workspace is due?
            models.Index(
                fields=["next_dial_at"],
                name="dialschedule_due",
                condition=Q(next_dial_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workspace_id} {self.next_dial_at}"

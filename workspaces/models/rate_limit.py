from typing import ClassVar

from django.db import models

from workspaces.ids import ObjectIdField
from workspaces.models.workspace import Workspace
from workspaces.querysets import WorkspaceManager


class RateWindow(models.Model):
    """How many requests of the present minute have been given out, to a workspace or to one credential.

    Processes take them in blocks (`workspaces.rate_limits`), so `used` counts what is taken, not what is
    spent. The row is written anew each minute, never added to.
    """

    id = ObjectIdField(primary_key=True)  # the workspace's, or the credential's
    workspace = models.ForeignKey(Workspace, models.CASCADE, db_index=False)
    started_at = models.DateTimeField()
    used = models.PositiveIntegerField()

    objects: ClassVar[WorkspaceManager["RateWindow"]] = WorkspaceManager()

    def __str__(self) -> str:
        return f"{self.id} {self.started_at:%H:%M} {self.used}"

from datetime import datetime
from typing import Any

from django.db import transaction

from workspaces.callers import Actor
from workspaces.models import Workspace
from workspaces.services.audit import audit_event
from workspaces.services.dialing import wake


def update_workspace(
    *, workspace_id: str, changes: dict[str, Any], actor: Actor, now: datetime
) -> Workspace:
    """Set some of Workspace's fields. Batches keep the time zone that they were created with.

    Calls that a wider window or a higher limit lets go, go at once.
    """
    with transaction.atomic():
        workspace = Workspace.objects.select_for_update(no_key=True).get(id=workspace_id)
        for name, value in changes.items():
            setattr(workspace, name, value)
        workspace.updated_at = now
        workspace.save(update_fields=[*changes, "updated_at"])
        audit_event(
            actor=actor,
            action="workspace.update",
            target=workspace,
            workspace_id=workspace_id,
            now=now,
            changes=changes,
        ).save(force_insert=True)
        wake(workspace_id, now)
    return workspace

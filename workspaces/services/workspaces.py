from datetime import datetime
from typing import Any

from django.db import transaction

from workspaces.callers import Actor
from workspaces.conditional import Precondition, unconditional
from workspaces.errors import field_error
from workspaces.models import Workspace
from workspaces.services.audit import audit_event
from workspaces.services.dialing import wake

_SANDBOX = "{} (sandbox)"
_LONGEST_NAME = 200


def store_workspace(*, workspace: Workspace, actor: Actor, now: datetime) -> Workspace:
    """Store a new workspace, and its sandbox beside it. Returns the sandbox, still without numbers.

    Part of `calling.services.sandboxes.create_workspace`, in whose transaction it is called.
    """
    workspace.created_at = workspace.updated_at = now
    workspace.save(force_insert=True)
    sandbox = Workspace(
        name=sandbox_name(workspace.name),
        timezone=workspace.timezone,
        called_countries=workspace.called_countries,
        sandbox_of=workspace,
        created_at=now,
        updated_at=now,
    )
    sandbox.save(force_insert=True)
    for made in (workspace, sandbox):
        audit_event(
            actor=actor,
            action="workspace.create",
            target=made,
            workspace_id=made.id,
            now=now,
            changes={"name": made.name},
        ).save(force_insert=True)
    return sandbox


def update_workspace(
    *,
    workspace_id: str,
    changes: dict[str, Any],
    actor: Actor,
    now: datetime,
    precondition: Precondition = unconditional,
) -> Workspace:
    """Set some of Workspace's fields. Batches keep the time zone that they were created with.

    Calls that a wider window or a higher limit lets go, go at once. Raises PreconditionFailed,
    ValidationError (`sandbox_name`): a sandbox is named after its workspace.
    """
    with transaction.atomic():
        workspace = Workspace.objects.select_for_update(no_key=True).get(id=workspace_id)
        precondition(workspace)
        if workspace.is_sandbox and changes.get("name", workspace.name) != workspace.name:
            message = "A sandbox is named after its workspace: rename that."
            raise field_error("name", message, "sandbox_name")
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
        if "name" in changes and not workspace.is_sandbox:
            name = sandbox_name(workspace.name)
            Workspace.objects.filter(sandbox_of=workspace).update(name=name, updated_at=now)
        wake(workspace_id, now)
        if "is_active" in changes and (sandbox_id := workspace.sandbox_id):
            wake(sandbox_id, now)  # it was suspended along
    return workspace


def sandbox_name(name: str) -> str:
    return _SANDBOX.format(name[: _LONGEST_NAME - len(_SANDBOX.format(""))])

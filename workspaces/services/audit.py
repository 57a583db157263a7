from datetime import datetime
from typing import Any

from django.db.models import Model

from workspaces.callers import Actor
from workspaces.models import AuditEvent


def audit_event(
    *,
    actor: Actor,
    action: str,
    target: Model,
    workspace_id: str | None,
    now: datetime,
    changes: dict[str, Any] | None = None,
) -> AuditEvent:
    """The unsaved event of a write, to be stored in the write's own transaction.

    `changes` names what was set, as JSON; never a secret.
    """
    return AuditEvent(
        workspace_id=workspace_id,
        user_id=actor.user_id,
        credential_kind=actor.kind.value,
        credential=actor.credential,
        action=action,
        target_type=target._meta.model_name or "",
        target_id=str(target.pk),
        changes=changes or {},
        ip=actor.ip,
        request_id=actor.request_id,
        created_at=now,
    )

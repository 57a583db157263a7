"""API keys are created, keys and tokens are revoked: a row is never reused or edited."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404

from workspaces.callers import Actor
from workspaces.credentials import mint
from workspaces.models import AccessToken, ApiKey, Workspace
from workspaces.services.audit import audit_event
from workspaces.services.sandboxes import workspace_in
from workspaces.sql import insert_rows


def living_keys(workspace_id: str, environment: str | None) -> QuerySet[ApiKey]:
    """Keys that were not revoked, of the workspace or of its sandbox. Raises as `workspace_in`."""
    if environment is not None:
        workspace_id = workspace_in(workspace_id, environment).id
    keys = ApiKey.objects.for_workspace(workspace_id).filter(revoked_at=None)
    return keys.select_related("workspace")


def create_api_key(
    *,
    workspace_id: str,
    user_id: str,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    actor: Actor,
    now: datetime,
    environment: str | None = None,
) -> tuple[str, ApiKey]:
    """A new key that acts as `user_id`: its text, to be shown this once, and its row.

    `environment`: "test" makes a key of the workspace's sandbox. Raises as `workspace_in`.
    """
    workspace = workspace_in(workspace_id, environment)
    text, secret = mint(ApiKey.prefix_in(workspace))
    key = ApiKey(
        workspace=workspace,
        created_by_id=user_id,
        name=name,
        scopes=sorted(set(scopes)),
        public_id=secret.public_id,
        digest=secret.digest,
        pepper=secret.pepper,
        created_at=now,
        expires_at=expires_at,
    )
    event = audit_event(
        actor=actor,
        action="apikey.create",
        target=key,
        workspace_id=workspace.id,
        now=now,
        changes={"name": name, "scopes": key.scopes, "key": key.prefix},
    )
    insert_rows(key, event)
    return text, key


def revoke(
    *,
    model: type[ApiKey] | type[AccessToken],
    workspace_id: str,
    credential_id: str,
    actor: Actor,
    now: datetime,
) -> None:
    """End a credential of the workspace, or of its sandbox, at once.

    Raises Http404 when it is not there or has been revoked before.
    """
    reached = Workspace.objects.filter(Q(id=workspace_id) | Q(sandbox_of=workspace_id))
    living = model.objects.filter(workspace__in=reached, revoked_at=None)
    with transaction.atomic():
        # Compare-and-set: of two revocations at the same time one finds nothing.
        if not living.filter(id=credential_id).update(revoked_at=now):
            raise Http404
        credential = model.objects.select_related("workspace").get(id=credential_id)
        audit_event(
            actor=actor,
            action=f"{model._meta.model_name}.revoke",
            target=credential,
            workspace_id=credential.workspace_id,
            now=now,
            changes={"key": credential.prefix},
        ).save(force_insert=True)

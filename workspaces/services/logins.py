"""Signing in and out. Failures are counted by django-axes, in the database, for API and admin alike."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest
from rest_framework.exceptions import (
    AuthenticationFailed,
    ErrorDetail,
    PermissionDenied,
    Throttled,
    ValidationError,
)

from workspaces.callers import Actor
from workspaces.credentials import mint
from workspaces.models import AccessToken, Membership, User, Workspace
from workspaces.services.audit import audit_event
from workspaces.sql import insert_rows


class SeveralWorkspaces(ValidationError):
    """The user is in several workspaces and named none; `extra` lists them."""

    def __init__(self, memberships: list[Membership]) -> None:
        message = "You are a member of several workspaces: name one."
        super().__init__({"workspaceId": [ErrorDetail(message, "several_workspaces")]})
        self.extra = {
            "workspaces": [
                {"workspaceId": membership.workspace_id, "name": membership.workspace.name}
                for membership in memberships
            ]
        }


def attempted_email(request: HttpRequest | None, credentials: dict[str, Any] | None) -> str:
    """Under which name django-axes counts an attempt: as `User` spells it, whatever the case."""
    name = (credentials or {}).get("username") or (request.POST.get("username") if request else "")
    return User.objects.normalize_email(name)[:254]


def log_in(
    *,
    request: HttpRequest,
    email: str,
    password: str,
    workspace_id: str | None,
    actor: Actor,
    now: datetime,
) -> tuple[str, AccessToken]:
    """A new Bearer token, as text (shown once) and as row.

    Raises AuthenticationFailed (one text and one duration for an unknown e-mail, a wrong password
    and an inactive user), Throttled, PermissionDenied (no such membership), SeveralWorkspaces.
    """
    user = authenticate(request, username=email, password=password)
    if getattr(request, "axes_locked_out", False):
        wait = settings.AXES_COOLOFF_TIME.total_seconds()
        raise Throttled(wait, "Too many failed logins.")
    if user is None:
        raise AuthenticationFailed("Wrong e-mail or password.")
    # What the back office's login sends as well: django-axes forgets the failures before it.
    user_logged_in.send(sender=type(user), request=request, user=user)
    workspace_id = _chosen_workspace(user, workspace_id)
    actor = replace(actor, user_id=user.pk)
    return issue_token(user_id=user.pk, workspace_id=workspace_id, actor=actor, now=now)


def issue_token(
    *, user_id: str, workspace_id: str, actor: Actor, now: datetime
) -> tuple[str, AccessToken]:
    """A token for a member, without asking for a password: the caller has made sure."""
    workspace = Workspace.objects.get(id=workspace_id)
    text, secret = mint(AccessToken.prefix_in(workspace))
    token = AccessToken(
        workspace=workspace,
        user_id=user_id,
        public_id=secret.public_id,
        digest=secret.digest,
        pepper=secret.pepper,
        created_at=now,
        expires_at=now + settings.ACCESS_TOKEN_LIFETIME,
    )
    event = audit_event(
        actor=actor, action="accesstoken.create", target=token, workspace_id=workspace_id, now=now
    )
    insert_rows(token, event)
    return text, token


def record_sign_in(*, user: Any, actor: Actor, now: datetime) -> None:
    """A session of the back office began. (Failures are django-axes' to keep: they have no end.)"""
    audit_event(actor=actor, action="session.create", target=user, workspace_id=None, now=now).save(
        force_insert=True
    )


def delete_expired_tokens(*, before: datetime) -> int:
    """Forget tokens that expired before this time. Returns how many; their audit events stay."""
    deleted, _ = AccessToken.objects.filter(expires_at__lt=before).delete()
    return deleted


def _chosen_workspace(user: Any, workspace_id: str | None) -> str:
    """A sandbox has to be named: without that a person signs in to what is live."""
    of_user = {"user": user, "workspace__is_active": True}
    if workspace_id is not None:
        if not Membership.objects.for_workspace(workspace_id).filter(**of_user).exists():
            raise PermissionDenied("You are not a member of this workspace, or it is suspended.")
        return workspace_id
    memberships = Membership.objects.filter(**of_user)
    found = list(memberships.select_related("workspace").order_by("workspace__name", "id"))
    if not found:
        raise PermissionDenied("You are not a member of any active workspace.")
    if len(found) > 1:
        raise SeveralWorkspaces(found)
    return found[0].workspace_id

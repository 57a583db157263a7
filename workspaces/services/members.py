"""Who belongs to a workspace. Only an owner makes or unmakes owners, and one always stays."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import Http404
from rest_framework.exceptions import PermissionDenied

from workspaces.callers import Actor, Role
from workspaces.errors import field_error
from workspaces.models import AccessToken, ApiKey, Membership, User, Workspace
from workspaces.services.audit import audit_event
from workspaces.services.sandboxes import refuse_in_sandbox


def active_member(workspace_id: str, user_id: str) -> Membership:
    """The membership of an active user, with the `user`. Raises Http404 for any other id.

    A read, here because start, stop, upload and add-phone all ask before they write.
    """
    members = Membership.objects.for_workspace(workspace_id).select_related("user")
    membership = members.filter(user_id=user_id, user__is_active=True).first()
    if membership is None:
        raise Http404
    return membership


def add_member(
    *,
    workspace_id: str,
    email: str,
    name: str,
    password: str | None,
    role: Role,
    granted_by: Role,
    actor: Actor,
    now: datetime,
) -> Membership:
    """Add a user by e-mail; one that does not exist yet is created.

    An existing user keeps name and password: a workspace must not reset another's access. Raises
    ValidationError (`already_member`), PermissionDenied (an owner made by somebody who is none).
    """
    refuse_in_sandbox(Workspace.objects.get(id=workspace_id))
    _check_may_grant(granted_by, role)
    email = User.objects.normalize_email(email)
    with transaction.atomic():
        user = User.objects.filter(email=email).first() or _create_user(email, name, password, now)
        membership = Membership(workspace_id=workspace_id, user=user, role=role, created_at=now)
        try:
            with transaction.atomic():
                membership.save(force_insert=True)
        except IntegrityError as error:
            raise field_error("email", "Is a member already.", "already_member") from error
        _record(actor, "membership.create", membership, now, {"user": user.id, "role": role.value})
    return membership


def change_role(
    *, workspace_id: str, user_id: str, role: Role, granted_by: Role, actor: Actor, now: datetime
) -> Membership:
    """Raises Http404 (no such member), PermissionDenied, ValidationError (`last_owner`)."""
    _check_may_grant(granted_by, role)
    with transaction.atomic():
        membership = _locked_membership(workspace_id, user_id)
        _check_may_grant(granted_by, Role(membership.role))
        if role is not Role.OWNER:
            _check_an_owner_stays(membership)
        membership.role = role
        membership.save(update_fields=["role"])
        _record(actor, "membership.update", membership, now, {"user": user_id, "role": role.value})
    return membership


def remove_member(
    *, workspace_id: str, user_id: str, granted_by: Role, actor: Actor, now: datetime
) -> None:
    """End a membership, and with it the member's keys and tokens of this workspace and its sandbox.

    Raises as above.
    """
    with transaction.atomic():
        membership = _locked_membership(workspace_id, user_id)
        _check_may_grant(granted_by, Role(membership.role))
        _check_an_owner_stays(membership)
        _record(actor, "membership.delete", membership, now, {"user": user_id})
        revoke_credentials(membership, now=now)
        membership.delete()


def revoke_credentials(membership: Membership, *, now: datetime) -> None:
    """End a leaving member's keys and tokens of the workspace and its sandbox.

    They stop working without the membership; revoked, they stay dead if the user comes back.
    """
    left = membership.workspace_id
    reached = Workspace.objects.filter(Q(id=left) | Q(sandbox_of=left))
    for credentials in (
        ApiKey.objects.filter(created_by=membership.user_id),
        AccessToken.objects.filter(user=membership.user_id),
    ):
        credentials.filter(workspace__in=reached, revoked_at=None).update(revoked_at=now)


def _create_user(email: str, name: str, password: str | None, now: datetime) -> User:
    try:
        with transaction.atomic():
            return User.objects.create_user(email, password, name=name, created_at=now)
    except IntegrityError:  # somebody else has added the same new user a moment ago
        return User.objects.get(email=email)


def _check_may_grant(granted_by: Role, role: Role) -> None:
    if not granted_by.leads:  # a key goes on when its creator no longer leads
        raise PermissionDenied("Only an admin or owner manages members.")
    if role is Role.OWNER and granted_by is not Role.OWNER:
        raise PermissionDenied("Only an owner may do this to an owner.")


def _locked_membership(workspace_id: str, user_id: str) -> Membership:
    """The workspace row is the lock of its owners: two owners removing each other take turns."""
    refuse_in_sandbox(Workspace.objects.select_for_update(no_key=True).get(id=workspace_id))
    members = Membership.objects.for_workspace(workspace_id).select_related("user")
    membership = members.filter(user_id=user_id).first()
    if membership is None:
        raise Http404
    return membership


def _check_an_owner_stays(membership: Membership) -> None:
    others = Membership.objects.for_workspace(membership.workspace_id).exclude(id=membership.id)
    if membership.role == Role.OWNER and not others.filter(role=Role.OWNER).exists():
        raise field_error("role", "The last owner must stay.", "last_owner")


def _record(
    actor: Actor, action: str, membership: Membership, now: datetime, changes: dict[str, Any]
) -> None:
    audit_event(
        actor=actor,
        action=action,
        target=membership,
        workspace_id=membership.workspace_id,
        now=now,
        changes=changes,
    ).save(force_insert=True)

"""People are brought into a workspace by e-mail, and let into the back office.

A workspace never gets hold of an account: who has a password keeps it, and whoever has none gets the
link to choose one by mail, to the address that the account goes by. Nobody here is made a superuser.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.http import Http404
from rest_framework.exceptions import PermissionDenied

from workspaces.callers import Actor, Role
from workspaces.errors import field_error
from workspaces.models import AuditEvent, Membership, User
from workspaces.services.audit import audit_event
from workspaces.services.members import add_member
from workspaces.tasks import mail_invitation

# Mails go to whatever address is typed: neither one person nor the world is to be flooded.
BETWEEN_INVITATIONS = timedelta(minutes=5)
MOST_AN_HOUR = 100
_INVITED = "membership.invite"


def invite_member(
    *,
    workspace_id: str,
    email: str,
    name: str,
    role: Role,
    opens_back_office: bool,
    granted_by: Role,
    base_url: str,
    actor: Actor,
    now: datetime,
) -> Membership:
    """Add somebody, and tell them by mail; a new user is created without a password.

    Raises as `add_member` and `open_back_office`, and ValidationError (`too_soon`, `too_many`).
    """
    with transaction.atomic():
        membership = add_member(
            workspace_id=workspace_id,
            email=email,
            name=name,
            password=None,
            role=role,
            granted_by=granted_by,
            actor=actor,
            now=now,
        )
        if opens_back_office and not membership.user.is_staff:
            _open_back_office(membership, actor, now)
        _mail(membership, base_url, actor, now)
    return membership


def invite_again(
    *,
    workspace_id: str,
    user_id: str,
    granted_by: Role,
    base_url: str,
    actor: Actor,
    now: datetime,
) -> None:
    """A new mail to somebody who has not chosen a password yet.

    Raises Http404 (no such member), PermissionDenied, ValidationError (has a password, is inactive,
    was mailed a moment ago).
    """
    with transaction.atomic():
        membership = _locked(workspace_id, user_id, granted_by)
        if not is_invited(membership.user):
            raise field_error(
                "body", "Only who has no password yet is invited again.", "no_invitee"
            )
        _mail(membership, base_url, actor, now)


def open_back_office(
    *, workspace_id: str, user_id: str, granted_by: Role, actor: Actor, now: datetime
) -> None:
    """Let a member into the back office, for good; it changes nothing for who is in already.

    An admin or owner may, of any member: the back office shows nobody more than their memberships,
    which they have in the API, too. To shut somebody out is left to superusers, since it would hit
    their other workspaces. Raises Http404 (no such member), PermissionDenied.
    """
    with transaction.atomic():
        membership = _locked(workspace_id, user_id, granted_by)
        if not membership.user.is_staff:
            _open_back_office(membership, actor, now)


def is_invited(user: User) -> bool:
    """Whether the invitation is still open: the person may come in, and has no password yet."""
    return user.is_active and not user.has_usable_password()


def _locked(workspace_id: str, user_id: str, granted_by: Role) -> Membership:
    if not granted_by.leads:
        raise PermissionDenied("Only an admin or owner manages members.")
    members = Membership.objects.for_workspace(workspace_id).select_related("user")
    membership = members.select_for_update(no_key=True).filter(user_id=user_id).first()
    if membership is None:
        raise Http404
    return membership


def _open_back_office(membership: Membership, actor: Actor, now: datetime) -> None:
    user = membership.user
    if user.is_superuser:  # to them it shows everything: no workspace's to grant
        raise PermissionDenied("Only a superuser may let this person into the back office.")
    user.is_staff = True
    user.save(update_fields=["is_staff"])
    audit_event(
        actor=actor,
        action="user.update",
        target=user,
        workspace_id=membership.workspace_id,
        now=now,
        changes={"back_office": True},
    ).save(force_insert=True)


def _check_rate(membership: Membership, now: datetime) -> None:
    """By the audit trail, which outlives a membership that is removed and made again."""
    sent = AuditEvent.objects.for_workspace(membership.workspace_id).filter(action=_INVITED)
    of_the_person = sent.filter(changes__user=membership.user_id)
    if of_the_person.filter(created_at__gt=now - BETWEEN_INVITATIONS).exists():
        sentence = "An invitation went out less than 5 minutes ago: wait a little."
        raise field_error("body", sentence, "too_soon")
    if sent.filter(created_at__gt=now - timedelta(hours=1)).count() >= MOST_AN_HOUR:
        sentence = f"{MOST_AN_HOUR} invitations went out within the hour: wait a little."
        raise field_error("body", sentence, "too_many")


def _mail(membership: Membership, base_url: str, actor: Actor, now: datetime) -> None:
    _check_rate(membership, now)
    audit_event(
        actor=actor,
        action=_INVITED,
        target=membership,
        workspace_id=membership.workspace_id,
        now=now,
        changes={"user": membership.user_id},
    ).save(force_insert=True)
    mail_invitation.defer(
        membership_id=membership.id, invited_by=actor.user_id or "", base_url=base_url
    )

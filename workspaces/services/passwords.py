"""Passwords: asked for by mail, set, changed; and what ends with the old one.

With a new password all sessions of the back office end (Django signs them with it), and here all
Bearer tokens. API keys go on: they are the workspace's, and were not made from a password.
"""

from datetime import datetime

from axes.utils import reset as forget_failures
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from procrastinate.exceptions import AlreadyEnqueued

from workspaces.callers import Actor
from workspaces.models import AccessToken, User
from workspaces.services.audit import audit_event
from workspaces.tasks import mail_password_reset


def ask_for_reset(*, email: str, base_url: str) -> None:
    """Queue the mail with a link, whoever asks.

    An unknown address costs the same work as a known one: one look-up, one job; and there is never
    more than one such job in the queue, however often a stranger asks.
    """
    email = User.objects.normalize_email(email)
    user_id = User.objects.filter(email=email, is_active=True).values_list("id", flat=True).first()
    _queue(user_id or "", base_url)


def send_reset(*, user: User, base_url: str, actor: Actor, now: datetime) -> None:
    """A superuser has the mail with a link sent to somebody."""
    with transaction.atomic():
        _record("user.ask_password_reset", user, actor, now)
        _queue(user.id, base_url)


def reset_password(*, user: User, password: str, actor: Actor, now: datetime) -> None:
    """The password of somebody who came by a link; it forgives failed sign-ins, too."""
    with transaction.atomic():
        _set(user, password, now)
        _record("user.password_reset", user, actor, now)
    forget_failures(username=user.email)


def change_password(*, user: User, password: str, actor: Actor, now: datetime) -> None:
    """The password of somebody who knew the old one."""
    with transaction.atomic():
        _set(user, password, now)
        _record("user.password_change", user, actor, now)


def end_tokens(user_id: str, *, now: datetime) -> int:
    """Revoke somebody's Bearer tokens, in every workspace. Returns how many there were."""
    return AccessToken.objects.filter(user_id=user_id, revoked_at=None).update(revoked_at=now)


def sign_out_everywhere(*, user: User, actor: Actor, now: datetime) -> int:
    """End somebody's sessions and Bearer tokens. Returns how many there were."""
    with transaction.atomic():
        # A session tells whose it is only when it is opened; there are as many as open browsers.
        living = Session.objects.filter(expire_date__gt=now)
        ended = [row.pk for row in living if row.get_decoded().get(SESSION_KEY) == user.pk]
        Session.objects.filter(pk__in=ended).delete()
        count = len(ended) + end_tokens(user.pk, now=now)
        _record("user.sign_out", user, actor, now)
    return count


def _set(user: User, password: str, now: datetime) -> None:
    user.set_password(password)
    user.save(update_fields=["password"])
    end_tokens(user.pk, now=now)


def _queue(user_id: str, base_url: str) -> None:
    one_of_each = f"mail_password_reset {user_id}"
    try:
        with transaction.atomic():
            job = mail_password_reset.configure(lock=one_of_each, queueing_lock=one_of_each)
            job.defer(user_id=user_id, base_url=base_url)
    except AlreadyEnqueued:
        pass


def _record(action: str, user: User, actor: Actor, now: datetime) -> None:
    audit_event(actor=actor, action=action, target=user, workspace_id=None, now=now).save(
        force_insert=True
    )

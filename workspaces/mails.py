"""What people are told by e-mail about their way in, and admins and owners about their webhooks.

The links are made here, by the worker: neither a queue nor a log ever holds one. Nothing here may run
inside a transaction: it talks to a mail server.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from workspaces.callers import Actor, Role
from workspaces.models import AuditEvent, DisabledReason, Membership, User, WebhookEndpoint
from workspaces.services.audit import audit_event
from workspaces.tokens import RESET_LASTS, invitation_tokens, reset_tokens
from workspaces.webhooks.addresses import parse_url

PRODUCT = "Outdial"
BETWEEN_RESETS = timedelta(minutes=5)
_RESET_MAILED = "user.password_reset_mail"


def base_url_of(request: HttpRequest) -> str:
    """The service's own address for links: the configured one, else the one that was asked for.

    The latter is one of ALLOWED_HOSTS, so that nobody can have a link sent that leads elsewhere.
    """
    return settings.PUBLIC_BASE_URL or f"{request.scheme}://{request.get_host()}"


def send_invitation(membership_id: str, invited_by: str, base_url: str) -> bool:
    """Tell somebody that they were added; who has no password yet gets a link to choose one.

    False: they are no member any more, or deactivated. Raises what the mail server says.
    """
    memberships = Membership.objects.select_related("workspace", "user")
    membership = memberships.filter(id=membership_id, user__is_active=True).first()
    if membership is None:
        return False
    user, workspace = membership.user, membership.workspace.name
    inviter = User.objects.filter(id=invited_by).first() if invited_by else None
    by = f"{inviter.name} <{inviter.email}>".strip() if inviter else f"Somebody at {workspace}"
    role = Role(membership.role).label.lower()
    article = "a" if role == "member" else "an"
    lines = [
        f"{by} has added you to the workspace {workspace} on {PRODUCT} as {article} {role}.",
        "",
    ]
    if user.has_usable_password():
        lines += _sign_in_lines(user, base_url)
        return _send(user, f"You were added to {workspace} on {PRODUCT}", lines)
    link = _link(base_url, "invitation", user, invitation_tokens.make_token(user))
    lasts = timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)
    lines += [f"Choose a password within {_words(lasts)}:", "", link, ""]
    lines += ["It is for your e-mail address:", user.email, ""]
    lines += ["Did you not expect this? Then ignore this mail: nobody can use the account."]
    return _send(user, f"You are invited to {workspace} on {PRODUCT}", lines)


def leaders_of(workspace_id: str) -> QuerySet[Membership]:
    """The memberships of the workspace's active admins and owners: who is told."""
    leading = [role for role in Role if role.leads]
    members = Membership.objects.for_workspace(workspace_id)
    return members.filter(role__in=leading, user__is_active=True)


def send_webhook_disabled(webhook_id: str, user_id: str) -> bool:
    """Tell this user that a webhook was switched off, and what to do.

    False: it has been switched on or deleted since, or the user no longer leads the workspace.
    Raises what the mail server says.
    """
    webhooks = WebhookEndpoint.objects.select_related("workspace").defer("secret", "old_secret")
    webhook = webhooks.filter(id=webhook_id).exclude(disabled_reason="").first()
    if webhook is None:
        return False
    leaders = leaders_of(webhook.workspace_id).select_related("user")
    membership = leaders.filter(user_id=user_id).first()
    if membership is None:
        return False
    host, workspace = parse_url(webhook.url).host, webhook.workspace.name
    why = (
        "it answered 410 Gone, by which a receiver says that it wants no more."
        if webhook.disabled_reason == DisabledReason.GONE
        else "nothing that was sent to it for three days has succeeded."
    )
    lines = [
        f"A webhook of the workspace {workspace} on {PRODUCT} was switched off: {why}",
        "",
        f"Host: {host}",
        *([f"Description: {webhook.description}"] if webhook.description else []),
        f"Id: {webhook.id}",
        "",
        "It gets nothing until somebody switches it on again, in the back office or with the API."
        " Events are kept for 30 days: what it has missed can be sent by a replay.",
        "",
        "You get this mail because you are an admin or owner of this workspace.",
    ]
    return _send(membership.user, f"A webhook of {workspace} was switched off", lines)


def send_password_reset(user_id: str, base_url: str, now: datetime) -> bool:
    """A link to set a new password, at most one in five minutes.

    False: no such active user, or one was sent a moment ago. Raises what the mail server says.
    """
    user = User.objects.filter(id=user_id, is_active=True).first() if user_id else None
    if user is None:
        return False
    earlier = AuditEvent.objects.filter(
        target_id=user.pk, action=_RESET_MAILED, created_at__gt=now - BETWEEN_RESETS
    )
    if earlier.exists():
        return False
    link = _link(base_url, "password_reset_confirm", user, reset_tokens.make_token(user))
    lines = [
        f"Somebody asked for a new password for {user.email} on {PRODUCT}.",
        "",
        f"Set one within {_words(RESET_LASTS)}:",
        "",
        link,
        "",
        "It is the password for the back office and for the API's login. With a new one you are"
        " signed out everywhere.",
        "",
        "Was it not you? Then ignore this mail: your password stays as it is.",
    ]
    _send(user, f"Set a new password for {PRODUCT}", lines)
    audit_event(actor=Actor(), action=_RESET_MAILED, target=user, workspace_id=None, now=now).save(
        force_insert=True
    )
    return True


def _sign_in_lines(user: User, base_url: str) -> list[str]:
    if not user.is_staff:
        return ["You reach it through the API, with the e-mail and the password that you have."]
    page = f"{base_url.rstrip('/')}{reverse('admin:index')}"
    return ["Sign in with the e-mail and the password that you have:", "", page]


def _link(base_url: str, page: str, user: User, token: str) -> str:
    person = urlsafe_base64_encode(force_bytes(user.pk))
    return f"{base_url.rstrip('/')}{reverse(page, args=[person, token])}"


def _words(span: timedelta) -> str:
    hours = round(span.total_seconds() / 3600)
    number, unit = (hours // 24, "day") if hours >= 48 else (hours, "hour")
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _send(user: User, subject: str, lines: list[str]) -> bool:
    EmailMessage(
        subject=" ".join(subject.split()),  # a line break would begin another header
        body="\n".join([*(" ".join(line.split()) for line in lines), ""]),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[user.email],
    ).send()
    return True

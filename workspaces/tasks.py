"""Background work of this app, run by the Procrastinate worker."""

from datetime import timedelta

from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from workspaces.mails import send_invitation, send_password_reset
from workspaces.models import IdempotentRequest
from workspaces.services.idempotency import delete_old_requests
from workspaces.services.logins import delete_expired_tokens

KEEP_EXPIRED_TOKENS = timedelta(days=30)

MAIL_PRIORITY = 10  # somebody waits for it; everything else has 0

# After 5 s, 25 s, 2 min and 10 min; then the job stays as failed, to be looked at.
MAIL_RETRY = RetryStrategy(max_attempts=4, exponential_wait=5)


@app.task(retry=MAIL_RETRY, priority=MAIL_PRIORITY)
def mail_invitation(membership_id: str, invited_by: str, base_url: str) -> bool:
    """Somebody is told that they were added to a workspace."""
    return send_invitation(membership_id, invited_by, base_url)


@app.task(retry=MAIL_RETRY, priority=MAIL_PRIORITY)
def mail_password_reset(user_id: str, base_url: str) -> bool:
    """Somebody is sent a link to set a new password; nobody, for an unknown address."""
    return send_password_reset(user_id, base_url, timezone.now())


@app.periodic(cron="17 3 * * *", periodic_id="clean_up_tokens")
@app.task(queueing_lock="clean_up_tokens", pass_context=False)
def clean_up_tokens(timestamp: int) -> int:
    """Nightly: tokens that expired a month ago. Returns how many went."""
    return delete_expired_tokens(before=timezone.now() - KEEP_EXPIRED_TOKENS)


@app.periodic(cron="27 3 * * *", periodic_id="clean_up_sessions")
@app.task(queueing_lock="clean_up_sessions", pass_context=False)
def clean_up_sessions(timestamp: int) -> None:
    """Nightly: sessions of the back office that have ended."""
    SessionStore.clear_expired()


@app.periodic(cron="37 * * * *", periodic_id="clean_up_idempotent_requests")
@app.task(queueing_lock="clean_up_idempotent_requests", pass_context=False)
def clean_up_idempotent_requests(timestamp: int) -> int:
    """Hourly: answers that are not given again any more. Returns how many went."""
    return delete_old_requests(before=timezone.now() - IdempotentRequest.KEPT_FOR)

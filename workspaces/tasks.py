"""Background work of this app, run by the Procrastinate worker."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone
from procrastinate import JobContext, RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import JobDeferrer
from procrastinate.manager import JobManager
from procrastinate.tasks import Task, configure_task
from procrastinate.types import JSONDict
from procrastinate.worker import Worker

from workspaces.mails import (
    leaders_of,
    send_invitation,
    send_password_reset,
    send_webhook_disabled,
)
from workspaces.models import Event, IdempotentRequest, WebhookEndpoint
from workspaces.rate_limits import delete_old_windows
from workspaces.services.feed import publish_all
from workspaces.services.feed_pages import delete_old_events
from workspaces.services.idempotency import delete_old_requests
from workspaces.services.logins import delete_expired_tokens
from workspaces.sql import execute
from workspaces.webhooks.pump import run_pump

KEEP_EXPIRED_TOKENS = timedelta(days=30)
PUMP_RUNS = timedelta(minutes=10)

MAIL_PRIORITY = 10  # somebody waits for it; everything else has 0

# After 5 s, 25 s, 2 min and 10 min; then the job stays as failed, to be looked at.
MAIL_RETRY = RetryStrategy(max_attempts=4, exponential_wait=5)
# The same and 52 min and 4 h: nobody asked for it, so nobody would ask again.
NOTICE_RETRY = RetryStrategy(max_attempts=6, exponential_wait=5)


@app.task(retry=MAIL_RETRY, priority=MAIL_PRIORITY)
def mail_invitation(membership_id: str, invited_by: str, base_url: str) -> bool:
    """Somebody is told that they were added to a workspace."""
    return send_invitation(membership_id, invited_by, base_url)


@app.task(retry=MAIL_RETRY, priority=MAIL_PRIORITY)
def mail_password_reset(user_id: str, base_url: str) -> bool:
    """Somebody is sent a link to set a new password; nobody, for an unknown address."""
    return send_password_reset(user_id, base_url, timezone.now())


@app.task(retry=NOTICE_RETRY, priority=MAIL_PRIORITY)
def mail_webhook_disabled(webhook_id: str, user_id: str) -> bool:
    """One admin or owner is told that a webhook was switched off."""
    return send_webhook_disabled(webhook_id, user_id)


def mail_leaders(task: Task[..., bool, ...], workspace_id: str, **ids: str) -> None:
    """Queue this mail to each admin and owner, as part of the transaction at hand.

    A job each, so that a mailbox which refuses its mail is tried again without the others.
    """
    users = leaders_of(workspace_id).values_list("user_id", flat=True)
    jobs: list[JSONDict] = [{**ids, "user_id": user_id} for user_id in users]
    if jobs:
        _in_this_transaction(task).batch_defer(*jobs)


def _in_this_transaction(task: Task[..., Any, ...]) -> JobDeferrer:
    # In a worker the task's own way to the queue is another connection, so another transaction.
    return configure_task(
        name=task.name,
        job_manager=JobManager(DjangoConnector()),
        queueing_lock=task.queueing_lock,
        priority=task.priority,
    )


def _tell_leaders(endpoint: WebhookEndpoint) -> None:
    mail_leaders(mail_webhook_disabled, endpoint.workspace_id, webhook_id=endpoint.id)


def _with_worker(proceed: Callable[[], Any], context: JobContext, worker: Worker) -> Any:
    context.additional_context["worker"] = worker
    return proceed()


# Of killed workers: their place in the queue would be kept for ever.
_FORGET_DEAD_PUMPS = """
DELETE FROM procrastinate_jobs WHERE task_name = %s AND status = 'doing' AND (
    worker_id IS NULL OR worker_id IN (
        SELECT id FROM procrastinate_workers WHERE last_heartbeat < now() - interval '10 minutes'
    )
)
"""


@app.periodic(cron="* * * * * */15", periodic_id="send_webhooks")
@app.task(queueing_lock="send_webhooks", pass_context=True, task_middleware=[_with_worker])
def send_webhooks(context: JobContext, timestamp: int) -> bool:
    """Send webhooks for ten minutes, or until the worker stops; then another job goes on with it.

    False, at once: this process is doing so already. Every 15 seconds one looks whether it is.
    """
    worker: Worker = context.additional_context["worker"]
    execute(_FORGET_DEAD_PUMPS, [send_webhooks.name])
    has_run = run_pump(
        seconds=PUMP_RUNS.total_seconds(),
        # The worker itself tells only after its time for a graceful stop, which may be endless.
        stopping=lambda: worker._stop_event.is_set() or context.should_abort(),
        tell=_tell_leaders,
    )
    if has_run:
        with suppress(AlreadyEnqueued):
            _in_this_transaction(send_webhooks).defer(timestamp=timestamp)
    return has_run


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


@app.periodic(cron="47 3 * * *", periodic_id="clean_up_rate_windows")
@app.task(queueing_lock="clean_up_rate_windows", pass_context=False)
def clean_up_rate_windows(timestamp: int) -> int:
    """Nightly: minutes of credentials that sent nothing for a day. Returns how many went."""
    return delete_old_windows(before=timezone.now() - timedelta(days=1))


@app.periodic(cron="7 4 * * *", periodic_id="clean_up_events")
@app.task(queueing_lock="clean_up_events", pass_context=False)
def clean_up_events(timestamp: int) -> int:
    """Nightly: events of a month ago, with their deliveries. Returns how many went."""
    now = timezone.now()
    while publish_all(now=now):  # who has not read them shall learn that they are gone
        pass
    return delete_old_events(before=now - Event.KEPT_FOR)

"""Background work of this app, run by the Procrastinate worker."""

from contextlib import suppress
from datetime import datetime, timedelta

from django.utils import timezone
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from rest_framework.exceptions import ValidationError

from batches.imports.capacity import ImportsBusy
from batches.imports.tracking import ImportClosed
from batches.mails import send_import_summary, send_listing
from batches.models import ContactsFile, Import, ImportStatus
from batches.services.callback_archive import delete_old_callbacks
from batches.services.file_imports import delete_old_files, import_file
from batches.services.imports import delete_error_rows, fail_abandoned_imports
from workspaces.callers import Actor, CredentialKind
from workspaces.tasks import MAIL_PRIORITY

# A living import moves every few thousand rows; the longest step is the load at its end.
SILENT_IMPORTS_ARE_DEAD_AFTER = timedelta(minutes=15)
KEEP_ERROR_ROWS = timedelta(days=30)
KEEP_CARRIER_CALLBACKS = timedelta(days=30)
KEEP_FILES = timedelta(days=1)

# After 5 s, 25 s, 2 min, 10 min, 52 min and 4 h; then the job stays as failed, to be looked at.
MAIL_RETRY = RetryStrategy(max_attempts=6, exponential_wait=5)
# Until one of the process's slots for files is free: they are fewer than the jobs that a worker runs
# at a time, so that files never keep everything else waiting.
IMPORT_RETRY = RetryStrategy(wait=10, retry_exceptions={ImportsBusy})


@app.task(retry=MAIL_RETRY, priority=MAIL_PRIORITY)
def mail_listing(entry_id: str, user_id: str) -> bool:
    """One admin or owner is told of one number on the do-not-call list."""
    return send_listing(entry_id, user_id)


@app.task(retry=MAIL_RETRY, priority=MAIL_PRIORITY)
def mail_import_summary(import_id: str, user_id: str) -> bool:
    """One admin or owner is told of a file of numbers on the do-not-call list."""
    return send_import_summary(import_id, user_id)


@app.task(retry=IMPORT_RETRY)
def read_file(file_id: str, import_id: str, ip: str | None, request_id: str) -> None:
    """Import or check a file of contacts for whoever asked for it; the `Import` tells how it went."""
    record = Import.objects.get(id=import_id)
    file = ContactsFile.objects.select_related("workspace", "batch").get(id=file_id)
    actor = Actor(record.created_by_id, CredentialKind.SESSION, ip=ip, request_id=request_id)
    with suppress(ValidationError, ImportClosed):  # told in the record
        import_file(file=file, record=record, actor=actor, clock=timezone.now)


@app.periodic(cron="*/10 * * * *", periodic_id="close_abandoned_imports")
@app.task(queueing_lock="close_abandoned_imports", pass_context=False)
def close_abandoned_imports(timestamp: int) -> int:
    """No import stays "running" after its process died. Returns how many were closed."""
    now = timezone.now()
    _keep_waiting_ones(now)
    return fail_abandoned_imports(silent_since=now - SILENT_IMPORTS_ARE_DEAD_AFTER, now=now)


def _keep_waiting_ones(now: datetime) -> None:
    """What waits for a worker, or for a slot in one, is not dead."""
    jobs = ProcrastinateJob.objects.filter(task_name=read_file.name, status="todo")
    waiting = list(jobs.values_list("args__import_id", flat=True))
    Import.objects.filter(id__in=waiting, status=ImportStatus.RUNNING).update(updated_at=now)


@app.periodic(cron="37 3 * * *", periodic_id="clean_up_error_rows")
@app.task(queueing_lock="clean_up_error_rows", pass_context=False)
def clean_up_error_rows(timestamp: int) -> int:
    """Nightly: refused rows of imports older than a month. Returns how many went."""
    return delete_error_rows(before=timezone.now() - KEEP_ERROR_ROWS)


@app.periodic(cron="47 3 * * *", periodic_id="clean_up_carrier_callbacks")
@app.task(queueing_lock="clean_up_carrier_callbacks", pass_context=False)
def clean_up_carrier_callbacks(timestamp: int) -> int:
    """Nightly: carriers' requests of a month ago, as they came. Returns how many went."""
    return delete_old_callbacks(before=timezone.now() - KEEP_CARRIER_CALLBACKS)


@app.periodic(cron="57 * * * *", periodic_id="clean_up_files")
@app.task(queueing_lock="clean_up_files", pass_context=False)
def clean_up_files(timestamp: int) -> int:
    """Hourly: files that nobody has imported for a day. Returns how many went."""
    return delete_old_files(before=timezone.now() - KEEP_FILES)

"""A file that was kept becomes contacts of its batch, or is only checked: the work of a worker."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO

from django.db import transaction
from django.http import Http404
from rest_framework.exceptions import ValidationError

from batches.imports.capacity import import_slot
from batches.imports.loading import INCOMING, StagedFile, line_of
from batches.imports.pipeline import SentFile, stage_rows, tracked_import
from batches.imports.reading import Cell, FileRefused
from batches.imports.records import ContactChecker, FileColumns
from batches.imports.tracking import Clock, ImportTracker
from batches.models import (
    ContactsFile,
    Import,
    ImportKind,
    ImportStatus,
)
from batches.services.batches import locked_batch
from batches.services.contacts import (
    added_event,
    carry_on,
    checker_of,
    place_contacts,
)
from workspaces.callers import Actor
from workspaces.ids import new_object_id
from workspaces.sql import insert_rows

_IN_MEMORY = 5_000_000  # bytes; a larger file goes to disk while it is read


def import_file(*, file: ContactsFile, record: Import, actor: Actor, clock: Clock) -> None:
    """Put the valid rows of a file into its batch, under the rules of addCallsToBatch; or, for a record
    that is a dry run, only tell what would become of them.

    `record`, made when this was asked for, tells how it went; of a number that the file has twice the
    first row counts. A file that has been stored is forgotten, and nothing happens for a `record` that
    has come to its end: the worker may run a job twice, and a check may have been replaced by another.
    Raises ValidationError (the file as a whole is at fault; `record` tells it, too), ImportsBusy,
    ImportClosed (the record came to its end meanwhile).
    """
    with import_slot():
        pass  # not for nothing are all parts of the file fetched
    if not _begins(record, clock()):
        return
    try:
        _import(file, record, actor, clock)
    except ValidationError:
        if not record.dry_run:
            file.parts.all().delete()  # it is not imported a second time
        raise


def _begins(record: Import, now: datetime) -> bool:
    """From the start, also if a process died over it. False: it has ended."""
    with transaction.atomic():
        running = Import.objects.filter(id=record.id, status=ImportStatus.RUNNING)
        if not running.update(rows_read=0, rows_invalid=0, progress=0, updated_at=now):
            return False
        record.error_rows.all().delete()
    record.rows_read = record.rows_invalid = record.progress = 0
    return True


def _import(file: ContactsFile, record: Import, actor: Actor, clock: Clock) -> None:
    with _content_of(file) as content:
        sent = SentFile(
            content=content, name=file.name, user_id=record.created_by_id, dry_run=record.dry_run
        )
        with tracked_import(
            ImportKind.CONTACTS,
            workspace_id=file.workspace_id,
            file=sent,
            clock=clock,
            record=record,
        ) as (sheet, tracker):
            checker = _checker(file)
            columns = FileColumns.of(
                sheet.header, checker.schema, is_text=sheet.is_text, taken_as=file.columns
            )

            def line(number: int, cells: list[Cell]) -> bytes:
                return line_of(checker.check(columns.values(cells)), new_object_id())

            with INCOMING.opened():
                rows = stage_rows(sheet, tracker, INCOMING, line)
                names = [name for name in columns.names if name in checker.names]
                _conclude(
                    file, tracker, StagedFile(rows), dict.fromkeys(filter(None, names)), actor
                )


@contextmanager
def _content_of(file: ContactsFile) -> Iterator[IO[bytes]]:
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as content:
        parts = file.parts.order_by("position").values_list("content", flat=True)
        for part in parts.iterator(chunk_size=1):
            content.write(part)
        yield content


def _checker(file: ContactsFile) -> ContactChecker:
    try:
        return checker_of(file.workspace, file.batch)
    except Http404 as error:
        raise FileRefused(
            "no_agent", "There is no agent behind the numbers of this batch."
        ) from error


def _conclude(
    file: ContactsFile,
    tracker: ImportTracker,
    staged: StagedFile,
    names: dict[str, None],
    actor: Actor,
) -> None:
    if tracker.record.dry_run:
        known = staged.leave_known(file.batch_id)
        existing, listed = staged.foreseen(workspace_id=file.workspace_id, batch_id=file.batch_id)
        tracker.finish(
            ImportStatus.CHECKED,
            rows_duplicate=staged.repeated,
            rows_added=staged.rows - existing,
            rows_updated=existing,
            rows_known=known,
            rows_listed=listed,
        )
    elif not staged.rows:
        raise FileRefused("no_valid_row", "The file has no valid row.")
    else:
        _store(file, tracker, staged, names, actor)


def _store(
    file: ContactsFile,
    tracker: ImportTracker,
    staged: StagedFile,
    names: dict[str, None],
    actor: Actor,
) -> None:
    record, now = tracker.record, tracker.clock()
    user_id, starts = record.created_by_id, file.workspace.start_when_calls_added
    with transaction.atomic():
        try:
            batch = locked_batch(file.workspace_id, file.batch_id)
        except Http404 as error:
            raise FileRefused("batch_deleted", "The batch was deleted.") from error
        loaded = place_contacts(batch, staged, names=names, user_id=user_id, now=now, starts=starts)
        starts = starts and loaded.stored > 0
        session_id = carry_on(batch, loaded, starts=starts, user_id=user_id, now=now)
        tracker.finish(
            ImportStatus.STORED,
            rows_added=loaded.added,
            rows_updated=loaded.updated,
            rows_known=loaded.known,
            rows_duplicate=staged.repeated,
        )
        insert_rows(added_event(batch, record, session_id, actor, now))
        file.parts.all().delete()


def delete_old_files(*, before: datetime) -> int:
    """Forget files that were sent before this time. Returns how many."""
    old = ContactsFile.objects.filter(created_at__lt=before)
    return old.delete()[1].get(ContactsFile._meta.label, 0)

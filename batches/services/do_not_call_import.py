"""A file of numbers goes on the do-not-call list: read → normalise → stage → list."""

from dataclasses import dataclass

from django.db import transaction

from batches.imports.do_not_call import INCOMING_NUMBERS, NumberColumns, count_new, list_staged
from batches.imports.pipeline import SentFile, stage_rows, tracked_import
from batches.imports.reading import Cell, FileRefused
from batches.imports.tracking import Clock, ImportTracker, RefusedRow
from batches.models import ImportKind, ImportStatus
from batches.services.outbox import numbers_imported
from batches.tasks import mail_import_summary
from calling.models import PhoneNumber
from workspaces.callers import Actor
from workspaces.models import Workspace
from workspaces.services.audit import audit_event
from workspaces.sql import insert_rows
from workspaces.tasks import mail_leaders


@dataclass(frozen=True, slots=True)
class ImportedNumbers:
    """`refused`: the first invalid rows of `invalid`."""

    import_id: str
    added: int
    already_listed: int
    invalid: int
    refused: list[RefusedRow]


def import_numbers(
    *, workspace_id: str, file: SentFile, actor: Actor, clock: Clock
) -> ImportedNumbers:
    """List the valid numbers of a file, all in one transaction after the reading; report the rest.

    Queues a mail to each admin and owner when something was added. `clock` tells the time while the
    file is read. Raises ValidationError (the file as a whole is at fault), ImportsBusy.
    """
    countries, kind = _countries(workspace_id), ImportKind.DO_NOT_CALL
    with tracked_import(kind, workspace_id=workspace_id, file=file, clock=clock) as opened:
        sheet, tracker = opened
        columns = NumberColumns.of(sheet.header)

        def line(number: int, cells: list[Cell]) -> bytes:
            return columns.line(number, cells, countries)

        with INCOMING_NUMBERS.opened():
            valid = stage_rows(sheet, tracker, INCOMING_NUMBERS, line)
            return _conclude(valid, file.dry_run, tracker, actor)


def _countries(workspace_id: str) -> frozenset[str]:
    return PhoneNumber.objects.called_countries(Workspace.objects.get(id=workspace_id))


def _conclude(valid: int, dry_run: bool, tracker: ImportTracker, actor: Actor) -> ImportedNumbers:
    record = tracker.record
    if not record.rows_read:
        raise FileRefused("no_rows", "The file has no row below its header.")
    if dry_run:
        added = count_new(record.workspace_id)
        tracker.finish(ImportStatus.CHECKED, rows_duplicate=valid - added)
    elif valid:
        added = _list(valid, tracker, actor)
    else:
        added = 0
        tracker.finish(ImportStatus.REFUSED)
    return ImportedNumbers(record.id, added, valid - added, record.rows_invalid, tracker.refused)


def _list(valid: int, tracker: ImportTracker, actor: Actor) -> int:
    """List what is staged. Returns how many numbers were not listed before."""
    record, now = tracker.record, tracker.clock()
    with transaction.atomic():
        added = list_staged(record.workspace_id, record.created_by_id, now)
        audit_event(
            actor=actor,
            action="donotcallentry.import",
            target=record,
            workspace_id=record.workspace_id,
            now=now,
            changes={"added": added},
        ).save(force_insert=True)
        tracker.finish(ImportStatus.STORED, rows_added=added, rows_duplicate=valid - added)
        if added:
            insert_rows(numbers_imported(record, added, now=now))
            mail_leaders(mail_import_summary, record.workspace_id, import_id=record.id)
    return added

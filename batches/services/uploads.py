"""A file of contacts becomes a batch: read → normalise → validate → stage → load."""

from dataclasses import dataclass

from django.http import Http404

from batches.imports.loading import INCOMING, Destination, insert_staged, line_of
from batches.imports.pipeline import SentFile, stage_rows, tracked_import
from batches.imports.reading import Cell, FileRefused
from batches.imports.records import ContactChecker, FileColumns
from batches.imports.tracking import Clock, ImportTracker, RefusedRow
from batches.models import CallBatch, CallStatus, ImportKind, ImportStatus
from batches.services.batches import (
    BatchSettings,
    created_event,
    hold_numbers,
    new_batch,
    rotation_of,
)
from batches.services.counters import change_counts
from batches.services.outbox import batch_created
from batches.services.variables import remember_variables
from calling.models import Agent, PhoneNumber
from calling.variables import VariableSchema
from workspaces.callers import Actor
from workspaces.ids import new_object_id
from workspaces.models import Workspace
from workspaces.sql import insert_rows
from workspaces.unit_of_work import undo_by, unit_of_work


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What was sent. `keep_valid`: store the valid rows although others are not."""

    file: SentFile
    settings: BatchSettings
    keep_valid: bool


@dataclass(frozen=True, slots=True)
class Uploaded:
    """`batch` is None when nothing was stored: a dry run, or invalid rows not to be skipped."""

    import_id: str
    batch: CallBatch | None
    total_calls: int
    valid: int
    invalid: int
    refused: list[RefusedRow]


def upload_batch(*, workspace_id: str, upload: Upload, actor: Actor, clock: Clock) -> Uploaded:
    """Store a batch with the contacts of a file, all in one transaction after the reading.

    `clock` tells the time while the file is read. Raises ValidationError (the file as a whole is at
    fault, or has no valid row; a number was deleted meanwhile), Http404 (no agent, or one without a
    language), ImportsBusy.
    """
    checker = _checker(workspace_id, upload.settings)
    kind = ImportKind.CONTACTS
    with tracked_import(kind, workspace_id=workspace_id, file=upload.file, clock=clock) as opened:
        sheet, tracker = opened
        columns = FileColumns.of(sheet.header, checker.schema, is_text=sheet.is_text)

        def line(number: int, cells: list[Cell]) -> bytes:
            return line_of(checker.check(columns.values(cells)), new_object_id())

        with INCOMING.opened():
            valid = stage_rows(sheet, tracker, INCOMING, line)
            return _conclude(upload, checker, tracker, valid, actor)


def _checker(workspace_id: str, settings: BatchSettings) -> ContactChecker:
    agents = list(
        Agent.objects.for_workspace(workspace_id)
        .filter(numbers__id__in=settings.phone_ids)
        .distinct()
    )
    if not agents:
        raise Http404("There is no agent behind these numbers.")
    if not all(agent.language for agent in agents):
        raise Http404("An agent behind these numbers has no language.")
    workspace = Workspace.objects.get(id=workspace_id)
    return ContactChecker(VariableSchema(agents), PhoneNumber.objects.called_countries(workspace))


def _conclude(
    upload: Upload,
    checker: ContactChecker,
    tracker: ImportTracker,
    valid: int,
    actor: Actor,
) -> Uploaded:
    record = tracker.record
    if record.rows_invalid and not upload.keep_valid:
        tracker.finish(ImportStatus.REFUSED)
    elif not valid:
        raise FileRefused("no_valid_row", "The file has no valid row.")
    elif upload.file.dry_run:
        tracker.finish(ImportStatus.CHECKED)
    else:
        batch, total = _store(upload, checker, tracker, valid, actor)
        return Uploaded(record.id, batch, total, valid, record.rows_invalid, tracker.refused)
    return Uploaded(record.id, None, 0, valid, record.rows_invalid, tracker.refused)


def _store(
    upload: Upload,
    checker: ContactChecker,
    tracker: ImportTracker,
    valid: int,
    actor: Actor,
) -> tuple[CallBatch, int]:
    workspace_id, user_id = tracker.record.workspace_id, upload.file.user_id
    now = tracker.clock()
    batch = new_batch(workspace_id, user_id, upload.settings, now)
    rotation = rotation_of(batch, upload.settings.phone_ids)
    destination = Destination(
        workspace_id=workspace_id,
        batch_id=batch.id,
        session_id=None,
        user_id=user_id,
        now=now,
    )
    with unit_of_work():
        hold_numbers(workspace_id, upload.settings.phone_ids)
        insert_rows(batch, *rotation, created_event(batch, len(rotation), actor, now))
        total = insert_staged(destination)
        insert_rows(batch_created(batch, calls=total, now=now))
        change_counts(
            workspace_id=workspace_id, batch_id=batch.id, changes={CallStatus.PENDING: total}
        )
        remember_variables(batch, [n for n in tracker.record.header if n in checker.names])
        tracker.finish(
            ImportStatus.STORED, batch=batch, rows_added=total, rows_duplicate=valid - total
        )
    undo_by(tracker.fail)
    return batch, total

"""A file of contacts for a batch, sent in steps: it is kept, looked at, checked, and then imported."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import IO

from django.db import transaction
from django.db.models import Q

from batches.imports.capacity import import_slot
from batches.imports.columns import likely_columns
from batches.imports.reading import FileRefused, open_sheet
from batches.imports.records import ERRORS_COLUMN
from batches.models import (
    CallBatch,
    ContactsFile,
    ContactsFilePart,
    Import,
    ImportKind,
    ImportStatus,
)
from batches.services.batches import locked_batch
from batches.services.contacts import checker_of
from batches.tasks import read_file
from calling.variables import VariableSchema
from workspaces.callers import Actor
from workspaces.errors import field_error
from workspaces.models import Workspace

SAMPLE = 10  # rows
_LONGEST_CELL = 200  # characters, of the sample
_PART = 1_000_000  # bytes
MOST_WAITING = 20  # files of a workspace: each may have 50 MB
_FORGOTTEN_AFTER = timedelta(days=1)
# Told as of the file as a whole. Not "failed": nobody has to look after it.
_REPLACED = {
    "row": 0,
    "errors": [
        {
            "field": "file",
            "code": "replaced",
            "message": "The columns were changed: another check took the place of this one.",
        }
    ],
}


def keep_file(
    *, batch: CallBatch, content: IO[bytes], name: str, user_id: str, now: datetime
) -> ContactsFile:
    """Store a file that is to be imported into the batch, with a guess at its columns.

    Raises ValidationError (it cannot be read, or too many wait already), Http404 (no agent is behind the
    batch's numbers, or the batch was deleted), ImportsBusy.
    """
    schema = schema_of(batch)
    header, sample = _first_rows(content, name)
    columns = _columns_of_the_last(batch, header) or likely_columns(
        header, [variable.key for variable in schema.variables]
    )
    content.seek(0)
    with transaction.atomic():
        locked_batch(batch.workspace_id, batch.id)
        _refuse_too_many(batch.workspace_id, now)
        file = ContactsFile.objects.create(
            workspace_id=batch.workspace_id,
            batch=batch,
            created_by_id=user_id,
            name=_short(name),
            size=0,
            header=header,
            sample=sample,
            columns=columns,
            created_at=now,
        )
        for position, part in enumerate(iter(lambda: content.read(_PART), b"")):
            ContactsFilePart.objects.create(
                workspace_id=batch.workspace_id, file=file, position=position, content=part
            )
            file.size += len(part)
        file.save(update_fields=["size"])
    return file


def queue_check(
    *, file_id: str, columns: Sequence[str | None], actor: Actor, now: datetime
) -> ContactsFile:
    """Have a worker tell what would become of the file with these columns.

    A check of the same columns that has not ended goes on; one of others gives way.
    Raises ContactsFile.DoesNotExist.
    """
    with transaction.atomic():
        file = _locked(file_id)
        running = Import.objects.filter(id=file.check_run_id, status=ImportStatus.RUNNING)
        if file.columns == list(columns) and running.exists():
            return file
        if file.import_run_id is None:
            running.update(status=ImportStatus.CHECKED, errors=[_REPLACED], updated_at=now)
            file.columns = list(columns)
            file.check_run = _queue(file, actor, now, dry_run=True)
            file.save(update_fields=["columns", "check_run"])
    return file


def queue_import(*, file_id: str, actor: Actor, now: datetime) -> ContactsFile:
    """Have a worker import the file, once, with the columns of its last check.

    Raises ContactsFile.DoesNotExist.
    """
    with transaction.atomic():
        file = _locked(file_id)
        if file.import_run_id is None:
            file.import_run = _queue(file, actor, now, dry_run=False)
            file.save(update_fields=["import_run"])
    return file


def schema_of(batch: CallBatch) -> VariableSchema:
    """What the agents behind the batch's numbers have to know of a contact. Raises Http404: no agent."""
    workspace = Workspace.objects.get(id=batch.workspace_id)
    return checker_of(workspace, batch).schema


def _locked(file_id: str) -> ContactsFile:
    return ContactsFile.objects.select_for_update(no_key=True).get(id=file_id)


def _refuse_too_many(workspace_id: str, now: datetime) -> None:
    files = ContactsFile.objects.for_workspace(workspace_id).filter(
        Q(import_run=None) | Q(import_run__status=ImportStatus.RUNNING),
        created_at__gt=now - _FORGOTTEN_AFTER,
    )
    if files.count() >= MOST_WAITING:
        raise field_error(
            "file",
            f"{MOST_WAITING} files of this workspace wait to be imported. Import one of them, or come"
            " back later: a file is forgotten a day after it was sent.",
            "too_many_files",
        )


def _queue(file: ContactsFile, actor: Actor, now: datetime, *, dry_run: bool) -> Import:
    record = Import.objects.create(
        workspace_id=file.workspace_id,
        batch_id=file.batch_id,
        created_by_id=actor.user_id or file.created_by_id,
        kind=ImportKind.CONTACTS,
        source=file.name.rpartition(".")[2].lower(),
        file_name=file.name,
        header=file.header,
        dry_run=dry_run,
        created_at=now,
        updated_at=now,
    )
    read_file.defer(file_id=file.id, import_id=record.id, ip=actor.ip, request_id=actor.request_id)
    return record


def _first_rows(content: IO[bytes], name: str) -> tuple[list[str], list[list[object]]]:
    try:
        with import_slot():
            sheet = open_sheet(content, name)
            rows = [cells for _, cells in islice(sheet.rows(), SAMPLE)]
    except FileRefused as refused:
        raise field_error("file", refused.message, refused.code) from refused
    shown = [[_shown(cell) for cell in cells[: len(sheet.header)]] for cells in rows]
    return sheet.header, shown


def _shown(cell: object) -> object:
    return cell[:_LONGEST_CELL] if isinstance(cell, str) else cell


def _columns_of_the_last(batch: CallBatch, header: list[str]) -> list[str | None] | None:
    """Those of the last file of this batch, if this one has the same: it is likely the same, mended."""
    files = ContactsFile.objects.for_workspace(batch.workspace_id).filter(batch=batch)
    last = files.order_by("-created_at").first()
    if last is None:
        return None
    known = dict(zip(last.header, last.columns, strict=True))
    if {name for name in header if name != ERRORS_COLUMN} != {
        name for name in last.header if name != ERRORS_COLUMN
    }:
        return None
    return [None if name == ERRORS_COLUMN else known[name] for name in header]


def _short(name: str) -> str:
    """With its ending, by which the file is read."""
    stem, dot, ending = name.rpartition(".")
    return f"{stem[: 250 - len(ending)]}{dot}{ending}"

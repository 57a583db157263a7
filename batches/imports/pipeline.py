"""What every file goes through: read → normalise → validate → stage. Its importer loads it then."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from batches.imports.capacity import import_slot
from batches.imports.reading import Cell, FileRefused, Sheet, open_sheet
from batches.imports.staging import StagingTable
from batches.imports.tracking import Clock, ImportTracker, RowRefused
from batches.models import Import, ImportKind
from workspaces.errors import field_error
from workspaces.sql import insert_rows

BLOCK = 5000  # rows staged, and told to the watchers of the import, at a time
BLOCK_CELLS = 200_000  # of a wide file fewer rows


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """A file as it was sent, on whose behalf, and whether to store what is in it."""

    content: IO[bytes]
    name: str
    user_id: str
    dry_run: bool


@contextmanager
def tracked_import(
    kind: ImportKind,
    *,
    workspace_id: str,
    file: SentFile,
    clock: Clock,
    record: Import | None = None,
) -> Iterator[tuple[Sheet, ImportTracker]]:
    """Open a file and its `Import` row, which tells the end whatever that is.

    `record`: the row, if there is one already; otherwise it is made when the file has been opened.
    A FileRefused in the block becomes a ValidationError on `file`. Raises ImportsBusy.
    """
    with import_slot():
        try:
            sheet = open_sheet(file.content, file.name)
        except FileRefused as refused:
            if record is not None:
                ImportTracker(record, clock).refuse_file(refused.code, refused.message)
            raise field_error("file", refused.message, refused.code) from refused
        if record is None:
            record = _new_record(kind, workspace_id, file, sheet, clock())
            insert_rows(record)
        tracker = ImportTracker(record, clock)
        try:
            yield sheet, tracker
        except FileRefused as refused:
            tracker.refuse_file(refused.code, refused.message)
            raise field_error("file", refused.message, refused.code) from refused
        except Exception:
            tracker.fail()
            raise


def _new_record(
    kind: ImportKind, workspace_id: str, file: SentFile, sheet: Sheet, now: datetime
) -> Import:
    return Import(
        workspace_id=workspace_id,
        created_by_id=file.user_id,
        kind=kind,
        source=sheet.source,
        file_name=file.name[:255],
        header=list(sheet.header),
        dry_run=file.dry_run,
        created_at=now,
        updated_at=now,
    )


def stage_rows(
    sheet: Sheet,
    tracker: ImportTracker,
    table: StagingTable,
    line_of: Callable[[int, list[Cell]], bytes],
) -> int:
    """Stage the rows for which `line_of` has a line, note those for which it raises RowRefused.

    Returns how many are valid. Raises FileRefused.
    """
    valid = 0
    for block in _blocks(sheet.rows()):
        lines = []
        for number, cells in block:
            try:
                lines.append(line_of(number, cells))
            except RowRefused as refused:
                tracker.refuse(number, cells, refused.errors)
        table.copy(lines)
        valid += len(lines)
        tracker.advance(len(block), sheet.progress())
    return valid


def _blocks(rows: Iterator[tuple[int, list[Cell]]]) -> Iterator[list[tuple[int, list[Cell]]]]:
    block, cells = [], 0
    for row in rows:
        block.append(row)
        cells += len(row[1])
        if len(block) >= BLOCK or cells >= BLOCK_CELLS:
            yield block
            block, cells = [], 0
    if block:
        yield block

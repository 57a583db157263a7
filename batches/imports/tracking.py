"""The `Import` row of a file while it is read: progress, counts, and the rows that were refused.

Everything here is written outside of the import's own transaction, so that progress can be watched and
the refused rows are there although nothing else was stored.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, TypedDict

import orjson
from rest_framework.exceptions import APIException

from batches.models import Import, ImportErrorRow, ImportStatus
from workspaces.ids import new_object_id
from workspaces.sql import copy_cell, copy_rows

MOST_LISTED = 1000  # refused rows in an answer; ImportErrorRow has all of them
_MOST_KEPT = 100  # of those, in the Import row itself
_MOST_OF_A_ROW = 20
_FLUSH_BYTES = 1 << 20

Clock = Callable[[], datetime]


class RowError(TypedDict):
    field: str
    code: str
    message: str


class RowRefused(Exception):
    """`errors`: what is wrong with a row or record, as far as one wants to read it."""

    def __init__(self, errors: list[RowError]) -> None:
        super().__init__()
        self.errors = errors[:_MOST_OF_A_ROW]


class ImportClosed(APIException):
    """Somebody else ended the import meanwhile: it was taken for dead, replaced, or is run twice."""

    status_code = 503
    default_detail = "The import was given up meanwhile. Send it again."
    default_code = "import_closed"


class RefusedRow(TypedDict):
    row: int
    errors: list[RowError]


class ImportTracker:
    """Follows a stored `Import`; `finish`, `refuse_file` or `fail` ends it.

    They and `advance` raise ImportClosed for one that is not running any more, so that of two who end
    it one does, with all that its transaction stores; `fail` leaves it as it is then.
    """

    def __init__(self, record: Import, clock: Clock) -> None:
        self.record = record
        self.clock = clock
        self.refused: list[RefusedRow] = []  # the first MOST_LISTED
        self._unwritten: list[bytes] = []
        self._unwritten_bytes = 0

    def refuse(self, row: int, cells: Sequence[Any], errors: list[RowError]) -> None:
        """Note a row that cannot be stored."""
        self.record.rows_invalid += 1
        if len(self.refused) < MOST_LISTED:
            self.refused.append({"row": row, "errors": errors})
        line = [
            b"\\\\x" + new_object_id().encode(),
            b"\\\\x" + self.record.workspace_id.encode(),
            b"\\\\x" + self.record.id.encode(),
            str(row).encode(),
            copy_cell(orjson.dumps(cells)),
            copy_cell(orjson.dumps(errors)),
        ]
        self._unwritten.append(b"\t".join(line) + b"\n")
        self._unwritten_bytes += len(self._unwritten[-1])
        if self._unwritten_bytes >= _FLUSH_BYTES:
            self._write_refused()

    def advance(self, rows: int, progress: int) -> None:
        """Another block of rows was read; `progress` is per cent of the file."""
        self.record.rows_read += rows
        self.record.progress = progress
        self._save("rows_read", "rows_invalid", "progress")

    def finish(self, status: ImportStatus, **counts: Any) -> None:
        """The end; `counts` are further fields of `Import`."""
        self._write_refused()
        self.record.status = status
        self.record.progress = 100
        self.record.errors = self.refused[:_MOST_KEPT]
        for name, value in counts.items():
            setattr(self.record, name, value)
        self._save("status", "progress", "errors", "rows_read", "rows_invalid", *counts)

    def refuse_file(self, code: str, message: str) -> None:
        """The end: the file as a whole is at fault, which is told as its row 0."""
        error: RowError = {"field": "file", "code": code, "message": message}
        self.refused.insert(0, {"row": 0, "errors": [error]})
        self.finish(ImportStatus.REFUSED)

    def fail(self) -> None:
        """The end by an error of ours: as far as it came, nothing stored."""
        self.record.status = ImportStatus.FAILED
        with suppress(ImportClosed):
            self._save("status")

    def _save(self, *fields: str) -> None:
        self.record.updated_at = self.clock()
        values = {name: getattr(self.record, name) for name in (*fields, "updated_at")}
        running = Import.objects.filter(id=self.record.id, status=ImportStatus.RUNNING)
        if not running.update(**values):
            raise ImportClosed

    def _write_refused(self) -> None:
        columns = ["id", "workspace_id", "import_id", "row", "cells", "errors"]
        if self._unwritten:
            with copy_rows(ImportErrorRow._meta.db_table, columns) as write:
                write(b"".join(self._unwritten))
        self._unwritten, self._unwritten_bytes = [], 0

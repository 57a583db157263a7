"""Rows of a file into the do-not-call list: checked, staged by COPY, then listed in one statement."""

from datetime import datetime
from typing import NamedTuple

from django.db import connection

from batches.imports.reading import Cell, FileRefused
from batches.imports.staging import StagingTable
from batches.imports.tracking import RowError, RowRefused
from calling.numbers import NumberRefused, normalise
from workspaces.ids import new_object_id
from workspaces.sql import copy_cell, fetch_row
from workspaces.texts import is_one_line

NUMBER, TYPE = "phoneNumber", "type"
LONGEST_TYPE = 64

INCOMING_NUMBERS = StagingTable(
    "incoming_numbers",
    {"id": "bytea", "row": "integer", "phone_number": "text", "type": "text"},
)
# In the order of the numbers: two files with the same ones wait for each other, and never in a circle.
# Of a number that comes more than once the first row is listed.
_LIST = """
INSERT INTO batches_donotcallentry (
    id, workspace_id, phone_number, type, call_recording, transcription, created_by_id, created_at
)
SELECT id, %s::bytea, phone_number, type, '', '', %s::bytea, %s::timestamptz
FROM pg_temp.incoming_numbers ORDER BY phone_number, row
ON CONFLICT (workspace_id, phone_number) WHERE deleted_at IS NULL DO NOTHING
"""
_COUNT_NEW = """
SELECT count(DISTINCT incoming.phone_number) FROM pg_temp.incoming_numbers AS incoming
WHERE NOT EXISTS (
    SELECT FROM batches_donotcallentry AS entry
    WHERE entry.workspace_id = %s::bytea AND entry.phone_number = incoming.phone_number
        AND entry.deleted_at IS NULL
)
"""


class NumberColumns(NamedTuple):
    """Where the two columns are; others are ignored."""

    number: int
    type: int | None

    @classmethod
    def of(cls, header: list[str]) -> "NumberColumns":
        """Raises FileRefused when there is no column of numbers."""
        if NUMBER not in header:
            raise FileRefused("missing_column", f"There is no column {NUMBER}.")
        return cls(header.index(NUMBER), header.index(TYPE) if TYPE in header else None)

    def line(self, row: int, cells: list[Cell], countries: frozenset[str]) -> bytes:
        """A row as a line for COPY. Raises RowRefused with everything that is wrong with it."""
        errors: list[RowError] = []
        number = ""
        try:
            number = normalise(str(cells[self.number]), countries)
        except NumberRefused as refused:
            errors.append({"field": NUMBER, "code": refused.code, "message": refused.message})
        why = "" if self.type is None else str(cells[self.type]).strip()
        if problem := _type_problem(why):
            errors.append(problem)
        if errors:
            raise RowRefused(errors)
        return b"\\\\x%b\t%d\t%b\t%b\n" % (
            new_object_id().encode(),
            row,
            number.encode(),
            copy_cell(why.encode()),
        )


def _type_problem(why: str) -> RowError | None:
    if not is_one_line(why):
        message = "Must not contain control characters."
        return {"field": TYPE, "code": "control_character", "message": message}
    if len(why) > LONGEST_TYPE:
        message = f"Ensure this field has no more than {LONGEST_TYPE} characters."
        return {"field": TYPE, "code": "max_length", "message": message}
    return None


def list_staged(workspace_id: str, user_id: str, now: datetime) -> int:
    """Put the staged numbers on the list. Returns how many were not there before."""
    ids = bytes.fromhex(workspace_id), bytes.fromhex(user_id)
    with connection.cursor() as cursor:
        cursor.execute(_LIST, [*ids, now])
        return int(cursor.rowcount)


def count_new(workspace_id: str) -> int:
    """How many numbers `list_staged` would add."""
    row = fetch_row(_COUNT_NEW, [bytes.fromhex(workspace_id)])
    return int(row[0]) if row else 0

"""A contacts file as rows, whatever its format."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

Cell: TypeAlias = str | int | float | bool
LONGEST_ROW = 1_000_000  # characters
MOST_COLUMNS = 1000

_quoted = re.compile(r'="((?:[^"]|"")*)"')  # keeps a spreadsheet from reading text as a number
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class FileRefused(Exception):
    """The whole file is at fault. `code` is stable, `message` a sentence for its author.

    Codes: unsupported_file, empty_file, broken_file, not_utf8, duplicate_column, too_many_rows,
    too_many_columns, encrypted_file, sheet_too_large.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Sheet:
    """The first row that is not empty is the header, the others below it are the rows.

    Memory stays flat: `records` are read one at a time. They may raise FileRefused.
    """

    def __init__(
        self,
        source: str,
        records: Iterable[list[Any]],
        *,
        max_rows: int,
        progress: Callable[[], int],
    ) -> None:
        self.source = source
        self.is_text = source == "csv"  # so every cell is a str
        self.progress = progress  # per cent of the file read: 0 to 100
        self._records = enumerate(records, 1)
        self._max_rows = max_rows
        self._first, self.header = self._read_header()

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        """Each row that is not empty, with its number; the header is 1, blank rows below it count.

        A row is at least as long as the header, and longer only where cells have no column.
        """
        width = len(self.header)
        for number, record in self._records:
            row = record
            if not self.is_text or _may_be_special(record):
                row = [_plain(cell) for cell in record]
                if _is_empty(row):
                    continue
            if len(row) > MOST_COLUMNS:
                raise too_many_columns()
            if number - self._first > self._max_rows:
                raise too_many_rows(self._max_rows)
            while len(row) > width and row[-1] == "":
                row.pop()
            row.extend([""] * (width - len(row)))
            yield number - self._first + 1, row

    def _read_header(self) -> tuple[int, list[str]]:
        for number, record in self._records:
            names = [str(_plain(cell)).strip() for cell in record]
            while names and not names[-1]:
                names.pop()
            if names:
                if len(names) > MOST_COLUMNS:
                    raise too_many_columns()
                _refuse_duplicates(names)
                return number, names
        raise FileRefused("empty_file", "The file is empty: it needs a header row and contacts.")


def too_many_columns() -> FileRefused:
    return FileRefused("too_many_columns", f"The file has more than {MOST_COLUMNS:,} columns.")


def too_many_rows(limit: int) -> FileRefused:
    return FileRefused(
        "too_many_rows", f"The file has more than {limit:,} rows: split it into several."
    )


def _refuse_duplicates(names: list[str]) -> None:
    seen = set()
    for name in filter(None, names):
        if name in seen:
            raise FileRefused("duplicate_column", f"Two columns are named “{name[:64]}”.")
        seen.add(name)


def _may_be_special(record: list[Any]) -> bool:
    """Whether a record of texts may have a cell for `_plain`, or nothing but blanks.

    One look at all cells at once: nearly every row of a long file has neither.
    """
    text = _BEFORE_CELL.join(["", *record])
    return _BEFORE_CELL + "=" in text or _BEFORE_CELL + "'" in text or not text.strip()


_BEFORE_CELL = "\x1f"  # counts as white space


def _is_empty(row: list[Cell]) -> bool:
    return not any(cell.strip() if type(cell) is str else True for cell in row)


def _plain(cell: Cell) -> Cell:
    """The text without what protects it from a spreadsheet: `="007"`, and `'` before a formula."""
    if type(cell) is not str or not cell.startswith(("=", "'")):
        return cell
    if cell.startswith("'"):
        return cell[1:] if cell.startswith(_FORMULA_STARTS, 1) else cell
    quoted = _quoted.fullmatch(cell)
    return quoted[1].replace('""', '"') if quoted else cell

"""A program: the first visible sheet of the workbook that it is given, as lines of JSON.

It reads what strangers send with a library that takes memory for every cell between the first and the
last one, copies a shared text into every cell that uses it, and aborts its process when there is no
memory left. So this process has limits of its own and nothing to lose: no settings, no database, no
secrets in its environment, and a crash of it is one refused file.

Lines: `{"rows": n}` (below the header), a list of cells for each row (without the empty ones at its
end), and at last `{"end": "complete"}` or why there is no more: encrypted, broken, too_large.
"""

import datetime
import math
import resource
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import orjson
from python_calamine import (
    CalamineSheet,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
    load_workbook,
)

MEMORY = 448 << 20  # bytes: 200,000 rows of 16 columns take 400 MB
CPU_SECONDS = 30
MOST_PARTS = 2000  # of the zip that an .xlsx is
UNPACKED = 300 << 20  # bytes of all parts together, and
UNPACKED_TIMES = 100  # the size of the zip; big sheets shrink to a tenth
LONGEST_LINE = 1_000_000  # bytes of JSON
_EXACT = 2**53  # from here on a float stands for several integers
_BLOCK = 1 << 20
_DAMAGED_ZIP = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError),
    *(RuntimeError, ValueError, OSError),  # what zipfile makes of odd headers
)


class Refused(Exception):
    """With the word for the last line."""


def main() -> None:
    limit(resource.RLIMIT_AS, MEMORY)
    limit(resource.RLIMIT_CPU, CPU_SECONDS)
    limit(resource.RLIMIT_CORE, 0)
    end = "complete"
    try:
        for line in lines(Path(sys.argv[1])):
            sys.stdout.buffer.write(line + b"\n")
    except Refused as refused:
        end = str(refused)
    except MemoryError:
        end = "too_large"
    sys.stdout.buffer.write(orjson.dumps({"end": end}))


def limit(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    if hard == resource.RLIM_INFINITY or value < hard:
        try:
            resource.setrlimit(which, (value, value))
        except ValueError:
            if sys.platform != "darwin":  # has no limit of memory; development only
                raise


def lines(path: Path) -> Iterator[bytes]:
    if path.suffix == ".xlsx":
        check_parts(path)
    sheet = open_sheet(path)
    if sheet is None or sheet.start is None or sheet.end is None:
        return
    yield orjson.dumps({"rows": sheet.end[0] - sheet.start[0]})
    for row in sheet.iter_rows():
        cells = [plain(cell) for cell in row]
        while cells and cells[-1] == "":
            cells.pop()
        line = orjson.dumps(cells)
        if len(line) > LONGEST_LINE:
            raise Refused("too_large")
        yield line


def check_parts(path: Path) -> None:
    """Raise Refused when the zip holds too much, whatever its directory claims, or a DTD."""
    left = min(UNPACKED, UNPACKED_TIMES * path.stat().st_size)
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > left:
                raise Refused("too_large")
            for part in parts:
                part.file_size = UNPACKED + 1  # else reading stops at the size that is claimed
                with archive.open(part) as content:
                    left -= checked_size(content, left)
    except _DAMAGED_ZIP:
        raise Refused("broken") from None


def checked_size(content: IO[bytes], most: int) -> int:
    size, before = 0, b""
    while block := content.read(_BLOCK):
        size += len(block)
        if size > most:
            raise Refused("too_large")
        if b"<!DOCTYPE" in before + block or b"<!ENTITY" in before + block:
            raise Refused("broken")
        before = block[-8:]
    return size


def open_sheet(path: Path) -> CalamineSheet | None:
    """The sheet whose tab is the first one shown."""
    try:
        workbook = load_workbook(path)
        for sheet in workbook.sheets_metadata:
            is_worksheet = sheet.typ == SheetTypeEnum.WorkSheet
            if is_worksheet and sheet.visible == SheetVisibleEnum.Visible:
                return workbook.get_sheet_by_name(sheet.name)
    except PasswordError:
        raise Refused("encrypted") from None
    except MemoryError:
        raise
    except BaseException:  # a panic of the library is no Exception
        raise Refused("broken") from None
    return None


def plain(cell: Any) -> str | int | float | bool:
    """Numbers without a fraction as integers; dates and times as ISO 8601 text."""
    kind = type(cell)
    if kind is str and "\0" in cell:  # no text; nor could it be stored
        raise Refused("broken")
    if kind is str or kind is bool or kind is int:
        return cell  # type: ignore[no-any-return]
    if kind is float:
        if not math.isfinite(cell):
            return ""
        return int(cell) if cell.is_integer() and abs(cell) < _EXACT else cell
    if isinstance(cell, datetime.timedelta):
        minutes, seconds = divmod(int(cell.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return cell.isoformat()  # type: ignore[no-any-return]


if __name__ == "__main__":
    main()

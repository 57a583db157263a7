"""The records of a CSV file as it comes from real life."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import chain
from typing import IO, Any

from batches.imports.sheet import LONGEST_ROW, FileRefused

_DELIMITERS = (",", ";", "\t")
_MOST_HEADER_LINES = 20  # of a header with line breaks in its names
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

_in_quotes = re.compile(r'"[^"]*"')
_not_text = re.compile("[\0\ud800-\udfff]")  # undecodable bytes come as lone surrogates


class CsvRecords:
    """UTF-8 with or without BOM; comma, semicolon or tab, as the header says; any line ending.

    Iterating raises FileRefused: not_utf8 and broken_file, both naming the row.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = _Borrowed(file)
        self._size = size
        self._row = 0
        self._length = 0  # characters of the row so far, however many lines it has
        file.seek(0)
        self._is_utf_16 = file.read(2) in _UTF_16
        file.seek(0)

    def progress(self) -> int:
        return 100 * self._file.count // self._size

    def __iter__(self) -> Iterator[list[str]]:
        if self._is_utf_16:
            raise self._not_utf8()
        lines = self._lines()
        head = _header_lines(lines)
        reader = csv.reader(chain(head, lines), delimiter=_delimiter(head), strict=True)
        while True:
            self._row += 1
            self._length = 0
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error:  # also for a cell over csv.field_size_limit()
                raise self._broken() from None
            yield record

    def _lines(self) -> Iterator[str]:
        text = io.TextIOWrapper(
            io.BufferedReader(self._file, 1 << 16),
            encoding="utf-8-sig",
            errors="surrogateescape",
            newline="",
        )
        while line := text.readline(LONGEST_ROW + 1):
            self._length += len(line)
            if self._length > LONGEST_ROW:
                raise self._broken()
            if ("\0" in line or not line.isascii()) and _not_text.search(line):
                raise self._not_utf8()
            yield line

    def _not_utf8(self) -> FileRefused:
        return FileRefused(
            "not_utf8",
            f"Row {self._row or 1} is not text in UTF-8. Save the file as “CSV UTF-8”.",
        )

    def _broken(self) -> FileRefused:
        return FileRefused(
            "broken_file",
            f"Row {self._row or 1} cannot be read: a quote is not closed or stands inside a quoted "
            "cell without being doubled, or the row is too long.",
        )


class _Borrowed(io.RawIOBase):
    """Counts what is read, and leaves the file open when the reader on top of it goes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._borrowed = file
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._borrowed.read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)


def _header_lines(lines: Iterator[str]) -> list[str]:
    """The lines of the first record that is not empty, with those before it."""
    head: list[str] = []
    quotes = 0
    for line in lines:
        head.append(line)
        quotes += line.count('"')
        if line.strip() and (quotes % 2 == 0 or len(head) >= _MOST_HEADER_LINES):
            break
    return head


def _delimiter(head: list[str]) -> str:
    """The one that occurs most outside of quotes; the comma when none does."""
    outside = _in_quotes.sub("", "".join(head))
    return max(_DELIMITERS, key=outside.count)

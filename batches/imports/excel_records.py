"""The records of an Excel workbook, read by a process of its own (see excel_program)."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import orjson

from batches.imports.sheet import Cell, FileRefused, too_many_rows

_PROGRAM = Path(__file__).with_name("excel_program.py")
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SIGNATURES = {"xlsx": _ZIP, "xls": _OLE}
_REFUSALS = {
    "encrypted": (
        "encrypted_file",
        "The workbook is protected by a password. Save it without one.",
    ),
    "broken": ("broken_file", "The workbook is damaged and cannot be read."),
    "too_large": (
        "sheet_too_large",
        "The workbook is too large to be read; perhaps there are cells far outside of the table. "
        "Delete them, or save the sheet as “CSV UTF-8”.",
    ),
}


class ExcelRecords:
    """Raises FileRefused, also while iterating; a generator that is dropped ends its process."""

    def __init__(self, file: IO[bytes], source: str, max_rows: int) -> None:
        self._file = file
        self._source = source
        self._max_rows = max_rows
        self._read, self._rows = 0, 0

    def progress(self) -> int:
        return 100 * self._read // max(self._rows, self._read, 1)

    def __iter__(self) -> Iterator[list[Cell]]:
        self._check_signature()
        # The file itself may be in memory, or have another name; the library goes by the suffix.
        with tempfile.NamedTemporaryFile(suffix=f".{self._source}") as copy:
            shutil.copyfileobj(self._file, copy)
            copy.flush()
            process = _start(copy.name)
            try:
                yield from self._records(process)
            finally:
                process.kill()
                process.communicate()

    def _records(self, process: "subprocess.Popen[bytes]") -> Iterator[list[Cell]]:
        assert process.stdout is not None  # noqa: S101 (it is a pipe)
        for line in process.stdout:
            item = orjson.loads(line)
            if type(item) is list:
                self._read += 1
                yield item
            elif "rows" in item:
                self._rows = item["rows"]
                if self._rows > self._max_rows:
                    raise too_many_rows(self._max_rows)
            elif item["end"] == "complete":
                return
            else:
                raise FileRefused(*_REFUSALS[item["end"]])
        status = process.wait()
        if status < 0:  # a signal: out of memory or time
            raise FileRefused(*_REFUSALS["too_large"])
        raise RuntimeError(f"{_PROGRAM.name} failed with status {status}")

    def _check_signature(self) -> None:
        self._file.seek(0)
        start = self._file.read(8)
        self._file.seek(0)
        if start.startswith(_SIGNATURES[self._source]):
            return
        if start == _OLE:  # what an encrypted .xlsx is wrapped in
            raise FileRefused(
                "encrypted_file",
                "The workbook is protected by a password, or an .xls under another name. "
                "Save it as .xlsx without a password.",
            )
        raise FileRefused(
            "broken_file",
            f"The file is named .{self._source} but is none. Save it as an Excel workbook.",
        )


def _start(path: str) -> "subprocess.Popen[bytes]":
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if libraries := os.environ.get("LD_LIBRARY_PATH"):
        environment["LD_LIBRARY_PATH"] = libraries
    return subprocess.Popen(
        [sys.executable, "-P", str(_PROGRAM), path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )

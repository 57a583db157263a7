"""Opens a contacts file, by the extension of its name."""

import io
from typing import IO

from batches.imports.csv_records import CsvRecords
from batches.imports.excel_records import ExcelRecords
from batches.imports.sheet import Cell, FileRefused, Sheet

__all__ = ["Cell", "FileRefused", "Sheet", "open_sheet"]


def open_sheet(
    file: IO[bytes], name: str, *, max_csv_rows: int = 1_000_000, max_excel_rows: int = 200_000
) -> Sheet:
    """The rows of a .csv, .xlsx or .xls file, its header read; the first sheet of a workbook.

    The file must be seekable, is read from its beginning and is not closed. Raises FileRefused.
    """
    source = name.rpartition(".")[2].lower()
    if "." not in name or source not in ("csv", "xlsx", "xls"):
        raise FileRefused("unsupported_file", "The file must be a .csv, .xlsx or .xls file.")
    file.seek(0, io.SEEK_END)
    size = file.tell()
    if not size:
        raise FileRefused("empty_file", "The file is empty.")
    if source == "csv":
        text = CsvRecords(file, size)
        return Sheet(source, text, max_rows=max_csv_rows, progress=text.progress)
    workbook = ExcelRecords(file, source, max_excel_rows)
    return Sheet(source, workbook, max_rows=max_excel_rows, progress=workbook.progress)

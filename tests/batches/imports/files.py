"""Contacts files in memory, and what becomes of them."""

import io
import zipfile
from collections.abc import Mapping, Sequence

import openpyxl
import pytest

from batches.imports.reading import Cell, FileRefused, open_sheet

Rows = list[tuple[int, list[Cell]]]

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
SHEET = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"
# The least that is a workbook.
PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="a" '
    f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
    '<sheet name="S" sheetId="1" r:id="a"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="a" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="b" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
    "</Relationships>",
}
HEADER = '<row r="1"><c r="A1" t="str"><v>phoneNumber</v></c></row>'


def read(data: bytes, name: str = "contacts.csv", **limits: int) -> tuple[list[str], Rows]:
    sheet = open_sheet(io.BytesIO(data), name, **limits)
    return sheet.header, list(sheet.rows())


def refused(data: bytes, name: str = "contacts.csv", **limits: int) -> FileRefused:
    with pytest.raises(FileRefused) as caught:
        read(data, name, **limits)
    assert caught.value.message.endswith(".")
    return caught.value


def xlsx(*rows: Sequence[object]) -> bytes:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    return saved(workbook)


def saved(workbook: openpyxl.Workbook) -> bytes:
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()


def xlsx_of(rows: str, before: str = "", parts: Mapping[str, str] | None = None) -> bytes:
    """A workbook of XML that no spreadsheet program writes."""
    sheet = f'<worksheet xmlns="{MAIN}">{before}<sheetData>{rows}</sheetData></worksheet>'
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**PARTS, SHEET: sheet, **(parts or {})}.items():
            archive.writestr(name, content)
    return file.getvalue()

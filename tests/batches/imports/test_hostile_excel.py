"""Workbooks that are broken, or made to take all memory: each is one refused file."""

import contextlib
import io
import os
import random
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest

from batches.imports import excel_records
from batches.imports.reading import FileRefused, open_sheet
from tests.batches.imports.files import HEADER, MAIN, SHEET, STRINGS, read, refused, xlsx, xlsx_of
from tests.batches.imports.test_reading_excel import XLS

CONTACTS = xlsx(["phoneNumber", "name"], [12125551001, "Sarah Johnson"])
FIRST_RECORD = 532  # of the fixture's workbook, after its BOF record


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the copies of the files are; none outlives its reading."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list["subprocess.Popen[bytes]"]:
    started = []
    start = excel_records._start

    def recorded(path: str) -> "subprocess.Popen[bytes]":
        started.append(start(path))
        return started[-1]

    monkeypatch.setattr(excel_records, "_start", recorded)
    return started


def patched(data: bytes, offset: int, *values: int) -> bytes:
    """With unsigned 16-bit numbers written over what was there."""
    new = struct.pack(f"<{len(values)}H", *values)
    return data[:offset] + new + data[offset + len(new) :]


# --- Not what the name says -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls"])
@pytest.mark.parametrize(
    "data", [b"phoneNumber,name\n1,a\n", b"<html><table></table></html>", b"P"]
)
def test_another_format_under_its_name_is_refused(data: bytes, name: str) -> None:
    error = refused(data, name)
    assert error.code == "broken_file"
    assert name[1:] in error.message


def test_an_xlsx_named_xls_is_refused() -> None:
    assert refused(CONTACTS, "a.xls").code == "broken_file"


def test_a_workbook_named_csv_is_refused() -> None:
    assert refused(CONTACTS, "a.csv").code == "not_utf8"
    assert refused(XLS, "a.csv").code == "not_utf8"


def test_a_zip_of_something_else_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("contacts.csv", "phoneNumber\n")
    assert refused(file.getvalue(), "a.xlsx").code == "broken_file"


# --- Protected by a password ----------------------------------------------------------------------


def test_an_encrypted_xls_is_refused() -> None:
    assert refused(patched(XLS, FIRST_RECORD, 0x2F), "a.xls").code == "encrypted_file"


def test_an_encrypted_xlsx_is_refused() -> None:
    assert refused(XLS, "a.xlsx").code == "encrypted_file"  # its wrapping is that of an .xls


# --- Damaged --------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_workbook_is_refused(share: float) -> None:
    assert refused(CONTACTS[: int(len(CONTACTS) * share)], "a.xlsx").code == "broken_file"
    assert refused(XLS[: int(len(XLS) * share * share)], "a.xls").code == "broken_file"


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("name", "data"), [("a.xlsx", CONTACTS), ("a.xls", XLS)])
def test_whatever_is_damaged_is_read_or_refused(name: str, data: bytes, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (the same in each run)
    damaged = bytearray(data)
    for _ in range(chance.choice([3, 20, 200])):
        damaged[chance.randrange(8, len(damaged))] = chance.randrange(256)
    with contextlib.suppress(FileRefused):
        read(bytes(damaged), name)


@pytest.mark.parametrize(
    "rows",
    [
        '<row r="1"><c r="A1" t="s"><v>7</v></c></row>',  # there is no seventh text
        '<row r="1"><c r="A1" t="str"><v>a</v></row>',
        '<row r="1"><c r="0"><v>1</v></c></row>',
    ],
)
def test_a_sheet_that_makes_no_sense_is_refused(rows: str) -> None:
    assert refused(xlsx_of(rows), "a.xlsx").code == "broken_file"


def test_a_document_type_is_refused() -> None:
    entities = '<!DOCTYPE a [<!ENTITY b "b"><!ENTITY c "&b;&b;">]>'
    data = xlsx_of("", parts={SHEET: f'{entities}<worksheet xmlns="{MAIN}"/>'})
    assert refused(data, "a.xlsx").code == "broken_file"


def test_a_nul_is_refused() -> None:
    name = XLS.index(b"Sarah")
    assert refused(patched(XLS, name, 0), "a.xls").code == "broken_file"


# --- Too much -------------------------------------------------------------------------------------


def test_a_claimed_size_takes_no_memory() -> None:
    data = xlsx_of(HEADER, before='<dimension ref="A1:XFD1048576"/>')
    assert read(data, "a.xlsx") == (["phoneNumber"], [])


def test_a_cell_far_away_is_refused() -> None:
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    assert refused(xlsx_of(HEADER + far), "a.xlsx").code == "sheet_too_large"
    farther = '<row r="4294967295"><c r="ZZZZZ4294967295"><v>1</v></c></row>'
    assert refused(xlsx_of(HEADER + farther), "a.xlsx").code in {"sheet_too_large", "broken_file"}
    below = '<row r="1048576"><c r="A1048576"><v>1</v></c></row>'
    assert refused(xlsx_of(HEADER + below), "a.xlsx").code == "too_many_rows"


def test_a_cell_far_away_in_an_xls_is_refused() -> None:
    text_at_b2 = XLS.index(struct.pack("<4H", 0xFD, 10, 1, 1))  # a LABELSST record
    assert refused(patched(XLS, text_at_b2 + 4, 65535, 255), "a.xls").code == "sheet_too_large"


def test_a_long_text_in_many_cells_is_refused() -> None:
    rows = "".join(f'<row><c r="A{row}" t="s"><v>0</v></c></row>' for row in range(1, 50_000))
    strings = f'<sst xmlns="{MAIN}"><si><t>{"x" * 32_000}</t></si></sst>'
    assert refused(xlsx_of(rows, parts={STRINGS: strings}), "a.xlsx").code == "sheet_too_large"


def test_a_row_that_is_too_long_is_refused() -> None:
    wide = "".join(f"<c><v>{number}</v></c>" for number in range(200_000))
    assert refused(xlsx_of(f"<row>{wide}</row>"), "a.xlsx").code == "sheet_too_large"


def test_what_unpacks_to_too_much_is_refused() -> None:
    data = xlsx_of(HEADER + " " * 10_000_000)
    assert len(data) < 100_000
    assert refused(data, "a.xlsx").code == "sheet_too_large"


def test_it_is_refused_also_when_it_claims_to_be_small() -> None:
    data = xlsx_of(HEADER + " " * 10_000_000)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        true_size = struct.pack("<L", archive.getinfo(SHEET).file_size)
    assert data.count(true_size) == 2  # beside the part and in the directory
    liar = data.replace(true_size, struct.pack("<L", 100))
    assert refused(liar, "a.xlsx").code == "sheet_too_large"


def test_too_many_parts_are_refused() -> None:
    parts = {f"{number}.xml": "" for number in range(2001)}
    assert refused(xlsx_of(HEADER, parts=parts), "a.xlsx").code == "sheet_too_large"


# --- The process that reads -----------------------------------------------------------------------


def program(path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of the one that reads workbooks."""
    path.write_text(text)
    monkeypatch.setattr(excel_records, "_PROGRAM", path)


def test_it_ends_with_the_reading(
    temporary: Path, processes: list["subprocess.Popen[bytes]"]
) -> None:
    rows_of_xml = (f"<row><c><v>{number}</v></c></row>" for number in range(50_000))
    sheet = open_sheet(io.BytesIO(xlsx_of(HEADER + "".join(rows_of_xml))), "a.xlsx")
    rows = sheet.rows()
    next(rows)
    assert list(temporary.iterdir())
    del sheet, rows
    assert [process.returncode for process in processes] == [-9]
    assert not list(temporary.iterdir())


def test_it_knows_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "secret")
    text = 'import json, os; print(json.dumps(list(os.environ))); print(\'{"end": "complete"}\')'
    program(tmp_path / "program.py", text, monkeypatch)
    names, _ = read(CONTACTS, "a.xlsx")
    assert set(names) <= {"PYTHONPATH", "LD_LIBRARY_PATH", "LC_CTYPE"}
    assert "SECRET_KEY" in os.environ


def test_a_fault_of_our_own_is_no_fault_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "program.py", "raise SystemExit(3)", monkeypatch)
    with pytest.raises(RuntimeError, match="status 3"):
        read(CONTACTS, "a.xlsx")

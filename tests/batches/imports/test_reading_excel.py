"""Excel workbooks as Excel and other programs write them."""

import io
import tracemalloc
from datetime import date, datetime, time, timedelta
from pathlib import Path

import openpyxl

from batches.imports.reading import open_sheet
from tests.batches.imports.files import read, refused, saved, xlsx

# Written with xlwt: texts, numbers, a date, a date with time, booleans, and an empty third row.
XLS = (Path(__file__).parent / "contacts.xls").read_bytes()


def test_the_cells_of_an_xlsx_keep_their_types() -> None:
    cells: list[object] = [12125551001, 12125551001.0, 1.5, "text", True, False, None, 1e300, -3]
    header, rows = read(xlsx(["phoneNumber", "b", "c", "d"], cells), "a.xlsx")
    assert header[:4] == ["phoneNumber", "b", "c", "d"]
    expected = [12125551001, 12125551001, 1.5, "text", True, False, "", 1e300, -3]
    assert rows == [(2, expected)]
    assert list(map(type, rows[0][1])) == [int, int, float, str, bool, bool, str, float, int]


def test_dates_and_times_become_iso_text() -> None:
    cells: list[object] = [
        date(2025, 5, 1),
        datetime(2025, 5, 1, 12),  # noqa: DTZ001 (a spreadsheet knows no zone)
        time(9, 30),
        timedelta(hours=26, minutes=5),
    ]
    assert read(xlsx(["a", "b", "c", "d"], cells), "a.xlsx")[1] == [
        (2, ["2025-05-01", "2025-05-01T12:00:00", "09:30:00", "26:05:00"])
    ]


def test_an_xls_is_read_the_same_way() -> None:
    header, rows = read(XLS, "Contacts.XLS")
    assert header == ["phoneNumber", "name", "priority", "since", "seen", "active"]
    assert rows == [
        (2, [12125551001, "Sarah Johnson", 1, "2025-05-01", "2025-05-01T12:00:00", True]),
        (4, ["+1 310 555 2002", "Michael Chen", 2.5, "", "", False]),
    ]
    assert open_sheet(io.BytesIO(XLS), "a.xls").source == "xls"


def test_empty_rows_are_skipped_but_counted() -> None:
    data = xlsx([], [], ["phoneNumber", "name"], [], [1, "a"], ["", " "], [2])
    assert read(data, "a.xlsx") == (
        ["phoneNumber", "name"],
        [(3, [1, "a"]), (5, [2, ""])],
    )


def test_a_table_may_begin_in_any_column() -> None:
    data = xlsx([None, "phoneNumber", " name "], [None, 1, "a"])
    assert read(data, "a.xlsx") == (["phoneNumber", "name"], [(2, [1, "a"])])


def test_names_in_the_header_are_text() -> None:
    data = xlsx(["phoneNumber", 2025, True, None, date(2025, 5, 1)], [1, 2, 3, 4, 5])
    assert read(data, "a.xlsx")[0] == ["phoneNumber", "2025", "True", "", "2025-05-01"]


def test_cells_without_a_column_are_kept() -> None:
    assert read(xlsx(["phoneNumber"], [1, 2], [3]), "a.xlsx")[1] == [(2, [1, 2]), (3, [3])]


def test_what_protected_a_cell_from_a_spreadsheet_is_taken_away() -> None:
    assert read(xlsx(["phoneNumber"], ["'+12125551001"]), "a.xlsx")[1] == [(2, ["+12125551001"])]


def test_formulas_and_errors_without_a_value_are_empty() -> None:
    assert read(xlsx(["phoneNumber", "x", "y"], [1, "=1+1", "#N/A"]), "a.xlsx")[1] == [
        (2, [1, "", ""])
    ]


def test_the_first_sheet_that_is_shown_is_read() -> None:
    workbook = openpyxl.Workbook()
    hidden = workbook.worksheets[0]
    hidden.append(["hidden"])
    hidden.sheet_state = "hidden"
    workbook.create_chartsheet("Chart")
    workbook.create_sheet("Contacts").append(["phoneNumber"])
    workbook.create_sheet("Other").append(["other"])
    assert read(saved(workbook), "a.xlsx") == (["phoneNumber"], [])


def test_a_workbook_without_cells_is_empty() -> None:
    assert refused(xlsx(), "a.xlsx").code == "empty_file"
    assert refused(b"", "a.xlsx").code == "empty_file"
    assert refused(b"", "a.xls").code == "empty_file"


def test_a_column_that_comes_twice_is_refused() -> None:
    assert refused(xlsx(["a", "b", "a"]), "a.xlsx").code == "duplicate_column"


def test_the_number_of_rows_is_limited() -> None:
    rows: list[list[object]] = [[number] for number in range(20)]
    rows.insert(0, ["phoneNumber"])
    assert len(read(xlsx(*rows), "a.xlsx", max_excel_rows=20)[1]) == 20
    error = refused(xlsx(*rows, [1]), "a.xlsx", max_excel_rows=20)
    assert error.code == "too_many_rows"
    assert "20 rows" in error.message


def test_big_sheets_are_read_with_flat_memory_and_progress() -> None:
    file = io.BytesIO(xlsx(["phoneNumber", "name"], *([number, "a"] for number in range(5000))))
    tracemalloc.start()
    try:
        sheet = open_sheet(file, "a.xlsx")
        assert sheet.progress() == 0
        assert [row for _, row in sheet.rows()][-1] == [4999, "a"]
        assert sheet.progress() == 100
        del sheet
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert not file.closed

"""CSV files as spreadsheets, programs and people write them."""

import csv
import io
import tracemalloc
from itertools import islice

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batches.imports.reading import FileRefused, open_sheet
from tests.batches.imports.files import read, refused

MEGABYTE = 1 << 20


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_delimiter_line_ending_and_bom_are_found(delimiter: str, end: str, bom: str) -> None:
    lines = [["phoneNumber", "name"], ["12125551001", "Zoë 李"], ["13105552002", "b"]]
    text = bom + "".join(delimiter.join(line) + end for line in lines)
    header, rows = read(text.encode())
    assert header == lines[0]
    assert rows == [(2, lines[1]), (3, lines[2])]


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ('"last, first, middle";phoneNumber;x\n', ["last, first, middle", "phoneNumber", "x"]),
        ('"a;b;c",phoneNumber\n', ["a;b;c", "phoneNumber"]),
        (
            'phoneNumber;"two\nlines, or so, here";x\n',
            ["phoneNumber", "two\nlines, or so, here", "x"],
        ),
        ('phoneNumber;size in "\n', ["phoneNumber", 'size in "']),
        ("phoneNumber\n", ["phoneNumber"]),
        ("  phoneNumber , name,,\n", ["phoneNumber", "name"]),
        ("phoneNumber,phonenumber\n", ["phoneNumber", "phonenumber"]),
        ("\n\n;;\nphoneNumber;name\n", ["phoneNumber", "name"]),
    ],
)
def test_the_header_is_read(text: str, header: list[str]) -> None:
    assert read(text.encode()) == (header, [])


def test_quoted_cells_hold_anything() -> None:
    text = 'phoneNumber,note\n1,"a, ""b""\r\nc;\td"\n2,"last"'
    assert read(text.encode())[1] == [(2, ["1", 'a, "b"\r\nc;\td']), (3, ["2", "last"])]


def test_a_row_has_a_cell_for_each_column_and_keeps_those_without_one() -> None:
    text = "phoneNumber,name,x\n1\n2,b,c,d\n3,b,c,,\n,,c\n"
    assert read(text.encode())[1] == [
        (2, ["1", "", ""]),
        (3, ["2", "b", "c", "d"]),
        (4, ["3", "b", "c"]),
        (5, ["", "", "c"]),
    ]


def test_empty_rows_are_skipped_but_counted() -> None:
    text = "\nphoneNumber,name\n\n1,a\n,,,\n  , \n2,b\n\n\n"
    assert read(text.encode())[1] == [(3, ["1", "a"]), (6, ["2", "b"])]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('="12125551001"', "12125551001"),
        ('"=""007"""', "007"),
        ('"=""say """"hi"""""""', 'say "hi"'),
        ('=""', ""),
        ("'=1+1", "=1+1"),
        ("'+12125551001", "+12125551001"),
        ("'-1", "-1"),
        ("'@x", "@x"),
        ("'tis", "'tis"),
        ("'", "'"),
        ("=A1", "=A1"),
        ('="a"&"b"', '="a"&"b"'),
        ("+12125551001", "+12125551001"),
        (" a ", " a "),
    ],
)
def test_what_protects_a_cell_from_a_spreadsheet_is_taken_away(cell: str, value: str) -> None:
    assert read(f"phoneNumber,x\n1,{cell}\n".encode())[1] == [(2, ["1", value])]


@pytest.mark.parametrize(
    "name", ["contacts", "contacts.txt", "csv", "contacts.csv.zip", "", "a.xlsm"]
)
def test_other_kinds_of_file_are_refused(name: str) -> None:
    assert refused(b"phoneNumber\n1\n", name).code == "unsupported_file"


def test_the_extension_may_be_in_capitals() -> None:
    assert read(b"phoneNumber\n1\n", "MY.CONTACTS.CSV")[1] == [(2, ["1"])]


@pytest.mark.parametrize(
    "data", [b"", b"\xef\xbb\xbf", b"\n\r\n\r", b" \n\t\n", b",,\n,,\n", b'""', b'=""\n']
)
def test_a_file_without_a_header_is_empty(data: bytes) -> None:
    assert refused(data).code == "empty_file"


def test_a_column_that_comes_twice_is_refused() -> None:
    error = refused(b"phoneNumber,name, name \n")
    assert error.code == "duplicate_column"
    assert "“name”" in error.message


@pytest.mark.parametrize(
    "data",
    [
        "phoneNumber,name\n1,Zoë\n".encode("latin-1"),
        b"phoneNumber,name\n1,\x80\n",
        b"phoneNumber,name\n1,\xed\xa0\x80\n",  # half of a surrogate pair
        b"phoneNumber,name\n1,a\0b\n",
        b'phoneNumber,name\n1,"a\nb\xff\n"\n',
    ],
)
def test_other_encodings_are_refused_with_the_row(data: bytes) -> None:
    error = refused(data)
    assert error.code == "not_utf8"
    assert "Row 2 " in error.message
    assert "“CSV UTF-8”" in error.message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_refused(encoding: str) -> None:
    error = refused("phoneNumber,name\n1,a\n".encode(encoding))
    assert error.code == "not_utf8"
    assert "Row 1 " in error.message


def test_the_rows_before_a_bad_one_are_read() -> None:
    data = b"phoneNumber\n" + b"12125551001\n" * 5000 + b"\xe9\n"
    rows = open_sheet(io.BytesIO(data), "a.csv").rows()
    assert [number for number, _ in islice(rows, 5000)] == list(range(2, 5002))
    with pytest.raises(FileRefused, match="Row 5002 "):
        next(rows)


@pytest.mark.parametrize(
    "data",
    [
        b'phoneNumber,name\n1,"a\n2,b\n',
        b'phoneNumber,name\n1,"a" b\n2,c\n',
        b"phoneNumber,name\n1," + b"x" * 140_000 + b"\n",
        b'phoneNumber,name\n1,"' + b"x\n" * 70_000 + b'"\n',
        b'phoneNumber,name\n1,"' + b'\n","' * 300_000 + b'"\n',
    ],
)
def test_a_row_that_cannot_be_read_is_named(data: bytes) -> None:
    error = refused(data)
    assert error.code == "broken_file"
    assert "Row 2 " in error.message


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 20 * MEGABYTE,
        b'phoneNumber,name\n1,"' + b"x" * 20 * MEGABYTE,
        b'phoneNumber,name\n1,"' + b"x\n" * 10 * MEGABYTE,
        b"phoneNumber,name\n" + b"," * 20 * MEGABYTE,
        b'phoneNumber,"' + b'\n","' * 5 * MEGABYTE,
    ],
)
def test_no_row_swallows_the_memory(data: bytes) -> None:
    file = io.BytesIO(data)
    tracemalloc.start()
    try:
        with pytest.raises(FileRefused):
            list(open_sheet(file, "a.csv").rows())
        assert tracemalloc.get_traced_memory()[1] < 20 * MEGABYTE
    finally:
        tracemalloc.stop()


def test_memory_stays_flat() -> None:
    file = io.BytesIO(b"phoneNumber,name\n" + b"12125551001,Sarah Johnson\n" * 50_000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in open_sheet(file, "a.csv").rows()) == 50_000
        assert tracemalloc.get_traced_memory()[1] < MEGABYTE
    finally:
        tracemalloc.stop()


def test_the_number_of_rows_is_limited() -> None:
    data = b"phoneNumber\n" + b"1\n" * 1000
    assert len(read(data + b"\n\n,\n", max_csv_rows=1000)[1]) == 1000  # empty ones do not matter
    error = refused(data + b"1\n", max_csv_rows=1000)
    assert error.code == "too_many_rows"
    assert "1,000 rows" in error.message


def test_progress_goes_to_100() -> None:
    file = io.BytesIO(b"phoneNumber\n" + b"12125551001\n" * 50_000)
    sheet = open_sheet(file, "a.csv")
    seen = [sheet.progress()]
    seen += [sheet.progress() for _ in sheet.rows()]
    assert seen[0] < 20
    assert any(40 < each < 60 for each in seen)
    assert seen[-1] == 100
    assert seen == sorted(seen)


def test_the_file_is_read_from_its_beginning_and_stays_open() -> None:
    file = io.BytesIO(b"phoneNumber\n1\n")
    file.read()
    sheet = open_sheet(file, "a.csv")
    assert sheet.source == "csv"
    assert list(sheet.rows()) == [(2, ["1"])]
    del sheet
    assert not file.closed


cells = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12
).filter(lambda cell: not cell.startswith(("=", "'")))
# Quoting everything or not, and the line ending. Else only line breaks like its own are quoted.
styles = st.sampled_from([(True, "\n"), (True, "\r\n"), (True, "\r"), (False, "\r\n")])


@given(
    rows=st.lists(st.lists(cells, min_size=3, max_size=3), max_size=6),
    delimiter=st.sampled_from(",;\t"),
    style=styles,
    bom=st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_what_is_written_is_read(
    rows: list[list[str]], delimiter: str, style: tuple[bool, str], bom: str
) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(
        file,
        delimiter=delimiter,
        quoting=csv.QUOTE_ALL if style[0] else csv.QUOTE_MINIMAL,
        lineterminator=style[1],
    )
    writer.writerows([["phoneNumber", "a", "b"], *rows])
    expected = [
        (number, row) for number, row in enumerate(rows, 2) if any(cell.strip() for cell in row)
    ]
    assert read(file.getvalue().encode(bom)) == (["phoneNumber", "a", "b"], expected)


@given(st.binary(max_size=200) | st.text(",;\t\"'=\n\r ab\ufeff", max_size=60).map(str.encode))
@example(b"PK\x03\x04")
def test_any_file_is_read_or_refused(data: bytes) -> None:
    try:
        header, rows = read(data)
    except FileRefused:
        return
    assert any(header)
    assert all(len(row) >= len(header) for _, row in rows)


@pytest.mark.parametrize(
    "text",
    [
        "phoneNumber" + "".join(f",c{n}" for n in range(1000)) + "\n1\n",
        "phoneNumber\n1" + ",x" * 1000 + "\n",
    ],
    ids=["header", "row"],
)
def test_the_number_of_columns_is_limited(text: str) -> None:
    with pytest.raises(FileRefused) as refused:
        read(text.encode())
    assert refused.value.code == "too_many_columns"


def test_nameless_columns_at_the_end_cost_nothing() -> None:
    """Rows are filled up to the header: 200,000 commas in it would be megabytes a row."""
    rows = read(("phoneNumber" + "," * 200_000 + "\n" + "1\n" * 3).encode())[1]
    assert rows == [(2, ["1"]), (3, ["1"]), (4, ["1"])]

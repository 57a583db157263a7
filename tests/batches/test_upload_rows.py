"""POST /api/call/upload: what a row has to be, and what becomes of its cells."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from batches.models import BatchVariable, Call, CallBatch
from calling.models import PhoneNumber
from tests.batches.contacts import errors, number_with_agent, variable
from tests.batches.imports.files import xlsx
from tests.batches.uploads import bad_rows, csv_file, file_of, form, post, upload
from tests.cast import Person
from tests.envelope import checked
from workspaces.models import Workspace

HALF_PAST_NINE = datetime(2025, 5, 1, 9, 30)  # noqa: DTZ001 (a spreadsheet has no zones)
TYPED = [
    variable("text", "string", False),
    variable("amount", "number", False),
    variable("vip", "boolean", False),
    variable("due", "date", False),
    variable("plan", "enum", False, enum=["gold", "1"]),
]


def typed(owner: Person, *variables: dict[str, Any]) -> PhoneNumber:
    number: PhoneNumber = number_with_agent(owner, variables or TYPED)
    return number


def variables_of(number: str = "12125551001") -> Any:
    return Call.objects.get(phone_number=f"+{number}").variables


def names_of(body: Any) -> list[str]:
    """The variables that the new batch knows, in its order."""
    names = BatchVariable.objects.filter(batch=body["batch"]["_id"]).order_by("position")
    return list(names.values_list("name", flat=True))


# --- Forms of files -------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_usual_kinds_of_csv_are_read(
    owner: Person, phone: PhoneNumber, separator: str, mark: str, end: str
) -> None:
    lines = [["phoneNumber", "näme"], ["+1 212 555 1001", "Zoë"], ["12125551002", '"a""b"']]
    content = mark + "".join(separator.join(line) + end for line in lines)
    upload(owner, phone, file=file_of(content.encode(), "Contacts.CSV"))
    assert variables_of() == {"näme": "Zoë"}
    assert variables_of("12125551002") == {"näme": 'a"b'}


def test_a_row_counts_as_one_however_many_lines_it_has(owner: Person, phone: PhoneNumber) -> None:
    file = csv_file("phoneNumber,note", '12125551001,"two\nlines"', "", "x,")
    assert [row for row, _ in bad_rows(upload(owner, phone, 422, file=file))] == [4]
    file.seek(0)
    upload(owner, phone, file=file, type="true")
    assert variables_of() == {"note": "two\nlines"}


def test_the_cells_of_a_workbook_keep_their_types(owner: Person, phone: PhoneNumber) -> None:
    content = xlsx(
        ["phoneNumber", "whole", "broken", "truth", "text", "day", "empty"],
        [12125551001, 7, 2.5, True, "007", date(2025, 5, 1), None],
        ["+1 (212) 555-1002", -1, 0.1, False, " x ", HALF_PAST_NINE, ""],
    )
    upload(owner, phone, file=file_of(content, "contacts.xlsx"))
    assert variables_of() == {
        "whole": 7,
        "broken": 2.5,
        "truth": True,
        "text": "007",
        "day": "2025-05-01",
    }
    assert variables_of("12125551002")["day"] == "2025-05-01T09:30:00"


def test_an_old_workbook_is_read_too(owner: Person, phone: PhoneNumber) -> None:
    content = (Path(__file__).parent / "imports" / "contacts.xls").read_bytes()
    upload(owner, phone, file=file_of(content, "contacts.xls"))
    assert variables_of() == {
        "name": "Sarah Johnson",
        "priority": 1,
        "since": "2025-05-01",
        "seen": "2025-05-01T12:00:00",
        "active": True,
    }
    assert variables_of("13105552002") == {
        "name": "Michael Chen",
        "priority": 2.5,
        "active": False,
    }


# --- Columns --------------------------------------------------------------------------------------


def test_every_column_but_number_and_time_zone_is_a_variable(
    owner: Person, phone: PhoneNumber
) -> None:
    file = csv_file("b,phoneNumber,a,timezone", "1,12125551001,2,Asia/Tokyo", "3,12125551002,,")
    body = upload(owner, phone, file=file)
    assert variables_of() == {"b": "1", "a": "2"}
    assert variables_of("12125551002") == {"b": "3"}
    zones = Call.objects.order_by("phone_number").values_list("timezone", flat=True)
    assert list(zones) == ["Asia/Tokyo", ""]
    assert names_of(body) == ["b", "a"]


def test_the_variables_have_the_order_of_the_columns(owner: Person, phone: PhoneNumber) -> None:
    """Also when the first row has not all of them; a column without a cell is no variable."""
    file = csv_file("phoneNumber,a,b,c,d", "12125551001,,,3,", "12125551002,1,2,,")
    assert names_of(upload(owner, phone, file=file)) == ["a", "b", "c"]


def test_a_column_that_only_invalid_rows_fill_is_no_variable(
    owner: Person, phone: PhoneNumber
) -> None:
    file = csv_file("phoneNumber,a,b", "x,,2", "12125551001,1,")
    assert names_of(upload(owner, phone, file=file, type="true")) == ["a"]


def test_the_agents_mandatory_variables_must_be_columns(owner: Person) -> None:
    phone = typed(owner, variable("name"), variable("size", "number"), variable("x", "date", False))
    body = upload(owner, phone, 400, file=csv_file("phoneNumber,Name", "12125551001,Ann"))
    assert errors(body) == [("file", "missing_column")]
    assert body["errorMessage"] == "file: The agent requires the columns: name, size."
    upload(owner, phone, file=csv_file("phoneNumber,name,size", "12125551001,Ann,3"))


def test_those_of_every_agent(owner: Person) -> None:
    first, second = typed(owner, variable("name")), typed(owner, variable("account"))
    ids = json.dumps([first.id, second.id])
    file = csv_file("phoneNumber,name", "12125551001,Ann")
    body = upload(owner, first, 400, file=file, callingNumbers=ids)
    assert body["errorMessage"] == "file: The agent requires the columns: account."


def test_a_mandatory_cell_must_not_be_empty(owner: Person) -> None:
    phone = typed(owner, variable("name"))
    file = csv_file("phoneNumber,name", "12125551001,", "12125551002,  ", "12125551003,Ann")
    assert bad_rows(upload(owner, phone, 422, file=file)) == [
        (2, [("name", "required")]),
        (3, [("name", "required")]),
    ]


def test_a_column_without_a_name_may_only_be_empty(owner: Person, phone: PhoneNumber) -> None:
    file = csv_file("phoneNumber,,a,", "12125551001,,1,", "12125551002,x,1,", "12125551003,,1,y")
    assert bad_rows(upload(owner, phone, 422, file=file)) == [
        (3, [("column 2", "column_without_name")]),
        (4, [("column 4", "column_without_name")]),
    ]


def test_a_short_row_has_empty_cells_and_a_long_one_is_invalid(
    owner: Person, phone: PhoneNumber
) -> None:
    file = csv_file("phoneNumber,a,b", "12125551001", "12125551002,1,2,,", "12125551003,1,2,3,4")
    body = upload(owner, phone, 422, file=file)
    long = [("column 4", "column_without_name"), ("column 5", "column_without_name")]
    assert bad_rows(body) == [(4, long)]
    file.seek(0)
    upload(owner, phone, file=file, type="true")
    assert variables_of() == {}
    assert variables_of("12125551002") == {"a": "1", "b": "2"}


# --- Numbers and time zones -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("", "required"),
        ("call me", "not_a_number"),
        ("5551001", "too_short"),
        ("121255510011", "too_long"),
        ("0012125551001", "unknown_country_code"),
        ("3105552002", "country_not_called"),
        ("1.21256E+10", "rounded_number"),
        ("=1+1", "not_a_number"),
    ],
)
def test_each_rule_of_the_number_names_row_and_column(
    owner: Person, phone: PhoneNumber, cell: str, code: str
) -> None:
    body = upload(owner, phone, 422, file=csv_file("phoneNumber,a", f"{cell},x"))
    assert bad_rows(body) == [(2, [("phoneNumber", code)])]


def test_numbers_as_spreadsheets_write_them(owner: Person, phone: PhoneNumber) -> None:
    cells = ["12125551001.0", '="12125551002"', "'+12125551003", "1.2125551004E10"]
    upload(owner, phone, file=csv_file("phoneNumber", *cells))
    wanted = {f"+1212555100{last}" for last in (1, 2, 3, 4)}
    assert set(Call.objects.values_list("phone_number", flat=True)) == wanted
    content = xlsx(["phoneNumber"], [12125551005], [12125551006.0], [True])
    body = upload(owner, phone, 422, file=file_of(content, "a.xlsx"))
    assert bad_rows(body) == [(4, [("phoneNumber", "not_a_number")])]


def test_the_workspace_says_which_countries_it_calls(owner: Person, phone: PhoneNumber) -> None:
    file = csv_file("phoneNumber", "31201234567", "12125551001")
    body = upload(owner, phone, 422, file=file)
    assert bad_rows(body) == [(2, [("phoneNumber", "country_not_called")])]
    Workspace.objects.filter(id=owner.workspace.id).update(called_countries=["NL"])
    file.seek(0)
    body = upload(owner, phone, 422, file=file)
    assert bad_rows(body) == [(3, [("phoneNumber", "country_not_called")])]


def test_an_unknown_time_zone_is_invalid(owner: Person, phone: PhoneNumber) -> None:
    file = csv_file("phoneNumber,timezone", "12125551001,Mars", "12125551002,UTC")
    body = upload(owner, phone, 422, file=file)
    assert bad_rows(body) == [(2, [("timezone", "unknown_timezone")])]


def test_everything_that_is_wrong_with_a_row_is_listed(owner: Person) -> None:
    phone = typed(owner, variable("name"), variable("size", "number"))
    file = csv_file("phoneNumber,name,size,timezone", "x,,big,y")
    assert bad_rows(upload(owner, phone, 422, file=file)) == [
        (
            2,
            [
                ("phoneNumber", "not_a_number"),
                ("timezone", "unknown_timezone"),
                ("name", "required"),
                ("size", "invalid"),
            ],
        )
    ]


def test_a_row_has_up_to_16_kb(owner: Person, phone: PhoneNumber) -> None:
    largest = 16 * 1024 - len('{"a":""}')
    rows = [f"1212555100{last},{'x' * (largest + last)}" for last in (0, 1)]
    body = upload(owner, phone, 422, file=csv_file("phoneNumber,a", *rows))
    assert [row for row, _ in bad_rows(body)] == [3]
    [error] = body["invalidRows"][0]["errors"]
    assert error["code"] == "too_large"


# --- Typed variables ------------------------------------------------------------------------------

HEADER = "phoneNumber,text,amount,vip,due,plan"
GOOD = {"text": "x", "amount": 12.5, "vip": True, "due": "2025-05-01", "plan": "gold"}


def test_the_cells_of_a_csv_are_read_as_the_agent_wants_them(owner: Person) -> None:
    phone = typed(owner)
    file = csv_file(
        HEADER,
        "12125551001,007,12.50,TRUE,2025-05-01,gold",
        "12125551002,,-3,no,,1",
        "12125551003,x,,,,",
    )
    upload(owner, phone, file=file)
    assert variables_of() == GOOD | {"text": "007"}
    assert variables_of("12125551002") == {"amount": -3, "vip": False, "plan": "1"}
    assert variables_of("12125551003") == {"text": "x"}


def test_and_so_are_those_of_a_workbook(owner: Person) -> None:
    phone = typed(owner)
    content = xlsx(
        HEADER.split(","),
        [12125551001, 7, 12.5, True, date(2025, 5, 1), "gold"],
        [12125551002, True, "3", 0, "2025-05-01", 1],
        [12125551003, 7.5, 3.0, "yes", None, None],
    )
    upload(owner, phone, file=file_of(content, "contacts.xlsx"))
    assert variables_of() == GOOD | {"text": "7"}
    second = {"text": "true", "amount": 3, "vip": False, "plan": "1"}
    assert variables_of("12125551002") == GOOD | second
    assert variables_of("12125551003") == {"text": "7.5", "amount": 3, "vip": True}


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("amount", "1,5", "invalid"),
        ("amount", "12 €", "invalid"),
        ("amount", "1e3", "invalid"),
        ("vip", "perhaps", "invalid"),
        ("due", "01.05.2025", "invalid"),
        ("due", "2025-02-30", "invalid"),
        ("plan", "silver", "invalid_choice"),
    ],
)
def test_a_cell_that_cannot_be_read_so_is_invalid(
    owner: Person, column: str, cell: str, code: str
) -> None:
    file = csv_file(f"phoneNumber,{column}", f'12125551001,"{cell}"')
    assert bad_rows(upload(owner, typed(owner), 422, file=file)) == [(2, [(column, code)])]


def test_a_date_with_a_time_is_no_date(owner: Person) -> None:
    content = xlsx(["phoneNumber", "due"], [12125551001, HALF_PAST_NINE])
    body = upload(owner, typed(owner), 422, file=file_of(content, "a.xlsx"))
    assert bad_rows(body) == [(2, [("due", "invalid")])]


def test_formulas_and_control_characters_are_data(owner: Person, phone: PhoneNumber) -> None:
    cells = ["=1+1", "@x", "\x01", "\\N", "\\", "a\tb", "'=kept"]
    rows = [f"{12125551000 + n},{cell}" for n, cell in enumerate(cells)]
    upload(owner, phone, file=csv_file("phoneNumber,a", *rows))
    stored = Call.objects.order_by("phone_number").values_list("variables", flat=True)
    assert [values["a"] for values in stored] == [*cells[:-1], "=kept"]


def test_no_row_of_another_workspace_is_touched(
    owner: Person, stranger: Person, phone: PhoneNumber
) -> None:
    upload(owner, phone, file=csv_file("phoneNumber", "12125551001"))
    upload(stranger, number_with_agent(stranger), file=csv_file("phoneNumber", "12125551001"))
    assert {call.workspace_id for call in Call.objects.all()} == {
        owner.workspace.id,
        stranger.workspace.id,
    }
    assert CallBatch.objects.for_workspace(owner.workspace.id).count() == 1
    checked(post(form(stranger, phone), stranger.with_key), 400)

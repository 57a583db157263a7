"""What the columns of somebody's own table are taken for."""

import pytest

from batches.imports.columns import likely_columns, may_keep_its_name
from batches.imports.reading import FileRefused
from batches.imports.records import FileColumns
from batches.imports.tracking import RowRefused
from calling.models import Agent
from calling.variables import VariableSchema


@pytest.mark.parametrize(
    ("header", "variables", "expected"),
    [
        (["phoneNumber", "timezone", "city"], [], ["phoneNumber", "timezone", "city"]),
        (["Mobile", "Time Zone"], [], ["phoneNumber", "timezone"]),
        (["PHONE_NUMBER", "Account ID"], ["account_id"], ["phoneNumber", "account_id"]),
        # The agent's own word wins over what else would be the number.
        (["mobile", "phone"], ["mobile"], ["mobile", "phoneNumber"]),
        # Nothing is taken twice; the second column keeps its own name.
        (["Phone", "Mobile"], [], ["phoneNumber", "Mobile"]),
        (["phone number", "phoneNumber"], [], ["phone number", "phoneNumber"]),
        # What no variable may be called, and what has no name at all.
        (["phone", "callStatus", "", "_errors"], [], ["phoneNumber", None, None, None]),
        (["phone", "x" * 65], [], ["phoneNumber", None]),
        (["a", "b"], [], ["a", "b"]),
        ([], ["a"], []),
    ],
)
def test_a_header_is_guessed(
    header: list[str], variables: list[str], expected: list[str | None]
) -> None:
    assert likely_columns(header, variables) == expected


def test_only_a_name_that_a_variable_may_have_is_kept() -> None:
    names = ["city", "", "_errors", "callStatus", "x" * 65, "x" * 64]
    assert [may_keep_its_name(name) for name in names] == [True, False, False, False, False, True]


def schema(*variables: dict[str, object]) -> VariableSchema:
    return VariableSchema([Agent(variables=list(variables))])


def test_columns_are_renamed_and_left_out() -> None:
    columns = FileColumns.of(
        ["Mobile", "Age", "City", "Notes"],
        schema({"key": "age", "type": "number", "required": True}),
        is_text=True,
        taken_as=["phoneNumber", "age", "city", None],
    )
    assert columns.values(["1", "42", "", "private"]) == {"phoneNumber": "1", "age": 42}


def test_a_column_without_a_name_may_be_left_out_or_taken() -> None:
    header = ["phoneNumber", ""]
    left_out = FileColumns.of(header, schema(), is_text=True, taken_as=["phoneNumber", None])
    assert left_out.values(["1", "x"]) == {"phoneNumber": "1"}
    taken = FileColumns.of(header, schema(), is_text=True, taken_as=["phoneNumber", "city"])
    assert taken.values(["1", "x"]) == {"phoneNumber": "1", "city": "x"}
    with pytest.raises(RowRefused):
        FileColumns.of(header, schema(), is_text=True).values(["1", "x"])
    with pytest.raises(RowRefused):  # a cell beyond the header stays one that nobody has named
        left_out.values(["1", "x", "y"])


@pytest.mark.parametrize(
    ("taken_as", "code"),
    [
        ([None, "city"], "missing_column"),
        (["phoneNumber", None], "missing_column"),  # the agent requires it
        (["phoneNumber", "phoneNumber"], "duplicate_column"),
        (["phoneNumber", "callStatus"], "reserved_name"),
    ],
)
def test_impossible_columns_are_refused(taken_as: list[str | None], code: str) -> None:
    required = schema({"key": "city", "type": "string", "required": True})
    with pytest.raises(FileRefused) as refused:
        FileColumns.of(["a", "b"], required, is_text=True, taken_as=taken_as)
    assert refused.value.code == code

"""What agents have to know of a contact: values that have a type, and cells that get one."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calling.models import Agent, VariableType
from calling.variables import MISSING, Variable, VariableSchema

KINDS = list(VariableType)


def variable(kind: VariableType, *choices: str, required: bool = False) -> Variable:
    return Variable("key", kind, required, choices)


def schema(*declared: list[dict[str, Any]]) -> VariableSchema:
    """Of one agent for each list."""
    return VariableSchema([Agent(variables=variables) for variables in declared])


def declared(key: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"key": key, "type": kind, **more}


# --- Values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "is_accepted"),
    [
        (VariableType.STRING, "", True),
        (VariableType.STRING, "x", True),
        (VariableType.STRING, 1, False),
        (VariableType.NUMBER, 1, True),
        (VariableType.NUMBER, 1.5, True),
        (VariableType.NUMBER, True, False),
        (VariableType.NUMBER, "1", False),
        (VariableType.BOOLEAN, False, True),
        (VariableType.BOOLEAN, 0, False),
        (VariableType.BOOLEAN, "false", False),
        (VariableType.DATE, "2024-02-29", True),
        (VariableType.DATE, "2023-02-29", False),
        (VariableType.DATE, "2024-02-29\n", False),
        (VariableType.DATE, "2024-W09-4", False),
        (VariableType.DATE, "0000-01-01", False),
        (VariableType.DATE, "２０２４-02-29", False),
        (VariableType.ENUM, "a", True),
        (VariableType.ENUM, "A", False),
        (VariableType.ENUM, ["a"], False),
    ],
    ids=str,
)
def test_a_value_has_its_type_already(kind: VariableType, value: Any, is_accepted: bool) -> None:
    assert variable(kind, "a", "b").accepts(value) is is_accepted
    assert variable(kind, "a", "b", required=True).accepts(value) is (is_accepted and value != "")


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_required_may_not_be_missing(kind: VariableType) -> None:
    assert variable(kind, "a").accepts(MISSING)
    assert not variable(kind, "a", required=True).accepts(MISSING)
    assert variable(kind, "a", required=True).problem(MISSING)[0] == "required"


@pytest.mark.parametrize("kind", KINDS)
def test_null_is_a_value_of_no_type(kind: VariableType) -> None:
    assert not variable(kind, "a").accepts(None)


def test_the_problem_names_the_choices() -> None:
    problem = variable(VariableType.ENUM, "gold", "silver").problem("bronze")
    assert problem == ("invalid_choice", "Must be one of: gold, silver.")


# --- Cells ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        (VariableType.STRING, "007", "007"),
        (VariableType.STRING, 7, "7"),
        (VariableType.STRING, 7.5, "7.5"),
        (VariableType.STRING, True, "true"),
        (VariableType.STRING, False, "false"),
        (VariableType.NUMBER, "007", 7),
        (VariableType.NUMBER, " -2.50 ", -2.5),
        (VariableType.NUMBER, 7, 7),
        (VariableType.NUMBER, "999999999999999", 999999999999999),
        (VariableType.NUMBER, "1,234", "1,234"),
        (VariableType.NUMBER, "1e5", "1e5"),
        (VariableType.NUMBER, "nan", "nan"),
        (VariableType.NUMBER, "٧", "٧"),
        (VariableType.NUMBER, "1234567890123456", "1234567890123456"),  # a float would round it
        (VariableType.NUMBER, True, True),
        (VariableType.BOOLEAN, "TRUE", True),
        (VariableType.BOOLEAN, " yes", True),
        (VariableType.BOOLEAN, "1", True),
        (VariableType.BOOLEAN, 1, True),
        (VariableType.BOOLEAN, "No", False),
        (VariableType.BOOLEAN, "false", False),
        (VariableType.BOOLEAN, 0, False),
        (VariableType.BOOLEAN, False, False),
        (VariableType.BOOLEAN, "maybe", "maybe"),
        (VariableType.BOOLEAN, 2, 2),
        (VariableType.DATE, "2024-02-29", "2024-02-29"),
        (VariableType.DATE, 45351, "45351"),
        (VariableType.ENUM, 1, "1"),
    ],
    ids=str,
)
def test_a_cell_is_read_as_the_type_where_it_can_be(
    kind: VariableType, cell: Any, value: Any
) -> None:
    read = variable(kind).read(cell)
    assert (type(read), read) == (type(value), value)


@given(st.one_of(st.text(), st.integers(), st.floats(allow_nan=False), st.booleans()))
def test_no_cell_is_read_as_another_value(cell: Any) -> None:
    """What a variable reads and accepts says the same as the cell."""
    number = variable(VariableType.NUMBER).read(cell)
    if type(number) is int and isinstance(cell, str):
        assert int(cell) == number
    elif type(number) is float and isinstance(cell, str):
        assert math.isclose(float(cell), number)
    else:
        assert number is cell or number == cell
    assert str(variable(VariableType.STRING).read(cell)).lower() == str(cell).lower()


# --- Agents ---------------------------------------------------------------------------------------


def test_a_contact_must_satisfy_each_agent() -> None:
    both = schema(
        [declared("name", required=True), declared("size", "number")],
        [declared("size", "enum", enum=["7"]), declared("plan", "boolean", required=True)],
    )
    assert both.required == {"name", "plan"}
    assert list(both.problems({"size": 7, "plan": "yes"})) == [
        ("name", "required", "This variable is required."),
        ("size", "invalid_choice", "Must be one of: 7."),
        ("plan", "invalid", "Must be true or false."),
    ]
    assert not both.accepts({"name": "Ann", "plan": True, "size": 7})
    assert both.accepts({"name": "Ann", "plan": True, "anything": object()})


def test_what_several_agents_declare_alike_is_asked_once() -> None:
    twice = schema([declared("name", required=True)], [declared("name", required=True)])
    assert len(list(twice.problems({}))) == 1


def test_an_agent_may_ask_for_nothing() -> None:
    assert schema([]).accepts({"any": "thing"})
    assert list(schema([], []).problems({})) == []


@given(
    st.lists(st.sampled_from(KINDS), max_size=4),
    st.dictionaries(
        st.sampled_from(["0", "1", "2", "3"]),
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
    ),
)
def test_the_quick_answer_is_the_long_one(kinds: list[VariableType], values: Any) -> None:
    one = schema(
        [
            declared(str(number), kind.value, required=number % 2 == 0, enum=["a"])
            for number, kind in enumerate(kinds)
        ]
    )
    assert one.accepts(values) is (list(one.problems(values)) == [])


def test_long_choices_are_not_repeated_in_every_error() -> None:
    """A file may have a million rows with none of a hundred choices of 200 characters."""
    few, many = (
        variable(VariableType.ENUM, "a", "b"),
        variable(VariableType.ENUM, *["x" * 200] * 100),
    )
    assert few.problem("c") == ("invalid_choice", "Must be one of: a, b.")
    assert len(many.problem("c")[1]) < 250

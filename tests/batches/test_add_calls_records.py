"""POST /api/call/addCallsToBatch: what each record has to be."""

import json
from typing import Any

import pytest

from batches.models import BatchNumber, CallBatch, Import
from tests import factories
from tests.batches.contacts import (
    ADD,
    add,
    chunk_errors,
    contacts,
    number_with_agent,
    ready_batch,
    statuses,
    variable,
)
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.models import Workspace

NUMBER = "12125551001"


@pytest.fixture
def batch(owner: Person) -> CallBatch:
    return ready_batch(owner)


def refused(api: Api, who: Person, batch: CallBatch, record: Any) -> list[tuple[str, str]]:
    """Field and code of what is wrong with the only record."""
    found = chunk_errors(add(api, who, batch, [record], 400))
    assert statuses(batch) == {}
    return found


def refused_variable(api: Api, who: Person, batch: CallBatch, **variables: Any) -> str:
    [(field, code)] = refused(api, who, batch, {"phoneNumber": NUMBER, **variables})
    assert field == "call_data[0].wanted"
    return code


# --- The number -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "12125551001",
        "+12125551001",
        "+1 212 555 1001",
        "1-212-555-1001",
        "1.212.555.1001",
        "+1 (212) 555-1001",
        " 1212 5551001 ",
    ],
)
def test_every_usual_way_of_writing_is_the_same_number(
    api: Api, owner: Person, batch: CallBatch, written: str
) -> None:
    add(api, owner, batch, [{"phoneNumber": written}])
    assert statuses(batch) == {NUMBER: "pending"}


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({}, "required"),
        ({"phoneNumber": None}, "required"),
        ({"phoneNumber": ""}, "required"),
        ({"phoneNumber": "  "}, "required"),
        ({"phoneNumber": 12125551001}, "invalid"),
        ({"phoneNumber": True}, "invalid"),
        ({"phoneNumber": [NUMBER]}, "invalid"),
        ({"phoneNumber": {"number": NUMBER}}, "invalid"),
        ({"phoneNumber": "call me"}, "not_a_number"),
        ({"phoneNumber": "1212555100"}, "too_short"),
        ({"phoneNumber": "121255510011"}, "too_long"),
        ({"phoneNumber": "5551001"}, "too_short"),  # local only
        ({"phoneNumber": "02125551001"}, "unknown_country_code"),
        ({"phoneNumber": "3105552002"}, "country_not_called"),  # without its 1: the Netherlands
        ({"phoneNumber": "14165551001"}, "country_not_called"),  # Canada shares the 1
    ],
    ids=str,
)
def test_each_rule_of_the_number_names_the_record(
    api: Api, owner: Person, batch: CallBatch, record: dict[str, Any], code: str
) -> None:
    assert refused(api, owner, batch, record) == [("call_data[0].phoneNumber", code)]


def test_the_workspace_says_which_countries_it_calls(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    Workspace.objects.filter(id=owner.workspace.id).update(called_countries=["NL", "CA"])
    add(api, owner, batch, [{"phoneNumber": "31201234567"}, {"phoneNumber": "14165551001"}])
    assert statuses(batch).keys() == {"31201234567", "14165551001"}
    found = chunk_errors(add(api, owner, batch, [{"phoneNumber": NUMBER}], 400))
    assert found == [("call_data[0].phoneNumber", "country_not_called")]


def test_else_they_are_those_of_its_own_numbers(
    api: Api, owner: Person, stranger: Person, batch: CallBatch
) -> None:
    dutch = {"phoneNumber": "31201234567"}
    factories.PhoneNumberFactory.create(workspace=stranger.workspace, number="+31201112222")
    assert refused(api, owner, batch, dutch)[0][1] == "country_not_called"
    factories.PhoneNumberFactory.create(workspace=owner.workspace, number="+31201113333")
    add(api, owner, batch, [dutch, {"phoneNumber": NUMBER}])
    assert statuses(batch).keys() == {"31201234567", NUMBER}


# --- The time zone --------------------------------------------------------------------------------


def test_a_contact_may_have_a_time_zone_of_its_own(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    add(api, owner, batch, contacts(1, timezone="America/Los_Angeles", name="Ann"))
    call = batch.calls.get()
    assert (call.timezone, call.variables) == ("America/Los_Angeles", {"name": "Ann"})


@pytest.mark.parametrize(
    "timezone", ["Mars/Olympus", "america/los_angeles", "Factory", " UTC", 7, True, None, [], {}]
)
def test_an_impossible_time_zone_is_refused(
    api: Api, owner: Person, batch: CallBatch, timezone: Any
) -> None:
    record = {"phoneNumber": NUMBER, "timezone": timezone}
    assert refused(api, owner, batch, record) == [("call_data[0].timezone", "unknown_timezone")]


# --- Records as such ------------------------------------------------------------------------------


@pytest.mark.parametrize("record", [NUMBER, 7, None, True, [], [NUMBER]], ids=str)
def test_a_record_is_an_object(api: Api, owner: Person, batch: CallBatch, record: Any) -> None:
    assert refused(api, owner, batch, record) == [("call_data[0]", "invalid")]


@pytest.mark.parametrize(
    "name", ["_id", "phoneLogs", "callStatus", "createdAt", "updatedAt", "waitingFor"]
)
def test_the_names_that_answers_use_themselves_are_reserved(
    api: Api, owner: Person, batch: CallBatch, name: str
) -> None:
    record = {"phoneNumber": NUMBER, name: "x"}
    assert refused(api, owner, batch, record) == [(f"call_data[0].{name}", "reserved_name")]
    add(api, owner, batch, contacts(1, inside={name: "x"}))


def test_a_name_has_up_to_64_characters(api: Api, owner: Person, batch: CallBatch) -> None:
    record = {"phoneNumber": NUMBER, "é" * 65: "x"}
    assert refused(api, owner, batch, record) == [(f"call_data[0].{'é' * 64}", "invalid_name")]
    nameless = {"phoneNumber": NUMBER, "": "x"}
    assert refused(api, owner, batch, nameless) == [("call_data[0]", "invalid_name")]
    add(api, owner, batch, [{"phoneNumber": NUMBER, "é" * 64: "x"}])
    assert batch.calls.get().variables == {"é" * 64: "x"}


def test_a_record_has_up_to_16_kb(api: Api, owner: Person, batch: CallBatch) -> None:
    largest = 16 * 1024 - len('{"x":""}')
    record = {"phoneNumber": NUMBER, "x": "y" * (largest + 1)}
    assert refused(api, owner, batch, record) == [("call_data[0]", "too_large")]
    add(api, owner, batch, contacts(1, x="y" * largest))
    assert len(batch.calls.get().variables["x"]) == largest


@pytest.mark.parametrize(("depth", "code"), [(99, 200), (100, 400), (300, 400), (1000, 400)])
def test_a_deep_record_is_stored_or_refused(
    api: Api, owner: Person, batch: CallBatch, depth: int, code: int
) -> None:
    records = f'[{{"phoneNumber": "{NUMBER}", "x": {"[" * depth}{"]" * depth}}}]'
    body = f'{{"batchId": "{batch.id}", "call_data": {records}}}'
    answer = checked(api.post(ADD, body, owner.with_key), code)
    if code == 400:
        assert chunk_errors(answer) == [("call_data[0]", "too_deep")]


@pytest.mark.parametrize("number", ["1e400", "-1e400", "[1e999]"])
def test_a_number_that_nothing_can_hold_is_not_stored_as_something_else(
    api: Api, owner: Person, batch: CallBatch, number: str
) -> None:
    body = (
        f'{{"batchId": "{batch.id}", "call_data": [{{"phoneNumber": "{NUMBER}", "x": {number}}}]}}'
    )
    checked(api.post(ADD, body, owner.with_key), 400)
    assert statuses(batch) == {}


def test_everything_that_is_wrong_is_listed(api: Api, owner: Person) -> None:
    batch = ready_batch(owner, variables=[variable("name"), variable("age", "number")])
    record = {"phoneNumber": "x", "timezone": "y", "_id": "z", "age": "old"}
    assert refused(api, owner, batch, record) == [
        ("call_data[0]._id", "reserved_name"),
        ("call_data[0].phoneNumber", "not_a_number"),
        ("call_data[0].timezone", "unknown_timezone"),
        ("call_data[0].name", "required"),
        ("call_data[0].age", "invalid"),
    ]


def test_a_hostile_record_gets_twenty_errors_at_most(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    record = {"phoneNumber": NUMBER, **{"n" * 65 + str(number): 1 for number in range(1000)}}
    assert len(refused(api, owner, batch, record)) == 20


# --- The agents' variables ------------------------------------------------------------------------

GOOD: list[tuple[str, Any]] = [
    ("string", "text"),
    ("string", " x "),
    ("number", 0),
    ("number", -2.5),
    ("boolean", False),
    ("boolean", True),
    ("date", "2024-02-29"),
    ("enum", "gold"),
]
BAD: list[tuple[str, Any]] = [
    *(("string", value) for value in (7, True, None, ["x"], {"a": "b"})),
    *(("number", value) for value in ("7", "", True, None, [7])),
    *(("boolean", value) for value in ("true", 1, 0, None)),
    *(("date", value) for value in ("2025-02-29", "29.02.2024", "20240229", 20240229, None)),
    *(("date", value) for value in ("2024-02-29T00:00", "٢٠٢٤-02-29", "2024-2-9")),
]
BAD_CHOICES: list[Any] = ["Gold", "bronze", 7, True, None, ["gold"], {}]


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize(("kind", "value"), GOOD, ids=str)
def test_each_type_takes_its_values(
    api: Api, owner: Person, kind: str, value: Any, required: bool
) -> None:
    wanted = variable("wanted", kind, required, enum=["gold", "silver"])
    batch = ready_batch(owner, variables=[wanted])
    add(api, owner, batch, contacts(1, wanted=value))
    assert batch.calls.get().variables == {"wanted": value}


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize(("kind", "value"), BAD, ids=str)
def test_no_value_is_read_as_another_type(
    api: Api, owner: Person, kind: str, value: Any, required: bool
) -> None:
    batch = ready_batch(owner, variables=[variable("wanted", kind, required)])
    expected = "required" if required and value == "" else "invalid"
    assert refused_variable(api, owner, batch, wanted=value) == expected


@pytest.mark.parametrize("value", BAD_CHOICES, ids=str)
def test_a_choice_is_one_of_the_list(api: Api, owner: Person, value: Any) -> None:
    wanted = variable("wanted", "enum", enum=["gold", "silver"])
    batch = ready_batch(owner, variables=[wanted])
    assert refused_variable(api, owner, batch, wanted=value) == "invalid_choice"


@pytest.mark.parametrize("kind", ["string", "number", "boolean", "date", "enum"])
def test_a_required_variable_must_be_there_and_not_blank(
    api: Api, owner: Person, kind: str
) -> None:
    batch = ready_batch(owner, variables=[variable("wanted", kind, enum=["gold"])])
    assert refused_variable(api, owner, batch) == "required"
    assert refused_variable(api, owner, batch, Wanted="x") == "required"
    for blank in ("", "  ", "\n"):
        assert refused_variable(api, owner, batch, wanted=blank) == "required"


def test_an_optional_variable_may_be_left_out_or_be_an_empty_text(api: Api, owner: Person) -> None:
    kinds = [variable(kind, kind, False) for kind in ("string", "number", "boolean", "date")]
    batch = ready_batch(owner, variables=kinds)
    add(api, owner, batch, contacts(1))
    add(api, owner, batch, contacts(1, first=1, string=""))
    assert len(statuses(batch)) == 2


def test_a_record_must_satisfy_every_agent_behind_the_numbers(api: Api, owner: Person) -> None:
    batch = ready_batch(owner, variables=[variable("name"), variable("size", "number", False)])
    second = number_with_agent(owner, [variable("account"), variable("size", "string", False)])
    third = factories.PhoneNumberFactory.create(workspace=owner.workspace, agent=second.agent)
    for position, phone in enumerate((second, third), start=1):
        factories.BatchNumberFactory.create(batch=batch, phone=phone, position=position)

    assert refused(api, owner, batch, {"phoneNumber": NUMBER}) == [
        ("call_data[0].name", "required"),
        ("call_data[0].account", "required"),
    ]
    sized = {"phoneNumber": NUMBER, "name": "Ann", "account": "A", "size": 7}
    assert refused(api, owner, batch, sized) == [("call_data[0].size", "invalid")]
    add(api, owner, batch, contacts(1, name="Ann", account="A"))


def test_an_agent_of_no_number_of_the_batch_asks_for_nothing(api: Api, owner: Person) -> None:
    batch = ready_batch(owner)
    former = number_with_agent(owner, [variable("name")])
    row = factories.BatchNumberFactory.create(batch=batch, phone=former, position=1)
    assert refused(api, owner, batch, {"phoneNumber": NUMBER})
    BatchNumber.objects.filter(id=row.id).delete()
    add(api, owner, batch, contacts(1))


def test_the_error_is_a_sentence_that_names_the_field(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    body = {"batchId": batch.id, "callData": [{}]}
    answer = checked(api.post(ADD, json.dumps(body), owner.with_key), 400)
    assert answer["message"] == "Validation failed"
    assert answer["errorMessage"] == "callData[0].phoneNumber: This field is required."
    record = Import.objects.get()
    assert (record.status, record.rows_read, record.rows_invalid) == ("refused", 1, 1)


def test_numbers_that_the_database_writes_out_count_in_full(api: Api, owner: Person) -> None:
    """`jsonb` makes 309 digits of 1e308: 10 KB of them would be 600 KB in every answer."""
    batch = ready_batch(owner)
    for value, code in (([1e308] * 2000, 400), ([1.5] * 2000, 200), (["x1e99"] * 10, 200)):
        record = {"phoneNumber": "12125551001", "values": value}
        body = {"batchId": batch.id, "call_data": [record]}
        response = api.post("/api/call/addCallsToBatch", body, owner.with_key)
        assert response.status_code == code, response.content[:300]
    assert b"too_large" not in response.content

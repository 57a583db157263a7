"""POST /api/call/createBatch: every row of its contract."""

from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from batches.models import BatchNumber, CallBatch
from calling.models import PhoneNumber
from tests import factories
from tests.cast import Api, Person
from workspaces.ids import is_object_id
from workspaces.models import AuditEvent

PATH = "/api/call/createBatch"
UNKNOWN_ID = "64e5f12345abcdef87654321"


def documented(*phone_ids: str, **changes: Any) -> dict[str, Any]:
    """The request of the documentation, with live numbers."""
    return {
        "batchName": "API Campaign May 2025",
        "callingNumbers": list(phone_ids),
        "retry": 3,
        "delay": 60,
        "timezone": "America/New_York",
        "callingHour": {"start": "09:00", "end": "17:00"},
        "allowedDays": [1, 2, 3, 4, 5],
    } | changes


def errors(response: Any) -> list[tuple[str, str]]:
    assert response.status_code == 400, response.content
    return [(error["field"], error["code"]) for error in response.json()["data"]["errors"]]


def test_the_documented_request_gets_the_documented_answer(
    api: Api, owner: Person, phone: PhoneNumber
) -> None:
    response = api.post(PATH, documented(phone.id), owner.with_key)

    assert response.status_code == 201
    body = response.json()
    assert list(body) == ["message", "status", "code", "errorMessage", "data"]
    assert is_object_id(body.pop("data"))
    assert body == {
        "message": "Batch created successfully",
        "status": True,
        "code": 201,
        "errorMessage": "",
    }


def test_everything_sent_is_stored(api: Api, owner: Person, phone: PhoneNumber) -> None:
    second = factories.PhoneNumberFactory(workspace=owner.workspace)
    request = documented(second.id, phone.id, batchType="mixed", enableDNC=False)

    batch_id = api.post(PATH, request, owner.with_token).json()["data"]

    batch = CallBatch.objects.get(id=batch_id)
    assert batch.workspace_id == owner.workspace.id
    assert batch.created_by_id == owner.user.id
    assert batch.name == "API Campaign May 2025"
    assert (batch.retry, batch.delay, batch.timezone) == (3, 60, "America/New_York")
    assert (batch.calling_hour_start, batch.calling_hour_end) == (9 * 60, 17 * 60)
    assert batch.allowed_days == [1, 2, 3, 4, 5]
    assert (batch.batch_type, batch.enable_dnc, batch.status) == ("mixed", False, "draft")
    rotation = BatchNumber.objects.filter(batch=batch).order_by("position")
    assert [row.phone_id for row in rotation] == [second.id, phone.id]


def test_what_is_left_out_has_the_documented_defaults(
    api: Api, owner: Person, phone: PhoneNumber
) -> None:
    request = {"batchName": "Least", "callingNumbers": [phone.id]}

    batch_id = api.post(PATH, request, owner.with_key).json()["data"]

    batch = CallBatch.objects.get(id=batch_id)
    assert (batch.retry, batch.delay, batch.timezone) == (0, 60, owner.workspace.timezone)
    assert (batch.calling_hour_start, batch.calling_hour_end) == (None, None)
    assert batch.allowed_days == [0, 1, 2, 3, 4, 5, 6]
    assert (batch.batch_type, batch.enable_dnc) == ("outbound", True)


def test_repeated_numbers_collapse_in_order(api: Api, owner: Person, phone: PhoneNumber) -> None:
    second = factories.PhoneNumberFactory(workspace=owner.workspace)
    request = documented(phone.id, second.id, phone.id)

    batch_id = api.post(PATH, request, owner.with_key).json()["data"]

    rotation = BatchNumber.objects.filter(batch=batch_id).order_by("position")
    assert [(row.position, row.phone_id) for row in rotation] == [(0, phone.id), (1, second.id)]


@pytest.mark.parametrize(
    "changes",
    [
        {"batchName": "x"},
        {"batchName": "  " + "é" * 200 + " "},
        {"retry": 0},
        {"retry": 10},
        {"delay": 0},
        {"delay": 604800},
        {"timezone": "Asia/Kolkata"},
        {"timezone": "UTC"},
        {"callingHour": {"start": "00:00", "end": "24:00"}},
        {"callingHour": {"start": "23:59", "end": "24:00"}},
        {"allowedDays": [6]},
        {"allowedDays": [6, 0, 5, 1, 4, 2, 3]},
        {"batchType": "outbound"},
        {"enableDNC": True},
    ],
    ids=str,
)
def test_the_bounds_of_each_field_are_accepted(
    api: Api, owner: Person, phone: PhoneNumber, changes: dict[str, Any]
) -> None:
    response = api.post(PATH, documented(phone.id, **changes), owner.with_key)
    assert response.status_code == 201, response.content


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"batchName": ""}, ("batchName", "blank")),
        ({"batchName": "   "}, ("batchName", "blank")),
        ({"batchName": "x" * 201}, ("batchName", "max_length")),
        ({"batchName": "two\nlines"}, ("batchName", "control_character")),
        ({"batchName": "newline at the end\n"}, ("batchName", "control_character")),
        ({"batchName": "tab\there"}, ("batchName", "control_character")),
        ({"batchName": "\u0085next"}, ("batchName", "control_character")),
        ({"batchName": 7}, ("batchName", "invalid")),
        ({"batchName": True}, ("batchName", "invalid")),
        ({"batchName": ["x"]}, ("batchName", "invalid")),
        ({"batchName": None}, ("batchName", "null")),
        ({"callingNumbers": []}, ("callingNumbers", "empty")),
        ({"callingNumbers": None}, ("callingNumbers", "null")),
        ({"callingNumbers": UNKNOWN_ID}, ("callingNumbers", "not_a_list")),
        ({"callingNumbers": {UNKNOWN_ID: 1}}, ("callingNumbers", "not_a_list")),
        ({"callingNumbers": [UNKNOWN_ID] * 101}, ("callingNumbers", "max_length")),
        ({"callingNumbers": [7]}, ("callingNumbers[0]", "invalid_id")),
        ({"callingNumbers": [None]}, ("callingNumbers[0]", "null")),
        ({"callingNumbers": [UNKNOWN_ID.upper()]}, ("callingNumbers[0]", "invalid_id")),
        ({"callingNumbers": [UNKNOWN_ID]}, ("callingNumbers[0]", "unknown_number")),
        ({"retry": -1}, ("retry", "min_value")),
        ({"retry": 11}, ("retry", "max_value")),
        ({"retry": "3"}, ("retry", "invalid")),
        ({"retry": 3.0}, ("retry", "invalid")),
        ({"retry": True}, ("retry", "invalid")),
        ({"retry": None}, ("retry", "null")),
        ({"retry": 10**30}, ("retry", "invalid")),
        ({"delay": -1}, ("delay", "min_value")),
        ({"delay": 604801}, ("delay", "max_value")),
        ({"delay": "60"}, ("delay", "invalid")),
        ({"timezone": "Mars/Base"}, ("timezone", "unknown_timezone")),
        ({"timezone": "Factory"}, ("timezone", "unknown_timezone")),
        ({"timezone": "localtime"}, ("timezone", "unknown_timezone")),
        ({"timezone": "america/new_york"}, ("timezone", "unknown_timezone")),
        ({"timezone": ""}, ("timezone", "blank")),
        ({"timezone": 5}, ("timezone", "invalid")),
        ({"callingHour": {"start": "09:00"}}, ("callingHour.end", "required")),
        ({"callingHour": {"end": "09:00"}}, ("callingHour.start", "required")),
        ({"callingHour": {"start": "9:00", "end": "17:00"}}, ("callingHour.start", "invalid_time")),
        ({"callingHour": {"start": "24:00", "end": "24:00"}}, ("callingHour.end", "not_later")),
        ({"callingHour": {"start": "09:00", "end": "24:01"}}, ("callingHour.end", "invalid_time")),
        ({"callingHour": {"start": "09:00", "end": "09:00"}}, ("callingHour.end", "not_later")),
        ({"callingHour": {"start": "22:00", "end": "06:00"}}, ("callingHour.end", "not_later")),
        ({"callingHour": {"start": 9, "end": "17:00"}}, ("callingHour.start", "invalid")),
        (
            {"callingHour": {"start": "٠٩:٠٠", "end": "17:00"}},
            ("callingHour.start", "invalid_time"),
        ),
        ({"callingHour": "09:00-17:00"}, ("callingHour", "invalid")),
        ({"callingHour": None}, ("callingHour", "null")),
        (
            {"callingHour": {"start": "09:00", "end": "17:00", "stop": "18:00"}},
            ("callingHour.stop", "unknown_field"),
        ),
        ({"allowedDays": []}, ("allowedDays", "empty")),
        ({"allowedDays": [7]}, ("allowedDays[0]", "max_value")),
        ({"allowedDays": [-1]}, ("allowedDays[0]", "min_value")),
        ({"allowedDays": [1, 1]}, ("allowedDays", "repeated_day")),
        ({"allowedDays": [0, 1, 2, 3, 4, 5, 6, 0]}, ("allowedDays", "max_length")),
        ({"allowedDays": ["1"]}, ("allowedDays[0]", "invalid")),
        ({"allowedDays": [True]}, ("allowedDays[0]", "invalid")),
        ({"allowedDays": 1}, ("allowedDays", "not_a_list")),
        ({"batchType": "inbound"}, ("batchType", "invalid_choice")),
        ({"batchType": ["outbound"]}, ("batchType", "invalid_choice")),
        ({"enableDNC": "true"}, ("enableDNC", "invalid")),
        ({"enableDNC": 1}, ("enableDNC", "invalid")),
        ({"enableDNC": None}, ("enableDNC", "null")),
        ({"callingHours": {"start": "09:00", "end": "17:00"}}, ("callingHours", "unknown_field")),
    ],
    ids=lambda value: str(value)[:60],
)
def test_each_rule_names_its_field(
    api: Api, owner: Person, phone: PhoneNumber, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    response = api.post(PATH, documented(phone.id, **changes), owner.with_key)

    assert errors(response) == [expected]
    assert response.json()["errorMessage"].startswith(expected[0].split("[")[0] + ": ")
    assert not CallBatch.objects.exists()


@pytest.mark.parametrize("field", ["batchName", "callingNumbers"])
def test_a_missing_required_field_is_named(
    api: Api, owner: Person, phone: PhoneNumber, field: str
) -> None:
    request = documented(phone.id)
    del request[field]
    assert errors(api.post(PATH, request, owner.with_key)) == [(field, "required")]


@pytest.mark.parametrize("body", ["[]", '"text"', "7", "null", "true"])
def test_a_body_that_is_no_object_is_refused(api: Api, owner: Person, body: str) -> None:
    assert errors(api.post(PATH, body, owner.with_key)) in (
        [("body", "invalid")],
        [("body", "null")],
    )


def test_a_misspelt_field_gets_a_suggestion(api: Api, owner: Person, phone: PhoneNumber) -> None:
    response = api.post(PATH, documented(phone.id, callingHours={}), owner.with_key)
    assert "did you mean callingHour?" in response.json()["errorMessage"]


def test_the_documented_error_for_a_number(api: Api, owner: Person) -> None:
    response = api.post(PATH, documented(UNKNOWN_ID), owner.with_key)

    sentence = f"{UNKNOWN_ID} is not an active phone number of this workspace."
    assert response.json() == {
        "message": "Validation failed",
        "status": False,
        "code": 400,
        "errorMessage": f"callingNumbers: {sentence}",
        "data": {
            "errors": [
                {"field": "callingNumbers[0]", "code": "unknown_number", "message": sentence}
            ]
        },
    }


def test_several_errors_are_counted_in_the_sentence(api: Api, owner: Person) -> None:
    response = api.post(PATH, {"retry": "3", "delay": -1}, owner.with_key)

    assert response.json()["errorMessage"] == "batchName: This field is required. … and 3 more"
    assert len(response.json()["data"]["errors"]) == 4


def test_a_foreign_number_reads_like_an_unknown_one(
    api: Api, owner: Person, stranger: Person, phone: PhoneNumber
) -> None:
    foreign = factories.PhoneNumberFactory(workspace=stranger.workspace)
    inactive = factories.PhoneNumberFactory(workspace=owner.workspace, is_active=False)

    request = documented(phone.id, foreign.id, UNKNOWN_ID, inactive.id)
    response = api.post(PATH, request, owner.with_key)

    assert errors(response) == [
        (f"callingNumbers[{index}]", "unknown_number") for index in (1, 2, 3)
    ]
    texts = {error["message"].split(" ", 1)[1] for error in response.json()["data"]["errors"]}
    assert texts == {"is not an active phone number of this workspace."}
    assert not CallBatch.objects.exists()


def test_the_audit_event_says_who_what_and_from_where(
    api: Api, owner: Person, phone: PhoneNumber
) -> None:
    headers = {**owner.with_key, "X-Request-Id": "trace-1"}
    batch_id = api.post(PATH, documented(phone.id), headers).json()["data"]

    event = AuditEvent.objects.get(target_id=batch_id)
    assert event.workspace_id == owner.workspace.id
    assert event.user_id == owner.user.id
    assert (event.action, event.target_type) == ("batch.create", "callbatch")
    assert event.credential_kind == "api_key"
    assert event.credential in owner.key
    assert (event.ip, event.request_id) == ("127.0.0.1", "trace-1")


@pytest.mark.parametrize("count", [1, 2, 50, 100])
def test_it_costs_four_statements_at_most(
    api: Api, owner: Person, statements: CaptureQueriesContext, count: int
) -> None:
    """The first use of a key in a minute writes so: three of them otherwise.

    1. SELECT the key with its workspace, creator and membership
    2. UPDATE the key's last use (at most once a minute)
    3. SELECT the active ones among the numbers
    4. INSERT batch, rotation and audit event
    """
    numbers = factories.PhoneNumberFactory.create_batch(count, workspace=owner.workspace)
    ids = [number.id for number in numbers]
    api.post(PATH, documented(*ids), owner.with_read_key)
    before = len(statements)

    assert api.post(PATH, documented(*ids), owner.with_key).status_code == 201
    first = [query["sql"].split()[0] for query in statements.captured_queries[before:]]
    assert first == ["SELECT", "UPDATE", "SELECT", "WITH"]

    before = len(statements)
    assert api.post(PATH, documented(*ids), owner.with_key).status_code == 201
    second = [query["sql"].split()[0] for query in statements.captured_queries[before:]]
    assert second == ["SELECT", "SELECT", "WITH"]


def test_a_batch_that_cannot_be_stored_is_a_500_and_leaves_nothing(
    api: Api, owner: Person, phone: PhoneNumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batches.services.batches.EVERY_DAY", ())
    monkeypatch.setattr("batches.api.serializers.batches.EVERY_DAY", (1, 1))  # the CHECK refuses it
    request = {"batchName": "Broken", "callingNumbers": [phone.id]}
    headers = {**owner.with_key, "X-Request-Id": "trace-500"}

    response = api.post(PATH, request, headers)

    assert response.status_code == 500
    assert "trace-500" in response.json()["errorMessage"]
    assert "callbatch" not in response.content.decode()

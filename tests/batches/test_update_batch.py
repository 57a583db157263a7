"""PATCH /api/call/update-batch/{batchId}: any field of createBatch, in any state but deleted."""

from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from batches.models import BatchNumber, CallBatch
from tests import factories
from tests.batches.contacts import (
    UNKNOWN_ID,
    call,
    counted,
    errors,
    fresh,
    number_with_agent,
    ready_batch,
)
from tests.cast import Api, Person, person
from tests.envelope import checked
from tests.rows import everything_of
from workspaces.callers import Role
from workspaces.models import AuditEvent

KEYS = [
    *("_id", "batchName", "queue_status", "statusReason", "callingNumbers", "retry", "delay"),
    *("timezone", "callingHour", "allowedDays", "batchType", "enableDNC", "createdAt", "updatedAt"),
]


@pytest.fixture
def batch(owner: Person) -> CallBatch:
    return ready_batch(owner, name="Before", retry=1, calling_hour_start=60, calling_hour_end=120)


def send(api: Api, headers: dict[str, str], batch_id: str, body: Any) -> Any:
    return api.request("PATCH", f"/api/call/update-batch/{batch_id}", body, headers)


def update(api: Api, who: Person, batch: CallBatch, code: int = 200, **changes: Any) -> Any:
    return checked(send(api, who.with_key, batch.id, changes), code)


def row(batch: CallBatch) -> dict[str, Any]:
    return dict(CallBatch.objects.filter(id=batch.id).values().get())


def rotation(batch: CallBatch) -> list[str]:
    rows = BatchNumber.objects.filter(batch=batch).order_by("position")
    return list(rows.values_list("phone_id", flat=True))


def test_the_answer_is_the_batch_with_its_settings(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    body = update(api, owner, batch, batchName="After")
    assert body["message"] == "Batch updated successfully"
    data = body["data"]
    assert list(data) == KEYS
    times = data.pop("createdAt"), data.pop("updatedAt")
    assert all(time.endswith("Z") for time in times)
    assert times[0] < times[1]
    assert data == {
        "_id": batch.id,
        "batchName": "After",
        "queue_status": "draft",
        "statusReason": None,
        "callingNumbers": rotation(batch),
        "retry": 1,
        "delay": 60,
        "timezone": "UTC",
        "callingHour": {"start": "01:00", "end": "02:00"},
        "allowedDays": [0, 1, 2, 3, 4, 5, 6],
        "batchType": "outbound",
        "enableDNC": True,
    }


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("batchName", " After ", {"name": "After"}),
        ("retry", 10, {"retry": 10}),
        ("retry", 0, {"retry": 0}),
        ("delay", 604800, {"delay": 604800}),
        ("timezone", "Asia/Tokyo", {"timezone": "Asia/Tokyo"}),
        (
            "callingHour",
            {"start": "00:00", "end": "24:00"},
            {"calling_hour_start": 0, "calling_hour_end": 1440},
        ),
        ("allowedDays", [5, 1], {"allowed_days": [1, 5]}),
        ("batchType", "mixed", {"batch_type": "mixed"}),
        ("enableDNC", False, {"enable_dnc": False}),
    ],
    ids=str,
)
def test_one_field_changes_and_the_others_stay(
    api: Api, owner: Person, batch: CallBatch, name: str, value: Any, stored: dict[str, Any]
) -> None:
    before = row(batch)
    numbers = rotation(batch)

    data = update(api, owner, batch, **{name: value})["data"]

    after = row(batch)
    assert after.pop("updated_at") > before.pop("updated_at")
    assert after == before | stored
    assert rotation(batch) == numbers
    expected = {"batchName": "After", "allowedDays": [1, 5]}.get(name, value)
    assert data[name] == expected
    event = AuditEvent.objects.get(action="batch.update")
    assert (event.user_id, event.target_id, event.changes) == (owner.user.id, batch.id, stored)


def test_given_numbers_replace_the_rotation(api: Api, owner: Person, batch: CallBatch) -> None:
    kept = rotation(batch)[0]
    new = number_with_agent(owner)
    data = update(api, owner, batch, callingNumbers=[new.id, kept, new.id])["data"]
    assert data["callingNumbers"] == rotation(batch) == [new.id, kept]
    assert AuditEvent.objects.get().changes == {"numbers": [new.id, kept]}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("draft", ""),
        ("active", ""),
        ("stopped", ""),
        ("paused", "no_number"),
        ("completed", ""),
    ],
)
def test_in_every_state_it_may_be_changed_and_stays_in_it(
    api: Api, owner: Person, status: str, reason: str
) -> None:
    batch = ready_batch(owner, status=status, status_reason=reason)
    call(batch, "12125551001", "in-progress")
    number = number_with_agent(owner)
    data = update(api, owner, batch, retry=2, callingNumbers=[number.id])["data"]
    assert (data["queue_status"], data["statusReason"]) == (status, reason or None)
    now = fresh(batch)
    assert (now.status, now.status_reason, now.retry) == (status, reason, 2)
    assert counted(batch) == {"in-progress": 1}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"batchName": ""}, ("batchName", "blank")),
        ({"batchName": None}, ("batchName", "null")),
        ({"batchName": "x" * 201}, ("batchName", "max_length")),
        ({"callingNumbers": []}, ("callingNumbers", "empty")),
        ({"callingNumbers": None}, ("callingNumbers", "null")),
        ({"callingNumbers": [UNKNOWN_ID]}, ("callingNumbers[0]", "unknown_number")),
        ({"retry": 11}, ("retry", "max_value")),
        ({"retry": "3"}, ("retry", "invalid")),
        ({"delay": True}, ("delay", "invalid")),
        ({"delay": -1}, ("delay", "min_value")),
        ({"timezone": "Mars"}, ("timezone", "unknown_timezone")),
        ({"callingHour": None}, ("callingHour", "null")),
        ({"callingHour": {"start": "09:00"}}, ("callingHour.end", "required")),
        ({"callingHour": {"start": "09:00", "end": "09:00"}}, ("callingHour.end", "not_later")),
        ({"allowedDays": []}, ("allowedDays", "empty")),
        ({"allowedDays": [1, 1]}, ("allowedDays", "repeated_day")),
        ({"batchType": "inbound"}, ("batchType", "invalid_choice")),
        ({"enableDNC": "false"}, ("enableDNC", "invalid")),
        ({"callingHours": {}}, ("callingHours", "unknown_field")),
        ({"queue_status": "active"}, ("queue_status", "unknown_field")),
    ],
    ids=str,
)
def test_the_rules_are_those_of_create_batch(
    api: Api, owner: Person, batch: CallBatch, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    before = everything_of(owner.workspace)
    body = checked(send(api, owner.with_key, batch.id, {"retry": 2} | changes), 400)
    assert errors(body) == [expected]
    assert everything_of(owner.workspace) == before


def test_a_foreign_number_reads_like_an_unknown_and_an_inactive_one(
    api: Api, owner: Person, stranger: Person, batch: CallBatch
) -> None:
    inactive = factories.PhoneNumberFactory.create(workspace=owner.workspace, is_active=False)
    for id_ in (number_with_agent(stranger).id, inactive.id):
        body = update(api, owner, batch, 400, callingNumbers=[id_])
        assert errors(body) == [("callingNumbers[0]", "unknown_number")]


def test_a_body_that_is_no_object_is_refused(api: Api, owner: Person, batch: CallBatch) -> None:
    for body in ("[]", '"x"', "7"):
        checked(send(api, owner.with_key, batch.id, body), 400)


def test_with_no_field_nothing_is_changed(api: Api, owner: Person, batch: CallBatch) -> None:
    data = update(api, owner, batch)["data"]
    assert data["batchName"] == "Before"


def test_unknown_foreign_and_deleted_batches_are_one_404(
    api: Api, owner: Person, stranger: Person
) -> None:
    foreign = ready_batch(stranger)
    deleted = ready_batch(owner, deleted_at=timezone.now())
    answers = [
        checked(send(api, owner.with_key, id_, {"retry": 5}), 404)
        for id_ in (UNKNOWN_ID, foreign.id, deleted.id)
    ]
    assert all(answer == answers[0] for answer in answers)
    assert (fresh(foreign).retry, fresh(deleted).retry) == (0, 0)


def test_a_malformed_id_is_named(api: Api, owner: Person) -> None:
    body = checked(send(api, owner.with_key, "nonsense", {"retry": 1}), 400)
    assert errors(body) == [("batchId", "invalid_id")]


@pytest.mark.parametrize("role", Role)
def test_everybody_in_the_workspace_may_update(
    api: Api, owner: Person, batch: CallBatch, role: Role
) -> None:
    checked(send(api, person(owner.workspace, role).with_token, batch.id, {"retry": 5}), 200)
    assert fresh(batch).retry == 5


def test_a_read_key_may_not(api: Api, owner: Person, batch: CallBatch) -> None:
    checked(send(api, owner.with_read_key, batch.id, {"retry": 5}), 403)
    checked(send(api, {}, batch.id, {"retry": 5}), 401)
    assert fresh(batch).retry == 1


@pytest.mark.parametrize("numbers", [1, 50])
def test_it_costs_the_same_statements_whatever_the_numbers(
    api: Api, owner: Person, batch: CallBatch, statements: CaptureQueriesContext, numbers: int
) -> None:
    """After the key: SELECT which numbers are active ones of the workspace; in a transaction SELECT the
    batch for update, UPDATE it, SELECT the numbers for keeps, DELETE and INSERT its rotation, INSERT the
    audit event, wake the dialer (INSERT its schedule, SELECT the notification); SELECT the rotation for
    the answer.
    """
    phones = factories.PhoneNumberFactory.create_batch(numbers, workspace=owner.workspace)
    update(api, owner, batch)
    before = len(statements)
    update(api, owner, batch, callingNumbers=[phone.id for phone in phones])
    sent = [query["sql"].split()[0] for query in statements.captured_queries[before:]]
    inside = ["SELECT", "UPDATE", "SELECT", "DELETE", "INSERT", "INSERT", "INSERT", "SELECT"]
    assert sent == ["SELECT", "SELECT", "SAVEPOINT", *inside, "RELEASE", "SELECT"]

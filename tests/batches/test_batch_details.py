"""GET /api/call/batch-details/{id}: the answer, and who gets it."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from batches.models import BatchStatus, Call, CallBatch, PauseReason
from calling.models import PhoneNumber
from tests import factories
from tests.cast import Api, Person
from tests.envelope import checked

NOON = datetime(2025, 5, 15, 14, tzinfo=UTC)
HALF_PAST = datetime(2025, 5, 15, 14, 30, tzinfo=UTC)
UNKNOWN_ID = "64e5f12345abcdef87654321"
SETTINGS = [
    *("callingNumbers", "retry", "delay", "timezone", "callingHour", "allowedDays"),
    *("batchType", "enableDNC", "statusReason"),
]


def path(batch: CallBatch | str) -> str:
    return f"/api/call/batch-details/{batch if isinstance(batch, str) else batch.id}"


def batch_of(who: Person, names: list[str] | None = None, **fields: Any) -> CallBatch:
    """A batch that knows these variables, in this order."""
    batch: CallBatch = factories.CallBatchFactory.create(
        workspace=who.workspace, created_by=who.user, **fields
    )
    for position, name in enumerate(names or []):
        factories.BatchVariableFactory.create(batch=batch, name=name, position=position)
    return batch


def call_of(batch: CallBatch, **fields: Any) -> Call:
    call: Call = factories.CallFactory.create(batch=batch, **fields)
    return call


def details(api: Api, who: Person, batch: CallBatch, **query: Any) -> Any:
    return checked(api.get(path(batch), who.with_key, **query), 200)["data"]


@pytest.mark.parametrize("credential", ["with_key", "with_read_key", "with_token"])
def test_the_documented_answer(
    api: Api, owner: Person, phone: PhoneNumber, credential: str
) -> None:
    batch = batch_of(
        owner,
        ["name", "account_id", "priority"],
        name="Marketing Campaign May 2025",
        status=BatchStatus.ACTIVE,
        retry=3,
        timezone="America/New_York",
        calling_hour_start=9 * 60,
        calling_hour_end=17 * 60,
        allowed_days=[1, 2, 3, 4, 5],
    )
    factories.BatchNumberFactory.create(batch=batch, phone=phone)
    call = call_of(
        batch,
        phone_number="+12125551234",
        variables={"priority": "high", "account_id": "ACC-5678", "name": "Emily Davis"},
        status="completed",
        is_picked=True,
        created_at=NOON,
    )
    factories.CallAttemptFactory.create(
        call=call,
        request_uuid=UUID("550e8400-e29b-41d4-a716-446655440000"),
        status="completed",
        talk_seconds=120,
        recording_url="https://example.com/recording.mp3",
        transcript="Call transcript here...",
        created_at=HALF_PAST,
    )

    response = api.get(path(batch), getattr(owner, credential))

    checked(response, 200)
    assert json.loads(response.content) == json.loads(response.content.decode())
    assert response.content.decode() == as_documented(batch, call, phone)


def as_documented(batch: CallBatch, call: Call, phone: PhoneNumber) -> str:
    """The whole text: the order of the keys is a part of it."""
    body = {
        "message": "Calls fetched successfully",
        "status": True,
        "code": 200,
        "errorMessage": "",
        "data": {
            "batchId": batch.id,
            "batchName": "Marketing Campaign May 2025",
            "batchStatus": "active",
            "page": 1,
            "limit": 10,
            "total": 1,
            "totalPages": 1,
            "data": [
                {
                    "_id": call.id,
                    "phoneNumber": "12125551234",
                    "name": "Emily Davis",
                    "account_id": "ACC-5678",
                    "priority": "high",
                    "phoneLogs": [
                        {
                            "requestUUID": "550e8400-e29b-41d4-a716-446655440000",
                            "callStatus": "completed",
                            "callDuration": 120,
                            "recordingUrl": "https://example.com/recording.mp3",
                            "transcript": "Call transcript here...",
                            "createdAt": "2025-05-15T14:30:00.000Z",
                        }
                    ],
                    "callStatus": "completed",
                    "createdAt": "2025-05-15T14:00:00.000Z",
                }
            ],
            "callingNumbers": [phone.id],
            "retry": 3,
            "delay": 60,
            "timezone": "America/New_York",
            "callingHour": {"start": "09:00", "end": "17:00"},
            "allowedDays": [1, 2, 3, 4, 5],
            "batchType": "outbound",
            "enableDNC": True,
            "statusReason": None,
        },
    }
    return json.dumps(body, separators=(",", ":"))


# --- The batch ------------------------------------------------------------------------------------


def test_a_new_batch_is_shown_with_what_it_was_created_with(api: Api, owner: Person) -> None:
    first, second = (
        factories.PhoneNumberFactory.create(workspace=owner.workspace) for _ in range(2)
    )
    settings = {
        "batchName": "As asked for",
        "callingNumbers": [second.id, first.id],
        "retry": 2,
        "delay": 0,
        "timezone": "Asia/Tokyo",
        "callingHour": {"start": "00:00", "end": "24:00"},
        "allowedDays": [6, 0],
        "batchType": "mixed",
        "enableDNC": False,
    }
    created = api.post("/api/call/createBatch", settings, owner.with_key).json()["data"]

    shown = checked(api.get(path(created), owner.with_key), 200)["data"]

    assert list(shown) == [
        *("batchId", "batchName", "batchStatus", "page", "limit", "total", "totalPages", "data"),
        *SETTINGS,
    ]
    expected = {**settings, "allowedDays": [0, 6], "statusReason": None}
    assert {name: shown[name] for name in expected} == expected
    assert (shown["batchStatus"], shown["total"], shown["totalPages"], shown["data"]) == (
        *("draft", 0, 0),
        [],
    )


def test_a_batch_without_hours_may_call_all_day(api: Api, owner: Person) -> None:
    shown = details(api, owner, batch_of(owner))
    assert shown["callingHour"] is None
    assert shown["callingNumbers"] == []


@pytest.mark.parametrize("reason", PauseReason.values)
def test_a_paused_batch_says_why(api: Api, owner: Person, reason: str) -> None:
    shown = details(api, owner, batch_of(owner, status=BatchStatus.PAUSED, status_reason=reason))
    assert (shown["batchStatus"], shown["statusReason"]) == ("paused", reason)


# --- A call ---------------------------------------------------------------------------------------


def test_the_logs_of_a_call_are_its_attempts_oldest_first(api: Api, owner: Person) -> None:
    batch = batch_of(owner)
    call = call_of(batch, status="in-progress")
    session = factories.DialingSessionFactory.create(batch=batch, uuid="order-4711")
    plain = factories.DialingSessionFactory.create(batch=batch)
    second = factories.CallAttemptFactory.create(
        call=call, created_at=HALF_PAST, session=session, status="ringing"
    )
    first = factories.CallAttemptFactory.create(
        call=call, created_at=NOON, session=plain, status="no-answer", transcript="…"
    )
    factories.CallAttemptFactory.create(call=call_of(batch))

    [shown] = [
        one for one in details(api, owner, batch)["data"] if one["callStatus"] == "in-progress"
    ]

    assert shown["phoneLogs"] == [
        {
            "requestUUID": str(first.request_uuid),
            "callStatus": "no-answer",
            "callDuration": 0,
            "transcript": "…",
            "createdAt": "2025-05-15T14:00:00.000Z",
        },
        {
            "requestUUID": str(second.request_uuid),
            "callStatus": "ringing",
            "callDuration": 0,
            "createdAt": "2025-05-15T14:30:00.000Z",
            "uuid": "order-4711",
        },
    ]
    assert list(shown["phoneLogs"][1])[-1] == "uuid"


def test_a_call_shows_only_a_time_zone_of_its_own(api: Api, owner: Person) -> None:
    batch = batch_of(owner, ["name"], timezone="Asia/Tokyo")
    call_of(batch, variables={"name": "A"}, timezone="Europe/Paris", created_at=HALF_PAST)
    call_of(batch, variables={"name": "B"}, created_at=NOON)

    own, none = details(api, owner, batch)["data"]

    assert list(own) == [
        *("_id", "phoneNumber", "timezone", "name", "phoneLogs", "callStatus", "createdAt")
    ]
    assert own["timezone"] == "Europe/Paris"
    assert "timezone" not in none


def test_variables_come_in_the_order_of_the_batch_and_unknown_names_last(
    api: Api, owner: Person
) -> None:
    batch = batch_of(owner, ["zebra", "a", "missing", "mm"])
    call_of(batch, variables={"a": 1, "mm": 2, "zebra": 3, "bb": 4, "c": 5})
    [shown] = details(api, owner, batch)["data"]
    assert list(shown)[2:-3] == ["zebra", "a", "mm", "c", "bb"]


def test_values_come_back_as_they_went_in(api: Api, owner: Person) -> None:
    values = {
        "text": 'quote " and \\ and ünïcødé \U0001f600',
        "number": -1.5,
        "largest": 2**64 - 1,
        "huge": 1.5e300,
        "truth": False,
        "nothing": None,
        "list": [1, "2", {"deep": []}],
        "object": {"b": 1, "a": None},
        "0": "a name that is a number",
        "": "no name at all",
    }
    batch = batch_of(owner, list(values))
    call_of(batch, variables=values)
    [shown] = details(api, owner, batch)["data"]
    assert {name: shown[name] for name in values} == values


def test_a_whole_number_beyond_64_bits_is_shown_as_nearly_as_can_be(
    api: Api, owner: Person
) -> None:
    batch = batch_of(owner)
    call_of(batch, variables={"n": 123456789012345678901234})
    assert details(api, owner, batch)["data"][0]["n"] == pytest.approx(1.2345678901234568e23)


# --- Access and cost ------------------------------------------------------------------------------


def test_a_deleted_a_foreign_and_an_unknown_batch_read_alike(
    api: Api, owner: Person, stranger: Person
) -> None:
    deleted = batch_of(owner, deleted_at=NOON)
    foreign = batch_of(stranger)
    bodies = [
        checked(api.get(path(batch), headers), 404)
        for batch in (deleted, foreign, UNKNOWN_ID)
        for headers in (owner.with_key, owner.with_token)
    ]
    assert all(body == bodies[0] for body in bodies)


def test_every_member_sees_the_batches_of_the_others(
    api: Api, owner: Person, member: Person, stranger: Person
) -> None:
    batch = batch_of(owner)
    call_of(batch)
    call_of(batch_of(stranger))
    for who in (owner, member):
        assert details(api, who, batch)["total"] == 1
    checked(api.get(path(batch), stranger.with_key), 404)


def test_fifty_calls_cost_as_many_statements_as_one(api: Api, owner: Person) -> None:
    """The credential and its use, batch, counters, ids, calls, attempts, rotation, names."""
    small, large = batch_of(owner, ["name"]), batch_of(owner, ["name"])
    for batch, number in ((small, 1), (large, 50)):
        session = factories.DialingSessionFactory.create(batch=batch, uuid="u")
        for _ in range(number):
            call = call_of(batch, variables={"name": "N"})
            factories.CallAttemptFactory.create_batch(2, call=call, session=session)
    details(api, owner, small)  # writes the last use of the key

    with CaptureQueriesContext(connection) as few:
        details(api, owner, small, limit=50)
    with CaptureQueriesContext(connection) as many:
        shown = details(api, owner, large, limit=50)

    assert len(shown["data"]) == 50
    assert len(many) == len(few) == 8

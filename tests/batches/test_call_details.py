"""GET /api/call/call-details/{callId}: one call, its attempts, its timeline, what it waits for."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from batches.models import Call, EventReason
from tests import factories
from tests.batches.test_batch_details import batch_of, call_of
from tests.cast import Api, Person
from tests.envelope import checked

UNKNOWN_ID = "64e5f12345abcdef87654321"


def at(minute: int) -> datetime:
    return datetime(2025, 5, 15, 14, minute, tzinfo=UTC)


def path(call: Call | str) -> str:
    return f"/api/call/call-details/{call if isinstance(call, str) else call.id}"


def shown(api: Api, who: Person, call: Call) -> Any:
    return checked(api.get(path(call), who.with_key), 200)["data"]


@pytest.mark.parametrize("credential", ["with_key", "with_read_key", "with_token"])
def test_the_whole_answer_in_its_order(api: Api, owner: Person, credential: str) -> None:
    batch = batch_of(owner, ["name", "account_id"], timezone="America/New_York")
    session = factories.DialingSessionFactory.create(batch=batch, uuid="order-4711")
    call = call_of(
        batch,
        phone_number="+12125551234",
        variables={"other": [1], "account_id": "ACC-5678", "name": "Emily Davis"},
        status="completed",
        attempts_made=2,
        is_picked=True,
        created_at=at(0),
        updated_at=at(9),
    )
    factories.CallAttemptFactory.create(
        call=call,
        request_uuid=UUID("550e8400-e29b-41d4-a716-446655440001"),
        status="completed",
        talk_seconds=120,
        hangup_cause="NORMAL_CLEARING",
        recording_url="https://example.com/recording.mp3",
        transcript="Hello.",
        session=session,
        created_at=at(6),
        answered_at=at(7),
        ended_at=at(9),
    )
    factories.CallAttemptFactory.create(
        call=call,
        request_uuid=UUID("550e8400-e29b-41d4-a716-446655440000"),
        from_number="+12125550101",
        status="queued",
        created_at=at(3),
    )
    for minute, user in ((5, owner.user), (2, None)):
        factories.CallEventFactory.create(
            call=call,
            from_status="failed",
            to_status="pending",
            reason=EventReason.RETRY_REQUESTED,
            user=user,
            created_at=at(minute),
        )

    response = api.get(path(call), getattr(owner, credential))

    body = checked(response, 200)
    assert body["message"] == "Call fetched successfully"
    expected = {
        "_id": call.id,
        "batchId": batch.id,
        "phoneNumber": "12125551234",
        "timezone": "America/New_York",
        "variables": {"name": "Emily Davis", "account_id": "ACC-5678", "other": [1]},
        "callStatus": "completed",
        "attemptsMade": 2,
        "attempts": [
            {
                "requestUUID": "550e8400-e29b-41d4-a716-446655440000",
                "from": "12125550101",
                "callStatus": "queued",
                "callDuration": 0,
                "createdAt": "2025-05-15T14:03:00.000Z",
                "answeredAt": None,
                "endedAt": None,
            },
            {
                "requestUUID": "550e8400-e29b-41d4-a716-446655440001",
                "from": "12125550100",
                "callStatus": "completed",
                "callDuration": 120,
                "hangupCause": "NORMAL_CLEARING",
                "recordingUrl": "https://example.com/recording.mp3",
                "transcript": "Hello.",
                "uuid": "order-4711",
                "createdAt": "2025-05-15T14:06:00.000Z",
                "answeredAt": "2025-05-15T14:07:00.000Z",
                "endedAt": "2025-05-15T14:09:00.000Z",
            },
        ],
        "events": [
            {
                "from": "failed",
                "to": "pending",
                "reason": "retry_requested",
                "requestUUID": None,
                "detail": "",
                "userId": user_id,
                "createdAt": f"2025-05-15T14:0{minute}:00.000Z",
            }
            for minute, user_id in ((2, None), (5, owner.user.id))
        ],
        "waitingFor": None,
        "createdAt": "2025-05-15T14:00:00.000Z",
        "updatedAt": "2025-05-15T14:09:00.000Z",
    }
    assert json.dumps(body["data"]) == json.dumps(expected)


def test_the_time_zone_is_the_calls_own_or_else_the_batchs(api: Api, owner: Person) -> None:
    batch = batch_of(owner, timezone="Asia/Tokyo")
    assert shown(api, owner, call_of(batch, timezone="Europe/Paris"))["timezone"] == "Europe/Paris"
    assert shown(api, owner, call_of(batch))["timezone"] == "Asia/Tokyo"


# --- Access and cost ------------------------------------------------------------------------------


def test_a_foreign_an_unknown_and_a_call_of_a_deleted_batch_read_alike(
    api: Api, owner: Person, stranger: Person
) -> None:
    foreign = call_of(batch_of(stranger))
    deleted = call_of(batch_of(owner, deleted_at=at(0)))
    bodies = [
        checked(api.get(path(call), headers), 404)
        for call in (foreign, deleted, UNKNOWN_ID)
        for headers in (owner.with_key, owner.with_token)
    ]
    assert all(body == bodies[0] for body in bodies)


@pytest.mark.parametrize(("batch_status", "statements"), [("draft", 5), ("active", 10)])
def test_many_attempts_cost_as_many_statements_as_one(
    api: Api, owner: Person, member: Person, batch_status: str, statements: int
) -> None:
    """The credential, the call with its batch, attempts, events, names.

    In a batch that is being dialed also what it waits for: workspace, batch, list and lease, in flight,
    numbers.
    """
    batch = batch_of(owner, ["name"], status=batch_status)
    factories.BatchNumberFactory.create(batch=batch)
    session = factories.DialingSessionFactory.create(batch=batch, uuid="u")
    small, large = call_of(batch), call_of(batch)
    for call, number in ((small, 1), (large, 20)):
        for who in [owner, member] * number:
            factories.CallAttemptFactory.create(call=call, session=session)
            factories.CallEventFactory.create(
                call=call, from_status="failed", to_status="pending", user=who.user
            )
    shown(api, owner, small)  # writes the last use of the key

    with CaptureQueriesContext(connection) as few:
        shown(api, owner, small)
    with CaptureQueriesContext(connection) as many:
        assert len(shown(api, member, large)["attempts"]) == 40

    assert len(few) == statements
    assert len(many) - len(few) in (0, 1)  # the first use of the member's key

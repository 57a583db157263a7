"""GET /api/call/batch-stats/{batchId}: counts, answer rate, pace, forecast."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from batches.models import BatchStatus, CallBatch, CallStatus
from batches.statistics import statistics_of
from tests import factories
from tests.batches.test_batch_details import batch_of, call_of
from tests.cast import Api, Person
from tests.envelope import checked

UNKNOWN_ID = "64e5f12345abcdef87654321"


def path(batch: CallBatch | str) -> str:
    return f"/api/call/batch-stats/{batch if isinstance(batch, str) else batch.id}"


def shown(api: Api, who: Person, batch: CallBatch) -> Any:
    return checked(api.get(path(batch), who.with_key), 200)["data"]


def attempts(batch: CallBatch, number: int, **fields: Any) -> None:
    call = batch.calls.first() or call_of(batch)
    factories.CallAttemptFactory.create_batch(number, call=call, **fields)


NOTHING = dict.fromkeys(
    ["pending", "in-progress", "completed", "failed", "skipped", "unknown", "cancelled"], 0
)


@pytest.mark.parametrize("credential", ["with_key", "with_read_key", "with_token"])
def test_a_batch_without_calls(api: Api, owner: Person, credential: str) -> None:
    batch = batch_of(owner)
    body = checked(api.get(path(batch), getattr(owner, credential)), 200)
    assert body["message"] == "Statistics fetched successfully"
    expected: dict[str, Any] = {
        "batchId": batch.id,
        "batchStatus": "draft",
        "statusReason": None,
        "totalCalls": 0,
        "calls": NOTHING,
        "callsPicked": 0,
        "answerRate": None,
        "attempts": 0,
        "attemptsPerHour": [],
        "projectedFinish": None,
    }
    assert json.dumps(body["data"]) == json.dumps(expected)


def test_calls_are_counted_by_status(api: Api, owner: Person) -> None:
    batch = batch_of(owner, status="paused", status_reason="kill_switch")
    for number, status in enumerate(CallStatus.values):
        for _ in range(number):
            call_of(batch, status=status, is_picked=status == "failed")
    call_of(batch_of(owner))

    found = shown(api, owner, batch)

    assert found["calls"] == {status: number for number, status in enumerate(CallStatus.values)}
    assert (found["totalCalls"], found["callsPicked"]) == (21, CallStatus.values.index("failed"))
    assert (found["batchStatus"], found["statusReason"]) == ("paused", "kill_switch")


def test_the_answer_rate_is_of_the_attempts_that_have_ended(api: Api, owner: Person) -> None:
    batch = batch_of(owner)
    attempts(batch, 1, answered_at=now(), ended_at=now())
    attempts(batch, 2, ended_at=now())
    attempts(batch, 1, answered_at=now())
    attempts(batch, 1)
    attempts(batch_of(owner), 5, ended_at=now())

    found = shown(api, owner, batch)

    assert (found["answerRate"], found["attempts"]) == (0.3333, 5)


def test_the_attempts_of_the_last_24_hours_are_shown_by_utc_hour(api: Api, owner: Person) -> None:
    batch = batch_of(owner)
    moment = now()
    hour = moment.replace(minute=0, second=0, microsecond=0)
    attempts(batch, 3, created_at=moment - timedelta(hours=25))
    attempts(batch, 2, created_at=hour - timedelta(hours=5))
    attempts(batch, 1, created_at=hour - timedelta(hours=4, microseconds=1), answered_at=moment)
    attempts(batch, 4, created_at=hour - timedelta(hours=23), answered_at=moment)
    attempts(batch, 1, created_at=moment)

    found = shown(api, owner, batch)

    assert found["attempts"] == 11
    assert found["attemptsPerHour"] == [
        {"hour": iso(hour - timedelta(hours=23)), "attempts": 4, "answered": 4},
        {"hour": iso(hour - timedelta(hours=5)), "attempts": 3, "answered": 1},
        {"hour": iso(hour), "attempts": 1, "answered": 0},
    ]


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_the_forecast_goes_by_the_last_hour(api: Api, owner: Person) -> None:
    batch = batch_of(owner, status=BatchStatus.ACTIVE)
    for _ in range(30):
        call_of(batch)
    moment = now()
    attempts(batch, 20, created_at=moment - timedelta(minutes=59))
    attempts(batch, 50, created_at=moment - timedelta(minutes=61))

    assert statistics_of(batch, now=moment).projected_finish == moment + timedelta(hours=1.5)
    assert shown(api, owner, batch)["projectedFinish"].endswith("Z")


@pytest.mark.parametrize("status", sorted(set(BatchStatus.values) - {BatchStatus.ACTIVE}))
def test_a_batch_that_rests_has_no_forecast(api: Api, owner: Person, status: str) -> None:
    reason = "no_number" if status == "paused" else ""
    batch = batch_of(owner, status=status, status_reason=reason)
    attempts(batch, 1)
    assert shown(api, owner, batch)["projectedFinish"] is None


def test_without_a_pace_or_at_a_hopeless_one_there_is_no_forecast(api: Api, owner: Person) -> None:
    batch = batch_of(owner, status=BatchStatus.ACTIVE)
    call_of(batch)
    attempts(batch, 1, created_at=now() - timedelta(hours=2))
    assert shown(api, owner, batch)["projectedFinish"] is None

    attempts(batch, 1)
    assert shown(api, owner, batch)["projectedFinish"] is not None
    batch.counters.update(pending=2_000_000_000)
    try:
        assert shown(api, owner, batch)["projectedFinish"] is None
    finally:
        batch.counters.update(pending=1)


def test_a_deleted_a_foreign_and_an_unknown_batch_read_alike(
    api: Api, owner: Person, stranger: Person
) -> None:
    bodies = [
        checked(api.get(path(batch), headers), 404)
        for batch in (batch_of(owner, deleted_at=now()), batch_of(stranger), UNKNOWN_ID)
        for headers in (owner.with_key, owner.with_token)
    ]
    assert all(body == bodies[0] for body in bodies)


def test_many_attempts_cost_as_many_statements_as_none(api: Api, owner: Person) -> None:
    """The credential, batch, counters, attempts in all, attempts by hour."""
    none, many = batch_of(owner), batch_of(owner)
    for hours in range(20):
        attempts(many, 2, created_at=now() - timedelta(hours=hours))
    shown(api, owner, none)  # writes the last use of the key

    for batch in (none, many):
        with CaptureQueriesContext(connection) as statements:
            shown(api, owner, batch)
        assert len(statements) == 5

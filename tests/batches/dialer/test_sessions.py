"""Starts and additions, as the dialer understands them. Through HTTP, then step by step."""

from typing import Any

from django.utils import timezone

from batches.dialer.claim import claim_calls
from batches.dialer.store import Claimed
from batches.models import Call, CallAttempt, CallBatch, DialingSession
from calling.carriers.base import CallProgress
from tests import factories
from tests.batches.dialer.steps import LEASE, call_of, end, status_of
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.models import DialSchedule

ONE, TWO = "12125551001", "12125551002"


def batch_with(owner: Person, *numbers: str) -> CallBatch:
    batch: CallBatch = factories.CallBatchFactory.create(
        workspace=owner.workspace, created_by=owner.user
    )
    factories.BatchNumberFactory.create(batch=batch)
    for number in numbers:
        factories.CallFactory.create(batch=batch, phone_number=f"+{number}")
    return batch


def start(api: Api, owner: Person, batch: CallBatch, **fields: Any) -> None:
    body = {"batchId": batch.id, "userId": owner.user.id, **fields}
    checked(api.post("/api/call/start-calling", body, owner.with_key), 200)


def add(api: Api, owner: Person, batch: CallBatch, number: str) -> None:
    body = {"batchId": batch.id, "call_data": [{"phoneNumber": number}]}
    checked(api.post("/api/call/addCallsToBatch", body, owner.with_key), 200)


def claimed() -> list[Claimed]:
    """What a dialer takes at this moment."""
    found = claim_calls(now=timezone.now(), most=10, lease=LEASE)
    return found.calls if found else []


def complete(calls: list[Claimed]) -> None:
    for one in calls:
        end(one, CallProgress.COMPLETED, timezone.now())


def test_a_start_for_some_calls_dials_those_and_is_over_when_they_are(
    api: Api, owner: Person
) -> None:
    batch = batch_with(owner, ONE)
    start(api, owner, batch, callData=[{"phoneNumber": TWO}])
    calls = claimed()
    assert [one.to_number for one in calls] == [f"+{TWO}"]
    complete(calls)
    assert status_of(batch) == "completed"
    assert Call.objects.get(phone_number=f"+{ONE}").status == "pending"

    start(api, owner, batch)
    calls = claimed()
    assert [one.to_number for one in calls] == [f"+{ONE}"]
    complete(calls)
    assert status_of(batch) == "completed"


def test_calls_added_to_an_active_batch_are_dialed(api: Api, owner: Person) -> None:
    batch = batch_with(owner, ONE)
    start(api, owner, batch)
    assert len(claimed()) == 1
    DialSchedule.objects.update(next_dial_at=None)
    add(api, owner, batch, TWO)
    assert [one.to_number for one in claimed()] == [f"+{TWO}"]


def test_calls_added_to_a_completed_batch_make_it_active_and_are_dialed(
    api: Api, owner: Person
) -> None:
    batch = batch_with(owner, ONE)
    start(api, owner, batch)
    complete(claimed())
    assert status_of(batch) == "completed"
    add(api, owner, batch, TWO)
    assert status_of(batch) == "active"
    assert [one.to_number for one in claimed()] == [f"+{TWO}"]


def test_a_draft_and_a_stopped_batch_wait_for_their_start(api: Api, owner: Person) -> None:
    batch = batch_with(owner)
    add(api, owner, batch, ONE)
    assert claimed() == []
    start(api, owner, batch)
    body = {"batchId": batch.id, "userId": owner.user.id}
    checked(api.post("/api/call/stop-calling", body, owner.with_key), 200)
    add(api, owner, batch, TWO)
    assert claimed() == []


def test_adding_a_completed_call_again_dials_it_anew(api: Api, owner: Person) -> None:
    """A fresh count of attempts, and another phone log beside the first."""
    batch = batch_with(owner, ONE)
    start(api, owner, batch)
    [first] = claimed()
    complete([first])
    assert call_of(first).attempts_made == 1
    add(api, owner, batch, ONE)
    call = call_of(first)
    assert (call.status, call.attempts_made) == ("pending", 0)
    [second] = claimed()
    assert second.call_id == first.call_id
    assert second.request_uuid != first.request_uuid
    assert CallAttempt.objects.filter(call=call).count() == 2


def test_the_reference_of_a_start_is_in_the_phone_logs(api: Api, owner: Person) -> None:
    batch = batch_with(owner, ONE)
    start(api, owner, batch, uuid="order-4711")
    [one] = claimed()
    assert one.session_id == bytes.fromhex(DialingSession.objects.get().id)
    details = checked(api.get(f"/api/call/batch-details/{batch.id}", owner.with_key), 200)
    [log] = details["data"]["data"][0]["phoneLogs"]
    assert log["uuid"] == "order-4711"
    shown = checked(api.get(f"/api/call/call-details/{one.call_id.hex()}", owner.with_key), 200)
    assert shown["data"]["attempts"][0]["uuid"] == "order-4711"

"""cancel-calls on a contact that is being dialed at this moment."""

from typing import Any

from django.utils import timezone

from batches.dialer.gate import pass_gate
from batches.dialer.looks import take_due_looks
from batches.dialer.store import Claimed
from batches.models import CallBatch, Lease
from calling.carriers.base import CallProgress
from tests.batches.dialer.steps import (
    LEASE,
    call_of,
    claim_one,
    dialed_batch,
    heard,
    put_back,
    record,
    ring,
    status_of,
)
from tests.cast import Api, Person
from tests.envelope import checked


def cancel(api: Api, owner: Person, batch: CallBatch, claimed: Claimed) -> Any:
    body = {"batchId": batch.id, "callIds": [claimed.call_id.hex()]}
    return checked(api.post("/api/call/cancel-calls", body, owner.with_key), 200)["data"]


def test_one_that_has_not_been_placed_yet_is_stopped_at_the_gate(api: Api, owner: Person) -> None:
    batch = dialed_batch(owner)
    now = timezone.now()
    claimed = claim_one(now)
    answer = cancel(api, owner, batch, claimed)
    assert (answer["cancelled"], answer["callIds"]) == (0, [])
    assert answer["hangingUp"] == [claimed.call_id.hex()]
    refused = pass_gate([claimed.attempt_id], now=now).refused
    [why] = refused[batch.id].values()
    put_back(claimed, why)
    assert call_of(claimed).status == "cancelled"
    assert status_of(batch) == "completed"


def test_one_that_rings_is_looked_after_at_once_to_be_hung_up(api: Api, owner: Person) -> None:
    batch = dialed_batch(owner)
    claimed = ring(timezone.now())
    cancel(api, owner, batch, claimed)
    assert call_of(claimed).status == "in-progress"
    [look] = take_due_looks(now=timezone.now(), most=10, lease=LEASE)
    assert look.is_cancel_requested
    record(claimed, heard(claimed, CallProgress.CANCELED, timezone.now()))
    assert call_of(claimed).status == "cancelled"
    assert status_of(batch) == "completed"


def test_one_that_is_busy_after_all_is_not_tried_again(api: Api, owner: Person) -> None:
    batch = dialed_batch(owner, retry=3)
    claimed = ring(timezone.now())
    cancel(api, owner, batch, claimed)
    record(claimed, heard(claimed, CallProgress.BUSY, timezone.now()))
    assert call_of(claimed).status == "cancelled"


def test_one_that_is_answered_first_is_completed(api: Api, owner: Person) -> None:
    batch = dialed_batch(owner)
    claimed = ring(timezone.now())
    cancel(api, owner, batch, claimed)
    record(claimed, heard(claimed, CallProgress.IN_PROGRESS, timezone.now()))
    record(claimed, heard(claimed, CallProgress.COMPLETED, timezone.now()))
    call = call_of(claimed)
    assert (call.status, call.is_picked, call.is_cancel_requested) == ("completed", True, False)
    assert not Lease.objects.exists()

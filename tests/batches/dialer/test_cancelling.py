"""cancel-calls on a contact that is being dialed at this moment."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from batches.dialer.gate import not_dialed, pass_gate
from batches.dialer.looking import look_after
from batches.dialer.looks import NEVER_PLACED, note_accepted, take_due_looks
from batches.dialer.placing import Result
from batches.dialer.records import record_results
from batches.dialer.store import Claimed
from batches.models import CallAttempt, CallBatch, Lease
from batches.services.returns import Return
from calling.carriers.base import CallProgress, CallReport, CarrierUnsure, Credentials
from calling.carriers.registry import CARRIERS
from tests.batches.dialer.steps import (
    LEASE,
    PATIENCE,
    TIMING,
    call_of,
    claim_one,
    dialed_batch,
    heard,
    put_back,
    record,
    report,
    ring,
    status_of,
    timeline,
)
from tests.cast import Api, Person
from tests.envelope import checked


class Carrier:
    """Tells of every call the same, and notes what it is asked; `fault` when it is to hang up."""

    def __init__(self) -> None:
        self.progress = CallProgress.CANCELED
        self.fault: Exception | None = None
        self.asked: list[tuple[str, UUID, str]] = []

    async def hang_up(self, _: Credentials, request_uuid: UUID, carrier_call_id: str) -> None:
        self.asked.append(("hang_up", request_uuid, carrier_call_id))
        if self.fault:
            raise self.fault

    async def lookup(self, _: Credentials, request_uuid: UUID, carrier_call_id: str) -> CallReport:
        self.asked.append(("lookup", request_uuid, carrier_call_id))
        return report(self.progress, timezone.now())


@pytest.fixture
def carrier(monkeypatch: pytest.MonkeyPatch) -> Carrier:
    made = Carrier()
    monkeypatch.setitem(CARRIERS, "simulator", made)
    return made


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


def look_after_it() -> None:
    """What a dialer does next."""
    [look] = take_due_looks(now=timezone.now(), most=10, lease=LEASE)
    then = asyncio.run(look_after(look, TIMING))
    assert isinstance(then, Result)
    assert record_results([then], TIMING, now=timezone.now()) == []


def test_one_that_rings_is_hung_up_at_once_and_then_cancelled(
    api: Api, owner: Person, carrier: Carrier
) -> None:
    batch = dialed_batch(owner, retry=3)
    claimed = ring(timezone.now())
    note_accepted({claimed.attempt_id: "CA-1"}, look_at=timezone.now() + PATIENCE)
    answer = cancel(api, owner, batch, claimed)
    assert answer == {
        "batchId": batch.id,
        "cancelled": 0,
        "callIds": [],
        "hangingUp": [claimed.call_id.hex()],
    }
    assert call_of(claimed).status == "in-progress"

    look_after_it()

    assert carrier.asked == [
        ("hang_up", claimed.request_uuid, "CA-1"),
        ("lookup", claimed.request_uuid, "CA-1"),
    ]
    call = call_of(claimed)
    assert (call.status, call.is_cancel_requested) == ("cancelled", False)
    assert timeline(call)[-1] == ("cancelled", "cancel_requested", "canceled")
    assert not Lease.objects.exists()
    assert status_of(batch) == "completed"


def test_one_that_talks_by_the_time_of_the_hang_up_is_not_cut_off(
    api: Api, owner: Person, carrier: Carrier
) -> None:
    batch = dialed_batch(owner)
    claimed = ring(timezone.now())
    cancel(api, owner, batch, claimed)
    carrier.progress = CallProgress.IN_PROGRESS
    look_after_it()
    assert CallAttempt.objects.get().status == "in-progress"
    record(claimed, heard(claimed, CallProgress.COMPLETED, timezone.now()))
    assert call_of(claimed).status == "completed"


def test_a_carrier_that_does_not_hang_up_is_asked_all_the_same_how_it_went(
    api: Api, owner: Person, carrier: Carrier
) -> None:
    batch = dialed_batch(owner)
    claimed = ring(timezone.now())
    cancel(api, owner, batch, claimed)
    carrier.fault = CarrierUnsure("No answer.")
    carrier.progress = CallProgress.NO_ANSWER
    look_after_it()
    assert call_of(claimed).status == "cancelled"


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


@pytest.mark.parametrize(
    "why", [not_dialed("dialer_lost"), not_dialed("window_closed"), NEVER_PLACED], ids=str
)
def test_one_that_comes_back_undialed_after_all_stays_out(
    api: Api, owner: Person, why: Return
) -> None:
    """The dialer died with it, or the carrier never got it: that is no reason to call it later."""
    batch = dialed_batch(owner)
    claimed = claim_one(timezone.now())
    cancel(api, owner, batch, claimed)
    put_back(claimed, why, timezone.now())
    call = call_of(claimed)
    assert (call.status, call.is_cancel_requested) == ("cancelled", False)
    assert timeline(call)[-1] == ("cancelled", "cancel_requested", why.detail)
    assert status_of(batch) == "completed"


def test_one_that_the_carrier_accepts_only_then_is_looked_after_all_the_same(
    api: Api, owner: Person
) -> None:
    batch = dialed_batch(owner)
    claimed = ring(timezone.now())
    cancel(api, owner, batch, claimed)
    note_accepted({claimed.attempt_id: "CA-1"}, look_at=timezone.now() + PATIENCE)
    assert len(take_due_looks(now=timezone.now(), most=10, lease=LEASE)) == 1


def test_one_that_is_reported_to_ring_only_then_is_looked_after_all_the_same(
    api: Api, owner: Person
) -> None:
    batch = dialed_batch(owner)
    claimed = ring(timezone.now())
    cancel(api, owner, batch, claimed)
    record(claimed, heard(claimed, CallProgress.RINGING, timezone.now()))
    assert len(take_due_looks(now=timezone.now(), most=10, lease=LEASE)) == 1

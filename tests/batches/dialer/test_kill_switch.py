"""A kill switch in the middle of dialing: no further call is placed, and none is lost."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from batches.dialer import steps
from batches.dialer.claim import LOOK_EVERY
from batches.dialer.gate import pass_gate
from batches.models import Call, CallAttempt, CallBatch, CallEvent, Lease
from batches.services.kill_switches import Target, engage, release
from batches.services.returns import close_if_idle, give_back
from calling.carriers.base import CallProgress
from calling.models import CarrierAccount, PhoneNumber
from tests import factories
from tests.batches.contacts import counted
from tests.batches.dialer.in_process import QUICK, StubCarrier, dialing, statuses
from tests.batches.dialer.steps import (
    NOW,
    TIMING,
    after,
    call_of,
    claim,
    claim_one,
    dialed_batch,
    end,
    heard,
    next_dial_at,
    number_of,
    record,
    ring,
    status_of,
    timeline,
)
from tests.batches.dialer.test_loop import Gate
from tests.cast import Person
from tests.suites import slow_but_the_first
from workspaces.callers import Actor
from workspaces.models import Workspace
from workspaces.services.dialing import wake

KINDS = ["workspace", "phonenumber", "carrieraccount"]
WHY = "Complaints."


@pytest.fixture
def phone(owner: Person) -> PhoneNumber:
    """With an account."""
    return number_of(
        owner, account=factories.CarrierAccountFactory.create(workspace=owner.workspace)
    )


def target_of(phone: PhoneNumber, kind: str) -> Target:
    if kind == "workspace":
        return Workspace.objects.get(id=phone.workspace_id)
    if kind == "phonenumber":
        return PhoneNumber.objects.get(id=phone.id)
    return CarrierAccount.objects.get(numbers=phone)


def throw(phone: PhoneNumber, kind: str) -> None:
    assert engage(target=target_of(phone, kind), reason=WHY, actor=Actor(), now=NOW).is_changed


def reactivate(batch: CallBatch) -> None:
    """As a start does that had looked before the switch was thrown."""
    CallBatch.objects.filter(id=batch.id).update(status="active", status_reason="")
    wake(batch.workspace_id, NOW)


# --- The gate -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_active", [True, False])
def test_what_is_in_hand_is_not_placed_and_costs_no_attempt(
    owner: Person, phone: PhoneNumber, kind: str, is_active: bool
) -> None:
    """Whether the batch is paused with it, as it should be, or not."""
    batch = dialed_batch(owner, phones=[phone])
    claimed = claim_one()
    throw(phone, kind)
    if is_active:
        reactivate(batch)
    passed = pass_gate([claimed.attempt_id], now=NOW)
    assert not passed.sent
    [(batch_id, returns)] = passed.refused.items()
    give_back(batch_id=batch_id, returns=returns, now=NOW)
    call = call_of(claimed)
    assert (call.status, call.attempts_made) == ("pending", 0)
    assert timeline(call)[-1] == ("pending", "not_dialed", "kill_switch")
    assert counted(batch) == {"pending": 1}
    assert not Lease.objects.exists()
    assert not CallAttempt.objects.exists()


def test_of_two_numbers_only_the_calls_of_the_killed_one_are_held_back(
    owner: Person, phone: PhoneNumber
) -> None:
    other = number_of(owner)
    batch = dialed_batch(owner, 4, phones=[phone, other])
    claimed = {one.attempt_id: one for one in claim().calls}
    throw(phone, "phonenumber")
    passed = pass_gate(list(claimed), now=NOW)
    assert {claimed[id_].from_number for id_ in passed.sent} == {other.number}
    assert len(passed.sent) == len(passed.refused[batch.id]) == 2
    assert status_of(batch) == "active"


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_that_rings_goes_on_and_is_recorded(
    owner: Person, phone: PhoneNumber, kind: str
) -> None:
    batch = dialed_batch(owner, phones=[phone], retry=1)
    ringing = ring()
    throw(phone, kind)
    assert record(ringing, heard(ringing, CallProgress.IN_PROGRESS, after(1))) == []
    assert record(ringing, heard(ringing, CallProgress.COMPLETED, after(9))) == []
    assert call_of(ringing).status == "completed"
    assert status_of(batch) == "paused"


# --- The claim ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_claimed_and_a_batch_that_is_active_all_the_same_is_paused(
    owner: Person, phone: PhoneNumber, kind: str
) -> None:
    batch = dialed_batch(owner, 3, phones=[phone])
    throw(phone, kind)
    reactivate(batch)
    found = claim()
    assert found.calls == []
    assert [id_.hex() for id_ in found.without_number] == [batch.id]
    assert next_dial_at(owner.workspace) == NOW + LOOK_EVERY, "once a minute, no more often"
    close_if_idle(batch_id=batch.id, now=NOW)
    paused = CallBatch.objects.get(id=batch.id)
    assert (paused.status, paused.status_reason) == ("paused", "kill_switch")
    assert claim(NOW + LOOK_EVERY).without_number == []
    assert next_dial_at(owner.workspace) is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_dialers_own_look_pauses_it(owner: Person, phone: PhoneNumber, kind: str) -> None:
    batch = dialed_batch(owner, 1, phones=[phone])
    throw(phone, kind)
    reactivate(batch)
    steps.look_for_work(TIMING, 10)
    assert status_of(batch) == "paused"


def test_a_batch_with_nothing_left_to_dial_is_completed_rather_than_paused(
    owner: Person, phone: PhoneNumber
) -> None:
    batch = dialed_batch(owner, 0, phones=[phone])
    factories.CallFactory.create(batch=batch, status="completed")
    throw(phone, "workspace")
    reactivate(batch)
    close_if_idle(batch_id=batch.id, now=NOW)
    assert status_of(batch) == "completed"


@pytest.mark.parametrize("kind", ["phonenumber", "carrieraccount"])
def test_a_killed_number_is_passed_over(owner: Person, phone: PhoneNumber, kind: str) -> None:
    other = number_of(owner)
    dialed_batch(owner, 3, phones=[phone, other])
    throw(phone, kind)
    assert [one.from_number for one in claim().calls] == [other.number] * 3


@pytest.mark.parametrize("kind", ["phonenumber", "carrieraccount"])
def test_a_retry_comes_from_another_number_and_stays_there(
    owner: Person, phone: PhoneNumber, kind: str
) -> None:
    """As when its own is no longer active."""
    other = number_of(owner)
    dialed_batch(owner, 1, phones=[phone, other], retry=3, delay=0)
    first = claim_one()
    assert first.from_number == phone.number
    end(first, CallProgress.BUSY)
    throw(phone, kind)
    second = claim_one(after(1))
    assert second.from_number == other.number
    end(second, CallProgress.BUSY, after(1))
    release(target=target_of(phone, kind), actor=Actor(), now=after(2))
    assert claim_one(after(2)).from_number == other.number


def test_the_account_of_another_workspace_is_another_switch(
    owner: Person, stranger: Person, phone: PhoneNumber
) -> None:
    assert phone.account is not None
    theirs = factories.CarrierAccountFactory.create(
        workspace=stranger.workspace, digest=phone.account.digest
    )
    dialed_batch(stranger, 1, phones=[number_of(stranger, account=theirs)])
    throw(phone, "carrieraccount")
    assert len(claim().calls) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_released_and_resumed_it_goes_on_where_it_was(
    owner: Person, phone: PhoneNumber, kind: str
) -> None:
    batch = dialed_batch(owner, 2, phones=[phone])
    throw(phone, kind)
    assert claim().calls == []
    release(target=target_of(phone, kind), actor=Actor(), now=after(60), resume=True)
    assert status_of(batch) == "active"
    assert len(claim(after(60)).calls) == 2


# --- The whole dialer -----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", KINDS)
def test_calls_between_claim_and_gate_are_not_placed(
    owner: Person,
    phone: PhoneNumber,
    carrier: StubCarrier,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    batch = dialed_batch(owner, 20, phones=[phone])
    gate = Gate(monkeypatch)

    async def scenario() -> None:
        async with dialing() as eyes:
            await eyes.until(gate.reached.is_set)
            assert await eyes.thread.run(Lease.objects.count) == 20
            await eyes.thread.run(throw, phone, kind)
            gate.opened.set()
            await eyes.until(lambda: not Lease.objects.exists())

    asyncio.run(scenario())
    assert carrier.rings == []
    assert statuses() == ["pending"] * 20
    assert status_of(batch) == "paused"
    assert set(CallEvent.objects.exclude(reason="claimed").values_list("reason", "detail")) == {
        ("not_dialed", "kill_switch")
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", slow_but_the_first(KINDS))
def test_thrown_in_full_flow_nothing_rings_afterwards(
    owner: Person, phone: PhoneNumber, carrier: StubCarrier, kind: str
) -> None:
    """What had passed the gate at that moment may still be on its way to the carrier."""
    CarrierAccount.objects.update(calls_per_second=50)
    dialed_batch(owner, 400, phones=[phone])
    thrown_at: list[float] = []

    def throw_now() -> None:
        throw(phone, kind)
        thrown_at.append(time.monotonic())

    async def scenario() -> None:
        async with dialing() as eyes:
            await eyes.until(lambda: len(carrier.rings) >= 10)
            await eyes.thread.run(throw_now)
            await eyes.until(lambda: not Lease.objects.exists())
            await asyncio.sleep(0.5)

    asyncio.run(scenario())
    rung = len(carrier.rings)
    assert 10 <= rung < 400
    late = [at - thrown_at[0] for at, _ in carrier.rings if at > thrown_at[0]]
    assert not [seconds for seconds in late if seconds > 3], "all would take 8 seconds"
    assert Call.objects.filter(status="completed").count() == rung
    assert Call.objects.filter(status="pending", attempts_made=0).count() == 400 - rung


@pytest.mark.django_db(transaction=True)
def test_calls_that_wait_for_the_pace_behind_the_gate_are_looked_at_again(
    owner: Person, phone: PhoneNumber, carrier: StubCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a stall all that are due pass the gate at once, and keep their distance behind it."""
    CarrierAccount.objects.update(calls_per_second=2)
    dialed_batch(owner, 6, phones=[phone])
    gate = Gate(monkeypatch)
    patient = replace(QUICK, lease=timedelta(seconds=30), patience=timedelta(seconds=30))

    def all_are_due() -> bool:
        return CallAttempt.objects.filter(created_at__lt=timezone.now()).count() == 6

    async def scenario() -> None:
        async with dialing(patient) as eyes:
            await eyes.until(all_are_due)
            gate.opened.set()
            await eyes.until(lambda: Lease.objects.filter(sent_at__isnull=False).count() >= 4)
            await eyes.thread.run(throw, phone, "phonenumber")
            await eyes.until(lambda: not Lease.objects.exists())

    asyncio.run(scenario())
    assert len(carrier.rings) <= 2
    held_back = CallEvent.objects.filter(reason="never_placed", detail="kill_switch")
    assert held_back.count() >= 3
    assert Call.objects.filter(status="pending", attempts_made=0).count() >= 4

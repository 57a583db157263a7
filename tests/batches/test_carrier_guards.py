"""What must hold when things go wrong at the same time: locks, odd texts, late refusals."""

import asyncio
from datetime import timedelta

import pytest
from django.utils import timezone

from batches.dialer.gate import pass_gate
from batches.dialer.placing import Placer
from batches.dialer.records import record_results
from batches.models import Call, CallAttempt, CallBatch, CallEvent, RotationCursor
from calling.carriers.base import CarrierError
from calling.models import Agent, CarrierAccount, PhoneNumber
from tests import factories
from tests.batches.dialer.steps import TIMING
from tests.batches.toy_calls import asked, claimed, place, tell
from tests.calling.carriers.toy import Toy
from tests.cast import Person
from workspaces.models import DialSchedule


def test_whatever_a_carrier_says_its_account_keeps_it(toy: Toy, toy_batch: CallBatch) -> None:
    odd = "No \0 and \ud800."
    toy.refuses = lambda request: CarrierError(odd, permanent=True, of_account=True, code="no")
    place()
    toy_batch.refresh_from_db()
    assert toy_batch.status_reason == "carrier_refused"
    assert CarrierAccount.objects.get().last_error == "No  and ?."


def test_a_call_that_is_claimed_waits_for_an_account_that_rests(
    toy: Toy, toy_batch: CallBatch
) -> None:
    call = claimed()
    CarrierAccount.objects.update(resting_until=timezone.now() + timedelta(seconds=30))
    passed = pass_gate([call.attempt_id], now=timezone.now())
    assert passed.sent == set()
    [refusal] = passed.refused[call.batch_id.hex()].values()
    assert refusal.detail == "carrier_resting"


def test_a_success_after_failures_wakes_the_workspace(toy: Toy, toy_batch: CallBatch) -> None:
    CarrierAccount.objects.update(failures=2)
    call = claimed()
    later = timezone.now() + timedelta(hours=1)
    DialSchedule.objects.update(next_dial_at=later)
    result = asyncio.run(Placer(TIMING).place(call))
    assert result is not None
    record_results([result], TIMING, now=timezone.now())
    due = DialSchedule.objects.get().next_dial_at
    assert due is not None
    assert due < later


def test_a_call_that_a_callback_told_of_is_not_put_back(toy: Toy, toy_batch: CallBatch) -> None:
    """The carrier refuses it after all, which it cannot: somebody's phone rings."""
    call = claimed()

    def rings_and_refuses() -> CarrierError:
        return CarrierError("No.", permanent=False, code="away")

    toy.refuses = lambda request: rings_and_refuses()
    result = asyncio.run(Placer(TIMING).place(call))
    assert result is not None
    assert tell(toy.rings[0].callback_url, {"status": "ringing"}) == "recorded"
    record_results([result], TIMING, now=timezone.now())
    assert CallAttempt.objects.get().status == "ringing"
    assert Call.objects.get().status == "in-progress"


def test_an_answer_that_is_told_twice_is_no_callback_in_vain(
    toy: Toy, toy_batch: CallBatch
) -> None:
    place()
    [ring] = toy.rings
    assert tell(ring.callback_url, {"status": "in-progress"}) == "recorded"
    asked(ring.answer_url, {"status": "in-progress"})
    assert "callback_ignored" not in CallEvent.objects.values_list("reason", flat=True)


@pytest.mark.parametrize("has_agent", [True, False])
def test_a_contact_leaves_a_number_that_has_lost_its_agent(
    toy: Toy, toy_batch: CallBatch, toy_phone: PhoneNumber, owner: Person, has_agent: bool
) -> None:
    other = factories.PhoneNumberFactory.create(
        workspace=owner.workspace,
        carrier="toy",
        agent=Agent.objects.get(),
        account=CarrierAccount.objects.get(),
    )
    factories.BatchNumberFactory.create(batch=toy_batch, phone=other, position=1)
    Call.objects.update(caller=toy_phone)
    RotationCursor.objects.create(
        batch=toy_batch, workspace=owner.workspace, position=0, claimed_at=timezone.now()
    )
    if not has_agent:
        PhoneNumber.objects.filter(id=toy_phone.id).update(agent=None)
    assert claimed().phone_id.hex() == (toy_phone.id if has_agent else other.id)

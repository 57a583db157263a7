"""A call that is given up as never placed must not ring afterwards: late requests, late answers."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from batches.dialer.looking import look_after
from batches.dialer.looks import Later, Look
from batches.models import CallAttempt, CallStatus
from calling.carriers.base import CallReport, CallRequest, CarrierUnsure, Credentials
from calling.carriers.simulator import Simulator
from calling.models import SimulatedCall
from tests.batches.dialer.in_process import QUICK, StubCarrier, completed, end_as
from tests.batches.dialer.steps import dialed_batch
from tests.cast import Person

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_look_up_is_believed_as_of_the_moment_when_it_was_asked(carrier: StubCarrier) -> None:
    """It took so long that it would be believed by now; meanwhile the number may have rung."""

    def in_its_own_time() -> CallReport | None:
        time.sleep(0.4)
        return None

    carrier.finds = in_its_own_time
    look = Look(
        attempt_id=b"a" * 12,
        batch_id=b"b" * 12,
        sent_at=timezone.now(),
        looks=0,
        unsure_since=timezone.now(),
        request_uuid=uuid4(),
        carrier_call_id="",
        is_cancel_requested=False,
        carrier="simulator",
        credentials=Credentials("", ""),
    )
    assert isinstance(asyncio.run(look_after(look, QUICK)), Later)


@pytest.mark.parametrize(("seconds", "rings"), [(-0.01, 0), (60, 1)])
def test_a_request_that_reaches_the_simulator_after_its_time_rings_nobody(
    seconds: float, rings: int
) -> None:
    """Whoever sent it was frozen; by now its call may have been dialed by somebody else."""
    request = CallRequest(
        request_uuid=uuid4(),
        from_number="+12125550100",
        to_number="+13105552034",
        callback_url="",
        not_after=timezone.now() + timedelta(seconds=seconds),
    )

    async def place() -> str:
        simulator = Simulator()
        try:
            return (await simulator.place(Credentials("AC1", "token"), request)).progress
        except CarrierUnsure:
            return "unsure"
        finally:
            await asyncio.to_thread(simulator.close)

    assert asyncio.run(place()) == ("queued" if rings else "unsure")
    assert SimulatedCall.objects.count() == rings


def test_a_carrier_is_told_until_when_it_may_ring(owner: Person, carrier: StubCarrier) -> None:
    told: list[datetime] = []

    async def note(request: CallRequest) -> CallReport:
        told.append(request.not_after or datetime.max.replace(tzinfo=UTC))
        return completed()

    carrier.answer = note
    dialed_batch(owner, 1)
    before = timezone.now()
    end_as(CallStatus.COMPLETED)
    [not_after] = told
    # Neither while it may be given time to answer, nor when others look the call up.
    assert before + QUICK.lease / 2 < not_after < CallAttempt.objects.get().created_at + QUICK.lease

"""The simulator's books: each request rings once, and what it became is found again."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calling.carriers.base import CallRequest
from calling.carriers.simulator import ledger
from calling.carriers.simulator.script import report_at
from calling.models import SimulatedCall
from calling.tasks import clean_up_simulated_calls
from tests.calling.simulator.calls import request

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def ring(*requests: CallRequest, after: float = 0) -> list[SimulatedCall]:
    return ledger.ring(requests, time_scale=1, now=NOW + timedelta(seconds=after))


def progress(one: CallRequest, after: float = 60) -> str:
    call = ledger.find(one.request_uuid)
    assert call is not None
    return report_at(ledger.plan_of(call), NOW + timedelta(seconds=after)).progress


def test_a_request_rings_once_however_often_it_is_made() -> None:
    one, other = request(), request()
    first, again, second = ring(one, one, other)
    later, third = ring(one, request(), after=5)

    assert first.id == again.id == later.id
    assert later.rang_at == NOW
    assert len({first.id, second.id, third.id}) == 3
    assert SimulatedCall.objects.count() == 3


def test_many_numbers_ring_with_as_few_statements_as_one() -> None:
    with CaptureQueriesContext(connection) as few:
        ring(request("05"))
    with CaptureQueriesContext(connection) as many:
        ring(*(request("05") for _ in range(200)))
    assert len(many) == len(few)


def test_05_is_busy_at_first_and_answers_the_same_caller_the_next_time() -> None:
    first, second, third = request("05"), request("05"), request("05")
    stranger = request("05", from_number="+12125550199")
    ring(first)
    ring(second, stranger)
    ring(third)

    assert [progress(one) for one in (first, second, third)] == ["busy", "completed", "completed"]
    assert progress(stranger) == "busy"


def test_asking_for_a_busy_05_again_does_not_make_it_answered() -> None:
    one = request("05")
    ring(one)
    ring(one)
    assert progress(one) == "busy"


@pytest.mark.parametrize(
    ("digits", "after", "end"),
    [
        *(("10", 0, "canceled"), ("10", 7.9, "canceled"), ("10", 8, "completed")),
        *(("10", 29, "completed"), ("01", 0.2, "canceled"), ("01", 2, "busy")),
    ],
)
def test_only_a_call_that_nobody_answered_is_hung_up(digits: str, after: float, end: str) -> None:
    one = request(digits)
    ring(one)
    ledger.hang_up(one.request_uuid, now=NOW + timedelta(seconds=after))
    assert progress(one) == end
    ledger.hang_up(one.request_uuid, now=NOW + timedelta(seconds=after + 0.05))
    call = SimulatedCall.objects.get()
    hung_up_at = NOW + timedelta(seconds=after) if end == "canceled" else None
    assert call.hung_up_at == hung_up_at
    # Told without delay.
    due = hung_up_at if after == 0 else NOW + timedelta(seconds=0.1)
    assert call.next_callback_at == due


def test_hanging_up_what_never_rang_does_nothing() -> None:
    ledger.hang_up(request().request_uuid, now=NOW)
    assert not SimulatedCall.objects.exists()


@pytest.mark.parametrize("digits", ["06", "08", "09"])
def test_what_is_never_told_is_never_due(digits: str) -> None:
    one = request(digits)
    ring(one)
    ledger.hang_up(one.request_uuid, now=NOW)
    assert SimulatedCall.objects.get().next_callback_at is None


def test_a_call_without_an_address_is_told_to_nobody() -> None:
    ring(request(callback_url=""))
    assert SimulatedCall.objects.get().next_callback_at is None


def test_a_callback_is_claimed_by_one_sender_until_its_lease_ends() -> None:
    ring(request(), request("11"))
    lease = timedelta(seconds=30)

    def claim(after: float, limit: int = 10) -> int:
        now = NOW + timedelta(seconds=after)
        return len(ledger.claim_callbacks(limit=limit, lease=lease, now=now))

    assert [claim(0.05), claim(0.1, limit=1), claim(0.1), claim(0.1)] == [0, 1, 1, 0]
    assert [claim(30.0), claim(30.2), claim(30.2)] == [0, 2, 0]


def test_a_delivery_that_somebody_else_recorded_changes_nothing() -> None:
    (call,) = ring(request())
    done = ledger.Delivery(call_id=call.id, number=0, is_delivered=True)
    ledger.record_deliveries([done], now=NOW)
    ledger.record_deliveries([done], now=NOW)
    call.refresh_from_db()
    assert call.callbacks_sent == 1


def test_a_callback_is_tried_five_times_again_and_then_the_next_one_is() -> None:
    (call,) = ring(request())
    waits = []
    for _ in range(6):
        failed = ledger.Delivery(call_id=call.id, number=0, is_delivered=False)
        ledger.record_deliveries([failed], now=NOW)
        call.refresh_from_db()
        assert call.next_callback_at is not None
        waits.append((call.next_callback_at - NOW).total_seconds())
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert (call.callbacks_sent, call.callback_failures) == (1, 0)
    upcoming = ledger.next_callback(call)
    assert upcoming is not None
    assert (upcoming.progress, upcoming.at) == ("in-progress", call.next_callback_at)


def test_calls_are_forgotten_after_a_week() -> None:
    old, young = request(), request()
    for one, days in ((old, 7.01), (young, 6.99)):
        ledger.ring([one], time_scale=1, now=timezone.now() - timedelta(days=days))
    assert clean_up_simulated_calls(0) == 1
    assert SimulatedCall.objects.get().request_uuid == young.request_uuid

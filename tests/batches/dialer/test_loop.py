"""The dialer as a whole, in this process: what carriers answer, limits, stopping, and disturbances."""

import asyncio
import threading
import time
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from batches.dialer import loop, placing, steps
from batches.models import Call, CallAttempt, CallBatch, CallEvent, CallStatus, Lease
from calling.carriers.base import CallReport, CallRequest, CarrierError, CarrierUnsure
from tests import factories
from tests.batches.dialer.in_process import (
    QUICK,
    WITHIN,
    Answer,
    StubCarrier,
    all_are,
    completed,
    dialing,
    end_as,
    statuses,
)
from tests.batches.dialer.steps import dialed_batch, number_of
from tests.cast import Person, person
from tests.config.server import url_of_the_test_database
from workspaces.services.dialing import wake

pytestmark = pytest.mark.django_db(transaction=True)

# Much patience with a carrier that takes its time, but little time to stop.
PATIENT = replace(QUICK, lease=timedelta(seconds=60), place_within=30)
HURRIED = replace(PATIENT, stop_within=loop.TO_RECORD + 0.2)


def due(batch: CallBatch, *, notify: bool = True) -> None:
    wake(batch.workspace_id, timezone.now(), notify=notify)


def paced_batch(who: Person, calls: int, per_second: int) -> CallBatch:
    account = factories.CarrierAccountFactory.create(
        workspace=who.workspace, calls_per_second=per_second
    )
    return dialed_batch(who, calls, phones=[number_of(who, account=account)])


class Gate:
    """Holds the dialer at its gate until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        real = steps.look_again

        def held(*given: Any) -> Any:
            self.reached.set()
            assert self.opened.wait(WITHIN)
            return real(*given)

        monkeypatch.setattr(steps, "look_again", held)


# --- What carriers answer -------------------------------------------------------------------------


def test_a_call_that_the_carrier_is_done_with_at_once_is_recorded(
    owner: Person, carrier: StubCarrier
) -> None:
    batch = dialed_batch(owner, 30)
    end_as(CallStatus.COMPLETED)
    assert len(carrier.rings) == len(set(carrier.rings)) == 30
    assert CallBatch.objects.get(id=batch.id).status == "completed"


async def _fault(_: CallRequest) -> CallReport:
    raise ValueError("a fault of the adapter's own")


async def _unsure(_: CallRequest) -> CallReport:
    raise CarrierUnsure("no answer")


async def _never(_: CallRequest) -> CallReport:
    await asyncio.sleep(60)
    raise AssertionError("nobody waits so long")


@pytest.mark.parametrize("says", [_fault, _unsure, _never])
def test_who_is_unsure_whether_it_rang_asks_and_does_not_ring_again(
    owner: Person, carrier: StubCarrier, says: Answer
) -> None:
    dialed_batch(owner, 3, retry=2, delay=0)
    carrier.answer = says
    end_as(CallStatus.COMPLETED)
    assert len(carrier.rings) == 3


def test_who_is_unsure_for_good_rings_nobody_again(owner: Person, carrier: StubCarrier) -> None:
    def cannot_tell() -> CallReport:
        raise CarrierUnsure("no such thing")

    dialed_batch(owner, 3, retry=2, delay=0)
    carrier.answer, carrier.finds = _unsure, cannot_tell
    end_as(CallStatus.UNKNOWN)
    assert len(carrier.rings) == 3


def test_a_number_that_cannot_be_called_is_not_tried_again(
    owner: Person, carrier: StubCarrier
) -> None:
    async def refuse(_: CallRequest) -> CallReport:
        raise CarrierError("no", permanent=True, code="refused")

    dialed_batch(owner, 1, retry=2, delay=0)
    carrier.answer = refuse
    end_as(CallStatus.FAILED)
    assert len(carrier.rings) == 1
    assert CallAttempt.objects.get().hangup_cause == "refused"


def test_what_is_no_fault_of_the_call_costs_it_no_attempt(
    owner: Person, carrier: StubCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is offered again after a pause, however often the carrier does not take it."""
    monkeypatch.setattr(placing, "SHORTEST_PAUSE", 0.05)

    async def refuse(_: CallRequest) -> CallReport:
        if len(carrier.rings) > 3:
            return completed()
        raise CarrierError("no", permanent=False, code="busy_here")

    dialed_batch(owner, 1, retry=0, delay=0)
    carrier.answer = refuse
    end_as(CallStatus.COMPLETED)
    assert len(carrier.rings) == 4
    assert CallAttempt.objects.count() == 1
    reasons = CallEvent.objects.order_by("created_at", "id").values_list("reason", "detail")
    assert list(reasons).count(("carrier_refused", "busy_here")) == 3


# --- Limits of its own ----------------------------------------------------------------------------


def test_no_more_is_in_hand_than_it_has_room_for(
    owner: Person, carrier: StubCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CAPACITY", 5)
    monkeypatch.setattr(loop, "CLAIM_SIZE", 2)
    dialed_batch(owner, 12)

    async def scenario() -> None:
        may_answer = asyncio.Event()

        async def wait(_: CallRequest) -> CallReport:
            await may_answer.wait()
            return completed()

        carrier.answer = wait
        async with dialing(PATIENT) as eyes:
            await eyes.until(lambda: Lease.objects.count() == 5)
            await asyncio.sleep(1.2 * loop.ROOM_AGAIN)
            assert await eyes.thread.run(Lease.objects.count) == 5
            may_answer.set()
            await eyes.until(all_are(CallStatus.COMPLETED))

    asyncio.run(scenario())


def test_the_pace_of_an_account_is_kept_after_a_slow_gate(
    owner: Person, carrier: StubCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    paced_batch(owner, 8, per_second=10)

    async def scenario() -> None:
        async with dialing() as eyes:
            await asyncio.to_thread(gate.reached.wait, WITHIN)
            await asyncio.sleep(1)  # by now all of them should have rung
            assert carrier.rings == []
            gate.opened.set()
            await eyes.until(all_are(CallStatus.COMPLETED))

    asyncio.run(scenario())
    moments = [moment for moment, _ in carrier.rings]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert min(gaps) > 0.08, gaps  # the clock of the loop is a little coarse


# --- Stopping -------------------------------------------------------------------------------------


def assert_handed_over(rest: int) -> None:
    """So many calls wait for the next dialer, which need not wait for anything."""
    assert not Lease.objects.exists()
    assert statuses().count("pending") == rest
    assert CallAttempt.objects.count() == Call.objects.count() - rest


def test_what_waits_for_its_moment_is_put_back_by_a_stop(
    owner: Person, carrier: StubCarrier
) -> None:
    paced_batch(owner, 8, per_second=4)

    async def scenario() -> None:
        async with dialing() as eyes:
            await eyes.until(lambda: Lease.objects.exists() and bool(carrier.rings))

    asyncio.run(scenario())
    assert_handed_over(8 - len(carrier.rings))
    reasons = CallEvent.objects.filter(detail="dialer_stopping").values_list("reason", flat=True)
    assert list(reasons) == ["not_dialed"] * (8 - len(carrier.rings))
    end_as(CallStatus.COMPLETED)


def test_what_waits_at_the_gate_is_put_back_by_a_stop(
    owner: Person, carrier: StubCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "AT_A_TIME", 1)
    gate = Gate(monkeypatch)
    dialed_batch(owner, 5)

    async def scenario() -> None:
        async with dialing() as eyes:
            await eyes.until(lambda: Lease.objects.count() == 5 and gate.reached.is_set())
            asyncio.get_running_loop().call_later(0.3, gate.opened.set)

    asyncio.run(scenario())
    assert len(carrier.rings) == 1
    assert_handed_over(4)


def test_what_keeps_its_distance_when_time_is_up_is_put_back_by_a_stop(
    owner: Person, carrier: StubCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has passed the gate, and the carrier has not been asked."""
    gate = Gate(monkeypatch)
    paced_batch(owner, 5, per_second=4)

    async def scenario() -> None:
        async with dialing(HURRIED) as eyes:
            await asyncio.to_thread(gate.reached.wait, WITHIN)
            await asyncio.sleep(1.5)
            gate.opened.set()
            await eyes.until(lambda: Lease.objects.filter(sent_at=None).count() == 0)

    asyncio.run(scenario())
    assert 0 < len(carrier.rings) < 5
    assert_handed_over(5 - len(carrier.rings))


def test_what_the_carrier_has_not_answered_in_time_is_left_to_be_looked_up(
    owner: Person, carrier: StubCarrier
) -> None:
    dialed_batch(owner, 3)
    carrier.answer = _never

    async def scenario() -> None:
        async with dialing(HURRIED) as eyes:
            await eyes.until(lambda: len(carrier.rings) == 3)

    began = time.monotonic()
    asyncio.run(scenario())
    assert time.monotonic() - began < WITHIN
    assert (
        Lease.objects.filter(look_at__lte=timezone.now(), unsure_since__isnull=False).count() == 3
    )
    end_as(CallStatus.COMPLETED)
    assert len(carrier.rings) == 3


# --- What comes between ---------------------------------------------------------------------------


def test_a_batch_that_somebody_holds_waits_and_holds_up_no_other(
    owner: Person, carrier: StubCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOCK_TIMEOUT", "200ms")
    held, free = dialed_batch(owner, 2), dialed_batch(person(), 2)

    def done(batch: CallBatch) -> bool:
        return not Lease.objects.filter(batch=batch).exists() and set(
            Call.objects.filter(batch=batch).values_list("status", flat=True)
        ) == {"completed"}

    async def scenario() -> None:
        async with dialing() as eyes:
            await eyes.until(lambda: done(free))
            await asyncio.sleep(1)
            assert not await eyes.thread.run(done, held)
            await asyncio.to_thread(holder.rollback)
            await eyes.until(lambda: done(held))

    with psycopg.connect(url_of_the_test_database()) as holder:
        which = [bytes.fromhex(held.id)]
        holder.execute("SELECT FROM batches_callbatch WHERE id = %s FOR NO KEY UPDATE", which)
        asyncio.run(scenario())
    assert len(carrier.rings) == 4


def test_connections_that_are_cut_are_replaced(owner: Person, carrier: StubCarrier) -> None:
    first = dialed_batch(owner, 2)
    later = dialed_batch(person(), 2, status="stopped")

    def cut() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    def start() -> None:
        CallBatch.objects.filter(id=later.id).update(status="active")
        due(later)

    async def scenario() -> None:
        async with dialing() as eyes:
            await eyes.until(lambda: not Lease.objects.exists() and len(carrier.rings) == 2)
            await eyes.thread.run(cut)
            await eyes.thread.run(start)
            await eyes.until(all_are(CallStatus.COMPLETED))

    connection.close()
    asyncio.run(scenario())
    assert CallBatch.objects.get(id=first.id).status == "completed"
    assert len(carrier.rings) == 4


@pytest.mark.parametrize("notify", [True, False], ids=["notified", "lost"])
def test_a_start_is_noticed_at_once_and_without_its_notification_by_looking(
    owner: Person, carrier: StubCarrier, monkeypatch: pytest.MonkeyPatch, notify: bool
) -> None:
    assert timedelta(seconds=5) == steps.POLL_EVERY
    monkeypatch.setattr(steps, "POLL_EVERY", timedelta(seconds=120 if notify else 2))
    batch = dialed_batch(owner, 1, status="stopped")

    def start() -> None:
        CallBatch.objects.filter(id=batch.id).update(status="active")
        due(batch, notify=notify)

    async def scenario() -> None:
        async with dialing() as eyes:
            await asyncio.sleep(0.7)  # it has looked, and sleeps
            await eyes.thread.run(start)
            await eyes.until(all_are(CallStatus.COMPLETED))

    asyncio.run(scenario())
    assert len(carrier.rings) == 1

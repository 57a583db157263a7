"""A kill switch that is thrown while calls are on their way from the gate to the carrier."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from batches.dialer import gate, steps
from batches.dialer.gate import pass_gate
from batches.dialer.placing import SWITCHED_OFF, UNWATCHED, Placer, Result
from batches.models import CallEvent, Lease
from batches.services.returns import give_back
from calling.models import PhoneNumber
from tests import factories
from tests.batches.contacts import counted
from tests.batches.dialer.in_process import StubCarrier, dialing, statuses
from tests.batches.dialer.steps import (
    LEASE,
    NOW,
    TIMING,
    call_of,
    claim,
    claim_one,
    dialed_batch,
    number_of,
    timeline,
)
from tests.batches.dialer.test_kill_switch import KINDS, throw
from tests.cast import Person
from workspaces import sql
from workspaces.models import Workspace


@pytest.fixture
def phone(owner: Person) -> PhoneNumber:
    """With an account."""
    return number_of(
        owner, account=factories.CarrierAccountFactory.create(workspace=owner.workspace)
    )


@pytest.fixture
def after_each_look(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give it what happens when the gate has looked: the first time, the second time, …"""

    def then(*events: Callable[[], object]) -> None:
        real, left = sql.fetch_all, list(events)

        def fetch_all(statement: str, params: Any) -> list[tuple[Any, ...]]:
            rows = real(statement, params)
            if statement == gate._LOOK and left:
                left.pop(0)()
            return rows

        monkeypatch.setattr(gate, "fetch_all", fetch_all)

    return then


# --- Between the two statements of the gate -------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_thrown_after_the_look_nothing_is_sent_and_all_goes_back(
    owner: Person, phone: PhoneNumber, kind: str, after_each_look: Callable[..., None]
) -> None:
    batch = dialed_batch(owner, phones=[phone])
    claimed = claim_one()
    after_each_look(lambda: throw(phone, kind))
    passed = pass_gate([claimed.attempt_id], now=NOW)
    assert not passed.sent
    assert Lease.objects.get().sent_at is None
    [(batch_id, returns)] = passed.refused.items()
    assert give_back(batch_id=batch_id, returns=returns, now=NOW) == 1
    assert timeline(call_of(claimed))[-1] == ("pending", "not_dialed", "kill_switch")
    assert counted(batch) == {"pending": 1}


def test_only_the_calls_of_the_number_that_was_killed_are_held_back(
    owner: Person, phone: PhoneNumber, after_each_look: Callable[..., None]
) -> None:
    other = number_of(owner)
    batch = dialed_batch(owner, 4, phones=[phone, other])
    claimed = {one.attempt_id: one for one in claim().calls}
    after_each_look(lambda: throw(phone, "phonenumber"))
    passed = pass_gate(list(claimed), now=NOW)
    assert {claimed[id_].from_number for id_ in passed.sent} == {other.number}
    assert len(passed.sent) == len(passed.refused[batch.id]) == 2


def test_a_workspace_that_is_suspended_after_the_look(
    owner: Person, phone: PhoneNumber, after_each_look: Callable[..., None]
) -> None:
    batch = dialed_batch(owner, phones=[phone])
    claimed = claim_one()
    after_each_look(lambda: Workspace.objects.update(is_active=False))
    passed = pass_gate([claimed.attempt_id], now=NOW)
    assert not passed.sent
    assert passed.refused[batch.id][claimed.attempt_id.hex()].detail == "workspace_suspended"


@pytest.mark.parametrize(
    "change",
    [
        lambda: Lease.objects.all().delete(),
        lambda: Lease.objects.update(sent_at=NOW),
        lambda: Lease.objects.update(look_at=NOW),
    ],
)
def test_a_lease_that_is_lost_after_the_look_is_not_ours_to_put_back(
    owner: Person,
    phone: PhoneNumber,
    change: Callable[[], object],
    after_each_look: Callable[..., None],
) -> None:
    dialed_batch(owner, phones=[phone])
    claimed = claim_one()
    after_each_look(change)
    passed = pass_gate([claimed.attempt_id], now=NOW)
    assert (passed.sent, passed.refused) == (set(), {})


@pytest.mark.parametrize("has_account", [True, False])
def test_the_gate_takes_two_statements(
    owner: Person, phone: PhoneNumber, has_account: bool
) -> None:
    dialed_batch(owner, 5, phones=[phone if has_account else number_of(owner)])
    ids = [one.attempt_id for one in claim().calls]
    with CaptureQueriesContext(connection) as queries:
        passed = pass_gate(ids, now=NOW)
    assert passed.sent == set(ids)
    assert len(queries) == 2


# --- Between the gate and the carrier -------------------------------------------------------------


class Switch:
    """What the placer is told when it looks: answers one after the other, and how often it looked."""

    def __init__(self, *answers: timedelta | None) -> None:
        self.answers, self.looks = list(answers), 0

    async def __call__(self, _: bytes) -> datetime | None:
        self.looks += 1
        age = self.answers.pop(0)
        return None if age is None else timezone.now() - age


FRESH, STALE = timedelta(), UNWATCHED * 2


@pytest.mark.parametrize(
    ("age", "answers", "rings", "looks"),
    [
        (FRESH, [], 1, 0),
        (STALE, [FRESH], 1, 1),
        (STALE, [None], 0, 1),
        (STALE, [STALE, STALE, FRESH], 1, 3),  # what it was told had become old on the way, too
        (STALE, [STALE, None], 0, 2),
        (-STALE, [None], 0, 1),  # the clock was set back
    ],
)
def test_only_what_was_looked_at_a_moment_ago_is_placed(
    owner: Person,
    carrier: StubCarrier,
    age: timedelta,
    answers: list[timedelta | None],
    rings: int,
    looks: int,
) -> None:
    dialed_batch(owner)
    claimed = claim_one(timezone.now())
    switch = Switch(*answers)
    placer = Placer(TIMING, switch)
    result = asyncio.run(placer.place(claimed, timezone.now() - age))
    assert (len(carrier.rings), switch.looks) == (rings, looks)
    if not rings:
        assert result == Result.of(claimed, SWITCHED_OFF)


def test_what_cannot_be_looked_at_in_time_is_left_to_the_look(
    owner: Person, carrier: StubCarrier
) -> None:
    dialed_batch(owner)
    claimed = claim_one(timezone.now() - LEASE / 2 + timedelta(seconds=0.2))

    async def always_old(_: bytes) -> datetime:
        await asyncio.sleep(0.01)
        return timezone.now() - STALE

    assert asyncio.run(Placer(TIMING, always_old).place(claimed, NOW)) is None
    assert carrier.rings == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", KINDS)
def test_thrown_while_the_gates_answer_is_on_its_way_nothing_rings(
    owner: Person,
    phone: PhoneNumber,
    carrier: StubCarrier,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    """All have passed, and the answer takes longer than the window: a lock, a commit, a busy loop."""
    dialed_batch(owner, 20, phones=[phone])
    real, is_thrown = steps.look_again, False

    def slow(*given: Any) -> Any:
        nonlocal is_thrown
        passed = real(*given)
        if not is_thrown:
            assert passed.sent
            throw(phone, kind)
            is_thrown = True
            time.sleep(UNWATCHED.total_seconds() * 1.5)
        return passed

    monkeypatch.setattr(steps, "look_again", slow)

    async def scenario() -> None:
        async with dialing() as eyes:
            await eyes.until(lambda: is_thrown and not Lease.objects.exists())

    asyncio.run(scenario())
    assert carrier.rings == []
    assert statuses() == ["pending"] * 20
    assert CallEvent.objects.filter(reason="never_placed", detail="kill_switch").exists()

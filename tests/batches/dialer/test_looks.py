"""Attempts whose holder is late, whose callback is missing, or which nobody is sure of."""

import asyncio
import threading
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from batches.dialer.looking import look_after
from batches.dialer.looks import (
    NEVER_PLACED,
    Later,
    Look,
    Unknown,
    note_accepted,
    note_unsure,
    postpone,
    take_due_looks,
    when_unsure,
)
from batches.dialer.records import record_results
from batches.models import CallAttempt, Lease
from batches.services.phones import delete_phone
from calling.carriers.base import CallProgress, CallReport, CarrierError, CarrierUnsure, Credentials
from calling.carriers.registry import CARRIERS
from calling.models import PhoneNumber
from tests import factories
from tests.batches.contacts import counted
from tests.batches.dialer.steps import (
    LEASE,
    NOW,
    PATIENCE,
    TIMING,
    after,
    call_of,
    claim,
    claim_one,
    dialed_batch,
    number_of,
    report,
    ring,
    send,
    timeline,
)
from tests.cast import Person, person
from workspaces.callers import Actor
from workspaces.services.dialing import wake

DELAYS = [0, 5, 15, 30]


class Carrier:
    """Answers every look-up with the same: a report, None, or an error."""

    def __init__(self, answer: CallReport | Exception | None) -> None:
        self.answer = answer
        self.seconds = 0.0

    async def lookup(self, *_: object) -> CallReport | None:
        await asyncio.sleep(self.seconds)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def answering(monkeypatch: pytest.MonkeyPatch, answer: Any) -> Carrier:
    carrier = Carrier(answer)
    monkeypatch.setitem(CARRIERS, "simulator", carrier)
    return carrier


def looks(now: datetime) -> list[Look]:
    return take_due_looks(now=now, most=100, lease=LEASE)


class Clock:
    """The time of the test; `look_after` reads it."""

    def __init__(self) -> None:
        self.now = NOW

    def look_and_record(self, seconds: float) -> list[Look]:
        """Look after everything that is due so many seconds after `NOW`, as the dialer does."""
        self.now = after(seconds)
        taken = looks(self.now)
        for look in taken:
            then = asyncio.run(look_after(look, TIMING))
            if isinstance(then, Later):
                postpone({look.attempt_id: then})
            else:
                assert record_results([then], TIMING, now=self.now) == []
        return taken


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("batches.dialer.looking.timezone", SimpleNamespace(now=lambda: made.now))
    return made


# --- Whose turn it is -----------------------------------------------------------------------------


def test_nothing_is_looked_after_before_its_time_and_nothing_twice(owner: Person) -> None:
    dialed_batch(owner)
    ring()
    assert looks(after(19)) == []
    [look] = looks(after(20))
    assert look.sent_at == NOW
    assert looks(after(20)) == []  # whoever took it has so long
    assert len(looks(after(40))) == 1


@pytest.mark.django_db(transaction=True)
def test_two_who_look_at_once_do_not_get_the_same() -> None:
    dialed_batch(person(), 5)
    send(claim().calls)
    beside: list[Look] = []

    def take_beside() -> None:
        try:
            beside.extend(take_due_looks(now=after(20), most=5, lease=LEASE))
        finally:
            connection.close()

    with transaction.atomic():
        mine = take_due_looks(now=after(20), most=2, lease=LEASE)
        taker = threading.Thread(target=take_beside)
        taker.start()
        taker.join(timeout=10)
        assert not taker.is_alive(), "it waits"
    assert (len(mine), len(beside)) == (2, 3)
    assert len({look.attempt_id for look in [*mine, *beside]}) == 5


def test_those_that_are_due_for_longest_come_first(owner: Person) -> None:
    dialed_batch(owner, 3)
    calls = claim().calls
    times = {one.attempt_id: after(9 - 3 * n) for n, one in enumerate(calls)}
    postpone({id_: Later(at, 0, None) for id_, at in times.items()})
    first = take_due_looks(now=after(9), most=2, lease=LEASE)
    assert {look.attempt_id for look in first} == {one.attempt_id for one in calls[1:]}


def test_each_is_postponed_to_its_own_time(owner: Person) -> None:
    dialed_batch(owner, 3)
    one, two, three = claim().calls
    later = {one.attempt_id: Later(after(5), 1, NOW), two.attempt_id: Later(after(60), 0, None)}
    postpone(later)
    rows = Lease.objects.values_list("id", "look_at", "looks", "unsure_since")
    assert {row[0]: row[1:] for row in rows} == {
        one.attempt_id.hex(): (after(5), 1, NOW),
        two.attempt_id.hex(): (after(60), 0, None),
        three.attempt_id.hex(): (NOW + LEASE, 0, None),
    }


def test_what_was_claimed_and_never_sent_is_pending_again(owner: Person, clock: Clock) -> None:
    batch = dialed_batch(owner)
    call = call_of(claim_one())
    clock.look_and_record(20)
    call.refresh_from_db()
    assert (call.status, call.attempts_made) == ("pending", 0)
    assert timeline(call)[-1] == ("pending", "not_dialed", "dialer_lost")
    assert counted(batch) == {"pending": 1}
    assert not CallAttempt.objects.exists()
    assert not Lease.objects.exists()
    claim_one(after(21))


def test_nobody_knows_of_a_call_so_it_is_looked_up_at_once(owner: Person) -> None:
    dialed_batch(owner)
    claimed = ring()
    Lease.objects.update(looks=2)
    note_unsure([claimed.attempt_id], now=after(3))
    lease = Lease.objects.get()
    assert (lease.look_at, lease.looks, lease.unsure_since) == (after(3), 0, after(3))


def test_what_was_accepted_is_never_looked_at_sooner_for_it(owner: Person) -> None:
    dialed_batch(owner)
    claimed = ring()
    Lease.objects.update(look_at=after(300))
    note_accepted({claimed.attempt_id: "CA-1"}, look_at=NOW + PATIENCE)
    assert Lease.objects.get().look_at == after(300)


def test_an_accepted_call_is_left_to_its_callbacks_for_a_while(owner: Person) -> None:
    dialed_batch(owner)
    claimed = ring()
    note_unsure([claimed.attempt_id], now=NOW)
    note_accepted({claimed.attempt_id: "CA-1"}, look_at=NOW + PATIENCE)
    lease = Lease.objects.get()
    assert (lease.look_at, lease.unsure_since) == (NOW + PATIENCE, None)
    assert CallAttempt.objects.get().carrier_call_id == "CA-1"
    assert looks(after(59)) == []


# --- What the carrier says ------------------------------------------------------------------------


def test_a_missing_callback_is_made_good_by_a_look(
    owner: Person, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialed_batch(owner)
    call = call_of(ring())
    answering(monkeypatch, report(CallProgress.COMPLETED, after(12)))
    clock.look_and_record(20)
    call.refresh_from_db()
    assert call.status == "completed"
    assert CallAttempt.objects.get().ended_at == after(12)


def test_a_call_that_goes_on_is_looked_at_again_after_the_patience(
    owner: Person, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialed_batch(owner)
    ring()
    answering(monkeypatch, report(CallProgress.RINGING, after(20)))
    clock.look_and_record(20)
    assert Lease.objects.get().look_at == after(20) + PATIENCE
    clock.look_and_record(80)  # it still rings: no news, and no reason for doubt
    lease = Lease.objects.get()
    assert (lease.look_at, lease.looks) == (after(80) + PATIENCE, 0)


def test_what_the_carrier_never_got_is_pending_again_once_that_is_certain(
    owner: Person, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = dialed_batch(owner)
    claimed = ring()
    answering(monkeypatch, None)
    note_unsure([claimed.attempt_id], now=NOW)
    for seconds in DELAYS:
        assert call_of(claimed).status == "in-progress"
        clock.look_and_record(seconds)
    call = call_of(claimed)
    assert (call.status, call.attempts_made) == ("pending", 0)
    assert timeline(call)[1:] == [("pending", "never_placed", "")]
    assert counted(batch) == {"pending": 1}
    assert not CallAttempt.objects.exists()
    assert not Lease.objects.exists()


def test_a_number_that_was_deleted_leaves_nobody_to_ask(
    owner: Person, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialed_batch(owner, retry=3)
    claimed = ring()
    answering(monkeypatch, AssertionError("asked"))
    phone = PhoneNumber.objects.get()
    delete_phone(workspace_id=owner.workspace.id, phone_id=phone.id, actor=Actor(), now=NOW)
    note_unsure([claimed.attempt_id], now=NOW)
    for seconds in DELAYS:
        assert call_of(claimed).status == "in-progress"
        [look] = clock.look_and_record(seconds)
        assert (look.carrier, look.credentials) == (None, Credentials("", ""))
    assert call_of(claimed).status == "unknown"


@pytest.mark.parametrize(
    "fault", [CarrierUnsure("No idea."), CarrierError("No.", permanent=True), KeyError("id")]
)
def test_a_carrier_that_cannot_tell_is_asked_four_times_and_then_it_is_unknown(
    owner: Person, clock: Clock, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    batch = dialed_batch(owner, retry=3)
    claimed = ring()
    answering(monkeypatch, fault)
    note_unsure([claimed.attempt_id], now=NOW)
    for seconds in DELAYS:
        assert Lease.objects.get().look_at == after(seconds)
        clock.look_and_record(seconds)
    assert timeline(call_of(claimed))[1:] == [("unknown", "outcome_unknown", "unknown")]
    assert CallAttempt.objects.get().hangup_cause == "unknown"
    assert counted(batch) == {"unknown": 1}
    assert not Lease.objects.exists()


def test_a_carrier_that_does_not_answer_in_time_cannot_tell(
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialed_batch(owner)
    ring()
    answering(monkeypatch, None).seconds = 30
    [look] = looks(after(20))
    then = asyncio.run(look_after(look, replace(TIMING, place_within=0.01)))
    assert isinstance(then, Later)


def unsure(**fields: Any) -> Look:
    """Sent at `NOW`, in doubt ever since, and never looked up."""
    look = Look(
        attempt_id=b"",
        batch_id=b"",
        sent_at=NOW,
        looks=0,
        unsure_since=NOW,
        request_uuid=UUID(int=0),
        carrier_call_id="",
        is_cancel_requested=False,
        carrier="simulator",
        credentials=Credentials("", ""),
    )
    return replace(look, **fields)


SEQUENCE = [
    # looks in vain before, seconds after the doubt began: look again so many seconds after it
    *[(0, 0, 5), (1, 5, 15), (2, 15, 30), (3, 30, None)],
    *[(0, 3, 5), (1, 14, 15), (2, 29, 30)],  # late ones do not put off those that follow
    *[(0, 7, 7), (2, 47, 47), (3, 99, None)],  # and those that are late already come at once
]


@pytest.mark.parametrize(("looks_before", "seconds", "again"), SEQUENCE)
@pytest.mark.parametrize("is_unplaced", [False, True])
def test_the_looks_come_after_0_5_15_and_30_seconds_and_then_it_is_unknown(
    looks_before: int, seconds: int, again: int | None, is_unplaced: bool
) -> None:
    # It has the carrier's id: even "there is no such call" is no proof that it did not ring.
    look = unsure(looks=looks_before, carrier_call_id="CA-1")
    then = when_unsure(look, is_unplaced=is_unplaced, delays=DELAYS, now=after(seconds))
    if again is None:
        assert isinstance(then, Unknown)
    else:
        assert then == Later(after(again), looks_before + 1, NOW)


def test_a_doubt_that_was_not_noted_begins_with_the_look() -> None:
    """A callback that did not come: the first look is the patience after the call was sent."""
    look = unsure(unsure_since=None)
    then = when_unsure(look, is_unplaced=False, delays=DELAYS, now=after(60))
    assert then == Later(after(65), 1, after(60))


@pytest.mark.parametrize(
    ("fields", "seconds", "expected"),
    [
        ({}, 0, Later(after(5), 1, NOW)),
        ({}, 29.9, Later(after(29.9), 1, NOW)),
        ({}, 30, NEVER_PLACED),
        ({"looks": 3}, 30, NEVER_PLACED),
        ({"sent_at": after(1), "looks": 2}, 30, Later(after(30), 3, NOW)),
        ({"sent_at": after(1)}, 31, NEVER_PLACED),
        ({"unsure_since": None}, 60, NEVER_PLACED),
    ],
    ids=str,
)
def test_that_it_was_never_placed_is_believed_no_sooner_than_the_last_look(
    fields: dict[str, Any], seconds: float, expected: Any
) -> None:
    then = when_unsure(unsure(**fields), is_unplaced=True, delays=DELAYS, now=after(seconds))
    assert then == expected


def test_credentials_that_no_key_opens_do_not_keep_others_from_being_looked_after(
    owner: Person,
) -> None:
    readable, broken = (
        factories.CarrierAccountFactory.create(workspace=owner.workspace) for _ in range(2)
    )
    dialed_batch(owner, 6, phones=[number_of(owner, account=one) for one in (readable, broken)])
    send(claim().calls)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE calling_carrieraccount SET credentials = %s WHERE id = %s",
            [b"of no key", bytes.fromhex(broken.id)],
        )
    tokens = sorted(look.credentials.auth_token for look in looks(after(20)))
    assert tokens == ["", "", "", "token", "token", "token"]


def test_a_look_has_the_credentials_of_the_number_that_it_called_from(owner: Person) -> None:
    account = factories.CarrierAccountFactory.create(workspace=owner.workspace)
    dialed_batch(owner, phones=[number_of(owner, account=account)])
    dialed_batch(owner)
    wake(owner.workspace.id, NOW)
    send(claim().calls)
    found = {look.credentials for look in looks(after(20))}
    assert found == {Credentials("account", "token"), Credentials("", "")}

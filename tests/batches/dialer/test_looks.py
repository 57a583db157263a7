"""Attempts whose holder is late, whose callback is missing, or which nobody is sure of."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

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
from batches.dialer.placing import Result
from batches.dialer.records import record_results
from batches.models import CallAttempt, Lease
from calling.carriers.base import CallProgress, CallReport, CarrierUnsure, Credentials
from calling.carriers.registry import CARRIERS
from calling.models import PhoneNumber
from tests.batches.dialer.steps import (
    LEASE,
    NOW,
    PATIENCE,
    TIMING,
    after,
    call_of,
    claim_one,
    dialed_batch,
    report,
    ring,
    timeline,
)
from tests.cast import Person

DELAYS = [0, 5, 15, 30]


class Carrier:
    """Answers every look-up with the same: a report, None, or an error."""

    def __init__(self, answer: CallReport | Exception | None) -> None:
        self.answer = answer
        self.hung_up: list[UUID] = []

    async def lookup(self, *_: object) -> CallReport | None:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def hang_up(
        self, credentials: Credentials, request_uuid: UUID, carrier_call_id: str
    ) -> None:
        self.hung_up.append(request_uuid)


def answering(monkeypatch: pytest.MonkeyPatch, answer: Any) -> Carrier:
    carrier = Carrier(answer)
    monkeypatch.setitem(CARRIERS, "simulator", carrier)  # type: ignore[arg-type]
    return carrier


def looks(now: Any) -> list[Look]:
    return take_due_looks(now=now, most=100, lease=LEASE)


def look_and_record(now: Any) -> None:
    """Look after everything that is due, as the dialer does."""
    for look in looks(now):
        then = asyncio.run(look_after(look, TIMING))
        if isinstance(then, Later):
            postpone({look.attempt_id: then})
        else:
            assert record_results([then], TIMING, now=now) == []


# --- Whose turn it is -----------------------------------------------------------------------------


def test_nothing_is_looked_after_before_its_time_and_nothing_twice(owner: Person) -> None:
    dialed_batch(owner)
    ring()
    assert looks(after(19)) == []
    [look] = looks(after(20))
    assert look.sent_at == NOW
    assert looks(after(20)) == []  # whoever took it has so long
    assert len(looks(after(40))) == 1


def test_what_was_claimed_and_never_sent_is_pending_again(owner: Person) -> None:
    dialed_batch(owner)
    call = call_of(claim_one())
    look_and_record(after(20))
    call.refresh_from_db()
    assert (call.status, call.attempts_made) == ("pending", 0)
    assert timeline(call)[-1] == ("pending", "not_dialed", "dialer_lost")
    assert not CallAttempt.objects.exists()
    assert not Lease.objects.exists()
    claim_one(after(21))


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
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialed_batch(owner)
    call = call_of(ring())
    answering(monkeypatch, report(CallProgress.COMPLETED, after(12)))
    look_and_record(after(20))
    call.refresh_from_db()
    assert call.status == "completed"
    assert CallAttempt.objects.get().ended_at == after(12)


def test_a_call_that_goes_on_is_looked_at_again_after_the_patience(
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialed_batch(owner)
    ring()
    answering(monkeypatch, report(CallProgress.RINGING, after(20)))
    look_and_record(after(20))
    assert Lease.objects.get().look_at == after(20) + PATIENCE
    look_and_record(after(80))  # it still rings: no news, and no reason for doubt
    lease = Lease.objects.get()
    assert (lease.look_at, lease.looks) == (after(80) + PATIENCE, 0)


def test_what_the_carrier_never_got_is_pending_again_once_that_is_certain(
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialed_batch(owner)
    claimed = ring()
    call = call_of(claimed)
    note_unsure([claimed.attempt_id], now=NOW)
    look = looks(NOW)[0]
    for seconds, is_certain in ((0, False), (29, False), (30, True)):
        then = when_unsure(look, is_unplaced=True, delays=DELAYS, now=after(seconds))
        assert (then is NEVER_PLACED) is is_certain
    result = Result(claimed.attempt_id.hex(), claimed.batch_id.hex(), NEVER_PLACED)
    record_results([result], TIMING, now=after(30))
    call.refresh_from_db()
    assert (call.status, call.attempts_made) == ("pending", 0)
    assert timeline(call)[-1][1] == "never_placed"
    assert not CallAttempt.objects.exists()


def test_a_number_that_was_deleted_leaves_nobody_to_ask(owner: Person) -> None:
    dialed_batch(owner)
    call = call_of(ring())
    Lease.objects.update(phone="64e5f12345abcdef12345678", looks=3, unsure_since=NOW)
    [look] = looks(after(40))
    assert look.carrier is None
    then = asyncio.run(look_after(look, TIMING))
    assert isinstance(then, Result)
    record_results([then], TIMING, now=after(40))
    call.refresh_from_db()
    assert call.status == "unknown"


def test_a_carrier_that_cannot_tell_is_asked_four_times_and_then_it_is_unknown(
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialed_batch(owner, retry=3)
    claimed = ring()
    call = call_of(claimed)
    answering(monkeypatch, CarrierUnsure("No idea."))
    monkeypatch.setattr("batches.dialer.looking.timezone.now", lambda: clock[0])
    note_unsure([claimed.attempt_id], now=NOW)
    clock = [NOW]
    for seconds in DELAYS:
        clock[0] = after(seconds)
        assert Lease.objects.get().look_at == after(seconds)
        look_and_record(after(seconds))
    call.refresh_from_db()
    assert call.status == "unknown"
    assert timeline(call)[-1][1] == "outcome_unknown"
    assert not Lease.objects.exists()


@pytest.mark.parametrize(
    ("looks_before", "asked_after", "expected"),
    [
        (0, 0, Later(after(5), 1, NOW)),
        (1, 5, Later(after(15), 2, NOW)),
        (2, 15, Later(after(30), 3, NOW)),
        (2, 47, Later(after(47), 3, NOW)),  # late ones are not asked in the past
        (3, 30, Unknown),
    ],
)
def test_the_looks_after_0_5_15_and_30_seconds(
    looks_before: int, asked_after: int, expected: Any
) -> None:
    look = Look(
        attempt_id=b"",
        batch_id=b"",
        sent_at=NOW - timedelta(seconds=1),
        looks=looks_before,
        unsure_since=NOW,
        request_uuid=UUID(int=0),
        carrier_call_id="CA-1",
        is_cancel_requested=False,
        carrier="simulator",
        credentials=Credentials("", ""),
    )
    # It has the carrier's id: even "there is no such call" is no proof that it did not ring.
    for is_unplaced in (False, True):
        then = when_unsure(look, is_unplaced=is_unplaced, delays=DELAYS, now=after(asked_after))
        assert then == expected or isinstance(then, Unknown) is (expected is Unknown)


def test_a_call_that_was_taken_out_is_hung_up_when_it_is_looked_after(
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialed_batch(owner)
    claimed = ring()
    call = call_of(claimed)
    call.is_cancel_requested = True
    call.save()
    carrier = answering(monkeypatch, report(CallProgress.CANCELED, after(21)))
    look_and_record(after(21))
    call.refresh_from_db()
    assert carrier.hung_up == [claimed.request_uuid]
    assert (call.status, call.is_cancel_requested) == ("cancelled", False)


def test_other_numbers_credentials_are_not_used(owner: Person) -> None:
    dialed_batch(owner)
    ring()
    assert PhoneNumber.objects.get().account is None
    [look] = looks(after(20))
    assert look.credentials == Credentials("", "")

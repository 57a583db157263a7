"""Calls that were taken up and not dialed, and batches that have nothing more to dial."""

import pytest

from batches.dialer.gate import not_dialed
from batches.dialer.looks import NEVER_PLACED
from batches.models import Call, CallAttempt, CallBatch, CallEvent, CallStatus, EventReason, Lease
from batches.services.returns import Return, close_if_idle, give_back, skip_listed
from calling.carriers.base import CallProgress
from calling.models import PhoneNumber
from tests import factories
from tests.batches.contacts import counted
from tests.batches.dialer.steps import (
    NOW,
    after,
    call_of,
    claim,
    claim_one,
    dialed_batch,
    end,
    put_back,
    ring,
    status_of,
    timeline,
)
from tests.cast import Person

SKIPPED = Return(CallStatus.SKIPPED, EventReason.DO_NOT_CALL)
CANCELLED = Return(CallStatus.CANCELLED, EventReason.CANCEL_REQUESTED)


def call_status(call: Call) -> str:
    return Call.objects.get(id=call.id).status


@pytest.mark.parametrize(
    ("why", "batch_status"),
    [(not_dialed("window_closed"), "active"), (SKIPPED, "completed"), (CANCELLED, "completed")],
    ids=["pending", "skipped", "cancelled"],
)
def test_an_attempt_that_was_not_made_leaves_only_its_events(
    owner: Person, why: Return, batch_status: str
) -> None:
    batch = dialed_batch(owner)
    claimed = claim_one()
    assert put_back(claimed, why) == 1
    call = call_of(claimed)
    assert (call.status, call.attempts_made) == (why.status, 0)
    assert timeline(call)[-1] == (why.status, why.reason, why.detail)
    assert not CallAttempt.objects.exists()
    assert not Lease.objects.exists()
    assert counted(batch) == {why.status.value: 1}
    assert status_of(batch) == batch_status


def test_what_the_carrier_may_know_of_stays_unless_it_was_never_placed(owner: Person) -> None:
    dialed_batch(owner)
    claimed = ring()
    assert put_back(claimed, not_dialed("dialer_stopping")) == 0
    assert call_of(claimed).status == "in-progress"
    assert CallAttempt.objects.count() == Lease.objects.count() == 1
    assert put_back(claimed, NEVER_PLACED) == 1
    assert call_of(claimed).status == "pending"
    assert put_back(claimed, NEVER_PLACED) == 0  # a second time there is nothing left


def test_the_event_of_a_return_names_the_attempt_that_is_gone(owner: Person) -> None:
    dialed_batch(owner)
    claimed = claim_one()
    put_back(claimed, not_dialed("window_closed"))
    uuids = CallEvent.objects.values_list("request_uuid", flat=True)
    assert set(uuids) == {claimed.request_uuid}
    assert len(uuids) == 2


def test_an_earlier_attempt_of_the_same_call_stays(owner: Person) -> None:
    dialed_batch(owner, retry=1, delay=0)
    first = claim_one()
    end(first, CallProgress.BUSY)
    put_back(claim_one(after(1)), not_dialed("window_closed"))
    assert (call_of(first).status, call_of(first).attempts_made) == ("pending", 1)
    assert CallAttempt.objects.get().id == first.attempt_id.hex()


def test_nothing_is_given_back_in_the_name_of_another_batch(owner: Person) -> None:
    dialed_batch(owner)
    claimed = claim_one()
    other = dialed_batch(owner, 0)
    returns = {claimed.attempt_id.hex(): not_dialed("window_closed")}
    assert give_back(batch_id=other.id, returns=returns, now=NOW) == 0
    assert call_of(claimed).status == "in-progress"


def test_each_of_several_goes_where_it_has_to_and_the_last_ends_the_batch(owner: Person) -> None:
    batch = dialed_batch(owner, 3)
    one, two, three = claim().calls
    returns = {one.attempt_id.hex(): SKIPPED, two.attempt_id.hex(): CANCELLED}
    assert give_back(batch_id=batch.id, returns=returns, now=NOW) == 2
    assert counted(batch) == {"in-progress": 1, "skipped": 1, "cancelled": 1}
    assert status_of(batch) == "active"
    put_back(three, SKIPPED)
    assert counted(batch) == {"skipped": 2, "cancelled": 1}
    assert status_of(batch) == "completed"


@pytest.mark.parametrize("status", [one for one in CallStatus if one != CallStatus.PENDING])
def test_only_pending_calls_are_skipped(owner: Person, status: CallStatus) -> None:
    batch = dialed_batch(owner, 0)
    call = factories.CallFactory.create(batch=batch, status=status)
    factories.DoNotCallEntryFactory.create(
        workspace=owner.workspace, phone_number=call.phone_number
    )
    assert skip_listed(batch_id=batch.id, call_ids=[call.id], now=NOW) == 0
    assert call_status(call) == status


def test_neither_those_of_another_batch_nor_those_taken_off_the_list(owner: Person) -> None:
    batch, other = dialed_batch(owner), dialed_batch(owner)
    [mine], [theirs] = batch.calls.all(), other.calls.all()
    entry = {"workspace": owner.workspace}
    factories.DoNotCallEntryFactory.create(phone_number=theirs.phone_number, **entry)
    factories.DoNotCallEntryFactory.create(phone_number=mine.phone_number, deleted_at=NOW, **entry)
    assert skip_listed(batch_id=batch.id, call_ids=[mine.id, theirs.id], now=NOW) == 0
    assert (call_status(mine), call_status(theirs)) == ("pending", "pending")


def test_only_numbers_that_are_listed_here_are_skipped(owner: Person, stranger: Person) -> None:
    batch = dialed_batch(owner, 3)
    listed, elsewhere, _ = calls = list(Call.objects.order_by("id"))
    for who, call in ((owner, listed), (stranger, elsewhere)):
        factories.DoNotCallEntryFactory.create(
            workspace=who.workspace, phone_number=call.phone_number
        )
    ids = [call.id for call in calls]
    assert skip_listed(batch_id=batch.id, call_ids=ids, now=NOW) == 1
    assert skip_listed(batch_id=batch.id, call_ids=ids, now=NOW) == 0
    assert timeline(listed) == [("skipped", "do_not_call", "")]
    assert counted(batch) == {"pending": 2, "skipped": 1}
    assert status_of(batch) == "active"


def test_skipping_its_last_call_completes_a_batch(owner: Person) -> None:
    batch = dialed_batch(owner)
    call = Call.objects.get()
    factories.DoNotCallEntryFactory.create(
        workspace=owner.workspace, phone_number=call.phone_number
    )
    assert skip_listed(batch_id=batch.id, call_ids=[call.id], now=NOW) == 1
    assert status_of(batch) == "completed"


@pytest.mark.parametrize(
    ("calls", "has_number", "before", "then"),
    [
        (0, True, "active", "completed"),
        (1, True, "active", "active"),
        (1, False, "active", "paused"),
        (0, False, "active", "completed"),
        (0, True, "stopped", "stopped"),
        (1, False, "stopped", "stopped"),
    ],
)
def test_a_batch_with_nothing_to_dial_or_to_dial_from_is_closed(
    owner: Person, calls: int, has_number: bool, before: str, then: str
) -> None:
    batch = dialed_batch(owner, calls, status=before)
    PhoneNumber.objects.update(is_active=has_number)
    close_if_idle(batch_id=batch.id, now=NOW)
    batch.refresh_from_db()
    assert (batch.status, batch.status_reason) == (
        *(then, "no_number" if then == "paused" else ""),
    )


def test_a_batch_with_a_call_in_flight_is_not_completed(owner: Person) -> None:
    batch = dialed_batch(owner)
    claim_one()
    close_if_idle(batch_id=batch.id, now=NOW)
    assert status_of(batch) == "active"


@pytest.mark.parametrize(("is_asked_for", "status"), [(True, "active"), (False, "completed")])
def test_of_a_batch_that_was_started_for_some_calls_only_those_count(
    owner: Person, is_asked_for: bool, status: str
) -> None:
    batch = dialed_batch(owner)
    session = factories.DialingSessionFactory.create(batch=batch, only_its_calls=True)
    CallBatch.objects.update(session=session)
    if is_asked_for:
        factories.CallFactory.create(batch=batch, session=session)
    close_if_idle(batch_id=batch.id, now=NOW)
    assert status_of(batch) == status


def test_a_deleted_batch_is_left_alone(owner: Person) -> None:
    batch = dialed_batch(owner, 0, deleted_at=NOW)
    close_if_idle(batch_id=batch.id, now=NOW)
    assert status_of(batch) == "active"

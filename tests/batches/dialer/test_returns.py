"""Calls that were taken up and not dialed, and batches that have nothing more to dial."""

import pytest

from batches.dialer.gate import not_dialed
from batches.dialer.looks import NEVER_PLACED
from batches.models import Call, CallAttempt, CallStatus, EventReason, Lease
from batches.services.returns import Return, close_if_idle, skip_listed
from calling.models import PhoneNumber
from tests import factories
from tests.batches.contacts import counted
from tests.batches.dialer.steps import (
    NOW,
    call_of,
    claim_one,
    dialed_batch,
    put_back,
    ring,
    status_of,
    timeline,
)
from tests.cast import Person

SKIPPED = Return(CallStatus.SKIPPED, EventReason.DO_NOT_CALL)
CANCELLED = Return(CallStatus.CANCELLED, EventReason.CANCEL_REQUESTED)


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
    ("calls", "has_number", "before", "after"),
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
    owner: Person, calls: int, has_number: bool, before: str, after: str
) -> None:
    batch = dialed_batch(owner, calls, status=before)
    PhoneNumber.objects.update(is_active=has_number)
    close_if_idle(batch_id=batch.id, now=NOW)
    batch.refresh_from_db()
    assert (batch.status, batch.status_reason) == (
        *(after, "no_number" if after == "paused" else ""),
    )

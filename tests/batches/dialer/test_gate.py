"""The last look: what changed between the claim and the moment to ask the carrier."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from batches.dialer.gate import Passed, pass_gate
from batches.dialer.store import Claimed
from batches.models import BatchStatus, Call, CallAttempt, CallBatch, DoNotCallEntry, Lease
from batches.services.batches import delete_batch
from batches.services.dialing import stop_batch
from batches.services.phones import delete_phone
from batches.services.returns import give_back
from calling.models import PhoneNumber
from tests import factories
from tests.batches.contacts import counted
from tests.batches.dialer.steps import (
    LEASE,
    NOW,
    after,
    call_of,
    claim_one,
    dialed_batch,
    status_of,
    timeline,
)
from tests.cast import Person
from workspaces.callers import Actor
from workspaces.models import Workspace


@pytest.fixture
def batch(owner: Person) -> CallBatch:
    return dialed_batch(owner, calling_hour_start=9 * 60, calling_hour_end=18 * 60)


@pytest.fixture
def claimed(batch: CallBatch) -> Claimed:
    return claim_one()


def passes(claimed: Claimed, now: object = NOW) -> bool:
    """Whether it is sent; what is refused is put back."""
    passed: Passed = pass_gate([claimed.attempt_id], now=now)  # type: ignore[arg-type]
    for batch_id, returns in passed.refused.items():
        assert give_back(batch_id=batch_id, returns=returns, now=NOW) == 1
    return bool(passed.sent)


def test_what_is_still_right_is_marked_as_sent(claimed: Claimed, batch: CallBatch) -> None:
    assert passes(claimed, after(1))
    assert Lease.objects.get().sent_at == after(1)
    assert counted(batch) == {"in-progress": 1}


def test_nothing_is_sent_twice(claimed: Claimed) -> None:
    assert passes(claimed)
    assert not passes(claimed, after(1))
    assert Lease.objects.get().sent_at == NOW


def stop(batch: CallBatch) -> None:
    stop_batch(workspace_id=batch.workspace_id, batch_id=batch.id, actor=Actor(), now=NOW)


def delete(batch: CallBatch) -> None:
    delete_batch(workspace_id=batch.workspace_id, batch_id=batch.id, actor=Actor(), now=NOW)


def suspend(batch: CallBatch) -> None:
    Workspace.objects.filter(id=batch.workspace_id).update(is_active=False)


def deactivate_the_number(batch: CallBatch) -> None:
    PhoneNumber.objects.filter(rotations__batch=batch).update(is_active=False)


def delete_the_number(batch: CallBatch) -> None:
    """It has another one, so that it goes on."""
    phone = PhoneNumber.objects.get(rotations__batch=batch)
    factories.BatchNumberFactory.create(batch=batch, position=1)
    delete_phone(workspace_id=batch.workspace_id, phone_id=phone.id, actor=Actor(), now=NOW)


def close_the_window(batch: CallBatch) -> None:
    CallBatch.objects.update(calling_hour_end=12 * 60)


def close_the_workspaces_window(batch: CallBatch) -> None:
    Workspace.objects.update(calling_hour_start=13 * 60, calling_hour_end=18 * 60)


def close_the_day(batch: CallBatch) -> None:
    Workspace.objects.update(allowed_days=[0, 1, 3, 4, 5, 6])


def move_the_contact_to_tokyo(batch: CallBatch) -> None:
    Call.objects.update(timezone="Asia/Tokyo")


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (stop, "batch_not_active"),
        (delete, "batch_not_active"),
        (suspend, "workspace_suspended"),
        (deactivate_the_number, "number_inactive"),
        (delete_the_number, "number_inactive"),
        (close_the_window, "window_closed"),
        (close_the_workspaces_window, "window_closed"),
        (close_the_day, "window_closed"),
        (move_the_contact_to_tokyo, "window_closed"),
    ],
)
def test_what_is_no_longer_right_goes_back_as_if_nothing_had_been(
    batch: CallBatch, claimed: Claimed, change: Callable[[CallBatch], None], detail: str
) -> None:
    change(batch)
    assert not passes(claimed)
    call = call_of(claimed)
    assert (call.status, call.attempts_made) == ("pending", 0)
    assert timeline(call)[-1] == ("pending", "not_dialed", detail)
    assert counted(batch) == {"pending": 1}
    assert not Lease.objects.exists()
    assert not CallAttempt.objects.exists()


def test_the_window_closes_while_a_call_waits_for_its_slot(claimed: Claimed) -> None:
    Lease.objects.update(look_at=NOW + timedelta(days=1))
    assert not passes(claimed, NOW.replace(hour=18))
    assert call_of(claimed).status == "pending"


@pytest.mark.parametrize("of_workspace", [True, False])
@pytest.mark.parametrize("of_batch", [True, False])
def test_a_number_listed_since_is_skipped_when_workspace_or_batch_honours_the_list(
    owner: Person, batch: CallBatch, claimed: Claimed, of_workspace: bool, of_batch: bool
) -> None:
    Workspace.objects.update(dnc_enabled=of_workspace)
    CallBatch.objects.update(enable_dnc=of_batch)
    factories.DoNotCallEntryFactory.create(
        workspace=owner.workspace, phone_number=claimed.to_number
    )
    is_honoured = of_workspace or of_batch
    assert passes(claimed) is not is_honoured
    if is_honoured:
        assert call_of(claimed).status == "skipped"
        assert timeline(call_of(claimed))[-1] == ("skipped", "do_not_call", "")
        assert not CallAttempt.objects.exists()
        assert status_of(batch) == BatchStatus.COMPLETED


def test_neither_a_tombstone_nor_the_entry_of_another_workspace_counts(
    owner: Person, stranger: Person, claimed: Claimed
) -> None:
    entry = factories.DoNotCallEntryFactory
    entry.create(workspace=owner.workspace, phone_number=claimed.to_number, deleted_at=NOW)
    entry.create(workspace=stranger.workspace, phone_number=claimed.to_number)
    assert DoNotCallEntry.objects.count() == 2
    assert passes(claimed)


def test_a_call_that_was_taken_out_is_not_placed_and_ends_its_batch(
    batch: CallBatch, claimed: Claimed
) -> None:
    Call.objects.update(is_cancel_requested=True)
    assert not passes(claimed)
    call = call_of(claimed)
    assert (call.status, call.is_cancel_requested) == ("cancelled", False)
    assert timeline(call)[-1] == ("cancelled", "cancel_requested", "")
    assert status_of(batch) == BatchStatus.COMPLETED


def test_one_who_comes_after_its_lease_ran_out_places_nothing(claimed: Claimed) -> None:
    """A dialer that was asleep: somebody else may have put the call back by now."""
    passed = pass_gate([claimed.attempt_id], now=NOW + LEASE)
    assert (passed.sent, passed.refused) == (set(), {})
    assert Lease.objects.get().sent_at is None


def test_one_of_many_that_is_refused_does_not_hold_up_the_others(
    owner: Person, batch: CallBatch, claimed: Claimed
) -> None:
    other = dialed_batch(owner)
    second = claim_one()
    assert second.batch_id.hex() == other.id
    stop(batch)
    passed = pass_gate([claimed.attempt_id, second.attempt_id], now=NOW)
    assert passed.sent == {second.attempt_id}
    assert list(passed.refused) == [batch.id]

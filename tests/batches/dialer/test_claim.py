"""What a claim takes, what it writes, and when it wants to look again."""

import threading
from datetime import datetime, timedelta
from typing import Any, TypedDict

import pytest
from django.db import connection, transaction
from django.utils import timezone

from batches.dialer import steps
from batches.dialer.claim import Claim, ClaimFailed, claim_calls
from batches.models import (
    BatchStatus,
    Call,
    CallAttempt,
    CallBatch,
    CallStatus,
    Lease,
    PauseReason,
    RotationCursor,
)
from calling.carriers.base import CallProgress
from calling.models import CarrierAccount
from tests import factories
from tests.batches.contacts import counted
from tests.batches.dialer.steps import (
    LEASE,
    NOW,
    TIMING,
    after,
    claim,
    dialed_batch,
    end,
    next_dial_at,
    number_of,
    timeline,
)
from tests.cast import Person, person
from workspaces.models import Workspace
from workspaces.services.dialing import wake


def dialed_numbers(claimed: Claim) -> list[str]:
    return sorted(one.to_number for one in claimed.calls)


# --- What is taken --------------------------------------------------------------------------------


def test_only_due_calls_are_claimed(owner: Person) -> None:
    batch = dialed_batch(owner, 0)
    due = factories.CallFactory.create(batch=batch, next_attempt_at=NOW)
    factories.CallFactory.create(batch=batch, next_attempt_at=NOW + timedelta(microseconds=1))
    assert dialed_numbers(claim()) == [due.phone_number]


def test_only_pending_calls_are_claimed(owner: Person) -> None:
    batch = dialed_batch(owner, 0)
    made = {status: factories.CallFactory(batch=batch, status=status) for status in CallStatus}
    assert dialed_numbers(claim()) == [made[CallStatus.PENDING].phone_number]


@pytest.mark.parametrize(
    "fields",
    [
        {"status": BatchStatus.DRAFT},
        {"status": BatchStatus.STOPPED},
        {"status": BatchStatus.COMPLETED},
        {"status": BatchStatus.PAUSED, "status_reason": PauseReason.NO_NUMBER},
        {"deleted_at": NOW},
    ],
    ids=str,
)
def test_only_calls_of_active_batches_are_claimed(owner: Person, fields: dict[str, Any]) -> None:
    dialed_batch(owner, 2, **fields)
    active = dialed_batch(owner)
    assert [one.batch_id.hex() for one in claim().calls] == [active.id]


def test_a_suspended_workspace_dials_nothing_and_sleeps(owner: Person) -> None:
    dialed_batch(owner)
    Workspace.objects.update(is_active=False)
    assert claim().calls == []
    assert next_dial_at(owner.workspace) is None


def test_a_workspace_that_is_not_due_is_not_looked_at(owner: Person) -> None:
    dialed_batch(owner)
    assert claim_calls(now=NOW - timedelta(seconds=1), most=10, lease=LEASE) is None


def test_no_more_is_claimed_than_asked_for_and_the_rest_follows_at_once(owner: Person) -> None:
    dialed_batch(owner, 5)
    assert len(claim(most=3).calls) == 3
    assert next_dial_at(owner.workspace) == NOW
    assert len(claim(most=3).calls) == 2


def test_a_session_with_call_data_dials_only_its_calls(owner: Person) -> None:
    batch = dialed_batch(owner, 2)
    session = factories.DialingSessionFactory.create(batch=batch, only_its_calls=True)
    CallBatch.objects.update(session=session)
    asked_for = factories.CallFactory.create(batch=batch, session=session)
    [claimed] = claim().calls
    assert claimed.to_number == asked_for.phone_number
    assert CallAttempt.objects.get().session_id == session.id


def test_a_plain_session_dials_every_call(owner: Person) -> None:
    batch = dialed_batch(owner, 2)
    CallBatch.objects.update(session=factories.DialingSessionFactory.create(batch=batch))
    assert len(claim().calls) == 2


def test_a_number_that_two_batches_call_is_not_dialed_twice_at_once(owner: Person) -> None:
    batches = [dialed_batch(owner, 0), dialed_batch(owner, 0)]
    for batch in batches:
        factories.CallFactory.create(batch=batch, phone_number="+13105551234")
    [first] = claim().calls
    deferred = Call.objects.get(status="pending")
    assert deferred.next_attempt_at == after(15)

    assert claim(after(15)).calls == []  # the first one still rings
    assert Call.objects.get(status="pending").next_attempt_at == after(30)

    end(first, CallProgress.COMPLETED, after(16))
    [second] = claim(after(30)).calls
    assert second.call_id.hex() == deferred.id


def test_another_workspace_may_call_the_same_number_at_the_same_time(
    owner: Person, stranger: Person
) -> None:
    for who in (owner, stranger):
        factories.CallFactory.create(batch=dialed_batch(who, 0), phone_number="+13105551234")
    both = [one for _ in range(3) for one in claim().calls]
    assert {one.workspace_id.hex() for one in both} == {owner.workspace.id, stranger.workspace.id}


# --- Hours ----------------------------------------------------------------------------------------


class Hours(TypedDict):
    calling_hour_start: int
    calling_hour_end: int


def hours(start: int, end: int) -> Hours:
    return {"calling_hour_start": start * 60, "calling_hour_end": end * 60}


@pytest.mark.parametrize(("opens", "is_claimed"), [(11, True), (12, True), (13, False)])
def test_calls_are_claimed_inside_the_hours_of_their_batch(
    owner: Person, opens: int, is_claimed: bool
) -> None:
    dialed_batch(owner, **hours(opens, 18))
    assert bool(claim().calls) is is_claimed


@pytest.mark.parametrize(
    ("of_workspace", "days", "is_claimed"),
    [
        (hours(9, 13), [2], True),
        (hours(13, 18), [2], False),
        (hours(6, 12), [2], False),  # the end is exclusive
        ({}, [3], False),
    ],
)
def test_the_window_of_the_workspace_narrows_the_one_of_the_batch(
    owner: Person, of_workspace: dict[str, int], days: list[int], is_claimed: bool
) -> None:
    dialed_batch(owner, **hours(8, 20))
    Workspace.objects.update(allowed_days=days, **of_workspace)
    assert bool(claim().calls) is is_claimed


def test_hours_are_those_of_the_contacts_own_time_zone(owner: Person) -> None:
    batch = dialed_batch(owner, 0, **hours(9, 18))  # 12:00 in the batch's zone, UTC
    zones = ["", "Europe/Berlin", "America/New_York", "Asia/Tokyo"]  # 12, 13, 07 and 21 o'clock
    calls = {zone: factories.CallFactory(batch=batch, timezone=zone) for zone in zones}
    open_ones = sorted(calls[zone].phone_number for zone in ("", "Europe/Berlin"))
    assert dialed_numbers(claim()) == open_ones


# --- When to look again ---------------------------------------------------------------------------


def looks_again_at(who: Person, now: datetime = NOW) -> datetime | None:
    wake(who.workspace.id, now)
    assert claim(now).calls == []
    return next_dial_at(who.workspace)


def test_it_looks_again_when_a_retry_is_due(owner: Person) -> None:
    dialed_batch(owner, retry=1, delay=40)
    [claimed] = claim().calls
    end(claimed, CallProgress.BUSY, after(5))
    assert looks_again_at(owner, after(6)) == after(45)


def test_it_looks_again_when_the_window_opens(owner: Person) -> None:
    dialed_batch(owner, **hours(12, 18))
    assert looks_again_at(owner, after(-20)) == NOW


def test_it_looks_again_when_the_first_window_of_any_contact_opens(owner: Person) -> None:
    batch = dialed_batch(owner, 0, **hours(13, 18))
    for zone in ("Asia/Tokyo", "Europe/Berlin"):  # the latter's 13 o'clock is 12:00 UTC
        factories.CallFactory.create(batch=batch, timezone=zone)
    assert looks_again_at(owner, after(-20)) == NOW


def test_it_looks_again_when_the_daily_cap_of_its_number_begins_anew(owner: Person) -> None:
    Workspace.objects.update(timezone="Asia/Kolkata")  # whose midnight is 18:30 UTC
    dialed_batch(owner, 2, phones=[number_of(owner, daily_cap=1)])
    midnight = NOW.replace(hour=18, minute=30)
    assert len(claim(midnight - timedelta(seconds=50)).calls) == 1
    assert looks_again_at(owner, midnight - timedelta(seconds=30)) == midnight


def test_it_looks_again_when_the_account_has_a_slot(owner: Person) -> None:
    account = factories.CarrierAccountFactory.create(workspace=owner.workspace, calls_per_second=1)
    dialed_batch(owner, 9, phones=[number_of(owner, account=account)])
    assert len(claim().calls) == 5
    assert len(claim(after(0.1)).calls) == 1  # the slot at 5 seconds
    assert looks_again_at(owner, after(0.2)) == after(1)


@pytest.mark.parametrize(
    "fields", [hours(15, 18), {"allowed_days": [5]}, {"retry": 3, "delay": 3600}], ids=str
)
def test_it_looks_again_after_a_minute_at_the_latest(owner: Person, fields: dict[str, Any]) -> None:
    batch = dialed_batch(owner, 0, **fields)
    factories.CallFactory.create(batch=batch, next_attempt_at=after(3600))
    assert looks_again_at(owner) == after(60)


def test_a_full_workspace_looks_again_when_a_call_ends(owner: Person) -> None:
    dialed_batch(owner, 2)
    Workspace.objects.update(concurrency_limit=1)
    [claimed] = claim().calls
    assert next_dial_at(owner.workspace) == after(60)
    end(claimed, CallProgress.COMPLETED, after(7))
    assert next_dial_at(owner.workspace) == after(7)
    assert len(claim(after(7)).calls) == 1


def test_without_an_active_batch_it_sleeps_until_it_is_woken(owner: Person) -> None:
    batch = dialed_batch(owner)
    CallBatch.objects.update(status=BatchStatus.STOPPED)
    assert looks_again_at(owner) is None
    assert claim_calls(now=after(10**6), most=10, lease=LEASE) is None
    CallBatch.objects.filter(id=batch.id).update(status=BatchStatus.ACTIVE)
    wake(owner.workspace.id, after(10**6))
    assert len(claim(after(10**6)).calls) == 1


# --- What is written ------------------------------------------------------------------------------


def test_a_claimed_call_has_its_attempt_before_anybody_is_asked(owner: Person) -> None:
    phone = number_of(owner)
    batch = dialed_batch(owner, phones=[phone])
    [claimed] = claim().calls
    call, attempt, lease = Call.objects.get(), CallAttempt.objects.get(), Lease.objects.get()

    assert (attempt.id, attempt.request_uuid) == (claimed.attempt_id.hex(), claimed.request_uuid)
    assert (attempt.call_id, attempt.batch_id) == (call.id, batch.id)
    assert attempt.workspace_id == owner.workspace.id
    assert (attempt.from_number, attempt.to_number) == (phone.number, call.phone_number)
    assert (attempt.phone_id, attempt.status, attempt.created_at) == (phone.id, "queued", NOW)
    assert (lease.id, lease.call_id, lease.phone_id) == (attempt.id, call.id, phone.id)
    assert (lease.to_number, lease.sent_at) == (call.phone_number, None)
    assert lease.look_at == NOW + LEASE
    assert (call.status, call.attempts_made) == ("in-progress", 0)
    assert (call.last_attempt_id, call.caller_id) == (attempt.id, phone.id)
    assert timeline(call) == [("in-progress", "claimed", "")]
    assert counted(batch) == {"in-progress": 1}
    cursor = RotationCursor.objects.get()
    assert (cursor.batch_id, cursor.position, cursor.claimed_at) == (batch.id, 0, NOW)


def test_the_lease_begins_when_the_call_may_start(owner: Person) -> None:
    account = factories.CarrierAccountFactory.create(workspace=owner.workspace, calls_per_second=1)
    dialed_batch(owner, 3, phones=[number_of(owner, account=account)])
    places = sorted(one.place_at for one in claim().calls)
    assert places == [NOW, after(1), after(2)]
    assert sorted(Lease.objects.values_list("look_at", flat=True)) == [at + LEASE for at in places]


# --- One workspace does not hold up another -------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_workspace_is_claimed_while_another_one_is_locked() -> None:
    first, second = person(), person()
    dialed_batch(first)
    dialed_batch(second)
    wake(second.workspace.id, NOW)
    found: list[Any] = []

    def claim_beside() -> None:
        try:
            found.extend(claim_calls(now=NOW, most=10, lease=LEASE) for _ in range(2))
        finally:
            connection.close()

    with transaction.atomic():
        locked = claim()
        beside = threading.Thread(target=claim_beside)
        beside.start()
        beside.join(timeout=10)
        assert not beside.is_alive(), "it waits"
    other, none_left = found
    assert {locked.workspace_id, other.workspace_id} == {first.workspace.id, second.workspace.id}
    assert (len(locked.calls), len(other.calls)) == (1, 1)
    # The second look found the one still locked, the other to be looked at again at once.
    assert none_left is None or none_left.workspace_id == other.workspace_id


def with_unreadable_credentials(who: Person) -> None:
    account = factories.CarrierAccountFactory.create(workspace=who.workspace)
    dialed_batch(who, phones=[number_of(who, account=account)])
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE calling_carrieraccount SET credentials = %s WHERE id = %s",
            [b"of no key", bytes.fromhex(account.id)],
        )
    assert CarrierAccount.objects.count() == 1


def test_a_claim_that_fails_says_whose_it_was_and_leaves_nothing_behind(owner: Person) -> None:
    with_unreadable_credentials(owner)
    with pytest.raises(ClaimFailed) as failed:
        claim()
    assert failed.value.workspace_id == owner.workspace.id
    assert not Lease.objects.exists()


def test_a_workspace_whose_claim_fails_does_not_keep_others_from_dialing(
    owner: Person, stranger: Person
) -> None:
    with_unreadable_credentials(owner)
    dialed_batch(stranger)
    began = timezone.now()
    wake(stranger.workspace.id, began)
    wake(owner.workspace.id, min(began, NOW) - timedelta(hours=1))  # it has been due for longest

    assert steps.look_for_work(TIMING, 10) == 0.0
    postponed = next_dial_at(owner.workspace)
    assert postponed is not None
    assert postponed > began + timedelta(seconds=59)
    found = steps.look_for_work(TIMING, 10)
    assert isinstance(found, Claim)
    assert [one.workspace_id.hex() for one in found.calls] == [stranger.workspace.id]

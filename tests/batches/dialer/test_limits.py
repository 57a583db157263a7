"""How many calls at a time, a day and a second: limits hold over claims, batches and workspaces."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from batches.dialer.claim import Claim
from batches.dialer.gate import pass_gate
from batches.dialer.store import Claimed
from batches.models import Call, CallAttempt, CallStatus
from batches.services.returns import give_back
from calling.carriers.base import CallProgress
from calling.models import CarrierLimiter, PhoneNumber
from tests import factories
from tests.batches.dialer.steps import (
    NOW,
    after,
    claim,
    dialed_batch,
    end,
    number_of,
    record,
    send,
)
from tests.batches.dialer.steps import heard as said
from tests.cast import Person
from workspaces.models import Workspace
from workspaces.services.dialing import wake

DIGEST = b"one account".ljust(32)


def account(who: Person, **limits: int) -> Any:
    """The same account with the carrier, whoever's."""
    return factories.CarrierAccountFactory.create(workspace=who.workspace, digest=DIGEST, **limits)


def claim_of(who: Person, now: datetime = NOW, most: int = 100) -> Claim:
    """A claim of just this workspace."""
    wake(who.workspace.id, now - timedelta(days=400))
    found = claim(now, most)
    assert found.workspace_id == who.workspace.id
    return found


# --- Calls at a time ------------------------------------------------------------------------------


def test_a_workspace_has_no_more_calls_at_a_time_than_its_limit(owner: Person) -> None:
    Workspace.objects.update(concurrency_limit=3)
    for _ in range(2):
        dialed_batch(owner, 5)
    first = claim_of(owner).calls
    assert len(first) == 3
    assert claim_of(owner).calls == []
    end(first[0], CallProgress.COMPLETED)
    assert len(claim_of(owner).calls) == 1
    assert claim_of(owner).calls == []


def test_a_call_takes_its_place_from_the_claim_to_the_end(owner: Person) -> None:
    Workspace.objects.update(concurrency_limit=1)
    dialed_batch(owner, 2)
    [one] = claim_of(owner).calls
    send([one])
    for progress in (CallProgress.RINGING, CallProgress.IN_PROGRESS):
        assert record(one, said(one, progress)) == []
        assert claim_of(owner).calls == []
    assert record(one, said(one, CallProgress.COMPLETED)) == []
    assert len(claim_of(owner).calls) == 1


def test_a_number_has_no_more_calls_at_a_time_than_its_limit(owner: Person) -> None:
    limited, free = number_of(owner, concurrency_limit=2), number_of(owner)
    for phones in ([limited], [limited], [free]):
        dialed_batch(owner, 4, phones=phones)
    calls = [*claim_of(owner).calls, *claim_of(owner).calls]
    of_limited = [one for one in calls if one.from_number == limited.number]
    assert (len(of_limited), len(calls)) == (2, 6)
    end(of_limited[0], CallProgress.NO_ANSWER)
    assert [one.from_number for one in claim_of(owner).calls] == [limited.number]


def test_an_account_has_no_more_calls_at_a_time_than_its_limit_over_its_workspaces(
    owner: Person, stranger: Person
) -> None:
    for who in (owner, stranger):
        phone = number_of(who, account=account(who, concurrency_limit=3))
        dialed_batch(who, 4, phones=[phone])
    first = claim_of(owner, most=2).calls
    assert len(first) == 2
    assert len(claim_of(stranger).calls) == 1
    assert claim_of(stranger).calls == []
    assert claim_of(owner).calls == []
    end(first[0], CallProgress.COMPLETED)
    assert len(claim_of(stranger).calls) == 1


def test_another_account_does_not_count(owner: Person, stranger: Person) -> None:
    dialed_batch(owner, 2, phones=[number_of(owner, account=account(owner, concurrency_limit=1))])
    other = factories.CarrierAccountFactory.create(
        workspace=stranger.workspace, concurrency_limit=1
    )
    dialed_batch(stranger, 2, phones=[number_of(stranger, account=other)])
    assert len(claim_of(owner).calls) == 1
    assert len(claim_of(stranger).calls) == 1


# --- Calls a day ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("America/New_York", datetime.fromisoformat("2026-11-25T05:00:00Z")),
        ("Asia/Kolkata", datetime.fromisoformat("2026-11-24T18:30:00Z")),
        ("UTC", datetime.fromisoformat("2026-11-25T00:00:00Z")),
    ],
)
def test_a_number_makes_no_more_calls_a_day_than_its_cap_by_the_workspaces_calendar(
    owner: Person, zone: str, midnight: datetime
) -> None:
    Workspace.objects.update(timezone=zone)
    phone = number_of(owner, daily_cap=2)
    for _ in range(2):
        dialed_batch(owner, 3, phones=[phone])
    for one in claim_of(owner).calls:
        end(one, CallProgress.COMPLETED)
    assert CallAttempt.objects.count() == 2
    assert claim_of(owner, midnight - timedelta(microseconds=1)).calls == []
    assert len(claim_of(owner, midnight).calls) == 2
    assert claim_of(owner, midnight + timedelta(hours=1)).calls == []


@pytest.mark.parametrize(
    ("noon", "midnight"),
    [
        ("2026-03-08T12:00:00Z", "2026-03-09T04:00:00Z"),  # the day that has 23 hours
        ("2026-11-01T12:00:00Z", "2026-11-02T05:00:00Z"),  # and the one that has 25
    ],
)
def test_a_day_on_which_the_clocks_change_ends_at_its_own_midnight(
    owner: Person, noon: str, midnight: str
) -> None:
    now, end_of_day = datetime.fromisoformat(noon), datetime.fromisoformat(midnight)
    dialed_batch(owner, 2, phones=[number_of(owner, daily_cap=1)])
    [one] = claim_of(owner, now).calls
    end(one, CallProgress.COMPLETED, now)
    assert claim_of(owner, end_of_day - timedelta(seconds=1)).calls == []
    assert len(claim_of(owner, end_of_day).calls) == 1


def test_an_attempt_that_was_not_made_does_not_count(owner: Person) -> None:
    from_number = number_of(owner, daily_cap=1)
    dialed_batch(owner, 1, phones=[from_number])
    [one] = claim_of(owner).calls
    PhoneNumber.objects.filter(id=from_number.id).update(is_active=False)
    put_back_at_the_gate(one)
    PhoneNumber.objects.filter(id=from_number.id).update(is_active=True)
    assert len(claim_of(owner).calls) == 1


def put_back_at_the_gate(one: Claimed) -> None:
    refused = pass_gate([one.attempt_id], now=NOW).refused
    for batch_id, returns in refused.items():
        assert give_back(batch_id=batch_id, returns=returns, now=NOW) == 1


# --- A contact's own cap --------------------------------------------------------------------------


def test_a_contact_is_called_no_more_often_in_24_hours_than_the_cap_over_all_batches(
    owner: Person,
) -> None:
    Workspace.objects.update(contact_daily_cap=2)
    for _ in range(3):
        batch = dialed_batch(owner, 0)
        factories.CallFactory.create(batch=batch, phone_number="+13105551234")
    for hours in (0, 20):
        [one] = claim_of(owner, after(hours * 3600)).calls
        end(one, CallProgress.COMPLETED, after(hours * 3600))
    day = 24 * 3600
    assert claim_of(owner, after(day - 1)).calls == []
    [waiting] = Call.objects.filter(status=CallStatus.PENDING)
    assert waiting.next_attempt_at == after(day)  # when the first of the two is a day old
    assert len(claim_of(owner, after(day)).calls) == 1


def test_the_cap_holds_for_retries_too(owner: Person) -> None:
    Workspace.objects.update(contact_daily_cap=2)
    dialed_batch(owner, 1, retry=5, delay=0)
    for second in (0, 1):
        [one] = claim_of(owner, after(second)).calls
        end(one, CallProgress.BUSY, after(second))
    assert claim_of(owner, after(2)).calls == []
    assert len(claim_of(owner, after(24 * 3600)).calls) == 1


def test_a_contact_of_another_workspace_counts_for_itself(owner: Person, stranger: Person) -> None:
    Workspace.objects.update(contact_daily_cap=1)
    for who in (owner, stranger):
        batch = dialed_batch(who, 0)
        factories.CallFactory.create(batch=batch, phone_number="+13105551234")
        assert len(claim_of(who).calls) == 1


# --- Calls a second -------------------------------------------------------------------------------


def places(found: Claim) -> list[float]:
    """When its calls may start, in seconds after NOW."""
    return [(one.place_at - NOW).total_seconds() for one in found.calls]


def test_calls_of_an_account_start_at_its_pace_five_seconds_ahead(owner: Person) -> None:
    phones = [number_of(owner, account=account(owner, calls_per_second=2))]
    dialed_batch(owner, 30, phones=phones)
    assert places(claim_of(owner)) == [n / 2 for n in range(10)]
    assert claim_of(owner).calls == []
    assert places(claim_of(owner, after(1.6))) == [5, 5.5, 6, 6.5]


def test_numbers_of_one_account_share_its_pace_and_others_have_none(owner: Person) -> None:
    paced = account(owner, calls_per_second=1)
    dialed_batch(owner, 4, phones=[number_of(owner, account=paced) for _ in range(2)])
    dialed_batch(owner, 2)
    assert sorted(places(claim_of(owner))) == [0, 0, 0, 1, 2, 3]


def test_two_workspaces_that_share_an_account_share_its_pace(
    owner: Person, stranger: Person
) -> None:
    for who in (owner, stranger):
        phone = number_of(who, account=account(who, calls_per_second=1))
        dialed_batch(who, 20, phones=[phone])
    assert places(claim_of(owner, most=3)) == [0, 1, 2]
    assert places(claim_of(stranger)) == [3, 4]
    assert claim_of(owner).calls == []
    assert CarrierLimiter.objects.get().next_slot_at == after(5)


def test_a_pause_saves_up_nothing(owner: Person) -> None:
    phone = number_of(owner, account=account(owner, calls_per_second=1))
    dialed_batch(owner, 20, phones=[phone])
    assert places(claim_of(owner, most=1)) == [0]
    assert places(claim_of(owner, after(100), most=3)) == [100, 101, 102]

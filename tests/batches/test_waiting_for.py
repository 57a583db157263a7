"""`waitingFor` of call-details: why a call is not being dialed right now, and when it will be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from batches.dialer.claim import BUSY_AGAIN
from batches.models import BatchStatus, Call, CallBatch, CallStatus, Lease, PauseReason
from batches.waiting import Wait, waiting_for
from calling.models import PhoneNumber
from tests import factories
from tests.batches.test_batch_details import batch_of, call_of
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.models import Workspace

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday
OFFICE = {"calling_hour_start": 9 * 60, "calling_hour_end": 17 * 60}


def shown(api: Api, who: Person, call: Call) -> Any:
    answer = api.get(f"/api/call/call-details/{call.id}", who.with_key)
    return checked(answer, 200)["data"]["waitingFor"]


def dialed(owner: Person, **fields: Any) -> CallBatch:
    """An active batch with one number and no obstacle."""
    fields = {"status": BatchStatus.ACTIVE, "timezone": "UTC", "enable_dnc": False, **fields}
    batch: CallBatch = factories.CallBatchFactory.create(
        workspace=owner.workspace, created_by=owner.user, **fields
    )
    factories.BatchNumberFactory.create(batch=batch)
    return batch


def wait_of(call: Call, now: datetime = NOON) -> Wait:
    fresh = Call.objects.select_related("batch__session").get(id=call.id)
    wait = waiting_for(fresh, fresh.batch, now)
    assert wait is not None
    return wait


def of_workspace(owner: Person, **fields: Any) -> None:
    Workspace.objects.filter(id=owner.workspace.id).update(**fields)


# --- The batch ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(set(CallStatus.values) - {CallStatus.PENDING}))
@pytest.mark.parametrize("batch_status", [BatchStatus.ACTIVE, BatchStatus.STOPPED])
def test_only_a_pending_call_waits(api: Api, owner: Person, status: str, batch_status: str) -> None:
    batch = batch_of(owner, status=batch_status)
    assert shown(api, owner, call_of(batch, status=status)) is None


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        ("draft", "The batch has not been started."),
        ("stopped", "The batch was stopped."),
        ("completed", "The batch is completed; start it again to dial this call."),
    ],
)
def test_a_pending_call_waits_for_its_batch(
    api: Api, owner: Person, status: str, detail: str
) -> None:
    expected = {"reason": f"batch_{status}", "until": None, "detail": detail}
    assert shown(api, owner, call_of(batch_of(owner, status=status))) == expected


@pytest.mark.parametrize("reason", PauseReason.values)
def test_of_a_paused_batch_the_reason_is_told(api: Api, owner: Person, reason: str) -> None:
    found = shown(api, owner, call_of(batch_of(owner, status="paused", status_reason=reason)))
    assert found["reason"] == "batch_paused"
    assert reason in found["detail"]
    assert found["detail"].startswith("The system paused the batch: ")


@pytest.mark.parametrize(
    ("only_its_calls", "own", "expected"),
    [
        (True, "the session", "dialer"),
        (True, "another", "other_session"),
        (True, "none", "other_session"),
        (False, "another", "dialer"),
        (False, "none", "dialer"),
    ],
)
def test_a_start_for_some_calls_lets_the_others_wait(
    owner: Person, only_its_calls: bool, own: str, expected: str
) -> None:
    batch = dialed(owner)
    sessions = {
        "the session": factories.DialingSessionFactory.create(
            batch=batch, only_its_calls=only_its_calls
        ),
        "another": factories.DialingSessionFactory.create(batch=batch),
        "none": None,
    }
    CallBatch.objects.filter(id=batch.id).update(session=sessions["the session"])
    assert wait_of(call_of(batch, session=sessions[own])).reason == expected


def test_a_suspended_workspace_and_a_batch_without_an_active_number_wait_for_people(
    owner: Person,
) -> None:
    call = call_of(dialed(owner))
    PhoneNumber.objects.update(is_active=False)
    assert wait_of(call).reason == "no_number"
    of_workspace(owner, is_active=False)
    assert wait_of(call).reason == "workspace_suspended"


# --- The contact ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("switch", "of_batch", "reason"),
    [
        (True, False, "do_not_call"),
        (False, True, "do_not_call"),
        (True, True, "do_not_call"),
        (False, False, "dialer"),
    ],
)
def test_a_listed_number_is_going_to_be_skipped(
    owner: Person, switch: bool, of_batch: bool, reason: str
) -> None:
    of_workspace(owner, dnc_enabled=switch)
    call = call_of(dialed(owner, enable_dnc=of_batch))
    factories.DoNotCallEntryFactory.create(
        workspace=owner.workspace, phone_number=call.phone_number
    )
    assert wait_of(call).reason == reason


def test_a_number_that_was_called_often_enough_waits_until_a_day_after(owner: Person) -> None:
    of_workspace(owner, contact_daily_cap=2)
    call, other = call_of(dialed(owner)), call_of(dialed(owner))
    for hours in (30, 20, 3):
        factories.CallAttemptFactory.create(
            call=other, to_number=call.phone_number, created_at=NOON - timedelta(hours=hours)
        )
    found = wait_of(call)
    assert (found.reason, found.until) == ("contact_cap", NOON + timedelta(hours=4))
    assert "2 times" in found.detail


def test_a_number_that_another_batch_is_calling_waits(owner: Person) -> None:
    call = call_of(dialed(owner))
    in_flight(call_of(dialed(owner)), to_number=call.phone_number)
    assert wait_of(call).reason == "contact_busy"


def in_flight(call: Call, **fields: Any) -> None:
    phone = PhoneNumber.objects.get(rotations__batch=call.batch)
    attempt = factories.CallAttemptFactory.create(call=call)
    factories.LeaseFactory.create(attempt=attempt, phone=phone, **fields)


# --- The time -------------------------------------------------------------------------------------


def test_outside_of_its_hours_it_waits_for_the_opening_where_the_contact_is(owner: Person) -> None:
    batch = dialed(owner, calling_hour_start=9 * 60, calling_hour_end=17 * 60)
    found = wait_of(call_of(batch, timezone="America/Los_Angeles"))
    assert (found.reason, found.until) == ("window", datetime(2026, 11, 24, 17, tzinfo=UTC))
    assert "Tuesday 24 November 2026, 09:00 (America/Los_Angeles)" in found.detail
    assert wait_of(call_of(batch)).reason == "dialer"  # the batch's own zone is open


def test_the_workspaces_hours_hold_for_every_batch(owner: Person) -> None:
    of_workspace(owner, allowed_days=[3])
    found = wait_of(call_of(dialed(owner)))
    assert (found.reason, found.until) == ("window", datetime(2026, 11, 25, tzinfo=UTC))


def test_hours_with_nothing_in_common_never_open(owner: Person) -> None:
    of_workspace(owner, allowed_days=[3])
    found = wait_of(call_of(dialed(owner, allowed_days=[4])))
    assert (found.reason, found.until) == ("window", None)


def test_a_retry_waits_for_its_pause_and_then_for_the_hours(owner: Person) -> None:
    batch = dialed(owner, calling_hour_start=9 * 60, calling_hour_end=17 * 60)
    soon = call_of(batch, attempts_made=1, next_attempt_at=NOON + timedelta(minutes=30))
    late = call_of(batch, attempts_made=1, next_attempt_at=NOON + timedelta(hours=6))
    found = wait_of(soon)
    assert (found.reason, found.until) == ("retry_delay", NOON + timedelta(minutes=30))
    assert found.detail == "Attempt 2 is due at Tuesday 24 November 2026, 12:30 (UTC)."
    found = wait_of(late)
    assert found.detail.startswith("Attempt 2 is due outside of the calling hours: it waits until ")
    assert (found.reason, found.until) == ("window", datetime(2026, 11, 25, 9, tzinfo=UTC))


# --- In the order of the claim --------------------------------------------------------------------


def test_the_first_obstacle_is_told_and_the_next_one_when_it_is_gone(owner: Person) -> None:
    of_workspace(owner, contact_daily_cap=1, timezone="UTC", concurrency_limit=1)
    batch = dialed(owner, enable_dnc=True, **OFFICE)
    call, other = call_of(batch), call_of(dialed(owner))
    number = {"to_number": call.phone_number}
    entry = factories.DoNotCallEntryFactory.create(
        workspace=owner.workspace, phone_number=call.phone_number
    )
    in_flight(other, **number)
    factories.CallAttemptFactory.create(call=other, created_at=NOON - timedelta(hours=1), **number)
    [phone] = PhoneNumber.objects.filter(rotations__batch=batch)
    PhoneNumber.objects.filter(id=phone.id).update(daily_cap=1)
    factories.CallAttemptFactory.create(call=other, phone=phone, created_at=NOON)

    night = datetime(2026, 11, 24, 8, tzinfo=UTC)
    assert wait_of(call, night).reason == "window"
    assert wait_of(call).reason == "do_not_call"
    entry.delete()
    assert wait_of(call).reason == "contact_busy"
    Lease.objects.update(to_number=other.phone_number)
    assert wait_of(call).reason == "contact_cap"
    of_workspace(owner, contact_daily_cap=0)
    assert wait_of(call).reason == "number_cap"
    PhoneNumber.objects.update(daily_cap=0)
    assert wait_of(call).reason == "workspace_limit"
    Lease.objects.all().delete()
    assert wait_of(call).reason == "dialer"


def test_a_call_that_was_put_off_tells_what_for(owner: Person) -> None:
    """The claim writes the moment at which it looks again into the call; that is no reason."""
    of_workspace(owner, contact_daily_cap=1)
    freed = NOON + timedelta(hours=4)
    call, other = call_of(dialed(owner), next_attempt_at=freed), call_of(dialed(owner))
    factories.CallAttemptFactory.create(
        call=other, to_number=call.phone_number, created_at=NOON - timedelta(hours=20)
    )
    found = wait_of(call)
    assert (found.reason, found.until) == ("contact_cap", freed)
    of_workspace(owner, contact_daily_cap=0)
    found = wait_of(call)
    assert (found.reason, found.until) == ("retry_delay", freed)
    assert found.detail.startswith("Attempt 1 was put off until ")

    in_flight(other, to_number=call.phone_number)
    assert wait_of(call).reason == "retry_delay"
    Call.objects.filter(id=call.id).update(next_attempt_at=NOON + BUSY_AGAIN)
    assert wait_of(call).reason == "contact_busy"


def test_numbers_that_vanish_while_it_is_read_are_no_error(
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batches.waiting.lines_of", lambda *args, **kwargs: {})
    assert wait_of(call_of(dialed(owner))).reason == "dialer"


# --- Limits ---------------------------------------------------------------------------------------


def test_a_full_workspace_or_number_lets_it_wait_for_an_end(owner: Person) -> None:
    batch = dialed(owner)
    call = call_of(batch)
    in_flight(call_of(batch, status="in-progress"))
    PhoneNumber.objects.update(concurrency_limit=1)
    assert wait_of(call).reason == "number_limit"
    of_workspace(owner, concurrency_limit=1)
    assert wait_of(call).reason == "number_limit"
    PhoneNumber.objects.update(concurrency_limit=0)
    found = wait_of(call)
    assert (found.reason, found.until) == ("workspace_limit", None)


def test_of_several_blocked_numbers_the_one_that_is_free_first_is_told(owner: Person) -> None:
    """One has had its day, the other is busy: the busy one's call ends before midnight."""
    batch = dialed(owner)
    factories.BatchNumberFactory.create(batch=batch, position=1)
    capped, busy = PhoneNumber.objects.order_by("rotations__position")
    PhoneNumber.objects.filter(id=capped.id).update(daily_cap=1)
    PhoneNumber.objects.filter(id=busy.id).update(concurrency_limit=1)
    other = call_of(batch, status="in-progress")
    factories.CallAttemptFactory.create(call=other, phone=capped, created_at=NOON)
    attempt = factories.CallAttemptFactory.create(call=other, phone=busy)
    factories.LeaseFactory.create(attempt=attempt, phone=busy)
    found = wait_of(call_of(batch))
    assert (found.reason, found.until) == ("number_limit", None)


def test_a_full_account_is_told(owner: Person) -> None:
    account = factories.CarrierAccountFactory.create(workspace=owner.workspace, concurrency_limit=1)
    batch = dialed(owner)
    PhoneNumber.objects.update(account=account)
    in_flight(call_of(batch, status="in-progress"))
    found = wait_of(call_of(batch))
    assert (found.reason, found.until) == ("carrier_limit", None)


def test_the_daily_cap_of_its_own_number_keeps_a_retry_until_midnight(owner: Person) -> None:
    """A contact is called from the same number again, although another one is free."""
    of_workspace(owner, timezone="America/New_York")
    batch = dialed(owner)
    factories.BatchNumberFactory.create(batch=batch, position=1)
    own = PhoneNumber.objects.get(rotations__batch=batch, rotations__position=0)
    PhoneNumber.objects.filter(id=own.id).update(daily_cap=1)
    again, fresh = call_of(batch, caller=own), call_of(batch)
    factories.CallAttemptFactory.create(call=again, phone=own, created_at=NOON - timedelta(hours=1))
    found = wait_of(again)
    assert (found.reason, found.until) == ("number_cap", datetime(2026, 11, 25, 5, tzinfo=UTC))
    assert wait_of(fresh).reason == "dialer"


def test_the_pace_of_the_account_is_told_with_its_moment(owner: Person) -> None:
    account = factories.CarrierAccountFactory.create(workspace=owner.workspace, calls_per_second=1)
    call = call_of(dialed(owner))
    PhoneNumber.objects.update(account=account)
    factories.CarrierLimiterFactory.create(
        digest=account.digest, next_slot_at=NOON + timedelta(seconds=8)
    )
    found = wait_of(call)
    assert (found.reason, found.until) == ("carrier_pace", NOON + timedelta(seconds=3))


# --- Cost -----------------------------------------------------------------------------------------


def test_an_active_call_that_nothing_keeps_is_next(api: Api, owner: Person) -> None:
    before = timezone.now()
    found = shown(api, owner, call_of(dialed(owner)))
    assert (found["reason"], found["detail"]) == ("dialer", "Next in turn.")
    assert found["until"] >= before.strftime("%Y-%m-%dT%H:%M")


def test_it_costs_the_same_statements_whatever_the_numbers_and_calls(owner: Person) -> None:
    """Workspace, batch, list and lease, in flight, numbers."""
    small, large = dialed(owner), dialed(owner)
    for position in range(1, 20):
        factories.BatchNumberFactory.create(batch=large, position=position)
        factories.CallFactory.create(batch=large)
    counts = []
    for batch in (small, large):
        call = Call.objects.select_related("batch__session").get(id=call_of(batch).id)
        with CaptureQueriesContext(connection) as captured:
            waiting_for(call, call.batch, NOON)
        counts.append(len(captured))
    assert counts == [5, 5]


def test_all_limits_together_cost_nine_statements(owner: Person) -> None:
    """Also caps of contact and number, and calls and pace of the account."""
    limits = {"calls_per_second": 1, "concurrency_limit": 9}
    account = factories.CarrierAccountFactory.create(workspace=owner.workspace, **limits)
    of_workspace(owner, contact_daily_cap=9, concurrency_limit=9)
    call = call_of(dialed(owner))
    PhoneNumber.objects.update(account=account, daily_cap=9, concurrency_limit=9)
    fresh = Call.objects.select_related("batch__session").get(id=call.id)
    with CaptureQueriesContext(connection) as captured:
        waiting_for(fresh, fresh.batch, NOON)
    assert len(captured) == 9

"""`batch-preflight`: what a start would do."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from batches.models import BatchStatus, Call, CallBatch
from batches.preflight import Preflight, preflight
from calling.models import PhoneNumber
from tests import factories
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.models import Workspace

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday
OFFICE = {"calling_hour_start": 9 * 60, "calling_hour_end": 17 * 60}
UNKNOWN_ID = "64e5f12345abcdef12345678"


def draft(owner: Person, contacts: int = 0, **fields: Any) -> CallBatch:
    batch: CallBatch = factories.CallBatchFactory.create(
        workspace=owner.workspace, created_by=owner.user, timezone="UTC", **fields
    )
    factories.BatchNumberFactory.create(batch=batch)
    factories.CallFactory.create_batch(contacts, batch=batch)
    return batch


def seen(batch: CallBatch, now: datetime = NOON) -> Preflight:
    found = preflight(CallBatch.objects.get(id=batch.id), now)
    assert found.dial_now + sum(found.waiting.values()) == found.pending
    assert found.pending == batch.calls.filter(status="pending").count()
    return found


def waits(found: Preflight) -> dict[str, int]:
    return {name: number for name, number in found.waiting.items() if number}


def codes(found: Preflight) -> set[str]:
    return {warning.code for warning in found.warnings}


def test_the_whole_answer_in_its_order(api: Api, owner: Person) -> None:
    batch = draft(owner, 2)
    body = checked(api.get(f"/api/call/batch-preflight/{batch.id}", owner.with_read_key), 200)
    data = body["data"]
    assert body["message"] == "Preflight fetched successfully"
    assert list(data) == [
        *("batchId", "batchStatus", "pendingCalls", "dialNow", "waiting", "timezones"),
        *("earliest", "likelyFinish", "warnings"),
    ]
    assert (data["batchId"], data["batchStatus"]) == (batch.id, "draft")
    assert (data["pendingCalls"], data["dialNow"]) == (2, 2)
    assert set(data["waiting"].values()) == {0}
    [zone] = data["timezones"]
    assert (zone["timezone"], zone["calls"], zone["dialNow"], zone["open"]) == ("UTC", 2, 2, True)
    assert zone["closesAt"] is None
    assert data["earliest"] <= data["likelyFinish"]
    [warning] = data["warnings"]
    assert warning["code"] == "no_calling_hours"


def test_a_foreign_an_unknown_and_a_deleted_batch_read_alike(
    api: Api, owner: Person, stranger: Person
) -> None:
    ids = [draft(stranger).id, draft(owner, deleted_at=NOON).id, UNKNOWN_ID]
    bodies = [
        checked(api.get(f"/api/call/batch-preflight/{id_}", owner.with_key), 404) for id_ in ids
    ]
    assert bodies[0] == bodies[1] == bodies[2]


# --- Who waits for what ---------------------------------------------------------------------------


def test_each_time_zone_has_its_own_hours(owner: Person) -> None:
    batch = draft(owner, 3, **OFFICE)
    factories.CallFactory.create_batch(4, batch=batch, timezone="America/Los_Angeles")
    found = seen(batch)
    assert (found.dial_now, waits(found)) == (3, {"window": 4})
    west, home = found.zones
    assert (west.timezone, west.calls, west.dial_now, west.is_open) == (
        *("America/Los_Angeles", 4, 0, False),
    )
    assert west.opens_at == datetime(2026, 11, 24, 17, tzinfo=UTC)
    assert (home.opens_at, home.closes_at) == (NOON, datetime(2026, 11, 24, 17, tzinfo=UTC))
    assert found.earliest == NOON


@pytest.mark.parametrize(("switch", "of_batch"), [(True, False), (False, True), (False, False)])
def test_listed_numbers_are_counted_when_the_list_is_honoured(
    owner: Person, switch: bool, of_batch: bool
) -> None:
    Workspace.objects.update(dnc_enabled=switch)
    batch = draft(owner, 3, enable_dnc=of_batch)
    for call in Call.objects.all()[:2]:
        factories.DoNotCallEntryFactory.create(
            workspace=owner.workspace, phone_number=call.phone_number
        )
    found = seen(batch)
    honoured = switch or of_batch
    assert waits(found) == ({"doNotCall": 2} if honoured else {})
    assert ("dnc_off" in codes(found)) is not honoured


def test_pauses_caps_and_calls_of_other_batches_are_told_apart(owner: Person) -> None:
    Workspace.objects.update(contact_daily_cap=1)
    batch, other = draft(owner, 4), draft(owner, 1)
    later, capped, busy, _ = Call.objects.filter(batch=batch).order_by("id")
    Call.objects.filter(id=later.id).update(next_attempt_at=NOON + timedelta(hours=1))
    elsewhere = Call.objects.get(batch=other)
    factories.CallAttemptFactory.create(
        call=elsewhere, to_number=capped.phone_number, created_at=NOON - timedelta(hours=1)
    )
    factories.LeaseFactory.create(
        attempt=factories.CallAttemptFactory.create(call=elsewhere), to_number=busy.phone_number
    )
    found = seen(batch)
    assert found.dial_now == 1
    assert waits(found) == {"retryDelay": 1, "contactCap": 1, "contactBusy": 1}
    assert found.earliest == NOON


def test_the_earliest_and_the_finish_wait_for_pauses_and_caps(owner: Person) -> None:
    """Of two attempts within 24 hours the older one lets go: of the cap, it is the second newest."""
    Workspace.objects.update(contact_daily_cap=2)
    batch = draft(owner, 2)
    capped, later = Call.objects.filter(batch=batch).order_by("id")
    for hours in (22, 20):
        factories.CallAttemptFactory.create(
            call=capped, to_number=capped.phone_number, created_at=NOON - timedelta(hours=hours)
        )
    Call.objects.filter(id=later.id).update(next_attempt_at=NOON + timedelta(hours=9))
    found = seen(batch)
    assert waits(found) == {"contactCap": 1, "retryDelay": 1}
    assert found.earliest == NOON + timedelta(hours=2)
    assert found.likely_finish == NOON + timedelta(hours=9)

    Call.objects.filter(id=later.id).update(next_attempt_at=NOON + timedelta(hours=1))
    found = seen(batch)
    assert found.earliest == NOON + timedelta(hours=1)
    assert found.likely_finish == NOON + timedelta(hours=2)


def test_listed_numbers_alone_are_nothing_to_wait_for(owner: Person) -> None:
    batch = draft(owner, 1)
    number = Call.objects.get().phone_number
    factories.DoNotCallEntryFactory.create(workspace=owner.workspace, phone_number=number)
    found = seen(batch)
    assert (found.earliest, found.likely_finish) == (None, None)


def test_an_active_batch_started_for_some_calls_keeps_the_others(owner: Person) -> None:
    batch = draft(owner, 3)
    session = factories.DialingSessionFactory.create(batch=batch, only_its_calls=True)
    factories.CallFactory.create(batch=batch, session=session)
    CallBatch.objects.filter(id=batch.id).update(session=session, status=BatchStatus.ACTIVE)
    listed = Call.objects.filter(batch=batch, session=None)[0].phone_number
    factories.DoNotCallEntryFactory.create(workspace=owner.workspace, phone_number=listed)
    assert waits(seen(batch)) == {"otherSession": 2, "doNotCall": 1}
    CallBatch.objects.filter(id=batch.id).update(status=BatchStatus.STOPPED)
    assert seen(batch).dial_now == 3  # a plain start would dial them all


def test_without_a_number_nothing_can_be_dialed_ever(owner: Person) -> None:
    batch = draft(owner, 2)
    PhoneNumber.objects.update(is_active=False)
    found = seen(batch)
    assert waits(found) == {"noNumber": 2}
    assert (found.earliest, found.likely_finish) == (None, None)
    assert "no_number" in codes(found)


def test_numbers_that_had_their_day_go_on_after_midnight(owner: Person) -> None:
    Workspace.objects.update(timezone="UTC")
    batch = draft(owner, 2)
    PhoneNumber.objects.update(daily_cap=1)
    factories.CallAttemptFactory.create(
        call=Call.objects.all()[0],
        phone=PhoneNumber.objects.get(),
        status="completed",
        created_at=NOON - timedelta(hours=1),
    )
    found = seen(batch)
    assert waits(found) == {"numberCap": 2}
    assert found.earliest == datetime(2026, 11, 25, tzinfo=UTC)
    assert found.likely_finish is not None
    assert found.likely_finish >= datetime(2026, 11, 26, tzinfo=UTC)  # one a day


def test_hours_with_nothing_in_common_never_open(owner: Person) -> None:
    Workspace.objects.update(allowed_days=[3])
    found = seen(draft(owner, 1, allowed_days=[4]))
    assert (found.earliest, found.likely_finish) == (None, None)
    assert "window_never_opens" in codes(found)
    assert found.zones[0].opens_at is None


def test_every_pending_call_is_counted_once_whatever_keeps_it(owner: Person) -> None:
    """`seen` adds up: dialNow and what waits make all that is pending."""
    rng = Random(7)  # noqa: S311 (to be repeatable)
    Workspace.objects.update(contact_daily_cap=1)
    batch = draft(owner, 60, **OFFICE)
    for call in Call.objects.all():
        many = Call.objects.filter(id=call.id)
        if rng.random() < 0.4:
            many.update(timezone=rng.choice(["Asia/Tokyo", "Europe/London", "Pacific/Apia"]))
        if rng.random() < 0.3:
            many.update(next_attempt_at=NOON + timedelta(minutes=5))
        if rng.random() < 0.3:
            many.update(status=rng.choice(["completed", "failed", "unknown"]))
        if rng.random() < 0.3:
            factories.DoNotCallEntryFactory.create(
                workspace=owner.workspace, phone_number=call.phone_number
            )
        if rng.random() < 0.3:
            factories.CallAttemptFactory.create(
                call=call, to_number=call.phone_number, created_at=NOON - timedelta(hours=2)
            )
    with connection.cursor() as cursor:  # the test changed statuses behind the counters' back
        cursor.execute("DELETE FROM batches_callcounter")
    assert len(waits(seen(batch))) >= 4
    Call.objects.all().delete()


# --- When, and what looks wrong -------------------------------------------------------------------


def test_the_likely_finish_follows_the_tightest_limit(owner: Person) -> None:
    """120 calls of 30 seconds: two at a time take half an hour; one a second two minutes."""
    batch = draft(owner, 120)
    Workspace.objects.update(concurrency_limit=2)
    assert seen(batch).likely_finish == NOON + timedelta(minutes=30)
    account = factories.CarrierAccountFactory.create(workspace=owner.workspace, calls_per_second=1)
    PhoneNumber.objects.update(account=account)
    assert seen(batch).likely_finish == NOON + timedelta(minutes=30)
    Workspace.objects.update(concurrency_limit=0)
    assert seen(batch).likely_finish == NOON + timedelta(minutes=2)


def test_it_learns_from_the_attempts_of_the_batch(owner: Person) -> None:
    """Half of them missed, 10 seconds each: with one retry 1.5 attempts a call."""
    batch = draft(owner, 60, retry=1)
    Workspace.objects.update(concurrency_limit=1)
    for status in ("completed", "busy"):
        factories.CallAttemptFactory.create(
            call=Call.objects.all()[0],
            status=status,
            created_at=NOON - timedelta(hours=1),
            ended_at=NOON - timedelta(hours=1) + timedelta(seconds=10),
        )
    assert seen(batch).likely_finish == NOON + timedelta(minutes=15)


def test_a_first_batch_learns_from_what_its_numbers_did_lately(owner: Person) -> None:
    """And not from attempts of other numbers, of long ago, or of those that are not tried again."""
    Workspace.objects.update(concurrency_limit=1)
    batch, other = draft(owner, 60, retry=1), draft(owner, 1)
    [call] = other.calls.all()
    [own] = PhoneNumber.objects.filter(rotations__batch=batch)
    [foreign] = PhoneNumber.objects.filter(rotations__batch=other)
    for phone, days, statuses, seconds in (
        (own, 1, ["completed", "unknown", "no-answer", "failed"], 20),
        (own, 8, ["busy"], 90),
        (foreign, 1, ["busy"], 90),
    ):
        for status in statuses:
            at = NOON - timedelta(days=days)
            ended = at + timedelta(seconds=seconds)
            factories.CallAttemptFactory.create(
                call=call, phone=phone, status=status, created_at=at, ended_at=ended
            )
    assert seen(batch).likely_finish == NOON + timedelta(seconds=60 * 1.5 * 20)


def carrier(owner: Person) -> None:
    """A real one."""
    PhoneNumber.objects.update(carrier="twilio")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda owner: None, set()),
        (carrier, {"no_workspace_window"}),
        (lambda owner: PhoneNumber.objects.update(is_active=False), {"no_number"}),
        (lambda owner: PhoneNumber.objects.update(agent=None), {"no_agent"}),
    ],
    ids=["simulator", "real carrier", "no number", "no agent"],
)
def test_what_looks_like_a_mistake_is_said(
    owner: Person, change: Callable[[Person], object], expected: set[str]
) -> None:
    batch = draft(owner, 1, **OFFICE)
    change(owner)
    assert codes(seen(batch)) == expected


def test_weekdays_without_hours_still_leave_the_nights(owner: Person) -> None:
    """Of the batch and of the workspace, which both limit only the days here."""
    batch = draft(owner, 1, allowed_days=[1, 2, 3])
    Workspace.objects.update(allowed_days=[1, 2])
    carrier(owner)
    assert codes(seen(batch)) == {"no_calling_hours", "no_workspace_window"}
    Workspace.objects.update(**OFFICE)
    assert codes(seen(batch)) == set()


def test_it_costs_the_same_statements_for_one_call_and_for_fifty(owner: Person) -> None:
    """Workspace, batch, in flight, lines, buckets, numbers, attempts of the batch, of the numbers."""
    counts = []
    for contacts in (1, 50):
        batch = draft(owner, contacts, **OFFICE)
        with CaptureQueriesContext(connection) as captured:
            preflight(batch, NOON)
        counts.append(len(captured))
    assert counts == [8, 8]

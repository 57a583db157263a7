"""What the pending calls of a batch wait for, in groups, at a cost that its size does not change."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from batches import backlog
from batches.backlog import Group, backlog_of
from batches.models import BatchStatus, Call, CallBatch
from tests import factories
from tests.batches.dialer.steps import NOW, after, dialed_batch, number_of
from tests.cast import Person
from workspaces.models import Workspace

OFFICE: dict[str, Any] = {"calling_hour_start": 9 * 60, "calling_hour_end": 17 * 60}


def in_zones(batch: CallBatch, **numbers: int) -> None:
    """So many calls of each: `NewYork` for America/New_York, `own` for the batch's."""
    names = {"NewYork": "America/New_York", "London": "Europe/London", "own": ""}
    for name, number in numbers.items():
        factories.CallFactory.create_batch(number, batch=batch, timezone=names[name])


def told(batch: CallBatch) -> list[tuple[Any, ...]]:
    groups = backlog_of(batch, NOW).groups
    return [(group.timezone, group.reason, group.calls, group.until) for group in groups]


def test_each_zone_waits_for_its_own_morning(owner: Person) -> None:
    batch = dialed_batch(owner, 0, timezone="Europe/London", **OFFICE)
    in_zones(batch, NewYork=3, own=2)  # NOW is 12:00 in London and 07:00 in New York
    opens = datetime(2026, 11, 24, 14, tzinfo=UTC)
    assert told(batch) == [
        ("Europe/London", "", 2, NOW),
        ("America/New_York", "window", 3, opens),
    ]


def test_what_is_due_later_is_told_apart(owner: Person) -> None:
    batch = dialed_batch(owner, 3, timezone="Europe/London", **OFFICE)
    call = Call.objects.filter(batch=batch).order_by("id").first()
    assert call is not None
    Call.objects.filter(id=call.id).update(next_attempt_at=after(60))
    assert told(batch) == [
        ("Europe/London", "", 2, NOW),
        ("Europe/London", "next_attempt", 1, after(60)),
    ]
    # Due after the window has closed: it waits until the next morning.
    Call.objects.filter(id=call.id).update(next_attempt_at=after(6 * 3600))
    assert told(batch)[1][3] == datetime(2026, 11, 25, 9, tzinfo=UTC)


def test_blocked_numbers_are_what_is_in_the_way(owner: Person) -> None:
    phone = number_of(owner, daily_cap=1)
    batch = dialed_batch(owner, 2, phones=[phone])
    assert [group.reason for group in backlog_of(batch, NOW).groups] == [""]
    attempt = factories.CallAttemptFactory.create(
        call=factories.CallFactory.create(batch=batch, status="failed"), phone=phone, created_at=NOW
    )
    assert attempt.phone_id == phone.id
    [group] = backlog_of(batch, NOW).groups
    midnight = datetime(2026, 11, 25, 5, tzinfo=UTC)  # of the workspace, which is in New York
    assert (group.reason, group.until) == ("lines", midnight)


def test_without_an_active_number_nobody_knows_until_when(owner: Person) -> None:
    batch = dialed_batch(owner, 2, phones=[number_of(owner, is_active=False)])
    [group] = backlog_of(batch, NOW).groups
    assert (group.reason, group.until) == ("lines", None)


def test_the_limit_of_the_workspace_is_told(owner: Person) -> None:
    Workspace.objects.filter(id=owner.workspace.id).update(concurrency_limit=1)
    batch = dialed_batch(owner, 2)
    phone = batch.rotation.get().phone
    busy = factories.CallFactory.create(batch=batch, status="in-progress")
    factories.LeaseFactory.create(
        attempt=factories.CallAttemptFactory.create(call=busy, phone=phone), phone=phone
    )
    found = backlog_of(batch, NOW)
    assert [group.reason for group in found.groups] == ["workspace_limit"]
    assert (found.in_flight, found.in_flight_from(phone.id)) == (1, 1)


def test_hours_that_never_meet_are_told(owner: Person) -> None:
    Workspace.objects.filter(id=owner.workspace.id).update(
        calling_hour_start=18 * 60, calling_hour_end=20 * 60
    )
    batch = dialed_batch(owner, 2, **OFFICE)
    assert [group.reason for group in backlog_of(batch, NOW).groups] == ["never"]


def test_only_the_calls_of_a_start_for_some_calls_are_counted(owner: Person) -> None:
    batch = dialed_batch(owner, 3)
    session = factories.DialingSessionFactory.create(batch=batch, only_its_calls=True)
    CallBatch.objects.filter(id=batch.id).update(session=session)
    factories.CallFactory.create(batch=batch, session=session)
    assert [group.calls for group in backlog_of(batch, NOW).groups] == [1]


def test_a_batch_of_another_workspace_changes_nothing(owner: Person, stranger: Person) -> None:
    batch = dialed_batch(owner, 2)
    before = told(batch)
    dialed_batch(stranger, 5)
    assert told(batch) == before


def test_large_groups_are_counted_to_a_cap_and_many_zones_left_out(
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "MOST_COUNTED", 2)
    monkeypatch.setattr(backlog, "MOST_ZONES", 1)
    batch = dialed_batch(owner, 0)
    in_zones(batch, own=3, London=1)
    found = backlog_of(batch, NOW)
    assert [(group.calls, group.is_capped) for group in found.groups] == [(2, True)]
    assert found.more_zones == 1


def test_the_cost_is_the_same_for_few_calls_and_for_many(owner: Person) -> None:
    batch = dialed_batch(owner, 1, status=BatchStatus.ACTIVE)
    with CaptureQueriesContext(connection) as few:
        backlog_of(batch, NOW)
    in_zones(batch, NewYork=20, London=20, own=20)
    with CaptureQueriesContext(connection) as many:
        backlog_of(batch, NOW)
    assert len(many) == len(few) <= 10


def test_an_empty_batch_waits_for_nothing(owner: Person) -> None:
    assert backlog_of(dialed_batch(owner, 0), NOW).groups == []


def test_a_group_is_capped_when_it_may_be_more() -> None:
    exactly = Group(backlog.MOST_COUNTED, "UTC", "", NOW + timedelta())
    assert exactly.is_capped
    assert not Group(backlog.MOST_COUNTED - 1, "UTC", "", NOW).is_capped

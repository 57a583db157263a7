"""POST /api/call/addCallsToBatch: numbers that the batch has already, and starting by adding."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from batches.models import BatchVariable, Call, CallBatch, CallEvent, DialingSession
from tests import factories
from tests.batches.contacts import (
    FINISHED,
    add,
    call,
    contacts,
    counted,
    fresh,
    ready_batch,
    statuses,
)
from tests.cast import Api, Person
from workspaces.models import AuditEvent, Workspace

NUMBER = "12125551001"
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def batch(owner: Person) -> CallBatch:
    return ready_batch(owner)


def session(batch: CallBatch, **fields: Any) -> DialingSession:
    """A start of the batch, the present one."""
    made = DialingSession.objects.create(
        workspace_id=batch.workspace_id,
        batch=batch,
        started_by_id=batch.created_by_id,
        started_at=LONG_AGO,
        **fields,
    )
    CallBatch.objects.filter(id=batch.id).update(session=made)
    return made


def names(batch: CallBatch) -> list[str]:
    return list(batch.variables.order_by("position").values_list("name", flat=True))


# --- What becomes of the call ---------------------------------------------------------------------


@pytest.mark.parametrize("more", [0, 1000])
def test_a_pending_calls_record_is_replaced_whole(
    api: Api, owner: Person, batch: CallBatch, more: int
) -> None:
    old = call(batch, NUMBER, variables={"a": 1, "b": 2}, timezone="Asia/Tokyo", attempts_made=1)
    records = [{"phoneNumber": NUMBER, "b": 3}, *contacts(more)]

    data = add(api, owner, batch, records)["data"]

    assert (data["added"], data["callIds"][0]) == (more + 1, old.id)
    now = Call.objects.get(id=old.id)
    assert (now.variables, now.timezone) == ({"b": 3}, "")
    assert (now.status, now.attempts_made) == ("pending", 1)
    assert now.updated_at > old.updated_at
    assert now.created_at == old.created_at
    assert not CallEvent.objects.exists()
    assert counted(batch) == {"pending": more + 1}


@pytest.mark.parametrize("more", [0, 1000])
@pytest.mark.parametrize("status", FINISHED)
def test_a_finished_call_becomes_pending_with_a_fresh_count_of_attempts(
    api: Api, owner: Person, batch: CallBatch, status: str, more: int
) -> None:
    old = call(batch, NUMBER, status, variables={"a": 1}, attempts_made=3, is_picked=True)
    attempt = factories.CallAttemptFactory.create(call=old, status="completed")
    records = [*contacts(more), {"phoneNumber": NUMBER, "b": 2}]

    data = add(api, owner, batch, records)["data"]

    assert data["callIds"][-1] == old.id
    now = Call.objects.get(id=old.id)
    assert (now.status, now.attempts_made, now.variables) == ("pending", 0, {"b": 2})
    assert now.is_picked
    assert list(now.attempts.values_list("id", flat=True)) == [attempt.id]
    event = CallEvent.objects.get()
    assert (event.call_id, event.workspace_id) == (old.id, owner.workspace.id)
    assert (event.from_status, event.to_status, event.reason) == (status, "pending", "added_again")
    assert (event.user_id, event.created_at) == (owner.user.id, now.updated_at)
    assert counted(batch) == {"pending": more + 1, "picked": 1}


@pytest.mark.parametrize("status", ["in-progress", "unknown"])
def test_of_a_call_that_may_be_ringing_only_the_variables_are_replaced(
    api: Api, owner: Person, batch: CallBatch, status: str
) -> None:
    old = call(batch, NUMBER, status, variables={"a": 1}, attempts_made=2)

    data = add(api, owner, batch, [{"phoneNumber": NUMBER, "b": 2, "timezone": "UTC"}])["data"]

    assert data == {"added": 1, "callIds": [old.id]}
    now = Call.objects.get(id=old.id)
    assert (now.status, now.attempts_made) == (status, 2)
    assert (now.variables, now.timezone) == ({"b": 2}, "UTC")
    assert not CallEvent.objects.exists()
    assert counted(batch) == {status: 1}


def test_old_and_new_ones_together_are_counted_right(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    everywhere = ["pending", "in-progress", "unknown", *FINISHED]
    for number, status in enumerate(everywhere):
        call(batch, str(13105550000 + number), status)
    add(api, owner, batch, contacts(10))
    assert counted(batch) == {"pending": 8, "in-progress": 1, "unknown": 1}
    assert CallEvent.objects.count() == len(FINISHED)
    told = AuditEvent.objects.get(action="batch.add_calls").changes
    assert (told["added"], told["updated"]) == (3, 7)


def test_the_same_number_in_another_batch_is_another_call(api: Api, owner: Person) -> None:
    first, second = ready_batch(owner), ready_batch(owner)
    old = call(first, NUMBER, "failed", variables={"a": 1})
    [added] = add(api, owner, second, [{"phoneNumber": NUMBER}])["data"]["callIds"]
    assert added != old.id
    assert (statuses(first), statuses(second)) == ({NUMBER: "failed"}, {NUMBER: "pending"})


# --- What becomes of the batch --------------------------------------------------------------------


@pytest.mark.parametrize("status", FINISHED)
def test_a_completed_batch_goes_on(api: Api, owner: Person, status: str) -> None:
    batch = ready_batch(owner, status="completed")
    started = session(batch)
    call(batch, NUMBER, status)
    add(api, owner, batch, [{"phoneNumber": NUMBER}])
    assert (fresh(batch).status, fresh(batch).session) == ("active", started)
    assert batch.calls.get().session_id == started.id


def test_a_completed_batch_with_nothing_to_dial_stays_completed(api: Api, owner: Person) -> None:
    batch = ready_batch(owner, status="completed")
    call(batch, NUMBER, "unknown")
    add(api, owner, batch, [{"phoneNumber": NUMBER}])
    assert fresh(batch).status == "completed"


def test_calls_added_to_an_active_batch_belong_to_its_session(api: Api, owner: Person) -> None:
    batch = ready_batch(owner, status="active")
    call(batch, NUMBER)
    started = session(batch, only_its_calls=True)
    add(api, owner, batch, [{"phoneNumber": NUMBER}, *contacts(1)])
    assert {made.session_id for made in batch.calls.all()} == {started.id}
    assert DialingSession.objects.count() == 1


# --- Starting by adding ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason"), [("draft", ""), ("stopped", ""), ("paused", "no_number")]
)
@pytest.mark.parametrize(
    ("asked", "setting", "starts"),
    [
        (None, False, False),
        (None, True, True),
        (True, False, True),
        (True, True, True),
        (False, False, False),
        (False, True, False),
    ],
)
def test_adding_starts_when_asked_to_or_else_when_the_workspace_says_so(
    api: Api,
    owner: Person,
    status: str,
    reason: str,
    asked: bool | None,
    setting: bool,
    starts: bool,
) -> None:
    Workspace.objects.filter(id=owner.workspace.id).update(start_when_calls_added=setting)
    batch = ready_batch(owner, status=status, status_reason=reason)

    add(api, owner, batch, contacts(1), **({} if asked is None else {"startCalling": asked}))

    now = fresh(batch)
    assert (now.status, now.status_reason) == (("active", "") if starts else (status, reason))
    told = AuditEvent.objects.get(action="batch.add_calls").changes
    if starts:
        assert now.session is not None
        assert (now.session.started_by_id, now.session.only_its_calls) == (owner.user.id, False)
        assert told["session"] == now.session.id
    else:
        assert now.session is None
        assert "session" not in told


def test_the_workspaces_setting_starts_what_a_member_adds(
    api: Api, owner: Person, member: Person, batch: CallBatch
) -> None:
    Workspace.objects.filter(id=owner.workspace.id).update(start_when_calls_added=True)
    add(api, member, batch, contacts(1))
    assert fresh(batch).status == "active"


def test_starting_a_batch_that_dials_everything_changes_nothing(api: Api, owner: Person) -> None:
    batch = ready_batch(owner, status="active")
    started = session(batch)
    add(api, owner, batch, contacts(1), startCalling=True)
    assert (fresh(batch).session, DialingSession.objects.count()) == (started, 1)


def test_starting_one_that_dials_only_some_calls_dials_them_all(api: Api, owner: Person) -> None:
    batch = ready_batch(owner, status="active")
    session(batch, only_its_calls=True)
    call(batch, NUMBER)
    add(api, owner, batch, contacts(1), startCalling=True)
    now = fresh(batch).session
    assert now is not None
    assert not now.only_its_calls


def test_with_no_call_to_make_nothing_is_started(api: Api, owner: Person, batch: CallBatch) -> None:
    call(batch, NUMBER, "unknown")
    add(api, owner, batch, [{"phoneNumber": NUMBER}], startCalling=True)
    assert (fresh(batch).status, DialingSession.objects.exists()) == ("draft", False)


def test_of_a_partly_refused_request_the_good_part_is_started(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    add(api, owner, batch, [*contacts(1000), {}], 207, startCalling=True)
    assert fresh(batch).status == "active"


# --- The order of the variables -------------------------------------------------------------------


def test_names_are_kept_in_the_order_in_which_they_came(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    add(api, owner, batch, [{"z": 1, "phoneNumber": NUMBER, "timezone": "UTC", "a": 2}])
    assert names(batch) == ["z", "a"]
    add(api, owner, batch, [{"phoneNumber": "12125551002", "m": 1, "a": 2}, *contacts(1, b=1)])
    assert names(batch) == ["z", "a", "m", "b"]


def test_the_first_names_of_a_batch_are_kept_and_further_ones_stored_all_the_same(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    most = BatchVariable.MAX_NAMED
    first = {f"name{number}": number for number in range(most - 1)}
    add(api, owner, batch, [{"phoneNumber": NUMBER, **first}])
    add(api, owner, batch, contacts(1, last=1, beyond=2))
    assert names(batch) == [*first, "last"]
    assert batch.calls.get(phone_number="+13105550000").variables == {"last": 1, "beyond": 2}
    add(api, owner, batch, contacts(1, another=3))
    assert len(names(batch)) == most


def test_the_batch_says_when_it_was_changed(api: Api, owner: Person) -> None:
    batch = ready_batch(owner, status="draft", updated_at=LONG_AGO)
    before = timezone.now()
    add(api, owner, batch, contacts(1))
    assert before <= fresh(batch).updated_at <= timezone.now()

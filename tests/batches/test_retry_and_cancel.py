"""POST /api/call/retry-calls and /api/call/cancel-calls."""

from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from batches.models import Call, CallBatch, CallEvent, DialingSession
from batches.services import dialing as services
from tests import factories
from tests.batches.contacts import (
    FINISHED,
    UNKNOWN_ID,
    call,
    counted,
    errors,
    fresh,
    ready_batch,
    statuses,
)
from tests.cast import Api, Person, person
from tests.envelope import checked
from tests.rows import everything_of
from workspaces.callers import Role
from workspaces.models import AuditEvent

RETRY, CANCEL = "/api/call/retry-calls", "/api/call/cancel-calls"
EVERYWHERE = ["pending", "in-progress", "unknown", *FINISHED]
NUMBER = "12125551001"


@pytest.fixture
def batch(owner: Person) -> CallBatch:
    """With a call of each status; the number of a call is its `number_of`."""
    made = ready_batch(owner, status="active")
    for status in EVERYWHERE:
        call(made, number_of(status), status, attempts_made=3, is_picked=status == "completed")
    return made


def number_of(status: str) -> str:
    return str(13105550000 + EVERYWHERE.index(status))


def retry(api: Api, who: Person, batch: CallBatch, code: int = 200, **more: Any) -> Any:
    return checked(api.post(RETRY, {"batchId": batch.id, **more}, who.with_key), code)


def cancel(api: Api, who: Person, batch: CallBatch, code: int = 200, **more: Any) -> Any:
    return checked(api.post(CANCEL, {"batchId": batch.id, **more}, who.with_key), code)


# --- retry-calls ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "moved"),
    [
        (None, {"failed", "unknown"}),
        (["failed"], {"failed"}),
        (["unknown"], {"unknown"}),
        (["unknown", "failed"], {"failed", "unknown"}),
    ],
)
def test_failed_and_unknown_calls_are_put_back(
    api: Api, owner: Person, batch: CallBatch, named: list[str] | None, moved: set[str]
) -> None:
    more: dict[str, Any] = {} if named is None else {"callStatus": named}
    body = retry(api, owner, batch, **more)

    assert body["message"] == "Calls put back successfully"
    assert body["data"] == {"batchId": batch.id, "retried": len(moved)}
    now = statuses(batch)
    for status in EVERYWHERE:
        assert now[number_of(status)] == ("pending" if status in moved else status)
    again = batch.calls.filter(phone_number__in=[f"+{number_of(status)}" for status in moved])
    assert set(again.values_list("attempts_made", flat=True)) == {0}
    told = CallEvent.objects.values_list("from_status", "to_status", "reason", "user_id")
    expected = {(status, "pending", "retry_requested", owner.user.id) for status in moved}
    assert set(told) == expected
    event = AuditEvent.objects.get(action="batch.retry_calls")
    assert (event.target_id, event.changes) == (batch.id, {"calls": len(moved)})


def test_a_completed_batch_goes_on_when_something_is_put_back(api: Api, owner: Person) -> None:
    batch = ready_batch(owner, status="completed")
    call(batch, NUMBER, "failed")
    assert retry(api, owner, batch, callStatus=["unknown"])["data"]["retried"] == 0
    assert fresh(batch).status == "completed"
    assert retry(api, owner, batch)["data"]["retried"] == 1
    assert fresh(batch).status == "active"


@pytest.mark.parametrize(
    ("status", "reason"), [("draft", ""), ("stopped", ""), ("paused", "no_number")]
)
def test_elsewhere_what_is_put_back_waits_for_the_start(
    api: Api, owner: Person, status: str, reason: str
) -> None:
    batch = ready_batch(owner, status=status, status_reason=reason)
    call(batch, NUMBER, "unknown")
    assert retry(api, owner, batch)["data"]["retried"] == 1
    assert fresh(batch).status == status


def test_what_is_put_back_belongs_to_the_present_start(api: Api, owner: Person) -> None:
    batch = ready_batch(owner, status="active")
    session = DialingSession.objects.create(
        workspace=owner.workspace,
        batch=batch,
        started_by=owner.user,
        only_its_calls=True,
        started_at=timezone.now(),
    )
    CallBatch.objects.filter(id=batch.id).update(session=session)
    call(batch, NUMBER, "failed")
    retry(api, owner, batch)
    assert batch.calls.get().session_id == session.id


@pytest.mark.parametrize(("calls", "at_a_time"), [(7, 3), (6, 3), (3, 3), (2, 3)])
def test_many_calls_go_in_several_transactions_each_with_its_event(
    api: Api, owner: Person, calls: int, at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "AT_A_TIME", at_a_time)
    batch = ready_batch(owner)
    for _ in range(calls):
        factories.CallFactory.create(batch=batch, status="failed")
    assert retry(api, owner, batch)["data"]["retried"] == calls
    assert counted(batch) == {"pending": calls}
    events = AuditEvent.objects.filter(action="batch.retry_calls").values_list("changes", flat=True)
    assert len(events) == -(-calls // at_a_time)
    assert sum(changes["calls"] for changes in events) == calls


def test_a_second_time_there_is_nothing_to_put_back(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    retry(api, owner, batch)
    before = everything_of(owner.workspace)
    assert retry(api, owner, batch)["data"]["retried"] == 0
    assert everything_of(owner.workspace) == before


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"batchId": "x"}, ("batchId", "invalid_id")),
        ({"callStatus": []}, ("callStatus", "empty")),
        ({"callStatus": "failed"}, ("callStatus", "not_a_list")),
        ({"callStatus": ["completed"]}, ("callStatus[0]", "invalid_choice")),
        ({"callStatus": ["failed", 7]}, ("callStatus[1]", "invalid_choice")),
        ({"callStatus": None}, ("callStatus", "null")),
        ({"status": ["failed"]}, ("status", "unknown_field")),
    ],
    ids=str,
)
def test_each_rule_of_retrying_names_its_field(
    api: Api, owner: Person, batch: CallBatch, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert errors(retry(api, owner, batch, 400, **changes)) == [expected]
    assert not CallEvent.objects.exists()


# --- cancel-calls ---------------------------------------------------------------------------------


def test_pending_calls_are_taken_out_by_their_ids(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    pending = batch.calls.get(status="pending")
    ids = list(batch.calls.values_list("id", flat=True))

    body = cancel(api, owner, batch, callIds=[*ids, UNKNOWN_ID, pending.id])

    assert body["message"] == "Calls cancelled successfully"
    ringing = batch.calls.get(status="in-progress")
    assert body["data"] == {
        "batchId": batch.id,
        "cancelled": 1,
        "callIds": [pending.id],
        "hangingUp": [ringing.id],
    }
    assert list(batch.calls.filter(is_cancel_requested=True)) == [ringing]
    assert statuses(batch)[number_of("pending")] == "cancelled"
    assert sorted(statuses(batch).values()) == sorted([*EVERYWHERE[1:], "cancelled"])
    event = CallEvent.objects.get()
    assert (event.call_id, event.from_status, event.to_status) == (
        *(pending.id, "pending"),
        "cancelled",
    )
    assert (event.reason, event.user_id) == ("cancel_requested", owner.user.id)
    assert AuditEvent.objects.get(action="batch.cancel_calls").changes == {
        "calls": 1,
        "hangingUp": 1,
    }


def test_or_by_their_numbers_however_they_are_written(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    named = ["+1 (310) 555-0000", "1310.555.0000", "31201234567", number_of("failed")]
    pending = batch.calls.get(status="pending")
    data = cancel(api, owner, batch, phoneNumbers=named)["data"]
    assert data == {
        "batchId": batch.id,
        "cancelled": 1,
        "callIds": [pending.id],
        "hangingUp": [],
    }


def test_calls_of_other_batches_stay(api: Api, owner: Person, stranger: Person) -> None:
    batch, other, foreign = ready_batch(owner), ready_batch(owner), ready_batch(stranger)
    ids = [call(one, NUMBER).id for one in (other, foreign)]
    assert cancel(api, owner, batch, callIds=ids)["data"]["callIds"] == []
    assert cancel(api, owner, batch, phoneNumbers=[NUMBER])["data"]["cancelled"] == 0
    assert set(Call.objects.values_list("status", flat=True)) == {"pending"}
    assert not AuditEvent.objects.filter(action="batch.cancel_calls").exists()


@pytest.mark.parametrize("others", [[], FINISHED, ["unknown"]])
def test_an_active_batch_whose_last_call_is_taken_out_is_completed(
    api: Api, owner: Person, others: list[str]
) -> None:
    batch = ready_batch(owner, status="active")
    for number, status in enumerate(others):
        call(batch, str(13105550000 + number), status)
    last = call(batch, NUMBER)
    cancel(api, owner, batch, callIds=[last.id])
    assert fresh(batch).status == "completed"


@pytest.mark.parametrize("other", ["pending", "in-progress"])
def test_with_another_call_to_make_it_goes_on(api: Api, owner: Person, other: str) -> None:
    batch = ready_batch(owner, status="active")
    call(batch, "12125551002", other)
    cancel(api, owner, batch, callIds=[call(batch, NUMBER).id])
    assert fresh(batch).status == "active"


@pytest.mark.parametrize(
    ("status", "reason"), [("draft", ""), ("stopped", ""), ("paused", "no_number")]
)
def test_a_batch_that_is_not_active_keeps_its_status(
    api: Api, owner: Person, status: str, reason: str
) -> None:
    batch = ready_batch(owner, status=status, status_reason=reason)
    cancel(api, owner, batch, phoneNumbers=[call(batch, NUMBER).phone_number])
    assert fresh(batch).status == status


def test_a_cancelled_number_may_be_added_again(api: Api, owner: Person, batch: CallBatch) -> None:
    number = number_of("pending")
    cancel(api, owner, batch, phoneNumbers=[number])
    body = {"batchId": batch.id, "call_data": [{"phoneNumber": number}]}
    checked(api.post("/api/call/addCallsToBatch", body, owner.with_key), 200)
    assert statuses(batch)[number] == "pending"


def test_calls_are_named_in_one_of_two_ways(api: Api, owner: Person, batch: CallBatch) -> None:
    both = cancel(api, owner, batch, 400, callIds=[UNKNOWN_ID], phoneNumbers=[NUMBER])
    assert errors(both) == [("phoneNumbers", "ambiguous")]
    assert errors(cancel(api, owner, batch, 400)) == [("callIds", "required")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"batchId": 7, "callIds": [UNKNOWN_ID]}, ("batchId", "invalid_id")),
        ({"callIds": []}, ("callIds", "empty")),
        ({"callIds": ["x"]}, ("callIds[0]", "invalid_id")),
        ({"callIds": [UNKNOWN_ID] * 10_001}, ("callIds", "max_length")),
        ({"phoneNumbers": ["x"]}, ("phoneNumbers[0]", "not_a_number")),
        ({"phoneNumbers": [12125551001]}, ("phoneNumbers[0]", "invalid")),
        ({"phoneNumbers": []}, ("phoneNumbers", "empty")),
        ({"phoneNumbers": NUMBER}, ("phoneNumbers", "not_a_list")),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_rule_of_cancelling_names_its_field(
    api: Api, owner: Person, batch: CallBatch, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert errors(cancel(api, owner, batch, 400, **changes)) == [expected]
    assert not CallEvent.objects.exists()


# --- Both -----------------------------------------------------------------------------------------

BODIES = [(RETRY, {}), (CANCEL, {"phoneNumbers": [number_of("pending")]})]
each = pytest.mark.parametrize(("path", "more"), BODIES, ids=["retry", "cancel"])


@each
def test_unknown_foreign_and_deleted_batches_are_one_404(
    api: Api, owner: Person, stranger: Person, path: str, more: dict[str, Any]
) -> None:
    foreign = ready_batch(stranger)
    deleted = ready_batch(owner, deleted_at=timezone.now())
    for one in (foreign, deleted):
        call(one, number_of("pending"))
        call(one, number_of("failed"), "failed")
    answers = [
        checked(api.post(path, {"batchId": id_, **more}, owner.with_key), 404)
        for id_ in (UNKNOWN_ID, foreign.id, deleted.id)
    ]
    assert all(answer == answers[0] for answer in answers)
    assert not CallEvent.objects.exists()


@each
def test_admins_may_and_members_and_read_keys_may_not(
    api: Api, owner: Person, member: Person, batch: CallBatch, path: str, more: dict[str, Any]
) -> None:
    body = {"batchId": batch.id, **more}
    checked(api.post(path, body), 401)
    checked(api.post(path, body, member.with_token), 403)
    checked(api.post(path, body, owner.with_read_key), 403)
    assert not CallEvent.objects.exists()
    checked(api.post(path, body, person(owner.workspace, Role.ADMIN).with_token), 200)


@pytest.mark.parametrize("calls", [1, 50])
def test_both_cost_the_same_statements_whatever_the_calls(
    api: Api, owner: Person, statements: CaptureQueriesContext, calls: int
) -> None:
    """After the key, in a transaction: SELECT the batch and the calls for update, retrying wakes the
    dialer (INSERT its schedule, SELECT the notification), UPDATE the calls, INSERT their events and the
    counter; cancelling then SELECTs the counts and UPDATEs the batch, which is done, INSERTs
    what is told of that, and the audit event.
    """
    batch = ready_batch(owner, status="active")
    for _ in range(calls):
        factories.CallFactory.create(batch=batch, status="failed")
    retry(api, owner, batch, callStatus=["unknown"])
    before = len(statements)

    retry(api, owner, batch)
    cancel(api, owner, batch, callIds=list(batch.calls.values_list("id", flat=True)))

    sent = [query["sql"].split()[0] for query in statements.captured_queries[before:]]
    locked = ["SELECT", "SAVEPOINT", "SELECT", "SELECT"]
    woken = ["INSERT", "SELECT"]
    moved = ["UPDATE", "INSERT", "INSERT"]
    read_by_this_test = ["SELECT"]
    assert sent == [
        *[*locked, *woken, *moved, "INSERT", "RELEASE"],
        *read_by_this_test,
        *[*locked, *moved, "SELECT", "UPDATE", "INSERT", "INSERT", "RELEASE"],
    ]

"""POST /api/call/addCallsToBatch: the request, its answer, and who may send it."""

import json
from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from batches.models import BatchNumber, Call, CallBatch, Import
from calling.models import Agent
from tests.batches.contacts import (
    ADD,
    UNKNOWN_ID,
    add,
    contacts,
    counted,
    errors,
    ready_batch,
    statuses,
    variable,
)
from tests.cast import Api, Person, person
from tests.envelope import KEYS, checked
from tests.rows import everything_of
from workspaces.callers import Role
from workspaces.ids import is_object_id
from workspaces.models import AuditEvent

DOCUMENTED = [
    {
        "phoneNumber": "12125551001",
        "name": "Sarah Johnson",
        "account_id": "ACC-1001",
        "custom_field_1": "value1",
        "priority": "high",
    },
    {
        "phoneNumber": "13105552002",
        "name": "Michael Chen",
        "account_id": "ACC-1002",
        "category": "support",
    },
]


@pytest.fixture
def batch(owner: Person) -> CallBatch:
    return ready_batch(owner)


@pytest.mark.parametrize("name", ["call_data", "callData"])
def test_the_documented_request_gets_the_documented_answer(
    api: Api, owner: Person, name: str
) -> None:
    batch = ready_batch(owner, variables=[variable("name"), variable("account_id")])

    response = api.post(ADD, {"batchId": batch.id, name: DOCUMENTED}, owner.with_key)

    assert response.status_code == 200, response.content
    body = response.json()
    assert list(body) == KEYS
    ids = body["data"]["callIds"]
    assert len(set(ids)) == 2
    assert all(map(is_object_id, ids))
    assert body == {
        "message": "Calls enqueued successfully",
        "status": True,
        "code": 200,
        "errorMessage": "",
        "data": {"added": 2, "callIds": ids},
    }
    assert list(body["data"]) == ["added", "callIds"]


def test_what_is_sent_is_stored(api: Api, owner: Person, batch: CallBatch) -> None:
    [first, second] = add(api, owner, batch, DOCUMENTED)["data"]["callIds"]

    call = Call.objects.get(id=first)
    assert (call.workspace_id, call.batch_id) == (owner.workspace.id, batch.id)
    assert (call.phone_number, call.timezone, call.status) == ("+12125551001", "", "pending")
    assert (call.attempts_made, call.is_picked, call.session) == (0, False, None)
    assert call.variables == {k: v for k, v in DOCUMENTED[0].items() if k != "phoneNumber"}
    assert Call.objects.get(id=second).phone_number == "+13105552002"
    assert counted(batch) == {"pending": 2}
    event = AuditEvent.objects.get(action="batch.add_calls")
    assert (event.workspace_id, event.target_id) == (owner.workspace.id, batch.id)
    assert (event.user_id, event.changes["added"]) == (owner.user.id, 2)


def test_any_json_value_comes_back_as_it_was_sent(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    values: dict[str, Any] = {
        "text": 'Zoë \\ "quoted"\ttab\nline ☎',
        "number": -1.5,
        "whole": 9007199254740993,
        "truth": False,
        "nothing": None,
        "list": [1, [2, {"three": []}]],
        "object": {"a": {"b": "c"}},
    }
    add(api, owner, batch, contacts(1, **values))
    assert batch.calls.get().variables == values


# --- The body -------------------------------------------------------------------------------------


def test_the_contacts_come_under_one_of_two_names(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    both = {"batchId": batch.id, "call_data": DOCUMENTED, "callData": DOCUMENTED}
    assert errors(checked(api.post(ADD, both, owner.with_key), 400)) == [("callData", "ambiguous")]
    neither = api.post(ADD, {"batchId": batch.id}, owner.with_key)
    assert errors(checked(neither, 400)) == [("call_data", "required")]
    assert statuses(batch) == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"batchId": "nonsense"}, ("batchId", "invalid_id")),
        ({"batchId": 7}, ("batchId", "invalid_id")),
        ({"batchId": None}, ("batchId", "null")),
        ({"call_data": []}, ("call_data", "empty")),
        ({"call_data": None}, ("call_data", "null")),
        ({"call_data": {"phoneNumber": "12125551001"}}, ("call_data", "not_a_list")),
        ({"call_data": "12125551001"}, ("call_data", "not_a_list")),
        ({"call_data": [{}] * 50_001}, ("call_data", "max_length")),
        ({"startCalling": "true"}, ("startCalling", "invalid")),
        ({"startCalling": 1}, ("startCalling", "invalid")),
        ({"startCalling": None}, ("startCalling", "null")),
        ({"dryRun": "false"}, ("dryRun", "invalid")),
        ({"calldata": []}, ("calldata", "unknown_field")),
        ({"timezone": "UTC"}, ("timezone", "unknown_field")),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_rule_of_the_body_names_its_field(
    api: Api, owner: Person, batch: CallBatch, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    body = {"batchId": batch.id, "call_data": DOCUMENTED, **changes}
    assert errors(checked(api.post(ADD, body, owner.with_key), 400)) == [expected]
    assert statuses(batch) == {}
    assert not Import.objects.exists()


def test_a_missing_batch_id_is_named(api: Api, owner: Person) -> None:
    body = checked(api.post(ADD, {"call_data": DOCUMENTED}, owner.with_key), 400)
    assert errors(body) == [("batchId", "required")]


def test_fifty_thousand_contacts_are_taken(api: Api, owner: Person, batch: CallBatch) -> None:
    records = [{"phoneNumber": str(13105500000 + number)} for number in range(50_000)]
    data = add(api, owner, batch, records)["data"]
    assert data["added"] == len(set(data["callIds"])) == 50_000
    assert counted(batch) == {"pending": 50_000}


def test_a_body_over_64_mb_is_refused(api: Api, owner: Person) -> None:
    response = api.post(ADD, "[]", {**owner.with_key, "Content-Length": str(64_000_001)})
    checked(response, 413)


# --- The batch ------------------------------------------------------------------------------------


def test_an_unknown_and_a_foreign_batch_get_the_same_403(
    api: Api, owner: Person, stranger: Person
) -> None:
    foreign = ready_batch(stranger)
    deleted = ready_batch(stranger, deleted_at=timezone.now())
    before = everything_of(stranger.workspace)
    answers = [
        checked(api.post(ADD, {"batchId": id_, "call_data": DOCUMENTED}, headers), 403)
        for id_ in (UNKNOWN_ID, foreign.id, deleted.id)
        for headers in (owner.with_key, owner.with_token)
    ]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["data"] is None
    assert everything_of(stranger.workspace) == before


def test_a_deleted_batch_is_a_404(api: Api, owner: Person) -> None:
    batch = ready_batch(owner, deleted_at=timezone.now())
    assert add(api, owner, batch, DOCUMENTED, 404)["data"] is None
    assert statuses(batch) == {}


def test_numbers_without_an_agent_are_a_404(api: Api, owner: Person, batch: CallBatch) -> None:
    phone = BatchNumber.objects.get(batch=batch).phone
    phone.agent = None
    phone.save()
    add(api, owner, batch, DOCUMENTED, 404)
    BatchNumber.objects.filter(batch=batch).delete()
    add(api, owner, batch, DOCUMENTED, 404)
    assert statuses(batch) == {}


def test_an_agent_of_another_batch_does_not_count(api: Api, owner: Person) -> None:
    ready_batch(owner, variables=[variable("not_ours")])
    batch = ready_batch(owner)
    add(api, owner, batch, contacts(1))
    assert Agent.objects.count() == 2


@pytest.mark.parametrize(
    ("status", "after", "reason"),
    [
        ("draft", "draft", ""),
        ("stopped", "stopped", ""),
        ("paused", "paused", "no_number"),
        ("active", "active", ""),
        ("completed", "active", ""),
    ],
)
def test_adding_starts_nothing_and_goes_on_with_what_was_started(
    api: Api, owner: Person, status: str, after: str, reason: str
) -> None:
    batch = ready_batch(owner, status=status, status_reason=reason)
    add(api, owner, batch, contacts(1))
    batch.refresh_from_db()
    assert (batch.status, batch.status_reason) == (after, reason)
    assert batch.updated_at > batch.created_at


# --- Who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
def test_everybody_in_the_workspace_may_add(
    api: Api, owner: Person, batch: CallBatch, role: Role
) -> None:
    who = person(owner.workspace, role)
    body = {"batchId": batch.id, "call_data": DOCUMENTED, "startCalling": False}
    checked(api.post(ADD, body, who.with_token), 200)
    assert Import.objects.get().created_by_id == who.user.id


def test_a_read_key_may_not_add(api: Api, owner: Person, batch: CallBatch) -> None:
    body = {"batchId": batch.id, "call_data": DOCUMENTED}
    checked(api.post(ADD, body, owner.with_read_key), 403)
    assert statuses(batch) == {}


def test_missing_credentials_are_a_403(api: Api, batch: CallBatch) -> None:
    checked(api.post(ADD, {"batchId": batch.id, "call_data": DOCUMENTED}), 403)


def test_a_member_may_not_start_by_adding(
    api: Api, owner: Person, member: Person, batch: CallBatch
) -> None:
    body = {"batchId": batch.id, "call_data": DOCUMENTED, "startCalling": True}
    checked(api.post(ADD, body, member.with_token), 403)
    assert statuses(batch) == {}
    checked(api.post(ADD, body, person(owner.workspace, Role.ADMIN).with_token), 200)


# --- What it costs --------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 900])
def test_it_costs_the_same_statements_whatever_the_contacts(
    api: Api, owner: Person, batch: CallBatch, statements: CaptureQueriesContext, count: int
) -> None:
    """After the key, which has been used in this minute already:

    SELECT the batch, the workspace, the agents, the workspace's own numbers; then in a transaction
    SELECT the batch for update, one WITH for all the calls, INSERT the counter, SELECT the known names,
    INSERT the new ones, UPDATE the batch, INSERT the import and the audit event.
    """
    add(api, owner, batch, contacts(count))
    before = len(statements)

    add(api, owner, batch, contacts(count, first=1, name="new"))

    sent = [query["sql"].split()[0] for query in statements.captured_queries[before:]]
    written = ["SELECT", "WITH", "INSERT", "SELECT", "INSERT", "UPDATE", "WITH"]
    assert sent == [*["SELECT"] * 5, "SAVEPOINT", *written, "RELEASE"]


def test_text_that_cannot_be_stored_is_refused(api: Api, owner: Person, batch: CallBatch) -> None:
    for name, value in (("a\0b", "x"), ("x", "a\0b"), ("x", ["a\0"]), ("x", {"a\0": 1})):
        record = {"phoneNumber": "12125551001", name: value}
        body = {"batchId": batch.id, "call_data": [record]}
        checked(api.post(ADD, json.dumps(body), owner.with_key), 400)
    surrogate = json.dumps({"batchId": batch.id, "call_data": contacts(1, x="\ud800")})
    checked(api.post(ADD, surrogate, owner.with_key), 400)
    assert statuses(batch) == {}

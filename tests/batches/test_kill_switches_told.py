"""What a kill switch refuses to start, and what is told of it over the API."""

from typing import Any

import pytest

from batches.models import BatchNumber, CallBatch
from calling.models import PhoneNumber
from tests import factories
from tests.batches.contacts import add, call, contacts, counted, errors, fresh
from tests.batches.switches import (
    KINDS,
    NUMBER,
    WHY,
    let_go,
    of_other_number,
    state_of,
    switched_batch,
    target_of,
    throw,
)
from tests.cast import Api, Person
from tests.envelope import checked
from tests.rows import everything_of
from workspaces.models import Workspace


@pytest.fixture
def batch(owner: Person) -> CallBatch:
    return switched_batch(owner)


# --- Starting, adding -----------------------------------------------------------------------------


def start(api: Api, who: Person, batch: CallBatch, code: int, **more: Any) -> Any:
    body = {"batchId": batch.id, "userId": who.user.id, **more}
    return checked(api.post("/api/call/start-calling", body, who.with_key), code)


@pytest.mark.parametrize(
    ("kind", "field", "sentence"),
    [
        ("workspace", "batchId", f"Calling is switched off for the workspace: {WHY}"),
        (
            "phonenumber",
            "callingNumbers",
            f"Every calling number of the batch is switched off: {WHY}",
        ),
        (
            "carrieraccount",
            "callingNumbers",
            f"Every calling number of the batch is switched off: {WHY}",
        ),
    ],
)
def test_a_start_is_refused_with_the_reason(
    api: Api, owner: Person, batch: CallBatch, kind: str, field: str, sentence: str
) -> None:
    throw(target_of(batch, kind))
    before = everything_of(owner.workspace)
    body = start(api, owner, batch, 400)
    assert errors(body) == [(field, "kill_switch")]
    assert body["data"]["errors"][0]["message"] == sentence
    assert everything_of(owner.workspace) == before
    start(api, owner, batch, 400, callData=contacts(2))
    assert counted(batch) == {"pending": 1}
    let_go(target_of(batch, kind))
    start(api, owner, batch, 200)
    assert state_of(batch) == ("active", "")


def test_a_start_with_one_number_that_may_call_is_taken(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    throw(target_of(batch, "phonenumber"))
    other = factories.PhoneNumberFactory.create(workspace=owner.workspace)
    killed = BatchNumber.objects.get(batch=batch).phone_id
    body = start(api, owner, batch, 400, callingNumbers=[killed])
    assert errors(body) == [("callingNumbers", "kill_switch")]
    start(api, owner, batch, 200, callingNumbers=[killed, other.id])
    assert fresh(batch).status == "active"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("of_workspace", [True, False])
def test_added_calls_are_stored_and_start_nothing(
    api: Api, owner: Person, batch: CallBatch, kind: str, of_workspace: bool
) -> None:
    throw(target_of(batch, kind))
    asked: dict[str, Any] = {} if of_workspace else {"startCalling": True}
    Workspace.objects.update(start_when_calls_added=of_workspace)
    body = add(api, owner, batch, contacts(2), **asked)
    assert body["data"]["added"] == 2
    assert counted(batch) == {"pending": 3}
    assert state_of(batch) == ("paused", "kill_switch")


# --- What is told ---------------------------------------------------------------------------------


def waiting(api: Api, who: Person, batch: CallBatch) -> Any:
    made = batch.calls.get(phone_number=f"+{NUMBER}")
    answer = api.get(f"/api/call/call-details/{made.id}", who.with_key)
    return checked(answer, 200)["data"]["waitingFor"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_of_a_paused_batch_tells_so(
    api: Api, owner: Person, batch: CallBatch, kind: str
) -> None:
    throw(target_of(batch, kind))
    found = waiting(api, owner, batch)
    assert found["reason"] == "batch_paused"
    assert "switched off (kill_switch)" in found["detail"]


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        ("workspace", f"Calling is switched off for the workspace: {WHY}"),
        ("phonenumber", f"Each of its calling numbers has been switched off: {WHY}"),
        ("carrieraccount", f"Each of its calling numbers has been switched off: {WHY}"),
    ],
)
def test_a_call_of_a_batch_that_is_active_all_the_same_waits_for_people(
    api: Api, owner: Person, batch: CallBatch, kind: str, detail: str
) -> None:
    throw(target_of(batch, kind))
    CallBatch.objects.update(status="active", status_reason="")
    expected = {"reason": "kill_switch", "until": None, "detail": detail}
    assert waiting(api, owner, batch) == expected


def test_a_contact_of_a_killed_number_waits_for_the_other_one(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    other = of_other_number(batch)
    killed = PhoneNumber.objects.get(rotations__batch=batch, rotations__position=0)
    batch.calls.update(caller=killed)
    throw(killed)
    assert waiting(api, owner, batch)["reason"] == "dialer"
    PhoneNumber.objects.filter(id=other.id).update(concurrency_limit=1)
    in_flight = call(batch, "12125551002", "in-progress")
    attempt = factories.CallAttemptFactory.create(call=in_flight)
    factories.LeaseFactory.create(attempt=attempt, phone=other)
    assert waiting(api, owner, batch)["reason"] == "number_limit"


def preflight(api: Api, who: Person, batch: CallBatch) -> Any:
    answer = api.get(f"/api/call/batch-preflight/{batch.id}", who.with_key)
    return checked(answer, 200)["data"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_preview_dials_nothing_and_warns(
    api: Api, owner: Person, batch: CallBatch, kind: str
) -> None:
    assert preflight(api, owner, batch)["dialNow"] == 1
    throw(target_of(batch, kind))
    found = preflight(api, owner, batch)
    assert (found["pendingCalls"], found["dialNow"]) == (1, 0)
    assert found["waiting"]["killSwitch"] == 1
    assert (found["earliest"], found["likelyFinish"]) == (None, None)
    [warning] = [one for one in found["warnings"] if one["code"] == "kill_switch"]
    assert WHY in warning["message"]
    assert ("the workspace" in warning["message"]) is (kind == "workspace")


def test_a_preview_counts_on_the_numbers_that_are_left(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    of_other_number(batch)
    killed = PhoneNumber.objects.get(rotations__batch=batch, rotations__position=0)
    throw(killed)
    found = preflight(api, owner, batch)
    assert (found["dialNow"], found["waiting"]["killSwitch"]) == (1, 0)
    [warning] = [one for one in found["warnings"] if one["code"] == "kill_switch"]
    assert killed.number[1:] in warning["message"]

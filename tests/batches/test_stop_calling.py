"""POST /api/call/stop-calling."""

from typing import Any

import pytest
from django.utils import timezone

from batches.models import CallBatch
from tests.batches.contacts import (
    FINISHED,
    UNKNOWN_ID,
    call,
    errors,
    fresh,
    ready_batch,
    statuses,
)
from tests.cast import Api, Person, person
from tests.envelope import KEYS, checked
from tests.rows import everything_of
from workspaces.callers import Role
from workspaces.models import AuditEvent, User

PATH = "/api/call/stop-calling"


@pytest.fixture
def batch(owner: Person) -> CallBatch:
    return ready_batch(owner, status="active")


def stop(api: Api, who: Person, batch: CallBatch, code: int = 200, **more: Any) -> Any:
    body = {"batchId": batch.id, "userId": who.user.id, **more}
    return checked(api.post(PATH, body, who.with_key), code)


@pytest.mark.parametrize("credential", ["with_key", "with_token"])
def test_the_documented_answer(api: Api, owner: Person, batch: CallBatch, credential: str) -> None:
    body = {"batchId": batch.id, "userId": owner.user.id}
    response = api.post(PATH, body, getattr(owner, credential))
    assert response.status_code == 200, response.content
    assert list(response.json()) == KEYS
    assert response.json() == {
        "message": "",
        "status": True,
        "code": 200,
        "errorMessage": "",
        "data": {"batchId": batch.id, "status": "stopped"},
    }


def test_an_active_batch_is_stopped_and_its_calls_stay_as_they_are(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    for number, status in enumerate(["pending", "in-progress", "unknown", *FINISHED]):
        call(batch, str(13105550000 + number), status)
    before = statuses(batch)
    stop(api, owner, batch)
    now = fresh(batch)
    assert (now.status, now.status_reason) == ("stopped", "")
    assert now.updated_at > batch.updated_at
    assert statuses(batch) == before
    event = AuditEvent.objects.get(action="batch.stop")
    assert (event.user_id, event.target_id) == (owner.user.id, batch.id)


def test_start_calling_resumes_it(api: Api, owner: Person, batch: CallBatch) -> None:
    call(batch, "12125551001")
    stop(api, owner, batch)
    body = {"batchId": batch.id, "userId": owner.user.id}
    checked(api.post("/api/call/start-calling", body, owner.with_key), 200)
    assert fresh(batch).status == "active"


@pytest.mark.parametrize(
    ("status", "reason"),
    [("draft", ""), ("stopped", ""), ("paused", "kill_switch"), ("completed", "")],
)
def test_on_a_batch_that_is_not_active_nothing_changes(
    api: Api, owner: Person, status: str, reason: str
) -> None:
    batch = ready_batch(owner, status=status, status_reason=reason)
    before = everything_of(owner.workspace)
    assert stop(api, owner, batch)["data"] == {"batchId": batch.id, "status": "stopped"}
    assert everything_of(owner.workspace) == before


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"batchId": None}, ("batchId", "null")),
        ({"batchId": "x"}, ("batchId", "invalid_id")),
        ({"userId": "X" * 24}, ("userId", "invalid_id")),
        ({"callIds": []}, ("callIds", "unknown_field")),
    ],
    ids=str,
)
def test_each_rule_names_its_field(
    api: Api, owner: Person, batch: CallBatch, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert errors(stop(api, owner, batch, 400, **changes)) == [expected]
    assert fresh(batch).status == "active"


def test_batch_and_user_are_required(api: Api, owner: Person) -> None:
    body = checked(api.post(PATH, {}, owner.with_key), 400)
    assert errors(body) == [("batchId", "required"), ("userId", "required")]


def test_unknown_foreign_and_deleted_batches_and_users_are_one_404(
    api: Api, owner: Person, stranger: Person, batch: CallBatch
) -> None:
    inactive = person(owner.workspace)
    User.objects.filter(id=inactive.user.id).update(is_active=False)
    deleted = ready_batch(owner, status="active", deleted_at=timezone.now())
    foreign = ready_batch(stranger, status="active")
    wrong: list[dict[str, Any]] = [
        *({"batchId": id_} for id_ in (UNKNOWN_ID, foreign.id, deleted.id)),
        *({"userId": id_} for id_ in (UNKNOWN_ID, stranger.user.id, inactive.user.id)),
    ]
    answers = [stop(api, owner, batch, 404, **changes) for changes in wrong]
    assert all(answer == answers[0] for answer in answers)
    assert {fresh(one).status for one in (batch, foreign, deleted)} == {"active"}


def test_admins_stop_and_members_and_read_keys_do_not(
    api: Api, owner: Person, member: Person, batch: CallBatch
) -> None:
    body = {"batchId": batch.id, "userId": owner.user.id}
    checked(api.post(PATH, body), 401)
    checked(api.post(PATH, body, member.with_token), 403)
    checked(api.post(PATH, body, owner.with_read_key), 403)
    assert fresh(batch).status == "active"
    checked(api.post(PATH, body, person(owner.workspace, Role.ADMIN).with_token), 200)

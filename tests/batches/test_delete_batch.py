"""DELETE /api/call/delete-batch/{batchId}."""

from typing import Any

import pytest
from django.utils import timezone

from batches.models import CallBatch
from tests.batches.contacts import (
    UNKNOWN_ID,
    call,
    contacts,
    counted,
    errors,
    fresh,
    ready_batch,
    statuses,
)
from tests.cast import Api, Person, person
from tests.envelope import checked
from workspaces.callers import Role
from workspaces.models import AuditEvent


@pytest.fixture
def batch(owner: Person) -> CallBatch:
    return ready_batch(owner, status="active")


def delete(api: Api, headers: dict[str, str], batch_id: str) -> Any:
    return api.request("DELETE", f"/api/call/delete-batch/{batch_id}", headers=headers)


@pytest.mark.parametrize("credential", ["with_key", "with_token"])
def test_the_documented_answer_has_no_envelope(
    api: Api, owner: Person, batch: CallBatch, credential: str
) -> None:
    response = delete(api, getattr(owner, credential), batch.id)
    assert response.status_code == 200, response.content
    assert list(response.json()) == ["success", "message"]
    assert response.json() == {"success": True, "message": "Batch deleted"}


def test_dialing_stops_first(api: Api, owner: Person, batch: CallBatch) -> None:
    delete(api, owner.with_key, batch.id)
    now = fresh(batch)
    assert now.status == "stopped"
    assert now.deleted_at is not None
    assert now.updated_at == now.deleted_at
    event = AuditEvent.objects.get(action="batch.delete")
    assert (event.user_id, event.target_id) == (owner.user.id, batch.id)


@pytest.mark.parametrize(
    ("status", "reason"),
    [("draft", ""), ("stopped", ""), ("paused", "no_number"), ("completed", "")],
)
def test_a_batch_may_be_deleted_in_any_state(
    api: Api, owner: Person, status: str, reason: str
) -> None:
    batch = ready_batch(owner, status=status, status_reason=reason)
    assert delete(api, owner.with_key, batch.id).status_code == 200
    now = fresh(batch)
    assert (now.status, now.status_reason) == (status, reason)
    assert now.deleted_at is not None


def test_its_calls_stay_for_the_record(api: Api, owner: Person, batch: CallBatch) -> None:
    call(batch, "12125551001")
    call(batch, "12125551002", "in-progress")
    delete(api, owner.with_key, batch.id)
    assert statuses(batch) == {"12125551001": "pending", "12125551002": "in-progress"}
    assert counted(batch) == {"pending": 1, "in-progress": 1}


def test_the_second_time_it_is_a_404(api: Api, owner: Person, batch: CallBatch) -> None:
    delete(api, owner.with_key, batch.id)
    deleted_at = fresh(batch).deleted_at
    checked(delete(api, owner.with_key, batch.id), 404)
    assert fresh(batch).deleted_at == deleted_at
    assert AuditEvent.objects.filter(action="batch.delete").count() == 1


def test_it_is_gone_from_every_place(api: Api, owner: Person, batch: CallBatch) -> None:
    other = ready_batch(owner)
    delete(api, owner.with_key, batch.id)
    listed = api.get(f"/api/call/batches/{owner.user.id}", owner.with_key).json()["data"]
    assert [row["_id"] for row in listed["batches"]] == [other.id]
    ids = {"batchId": batch.id, "userId": owner.user.id}
    numbers = {"batchId": batch.id, "phoneNumbers": ["12125551001"]}
    for path, body in (
        ("addCallsToBatch", {"batchId": batch.id, "call_data": contacts(1)}),
        ("start-calling", ids),
        ("stop-calling", ids),
        ("retry-calls", {"batchId": batch.id}),
        ("cancel-calls", numbers),
    ):
        checked(api.post(f"/api/call/{path}", body, owner.with_key), 404)
    path = f"/api/call/update-batch/{batch.id}"
    checked(api.request("PATCH", path, {"retry": 1}, owner.with_key), 404)


def test_a_foreign_batch_reads_like_an_unknown_one(
    api: Api, owner: Person, stranger: Person
) -> None:
    foreign = ready_batch(stranger, status="active")
    answers = [checked(delete(api, owner.with_key, id_), 404) for id_ in (UNKNOWN_ID, foreign.id)]
    assert answers[0] == answers[1]
    assert (fresh(foreign).status, fresh(foreign).deleted_at) == ("active", None)


def test_a_malformed_id_is_named(api: Api, owner: Person) -> None:
    body = checked(delete(api, owner.with_key, "nonsense"), 400)
    assert errors(body) == [("batchId", "invalid_id")]


def test_admins_delete_and_members_and_read_keys_do_not(
    api: Api, owner: Person, member: Person, batch: CallBatch
) -> None:
    checked(delete(api, {}, batch.id), 401)
    checked(delete(api, member.with_token, batch.id), 403)
    checked(delete(api, owner.with_read_key, batch.id), 403)
    assert fresh(batch).deleted_at is None
    before = timezone.now()
    admin = person(owner.workspace, Role.ADMIN)
    assert delete(api, admin.with_token, batch.id).status_code == 200
    deleted_at = fresh(batch).deleted_at
    assert deleted_at is not None
    assert deleted_at >= before

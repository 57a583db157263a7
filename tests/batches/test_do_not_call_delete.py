"""DELETE /api/dnc/delete/{id}: off the list, with a tombstone."""

import threading
from typing import Any

import pytest
from django.db import connection, transaction

from batches.models import DoNotCallEntry
from tests import factories
from tests.cast import Api, Person
from tests.database import wait_for_waiting
from tests.envelope import KEYS, checked
from workspaces.models import AuditEvent

UNKNOWN_ID = "64e5f12345abcdef87654321"


def path(entry: Any) -> str:
    return f"/api/dnc/delete/{getattr(entry, 'id', entry)}"


def entry_of(owner: Person, **fields: Any) -> DoNotCallEntry:
    made: DoNotCallEntry = factories.DoNotCallEntryFactory.create(
        workspace=owner.workspace, **fields
    )
    return made


@pytest.mark.parametrize("credential", ["with_key", "with_token"])
def test_the_documented_answer_has_no_data(api: Api, owner: Person, credential: str) -> None:
    response = api.request("DELETE", path(entry_of(owner)), headers=getattr(owner, credential))
    assert response.status_code == 200
    assert list(response.json()) == KEYS[:-1]
    assert response.json() == {
        "message": "DNC record deleted successfully",
        "status": True,
        "code": 200,
        "errorMessage": "",
    }


def test_a_tombstone_and_an_audit_event_stay(api: Api, owner: Person) -> None:
    gone, kept = entry_of(owner), entry_of(owner)
    api.request("DELETE", path(gone), headers=owner.with_key)

    gone.refresh_from_db()
    kept.refresh_from_db()
    assert gone.deleted_at is not None
    assert kept.deleted_at is None
    event = AuditEvent.objects.get(action="donotcallentry.delete")
    assert (event.target_id, event.workspace_id) == (gone.id, owner.workspace.id)


def test_the_second_time_is_a_404(api: Api, owner: Person) -> None:
    entry = entry_of(owner)
    assert api.request("DELETE", path(entry), headers=owner.with_key).status_code == 200
    checked(api.request("DELETE", path(entry), headers=owner.with_key), 404)
    assert AuditEvent.objects.filter(action="donotcallentry.delete").count() == 1


def test_what_was_never_here_is_one_and_the_same_403(
    api: Api, owner: Person, stranger: Person
) -> None:
    theirs, deleted = entry_of(stranger), entry_of(stranger, deleted_at=stranger.user.created_at)
    batch = factories.CallBatchFactory.create(workspace=owner.workspace, created_by=owner.user)
    bodies = [
        checked(api.request("DELETE", path(one), headers=headers), 403)
        for one in (theirs, deleted, UNKNOWN_ID, batch)
        for headers in (owner.with_key, owner.with_token)
    ]
    assert all(body == bodies[0] for body in bodies)
    theirs.refresh_from_db()
    assert theirs.deleted_at is None


@pytest.mark.parametrize("entry_id", ["x", UNKNOWN_ID.upper(), UNKNOWN_ID[1:], UNKNOWN_ID + "0"])
def test_a_malformed_id_is_a_400(api: Api, owner: Person, entry_id: str) -> None:
    body = checked(api.request("DELETE", path(entry_id), headers=owner.with_key), 400)
    assert body["data"]["errors"][0]["code"] == "invalid_id"


def test_a_member_deletes_nothing(api: Api, owner: Person, member: Person) -> None:
    entry = entry_of(owner)
    checked(api.request("DELETE", path(entry), headers=member.with_token), 403)
    entry.refresh_from_db()
    assert entry.deleted_at is None


@pytest.mark.django_db(transaction=True)
def test_of_two_deletions_at_the_same_time_one_is_a_404(api: Api, owner: Person) -> None:
    entry = entry_of(owner)
    codes: list[int] = []

    def delete() -> None:
        try:
            codes.append(api.request("DELETE", path(entry), headers=owner.with_key).status_code)
        finally:
            connection.close()

    both = [threading.Thread(target=delete) for _ in range(2)]
    with transaction.atomic():  # holds both back until both have asked
        DoNotCallEntry.objects.select_for_update().get(id=entry.id)
        for one in both:
            one.start()
        wait_for_waiting(2)
    for one in both:
        one.join()

    assert sorted(codes) == [200, 404]
    assert AuditEvent.objects.filter(action="donotcallentry.delete").count() == 1

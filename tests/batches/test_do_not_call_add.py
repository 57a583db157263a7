"""POST /api/dnc/add: a number goes on the list, on its own or as the outcome of a call."""

import threading
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from batches.models import CallAttempt, DoNotCallEntry
from calling.models import PhoneNumber
from tests import factories
from tests.cast import Api, Person, person
from tests.database import wait_for_waiting
from tests.envelope import KEYS, checked
from workspaces.callers import Role
from workspaces.models import AuditEvent, Workspace

PATH = "/api/dnc/add"
NOON = datetime(2025, 5, 1, 12, tzinfo=UTC)
NUMBER = "12125551234"
UNKNOWN_ID = "64e5f12345abcdef87654321"


def add(api: Api, who: Person, code: int = 200, **body: Any) -> Any:
    response = api.post(PATH, {"phoneNumber": NUMBER, **body}, who.with_key)
    assert response.status_code == code, response.content
    return response.json() if code == 200 else checked(response, code)


def error(body: Any) -> tuple[str, str]:
    found = body["data"]["errors"][0]
    return found["field"], found["code"]


def attempt(owner: Person, number: str = f"+{NUMBER}", **fields: Any) -> CallAttempt:
    batch = factories.CallBatchFactory.create(workspace=owner.workspace, created_by=owner.user)
    call = factories.CallFactory.create(batch=batch, phone_number=number)
    made: CallAttempt = factories.CallAttemptFactory.create(call=call, **fields)
    return made


@pytest.mark.parametrize("credential", ["with_key", "with_token"])
def test_the_documented_answer_has_no_data(api: Api, owner: Person, credential: str) -> None:
    response = api.post(PATH, {"phoneNumber": NUMBER}, getattr(owner, credential))
    assert response.status_code == 200
    assert list(response.json()) == KEYS[:-1]
    assert response.json() == {
        "message": "Phone number added to DNC successfully",
        "status": True,
        "code": 200,
        "errorMessage": "",
    }


def test_a_number_alone_is_listed_directly(api: Api, owner: Person) -> None:
    before = timezone.now()
    add(api, owner, type="  asked by letter ")

    entry = DoNotCallEntry.objects.get()
    assert (entry.workspace_id, entry.created_by_id) == (owner.workspace.id, owner.user.id)
    assert (entry.phone_number, entry.type) == (f"+{NUMBER}", "asked by letter")
    assert entry.batch is None
    assert entry.request_uuid is None
    assert (entry.call_recording, entry.transcription) == ("", "")
    assert before <= entry.created_at <= timezone.now()
    assert entry.deleted_at is None


def test_a_listing_leaves_an_audit_event(api: Api, owner: Person) -> None:
    add(api, owner)
    event = AuditEvent.objects.get(action="donotcallentry.create")
    assert event.target_id == DoNotCallEntry.objects.get().id
    assert (event.workspace_id, event.user_id) == (owner.workspace.id, owner.user.id)


def test_a_member_may_add(api: Api, member: Person) -> None:
    assert api.post(PATH, {"phoneNumber": NUMBER}, member.with_token).status_code == 200


# --- Numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["12125551234", "+12125551234", "+1 (212) 555-1234", " 1.212.555.1234 "]
)
def test_a_number_is_taken_as_people_write_it(api: Api, owner: Person, text: str) -> None:
    add(api, owner, phoneNumber=text)
    assert DoNotCallEntry.objects.get().phone_number == f"+{NUMBER}"
    assert error(add(api, owner, 400)) == ("phoneNumber", "already_listed")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("", "blank"),
        ("   ", "blank"),
        ("call me", "not_a_number"),
        ("1212555", "too_short"),
        ("121255512345", "too_long"),
        ("999123456789", "unknown_country_code"),
        ("1" * 65, "max_length"),
        (12125551234, "invalid"),
        (True, "invalid"),
        (["12125551234"], "invalid"),
        (None, "null"),
    ],
)
def test_what_is_no_number_is_refused(api: Api, owner: Person, number: Any, code: str) -> None:
    assert error(add(api, owner, 400, phoneNumber=number)) == ("phoneNumber", code)
    assert not DoNotCallEntry.objects.exists()


def test_a_number_is_required(api: Api, owner: Person) -> None:
    body = checked(api.post(PATH, {}, owner.with_key), 400)
    assert error(body) == ("phoneNumber", "required")


def test_its_country_must_be_one_that_the_workspace_calls(
    api: Api, owner: Person, phone: PhoneNumber
) -> None:
    """Without its 1 the number would be one of the Netherlands."""
    assert error(add(api, owner, 400, phoneNumber="3105552002"))[1] == "country_not_called"
    Workspace.objects.filter(id=owner.workspace.id).update(called_countries=["NL"])
    add(api, owner, phoneNumber="3105552002")
    assert error(add(api, owner, 400))[1] == "country_not_called"


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"type": "two\nlines"}, "type", "control_character"),
        ({"type": "x" * 65}, "type", "max_length"),
        ({"type": ""}, "type", "blank"),
        ({"type": 1}, "type", "invalid"),
        ({"type": None}, "type", "null"),
        ({"batchId": "x"}, "batchId", "invalid_id"),
        ({"batchId": None}, "batchId", "null"),
        ({"requestUUID": "x"}, "requestUUID", "invalid_uuid"),
        ({"requestUUID": 7}, "requestUUID", "invalid"),
        ({"requestUUID": uuid4().hex}, "requestUUID", "invalid_uuid"),
        ({"requestUUID": f"{{{uuid4()}}}"}, "requestUUID", "invalid_uuid"),
        ({"requestUuid": str(uuid4())}, "requestUuid", "unknown_field"),
        ({"batchID": UNKNOWN_ID}, "batchID", "unknown_field"),
    ],
)
def test_a_wrong_field_is_named(
    api: Api, owner: Person, change: dict[str, Any], field: str, code: str
) -> None:
    assert error(add(api, owner, 400, **change)) == (field, code)
    assert not DoNotCallEntry.objects.exists()


# --- Twice ----------------------------------------------------------------------------------------


def test_a_listed_number_is_a_400_and_mails_nobody(api: Api, owner: Person) -> None:
    add(api, owner)
    assert error(add(api, owner, 400)) == ("phoneNumber", "already_listed")
    assert DoNotCallEntry.objects.count() == 1
    assert AuditEvent.objects.filter(action="donotcallentry.create").count() == 1


def test_a_number_deleted_before_may_be_listed_again(api: Api, owner: Person) -> None:
    for _ in range(2):
        add(api, owner)
        DoNotCallEntry.objects.update(deleted_at=NOON)
    add(api, owner)
    assert DoNotCallEntry.objects.living().count() == 1
    assert DoNotCallEntry.objects.count() == 3


def test_each_workspace_has_its_own_list(api: Api, owner: Person, stranger: Person) -> None:
    add(api, owner)
    add(api, stranger)
    listed = DoNotCallEntry.objects.order_by("id").values_list("workspace_id", flat=True)
    assert list(listed) == [owner.workspace.id, stranger.workspace.id]


@pytest.mark.django_db(transaction=True)
def test_of_two_at_the_same_time_one_is_told_that_it_is_listed(api: Api, owner: Person) -> None:
    """The second has looked and found nothing; it meets the first one's row at the constraint."""
    answers = []

    def add_too() -> None:
        try:
            answers.append(add(api, owner, 400))
        finally:
            connection.close()

    second = threading.Thread(target=add_too)
    with transaction.atomic():
        factories.DoNotCallEntryFactory.create(workspace=owner.workspace, phone_number=f"+{NUMBER}")
        second.start()
        wait_for_waiting(1)
    second.join()

    assert [error(answer) for answer in answers] == [("phoneNumber", "already_listed")]
    assert DoNotCallEntry.objects.count() == 1


# --- Where it comes from --------------------------------------------------------------------------


def test_a_request_uuid_copies_recording_and_transcript(api: Api, owner: Person) -> None:
    rung = attempt(owner, recording_url="https://example.com/r.mp3", transcript="Please stop.")

    add(api, owner, requestUUID=str(rung.request_uuid).upper(), batchId=rung.batch_id)

    entry = DoNotCallEntry.objects.get()
    assert (entry.batch_id, entry.request_uuid) == (rung.batch_id, rung.request_uuid)
    assert (entry.call_recording, entry.transcription) == (
        "https://example.com/r.mp3",
        "Please stop.",
    )


def test_a_request_uuid_alone_tells_the_batch(api: Api, owner: Person) -> None:
    rung = attempt(owner)
    add(api, owner, requestUUID=str(rung.request_uuid))
    entry = DoNotCallEntry.objects.get()
    assert (entry.batch_id, entry.request_uuid) == (rung.batch_id, rung.request_uuid)


def test_a_batch_alone_is_noted(api: Api, owner: Person) -> None:
    batch_id = attempt(owner).batch_id
    add(api, owner, batchId=batch_id)
    entry = DoNotCallEntry.objects.get()
    assert entry.batch_id == batch_id
    assert entry.request_uuid is None


def test_a_call_that_does_not_fit_is_one_and_the_same_404(
    api: Api, owner: Person, stranger: Person
) -> None:
    mine, theirs = attempt(owner), attempt(stranger)
    to_another = attempt(owner, "+13105552002")
    bodies = [
        add(api, owner, 404, **body)
        for body in (
            {"requestUUID": str(uuid4())},
            {"requestUUID": str(theirs.request_uuid)},
            {"requestUUID": str(theirs.request_uuid), "batchId": theirs.batch_id},
            {"requestUUID": str(to_another.request_uuid)},
            {"requestUUID": str(mine.request_uuid), "batchId": to_another.batch_id},
            {"requestUUID": str(mine.request_uuid), "batchId": UNKNOWN_ID},
            {"batchId": UNKNOWN_ID},
            {"batchId": theirs.batch_id},
        )
    ]
    assert all(body == bodies[0] for body in bodies)
    assert not DoNotCallEntry.objects.exists()


def test_a_deleted_batch_is_a_404(api: Api, owner: Person) -> None:
    rung = attempt(owner)
    type(rung.batch).objects.update(deleted_at=NOON)
    add(api, owner, 404, batchId=rung.batch_id)
    add(api, owner, 404, batchId=rung.batch_id, requestUUID=str(rung.request_uuid))


def test_a_call_of_a_deleted_batch_still_lists_its_number(api: Api, owner: Person) -> None:
    """Who asked not to be called is not called, whatever became of the batch."""
    rung = attempt(owner)
    type(rung.batch).objects.update(deleted_at=NOON)
    add(api, owner, requestUUID=str(rung.request_uuid))
    assert DoNotCallEntry.objects.get().request_uuid == rung.request_uuid


def test_adding_costs_the_same_whatever_is_there(
    api: Api, owner: Person, phone: PhoneNumber
) -> None:
    def cost(number: str) -> int:
        with CaptureQueriesContext(connection) as sent:
            add(api, owner, phoneNumber=number)
        return len(sent)

    cost("12125550001")  # the first use of the key is written once a minute
    few = cost("12125550002")
    for _ in range(3):
        person(owner.workspace, Role.ADMIN)
    factories.DoNotCallEntryFactory.create_batch(20, workspace=owner.workspace)
    assert cost("12125550003") == few

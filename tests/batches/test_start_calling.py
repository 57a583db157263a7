"""POST /api/call/start-calling."""

from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from batches.imports.capacity import import_slot
from batches.models import BatchNumber, CallBatch, DialingSession, Import
from calling.models import PhoneNumber
from tests import factories
from tests.batches.contacts import (
    FINISHED,
    UNKNOWN_ID,
    call,
    contacts,
    counted,
    errors,
    fresh,
    number_with_agent,
    ready_batch,
    statuses,
    variable,
)
from tests.cast import Api, Person, person
from tests.envelope import KEYS, checked
from tests.rows import everything_of
from workspaces.callers import Role
from workspaces.models import AuditEvent, User

PATH = "/api/call/start-calling"
NUMBER = "12125551001"


@pytest.fixture
def batch(owner: Person) -> CallBatch:
    """With one call to make."""
    made = ready_batch(owner)
    call(made, NUMBER)
    return made


def start(api: Api, who: Person, batch: CallBatch, code: int = 200, **more: Any) -> Any:
    body = {"batchId": batch.id, "userId": who.user.id, **more}
    return checked(api.post(PATH, body, who.with_key), code)


def session_of(batch: CallBatch) -> DialingSession:
    session = fresh(batch).session
    assert session is not None
    return session


def rotation(batch: CallBatch) -> list[str]:
    rows = BatchNumber.objects.filter(batch=batch).order_by("position")
    return list(rows.values_list("phone_id", flat=True))


# --- A plain start --------------------------------------------------------------------------------


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
        "data": {"batchId": batch.id, "status": "started"},
    }


@pytest.mark.parametrize(
    ("status", "reason"),
    [("draft", ""), ("stopped", ""), ("paused", "carrier_failing"), ("completed", "")],
)
def test_a_batch_with_a_call_to_make_becomes_active(
    api: Api, owner: Person, status: str, reason: str
) -> None:
    batch = ready_batch(owner, status=status, status_reason=reason)
    call(batch, NUMBER)
    start(api, owner, batch)
    now = fresh(batch)
    assert (now.status, now.status_reason) == ("active", "")
    assert now.updated_at > batch.updated_at


def test_the_start_is_kept_with_who_asked_and_their_reference(
    api: Api, owner: Person, member: Person, batch: CallBatch
) -> None:
    start(api, owner, batch, userId=member.user.id, uuid="order 66/ü")
    session = session_of(batch)
    assert (session.workspace_id, session.batch_id) == (owner.workspace.id, batch.id)
    assert (session.started_by_id, session.uuid) == (member.user.id, "order 66/ü")
    assert not session.only_its_calls
    event = AuditEvent.objects.get(action="batch.start")
    assert (event.user_id, event.target_id) == (owner.user.id, batch.id)
    assert (event.changes["session"], event.changes["uuid"]) == (session.id, "order 66/ü")


def test_a_batch_that_is_active_already_stays_as_it_is(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    start(api, owner, batch, uuid="first")
    before = everything_of(owner.workspace)
    assert start(api, owner, batch, uuid="second")["data"]["status"] == "started"
    assert everything_of(owner.workspace) == before


def test_a_stopped_batch_is_started_anew(api: Api, owner: Person, batch: CallBatch) -> None:
    start(api, owner, batch, uuid="first")
    CallBatch.objects.filter(id=batch.id).update(status="stopped")
    start(api, owner, batch, uuid="second")
    assert session_of(batch).uuid == "second"
    assert DialingSession.objects.filter(batch=batch).count() == 2


@pytest.mark.parametrize("status", [*FINISHED, "unknown", None])
def test_without_a_call_to_make_nothing_is_started(
    api: Api, owner: Person, status: str | None
) -> None:
    batch = ready_batch(owner)
    if status:
        call(batch, NUMBER, status)
    number = number_with_agent(owner)
    before = everything_of(owner.workspace)
    body = start(api, owner, batch, 400, callingNumbers=[number.id])
    assert errors(body) == [("batchId", "no_calls")]
    assert everything_of(owner.workspace) == before


def test_a_call_in_flight_may_have_to_be_made_again(api: Api, owner: Person) -> None:
    batch = ready_batch(owner, status="stopped")
    call(batch, NUMBER, "in-progress")
    start(api, owner, batch)
    assert fresh(batch).status == "active"


# --- callingNumbers -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["draft", "active", "stopped"])
def test_given_numbers_replace_those_of_the_batch(api: Api, owner: Person, status: str) -> None:
    batch = ready_batch(owner, status=status)
    call(batch, NUMBER)
    first, second = number_with_agent(owner), number_with_agent(owner)
    start(api, owner, batch, callingNumbers=[second.id, first.id, second.id], uuid="x")
    assert rotation(batch) == [second.id, first.id]
    assert session_of(batch).uuid == "x"
    event = AuditEvent.objects.get(action="batch.start")
    assert event.changes["numbers"] == [second.id, first.id]


def test_a_batch_without_a_number_left_is_resumed_with_new_ones(api: Api, owner: Person) -> None:
    batch = ready_batch(owner, status="paused", status_reason="no_number")
    BatchNumber.objects.filter(batch=batch).delete()
    call(batch, NUMBER)
    number = number_with_agent(owner)
    start(api, owner, batch, callingNumbers=[number.id])
    assert (fresh(batch).status, rotation(batch)) == ("active", [number.id])


# --- callData -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 1200])
def test_given_contacts_are_added_and_only_they_are_dialed_now(
    api: Api, owner: Person, batch: CallBatch, count: int
) -> None:
    start(api, owner, batch, callData=contacts(count, name="Ann"))
    session = session_of(batch)
    assert session.only_its_calls
    assert counted(batch) == {"pending": count + 1}
    assert batch.calls.filter(session=session).count() == count
    assert batch.calls.get(phone_number=f"+{NUMBER}").session_id is None
    assert list(batch.variables.values_list("name", flat=True)) == ["name"]
    assert AuditEvent.objects.get(action="batch.start").changes["callData"] == count


def test_contacts_that_the_batch_has_are_dialed_too(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    done = call(batch, "12125551002", "completed", attempts_made=1)
    start(api, owner, batch, callData=[{"phoneNumber": NUMBER}, {"phoneNumber": "12125551002"}])
    session = session_of(batch)
    assert {made.session_id for made in batch.calls.all()} == {session.id}
    done.refresh_from_db()
    assert (done.status, done.attempts_made) == ("pending", 0)


def test_the_others_wait_for_a_start_without_contacts(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    start(api, owner, batch, callData=contacts(1))
    first = session_of(batch)
    start(api, owner, batch)
    assert session_of(batch) != first
    assert not session_of(batch).only_its_calls


def test_contacts_on_an_active_batch_are_a_start_of_their_own(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    start(api, owner, batch)
    start(api, owner, batch, callData=contacts(1), uuid="second")
    assert (session_of(batch).only_its_calls, session_of(batch).uuid) == (True, "second")


@pytest.mark.parametrize("bad", [0, 1300])
def test_one_invalid_contact_starts_nothing(
    api: Api, owner: Person, batch: CallBatch, bad: int
) -> None:
    records: list[Any] = contacts(1500)
    records[bad] = {"phoneNumber": "x"}
    number = number_with_agent(owner)
    before = everything_of(owner.workspace)
    body = start(api, owner, batch, 400, callData=records, callingNumbers=[number.id])
    assert errors(body) == [(f"callData[{bad}].phoneNumber", "not_a_number")]
    Import.objects.all().delete()  # the record that says so
    assert everything_of(owner.workspace) == before


def test_many_invalid_contacts_are_listed_up_to_a_hundred(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    assert len(errors(start(api, owner, batch, 400, callData=[{}] * 3000))) == 100


def test_contacts_must_satisfy_the_agents_behind_the_numbers(api: Api, owner: Person) -> None:
    batch = ready_batch(owner, variables=[variable("name")])
    body = start(api, owner, batch, 400, callData=contacts(1))
    assert errors(body) == [("callData[0].name", "required")]
    BatchNumber.objects.filter(batch=batch).delete()
    start(api, owner, batch, 404, callData=contacts(1, name="Ann"))


def test_of_numbers_given_with_them_the_agents_count(api: Api, owner: Person) -> None:
    batch = ready_batch(owner, variables=[variable("name")])
    other = number_with_agent(owner, [variable("account")])
    mute = factories.PhoneNumberFactory.create(workspace=owner.workspace, agent=None)
    by_name, by_account = contacts(1, name="Ann"), contacts(1, account="A")

    body = start(api, owner, batch, 400, callData=by_name, callingNumbers=[other.id])
    assert errors(body) == [("callData[0].account", "required")]
    start(api, owner, batch, 404, callData=by_name, callingNumbers=[mute.id])
    start(api, owner, batch, callData=by_account, callingNumbers=[mute.id, other.id])
    assert rotation(batch) == [mute.id, other.id]


def test_only_contacts_that_must_not_be_dialed_again_start_nothing(api: Api, owner: Person) -> None:
    batch = ready_batch(owner)
    call(batch, NUMBER, "unknown", variables={"a": 1})
    body = start(api, owner, batch, 400, callData=[{"phoneNumber": NUMBER, "b": 2}])
    assert errors(body) == [("batchId", "no_calls")]
    assert batch.calls.get().variables == {"a": 1}


def test_many_contacts_need_one_of_the_slots_for_big_imports(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    body = {"batchId": batch.id, "userId": owner.user.id, "callData": contacts(1001)}
    with import_slot(), import_slot():
        response = api.post(PATH, body, owner.with_key)
        checked(response, 503)
        assert response["Retry-After"] == "10"
        start(api, owner, batch, callData=contacts(1000))


# --- The body, and who may ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"batchId": None}, ("batchId", "null")),
        ({"batchId": "x"}, ("batchId", "invalid_id")),
        ({"userId": None}, ("userId", "null")),
        ({"userId": "x"}, ("userId", "invalid_id")),
        ({"callingNumbers": []}, ("callingNumbers", "empty")),
        ({"callingNumbers": [UNKNOWN_ID]}, ("callingNumbers[0]", "unknown_number")),
        ({"callData": []}, ("callData", "empty")),
        ({"callData": {}}, ("callData", "not_a_list")),
        ({"callData": [{}] * 50_001}, ("callData", "max_length")),
        ({"call_data": []}, ("call_data", "unknown_field")),
        ({"uuid": 7}, ("uuid", "invalid")),
        ({"uuid": "x" * 129}, ("uuid", "max_length")),
        ({"uuid": "a\nb"}, ("uuid", "control_character")),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_rule_names_its_field(
    api: Api, owner: Person, batch: CallBatch, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert errors(start(api, owner, batch, 400, **changes)) == [expected]
    assert fresh(batch).status == "draft"


def test_batch_and_user_are_required(api: Api, owner: Person) -> None:
    body = checked(api.post(PATH, {}, owner.with_key), 400)
    assert errors(body) == [("batchId", "required"), ("userId", "required")]


def test_an_inactive_and_a_foreign_number_read_like_an_unknown_one(
    api: Api, owner: Person, stranger: Person, batch: CallBatch
) -> None:
    inactive = factories.PhoneNumberFactory.create(workspace=owner.workspace, is_active=False)
    for number in (inactive, number_with_agent(stranger)):
        body = start(api, owner, batch, 400, callingNumbers=[number.id])
        assert errors(body) == [("callingNumbers[0]", "unknown_number")]


def test_unknown_foreign_and_deleted_batches_and_users_are_one_404(
    api: Api, owner: Person, stranger: Person, batch: CallBatch
) -> None:
    inactive = person(owner.workspace)
    User.objects.filter(id=inactive.user.id).update(is_active=False)
    deleted = ready_batch(owner, deleted_at=timezone.now())
    call(deleted, NUMBER)
    wrong: list[dict[str, Any]] = [
        *({"batchId": id_} for id_ in (UNKNOWN_ID, ready_batch(stranger).id, deleted.id)),
        *({"userId": id_} for id_ in (UNKNOWN_ID, stranger.user.id, inactive.user.id)),
    ]
    answers = [start(api, owner, batch, 404, **changes) for changes in wrong]
    assert all(answer == answers[0] for answer in answers)
    assert (fresh(batch).status, fresh(deleted).status) == ("draft", "draft")
    assert not DialingSession.objects.exists()


def test_admins_start_and_members_and_read_keys_do_not(
    api: Api, owner: Person, member: Person, batch: CallBatch
) -> None:
    body = {"batchId": batch.id, "userId": owner.user.id}
    checked(api.post(PATH, body), 401)
    checked(api.post(PATH, body, member.with_token), 403)
    checked(api.post(PATH, body, owner.with_read_key), 403)
    assert fresh(batch).status == "draft"
    checked(api.post(PATH, body, person(owner.workspace, Role.ADMIN).with_token), 200)


def test_a_start_with_900_contacts_costs_the_statements_of_one(
    api: Api, owner: Person, batch: CallBatch, statements: CaptureQueriesContext
) -> None:
    """After the key: SELECT the batch, the user, the workspace, the agents, the workspace's own
    numbers; then SELECT the batch for update, INSERT the session, UPDATE the batch twice (session;
    status), INSERT the event for integrators, one WITH for all the calls, wake the dialer (INSERT its
    schedule, SELECT the notification), INSERT the counter, SELECT the known names, INSERT the new ones,
    UPDATE the batch, INSERT the import, SELECT the counts and an active number, INSERT the audit event.
    """
    start(api, owner, batch)
    costs = []
    for count, name in ((1, "one"), (900, "two")):
        CallBatch.objects.filter(id=batch.id).update(status="stopped")
        before = len(statements)
        start(api, owner, batch, callData=contacts(count, 10 * count, **{name: 1}))
        costs.append([q["sql"].split()[0] for q in statements.captured_queries[before:]])
    assert costs[0] == costs[1]
    inside = [
        *("SELECT", "INSERT", "UPDATE", "UPDATE", "INSERT", "WITH", "INSERT", "SELECT", "INSERT"),
        *("SELECT", "INSERT", "UPDATE", "INSERT", "SELECT", "SELECT", "INSERT"),
    ]
    assert costs[0] == [*["SELECT"] * 6, "SAVEPOINT", *inside, "RELEASE"]


def test_without_an_active_number_nothing_starts(api: Api, owner: Person, batch: CallBatch) -> None:
    phones = PhoneNumber.objects.filter(rotations__batch=batch)
    phones.update(is_active=False)
    assert errors(start(api, owner, batch, 400)) == [("callingNumbers", "no_number")]
    assert fresh(batch).status == "draft"
    assert not DialingSession.objects.exists()


def test_statuses_of_calls_are_untouched_by_a_start(api: Api, owner: Person) -> None:
    batch = ready_batch(owner)
    everywhere = ["pending", "in-progress", "unknown", *FINISHED]
    for number, status in enumerate(everywhere):
        call(batch, str(13105550000 + number), status)
    before = statuses(batch)
    start(api, owner, batch)
    assert statuses(batch) == before


def test_call_data_leaves_the_record_of_an_import(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    start(api, owner, batch, 400, callData=[{"phoneNumber": NUMBER}, {"phoneNumber": "nonsense"}])
    start(api, owner, batch, callData=[{"phoneNumber": NUMBER}, {"phoneNumber": "12125551002"}])
    second, first = Import.objects.filter(batch=batch).order_by("-id")
    assert (first.status, first.rows_invalid, first.rows_added) == ("refused", 1, 0)
    assert (second.status, second.rows_added, second.rows_updated) == ("stored", 1, 1)

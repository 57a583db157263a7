"""`externalId` of contacts: unique per batch, so that an import that is repeated adds nothing."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from batches.models import BatchStatus, Call, CallBatch, CallEvent, DialingSession, Import
from tests.batches.contacts import (
    FINISHED,
    add,
    call,
    chunk_errors,
    contacts,
    counted,
    errors,
    fresh,
    number_with_agent,
    ready_batch,
)
from tests.batches.imports.files import xlsx
from tests.batches.uploads import bad_rows, csv_file, file_of, upload
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.models import AuditEvent

START = "/api/call/start-calling"
NUMBER, OTHER = "12125551001", "12125551002"
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def batch(owner: Person) -> CallBatch:
    return ready_batch(owner)


def record(number: str, external_id: Any = None, **variables: Any) -> dict[str, Any]:
    own = {} if external_id is None else {"externalId": external_id}
    return {"phoneNumber": number, **own, **variables}


def many(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Contacts with ids of their own."""
    return [{**one, "externalId": f"C\\{one['phoneNumber']}"} for one in contacts(count, first)]


def kept(batch: CallBatch) -> dict[str, str]:
    """The id of each call by its number; its variable says the same."""
    calls = list(batch.calls.all())
    assert all(one.variables.get("externalId", "") == one.external_id for one in calls)
    return {one.phone_number[1:]: one.external_id for one in calls}


# --- A repeated import ----------------------------------------------------------------------------


@pytest.mark.parametrize("more", [0, 1200])  # as arrays, and by COPY
def test_what_the_batch_has_is_left_alone_whatever_became_of_it(
    api: Api, owner: Person, batch: CallBatch, more: int
) -> None:
    everything = many(8 + more)
    first = add(api, owner, batch, everything)["data"]
    assert list(first) == ["added", "callIds"]
    ends = ["pending", "in-progress", "unknown", "failed", *FINISHED]
    for call_id, status in zip(first["callIds"], ends, strict=False):
        Call.objects.filter(id=call_id).update(status=status, attempts_made=1)
    CallBatch.objects.filter(id=batch.id).update(updated_at=LONG_AGO)
    before = list(batch.calls.order_by("id").values())
    elsewhere = [{**one, "phoneNumber": f"1646{one['phoneNumber'][4:]}"} for one in everything]

    for repeated in (everything, elsewhere, [{**everything[3], "name": "Ada"}]):
        data = add(api, owner, batch, repeated)["data"]
        assert json.dumps(data) == json.dumps(
            {"added": 0, "callIds": [], "alreadyAdded": len(repeated)}
        )
    assert list(batch.calls.order_by("id").values()) == before
    assert not CallEvent.objects.exists()
    assert fresh(batch).updated_at == LONG_AGO
    last = Import.objects.order_by("id").last()
    assert last is not None
    assert (last.rows_read, last.rows_added, last.rows_updated, last.rows_known) == (1, 0, 0, 1)
    told = AuditEvent.objects.filter(action="batch.add_calls").latest("id")
    assert told.changes["alreadyAdded"] == 1
    Call.objects.filter(batch=batch).update(status="pending")  # as they are counted

    data = add(api, owner, batch, [*everything[:2], *many(1 + more, 5000)])["data"]
    assert (data["added"], len(data["callIds"]), data["alreadyAdded"]) == (1 + more, 1 + more, 2)
    assert counted(batch) == {"pending": 9 + 2 * more}
    assert add(api, owner, ready_batch(owner), everything)["data"]["added"] == len(everything)


def test_a_dry_run_tells_what_would_be_left_alone(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    add(api, owner, batch, many(2))
    data = add(api, owner, batch, many(1500), dryRun=True)["data"]
    assert json.dumps(data) == json.dumps(
        {"added": 0, "callIds": [], "dryRun": True, "valid": 1500, "alreadyAdded": 2}
    )
    assert batch.calls.count() == 2


def test_a_completed_or_stopped_batch_stays_so_when_nothing_was_added(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    owner.workspace.start_when_calls_added = True
    owner.workspace.save()
    add(api, owner, batch, many(2))
    assert fresh(batch).status == "active"
    for status in (BatchStatus.COMPLETED, BatchStatus.STOPPED):
        CallBatch.objects.filter(id=batch.id).update(status=status)
        add(api, owner, batch, many(2))
        assert fresh(batch).status == status
    assert DialingSession.objects.count() == 1


# --- A number that the batch has ------------------------------------------------------------------


@pytest.mark.parametrize("more", [0, 1200])
def test_a_new_id_replaces_the_record_and_none_leaves_the_call_its_own(
    api: Api, owner: Person, batch: CallBatch, more: int
) -> None:
    old = call(batch, NUMBER, "failed", variables={"a": 1})
    fill = contacts(more)
    assert add(api, owner, batch, [record(NUMBER, "A"), *fill])["data"]["callIds"][0] == old.id
    old.refresh_from_db()
    assert (old.variables, old.status) == ({"externalId": "A"}, "pending")
    add(api, owner, batch, [record(NUMBER, "B", b=2), *fill])
    old.refresh_from_db()
    assert (old.external_id, old.variables) == ("B", {"externalId": "B", "b": 2})

    data = add(api, owner, batch, [record(NUMBER, c=3), *fill])["data"]
    assert (data["added"], "alreadyAdded" in data) == (1 + more, False)
    old.refresh_from_db()
    assert (old.external_id, old.variables) == ("B", {"externalId": "B", "c": 3})
    assert add(api, owner, batch, [record(NUMBER, "B")])["data"]["alreadyAdded"] == 1

    add(api, owner, batch, [record(OTHER, "A")])  # B took its place: A is nobody's
    assert {number: kept(batch)[number] for number in (NUMBER, OTHER)} == {NUMBER: "B", OTHER: "A"}


@pytest.mark.parametrize("more", [0, 1200])
def test_of_a_repeated_number_the_last_record_counts(
    api: Api, owner: Person, batch: CallBatch, more: int
) -> None:
    add(api, owner, batch, [record(NUMBER, "known")])
    add(api, owner, batch, [record("12125551009", "also")])
    Call.objects.update(status="in-progress")
    fill = contacts(more)
    sent = [
        *(record(OTHER, "A", n=1), record(OTHER, "A", n=2), record(OTHER, "B", n=3)),
        *(record(NUMBER), record(NUMBER, "known", n=4)),  # the last one is left alone
        *(record("12125551009", "also"), record("12125551009", n=5)),  # this one is not
    ]
    data = add(api, owner, batch, [*sent, *fill])["data"]
    assert (data["added"], data["alreadyAdded"]) == (4 + more, 3)
    ids = {one.phone_number[1:]: one.id for one in batch.calls.all()}
    assert data["callIds"][:4] == [*[ids[OTHER]] * 3, ids["12125551009"]]
    variables = {one.phone_number[1:]: one.variables for one in batch.calls.all()}
    assert variables[OTHER] == {"externalId": "B", "n": 3}
    assert variables[NUMBER] == {"externalId": "known"}
    assert variables["12125551009"] == {"externalId": "also", "n": 5}
    Call.objects.update(status="pending")


# --- What is refused ------------------------------------------------------------------------------


def test_an_id_is_a_line_of_1_to_128_characters(api: Api, owner: Person, batch: CallBatch) -> None:
    bad = [7, None, ["A"], True, "", "  ", "é" * 129, "a\tb", "a\n"]
    codes = [*["invalid"] * 4, "blank", "blank", "max_length", *["control_character"] * 2]
    sent = [{"phoneNumber": str(12125552000 + n), "externalId": it} for n, it in enumerate(bad)]
    assert chunk_errors(add(api, owner, batch, sent, 400)) == [
        (f"call_data[{index}].externalId", code) for index, code in enumerate(codes)
    ]
    good = [record(NUMBER, "  é\\ 1 "), record(OTHER, "é" * 128)]
    add(api, owner, batch, good)
    assert kept(batch) == {NUMBER: "é\\ 1", OTHER: "é" * 128}
    assert add(api, owner, batch, [record(NUMBER, "é\\ 1  ")])["data"]["alreadyAdded"] == 1


def test_two_numbers_with_one_id_in_a_request_are_refused(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    twice = [record(NUMBER, "A"), record("nonsense", "A"), record(OTHER, " A")]
    assert chunk_errors(add(api, owner, batch, twice, 400)) == [
        ("call_data[1].phoneNumber", "not_a_number"),
        ("call_data[2].externalId", "duplicate_external_id"),
    ]
    apart = add(api, owner, batch, [*many(1000), {**many(1)[0], "phoneNumber": OTHER}], 207)["data"]
    assert list(apart) == ["added", "callIds", "failedChunks"]
    assert apart["failedChunks"][0]["errors"][0]["code"] == "duplicate_external_id"
    again = add(api, owner, batch, [*many(1000), record("nonsense")], 207)["data"]
    assert list(again) == ["added", "callIds", "failedChunks", "alreadyAdded"]


# --- start-calling --------------------------------------------------------------------------------


def test_a_start_with_nothing_but_known_contacts_changes_nothing(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    """A session without calls would take those of the session before their turn."""
    body = {"batchId": batch.id, "userId": owner.user.id, "callData": many(2)}
    checked(api.post(START, body, owner.with_key), 200)
    session = fresh(batch).session_id
    answer = checked(api.post(START, body, owner.with_key), 400)
    assert errors(answer) == [("callData", "no_calls")]
    assert (fresh(batch).session_id, fresh(batch).status) == (session, "active")
    assert set(batch.calls.values_list("session_id", flat=True)) == {session}

    body["callData"] = many(3)
    checked(api.post(START, body, owner.with_key), 200)
    assert batch.calls.filter(session=session).count() == 2
    assert batch.calls.get(session=fresh(batch).session_id).external_id == "C\\13105550002"
    last = Import.objects.latest("id")
    assert (last.rows_added, last.rows_known) == (1, 2)


# --- Files ----------------------------------------------------------------------------------------


def test_a_file_with_a_column_of_ids(api: Api, owner: Person) -> None:
    phone = number_with_agent(owner)
    lines = [
        "externalId,phoneNumber,name",
        *(f"A,{NUMBER},Ada", f"A,{NUMBER},again", f",{OTHER},Bob", "A,12125551003,Cy"),
        *(f"{'x' * 129},12125551004,Di", " B\\ ,12125551005,Ed"),
    ]
    refused = upload(owner, phone, 422, file=csv_file(*lines))
    assert bad_rows(refused) == [
        (5, [("externalId", "duplicate_external_id")]),
        (6, [("externalId", "max_length")]),
    ]
    stored = upload(owner, phone, file=csv_file(*lines), type="true")["batch"]
    batch = CallBatch.objects.get(id=stored["_id"])
    assert (stored["totalCalls"], stored["skippedRows"]) == (3, 2)
    assert kept(batch) == {NUMBER: "A", OTHER: "", "12125551005": "B\\"}
    assert add(api, owner, batch, [record("12125551008", "A")])["data"]["alreadyAdded"] == 1

    sheet = xlsx(["phoneNumber", "externalId"], [12125551001, 1001], [12125551002, "0042"])
    stored = upload(owner, phone, file=file_of(sheet, "contacts.xlsx"))["batch"]
    batch = CallBatch.objects.get(id=stored["_id"])
    assert kept(batch) == {NUMBER: "1001", OTHER: "0042"}


# --- Where it is shown ----------------------------------------------------------------------------


def test_it_is_a_variable_everywhere(api: Api, owner: Person, batch: CallBatch) -> None:
    add(api, owner, batch, [record(NUMBER, "CRM-1", name="Ada"), record(OTHER, "CRM-2")])
    path = f"/api/call/batch-details/{batch.id}"
    for query in ({"filter": '{"externalId": "CRM-1"}'}, {"search": "crm-1"}):
        found = checked(api.get(path, owner.with_key, **query), 200)["data"]["data"]
        assert [(one["phoneNumber"], one["externalId"]) for one in found] == [(NUMBER, "CRM-1")]
    details = checked(api.get(f"/api/call/call-details/{found[0]['_id']}", owner.with_key), 200)
    assert details["data"]["variables"]["externalId"] == "CRM-1"
    export = api.get("/api/call/export/csv", owner.with_key, batchId=batch.id)
    head, *rows = b"".join(export.streaming_content).decode().splitlines()
    column = head.split(",").index("externalId")
    assert sorted(row.split(",")[column] for row in rows) == ["CRM-1", "CRM-2"]

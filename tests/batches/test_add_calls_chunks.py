"""POST /api/call/addCallsToBatch: chunks of 1,000, each all or nothing; repeated numbers; dry runs."""

from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from batches.imports.capacity import import_slot
from batches.models import Call, CallBatch, Import
from tests.batches.contacts import (
    ADD,
    add,
    contacts,
    counted,
    ready_batch,
    statuses,
    variable,
)
from tests.cast import Api, Person
from tests.envelope import checked
from tests.rows import everything_of

REQUIRED = "This field is required."


@pytest.fixture
def batch(owner: Person) -> CallBatch:
    return ready_batch(owner)


def spoilt(records: list[dict[str, Any]], *indexes: int) -> list[dict[str, Any]]:
    """The records, some of them without a number."""
    for index in indexes:
        records[index] = {"name": "nobody"}
    return records


def numbers(ids: list[str]) -> list[str]:
    """The numbers of these calls, in this order."""
    known = dict(Call.objects.filter(id__in=ids).values_list("id", "phone_number"))
    return [known[id_][1:] for id_ in ids]


# --- Some chunks invalid --------------------------------------------------------------------------


def test_a_bad_record_spoils_its_chunk_and_no_other(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    records = spoilt(contacts(2500), 1500)

    body = add(api, owner, batch, records, 207)

    ids = body["data"]["callIds"]
    sentence = f"call_data[1500].phoneNumber: {REQUIRED}"
    assert body == {
        "message": "Some chunks were refused",
        "status": False,
        "code": 207,
        "errorMessage": sentence,
        "data": {
            "added": 1500,
            "callIds": ids,
            "failedChunks": [
                {
                    "chunkNum": 2,
                    "error": sentence,
                    "errors": [
                        {
                            "index": 1500,
                            "field": "call_data[1500].phoneNumber",
                            "code": "required",
                            "message": REQUIRED,
                        }
                    ],
                }
            ],
        },
    }
    assert list(body["data"]) == ["added", "callIds", "failedChunks"]
    assert list(body["data"]["failedChunks"][0]) == ["chunkNum", "error", "errors"]
    kept = records[:1000] + records[2000:]
    assert numbers(ids) == [record["phoneNumber"] for record in kept]
    assert counted(batch) == {"pending": 1500}


@pytest.mark.parametrize(
    ("count", "bad", "chunks", "stored"),
    [
        (1001, [1000], [2], 1000),
        (1001, [0], [1], 1),
        (2000, [999], [1], 1000),
        (2000, [1000, 1999], [2], 1000),
        (3001, [0, 2999], [1, 3], 1001),
    ],
)
def test_chunks_are_counted_from_one_and_end_at_a_thousand(
    api: Api,
    owner: Person,
    batch: CallBatch,
    count: int,
    bad: list[int],
    chunks: list[int],
    stored: int,
) -> None:
    data = add(api, owner, batch, spoilt(contacts(count), *bad), 207)["data"]
    assert [chunk["chunkNum"] for chunk in data["failedChunks"]] == chunks
    found = [error["index"] for chunk in data["failedChunks"] for error in chunk["errors"]]
    assert found == bad
    assert (data["added"], batch.calls.count()) == (stored, stored)


def test_of_a_chunk_the_first_hundred_errors_are_listed(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    records = spoilt(contacts(2000), *range(150), 1000)
    answer = add(api, owner, batch, records, 400)
    first, second = answer["data"]["errors"]
    assert [error["index"] for error in first["errors"]] == list(range(100))
    assert first["error"] == f"call_data[0].phoneNumber: {REQUIRED} … and 149 more"
    assert second["error"] == f"call_data[1000].phoneNumber: {REQUIRED}"
    assert answer["errorMessage"] == f"{first['error']} … and 1 more"


def test_names_that_only_a_refused_chunk_has_are_not_remembered(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    records = contacts(1000, first_name="x", bad="y") + contacts(2, 1000, last="z", first_name="x")
    add(api, owner, batch, spoilt(records, 999), 207)
    names = batch.variables.order_by("position").values_list("name", flat=True)
    assert list(names) == ["last", "first_name"]


# --- All chunks invalid ---------------------------------------------------------------------------


def test_when_every_chunk_is_bad_nothing_is_stored(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    answer = add(api, owner, batch, spoilt(contacts(1200), 3, 1100), 400, startCalling=True)

    assert answer["message"] == "Validation failed"
    assert answer["data"] == {
        "errors": [
            {
                "chunkNum": number,
                "error": f"call_data[{index}].phoneNumber: {REQUIRED}",
                "errors": [
                    {
                        "index": index,
                        "field": f"call_data[{index}].phoneNumber",
                        "code": "required",
                        "message": REQUIRED,
                    }
                ],
            }
            for number, index in ((1, 3), (2, 1100))
        ]
    }
    batch.refresh_from_db()
    assert (statuses(batch), batch.status) == ({}, "draft")
    assert not batch.variables.exists()


# --- Order and repetition -------------------------------------------------------------------------


@pytest.mark.parametrize("count", [30, 1500])
def test_call_ids_come_in_the_order_of_the_input(
    api: Api, owner: Person, batch: CallBatch, count: int
) -> None:
    known = contacts(count // 3, count // 2)
    add(api, owner, batch, known)
    shuffled = contacts(count)[::-1]
    ids = add(api, owner, batch, shuffled)["data"]["callIds"]
    assert numbers(ids) == [record["phoneNumber"] for record in shuffled]
    assert counted(batch) == {"pending": count}


@pytest.mark.parametrize("count", [3, 1500])
@pytest.mark.parametrize("known", [False, True])
def test_a_repeated_number_repeats_its_id_and_the_later_record_wins(
    api: Api, owner: Person, batch: CallBatch, count: int, known: bool
) -> None:
    if known:
        add(api, owner, batch, [{"phoneNumber": "12125551001", "n": 0}])
    again = [
        {"phoneNumber": "12125551001", "n": 1, "only_first": True},
        *contacts(count),
        {"phoneNumber": "+1 (212) 555-1001", "n": 2},
    ]

    data = add(api, owner, batch, again)["data"]

    assert data["added"] == len(data["callIds"]) == count + 2
    assert data["callIds"][0] == data["callIds"][-1]
    assert Call.objects.get(id=data["callIds"][0]).variables == {"n": 2}
    assert counted(batch) == {"pending": count + 1}


def test_a_number_repeated_in_a_good_and_a_bad_chunk_is_the_good_ones(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    records = contacts(1000, n=1) + contacts(1, n=2) + [{}]
    data = add(api, owner, batch, records, 207)["data"]
    assert Call.objects.get(id=data["callIds"][0]).variables == {"n": 1}


# --- Dry runs -------------------------------------------------------------------------------------


def test_a_dry_run_says_what_would_happen_and_stores_nothing(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    before = everything_of(owner.workspace)

    body = add(api, owner, batch, contacts(3), dryRun=True, startCalling=True)

    assert body["message"] == "Dry run: nothing was stored"
    assert body["data"] == {"added": 0, "callIds": [], "dryRun": True, "valid": 3}
    record = Import.objects.get()
    assert (record.status, record.dry_run, record.rows_read) == ("checked", True, 3)
    record.delete()
    assert everything_of(owner.workspace) == before


def test_a_dry_run_reports_bad_chunks_alike(api: Api, owner: Person, batch: CallBatch) -> None:
    data = add(api, owner, batch, spoilt(contacts(1001), 1000), 207, dryRun=True)["data"]
    assert (data["added"], data["callIds"], data["valid"]) == (0, [], 1000)
    assert data["failedChunks"][0]["chunkNum"] == 2
    add(api, owner, batch, [{}], 400, dryRun=True)
    assert statuses(batch) == {}


# --- The temporary table --------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "copies"), [(1000, 0), (1001, 1)])
def test_more_than_a_thousand_go_through_a_temporary_table(
    api: Api,
    owner: Person,
    batch: CallBatch,
    statements: CaptureQueriesContext,
    count: int,
    copies: int,
) -> None:
    add(api, owner, batch, contacts(count))
    sent = [query["sql"] for query in statements.captured_queries]
    assert sum("CREATE TEMPORARY TABLE" in sql for sql in sent) == copies
    assert batch.calls.count() == count


NASTY = ["a\tb", "a\nb", "a\rb", "a\\b", "\\N", "\\.", '"', "\\t", "é☎\u2028", "\x01\x1f\x7f"]


@pytest.mark.parametrize("count", [10, 1010])
def test_no_character_is_lost_on_either_way(
    api: Api, owner: Person, batch: CallBatch, count: int
) -> None:
    values: dict[str, Any] = {f"{text}{number}": text for number, text in enumerate(NASTY)}
    add(api, owner, batch, contacts(count, timezone="Europe/Paris", **values))
    call = batch.calls.first()
    assert call is not None
    assert (call.variables, call.timezone) == (values, "Europe/Paris")
    names = batch.variables.order_by("position").values_list("name", flat=True)
    assert list(names) == list(values)


def test_one_connection_adds_many_again_and_again(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    for first in (0, 500, 1000):
        add(api, owner, batch, contacts(1200, first))
    assert counted(batch) == {"pending": 2200}


def test_a_third_big_request_at_a_time_is_told_to_come_back(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    body = {"batchId": batch.id, "call_data": contacts(1001)}
    with import_slot(), import_slot():
        response = api.post(ADD, body, owner.with_key)
        checked(response, 503)
        assert response["Retry-After"] == "10"
        add(api, owner, batch, contacts(1000))  # a small one is no burden
    assert batch.calls.count() == 1000
    checked(api.post(ADD, body, owner.with_key), 200)
    checked(api.post(ADD, body, owner.with_key), 200)  # the slot was given back


def test_a_refused_big_request_gives_its_slot_back(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    for _ in range(3):
        add(api, owner, batch, [{}] * 1001, 400)


# --- The import -----------------------------------------------------------------------------------


def test_every_request_leaves_an_import_that_its_header_names(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    add(api, owner, batch, contacts(4))
    records = spoilt(contacts(1010), 1005, 1006)
    response = api.post(ADD, {"batchId": batch.id, "call_data": records}, owner.with_token)

    record = Import.objects.get(id=response["X-Import-Id"])
    assert (record.workspace_id, record.batch_id) == (owner.workspace.id, batch.id)
    assert record.created_by_id == owner.user.id
    assert (record.kind, record.source, record.status) == ("contacts", "json", "stored")
    assert (record.progress, record.dry_run, record.file_name) == (100, False, "")
    assert (record.rows_read, record.rows_invalid) == (1010, 2)
    assert (record.rows_added, record.rows_updated) == (996, 4)
    assert record.errors == checked(response, 207)["data"]["failedChunks"][0]["errors"]

    refused = api.post(ADD, {"batchId": batch.id, "call_data": [{}]}, owner.with_key)
    record = Import.objects.get(id=refused["X-Import-Id"])
    assert (record.status, record.rows_invalid, record.batch_id) == ("refused", 1, batch.id)


def test_a_schema_spoils_only_the_chunks_that_break_it(api: Api, owner: Person) -> None:
    batch = ready_batch(owner, variables=[variable("name")])
    records = contacts(1000, name="Ann") + contacts(1000, 1000)
    data = add(api, owner, batch, records, 207)["data"]
    assert data["added"] == 1000
    [chunk] = data["failedChunks"]
    assert chunk["errors"][0]["field"] == "call_data[1000].name"

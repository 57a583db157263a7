"""GET /api/dnc/list: shape, order, pages, search."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from batches.models import DoNotCallEntry
from tests import factories
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.models import User

PATH = "/api/dnc/list"
NOON = datetime(2025, 5, 15, 14, 30, tzinfo=UTC)
REQUEST_UUID = "550e8400-e29b-41d4-a716-446655440000"


def entry(owner: Person, **fields: Any) -> DoNotCallEntry:
    made: DoNotCallEntry = factories.DoNotCallEntryFactory.create(
        workspace=owner.workspace, **fields
    )
    return made


def listed(api: Api, who: Person, **query: Any) -> list[str]:
    data = checked(api.get(PATH, who.with_key, **query), 200)["data"]
    return [row["phoneNumber"] for row in data["dncList"]]


@pytest.mark.parametrize("credential", ["with_key", "with_read_key", "with_token"])
def test_the_documented_answer(api: Api, owner: Person, credential: str) -> None:
    batch = factories.CallBatchFactory.create(workspace=owner.workspace, created_by=owner.user)
    stored = entry(
        owner,
        phone_number="+12125551234",
        type="asked",
        batch=batch,
        request_uuid=UUID(REQUEST_UUID),
        call_recording="https://example.com/recording.mp3",
        transcription="Call transcript here...",
        created_by=owner.user,
        created_at=NOON,
    )

    body = checked(api.get(PATH, getattr(owner, credential)), 200)

    row = {
        "_id": stored.id,
        "phoneNumber": "12125551234",
        "type": "asked",
        "orgId": owner.workspace.id,
        "batchId": batch.id,
        "requestUUID": REQUEST_UUID,
        "callRecording": "https://example.com/recording.mp3",
        "transcription": "Call transcript here...",
        "createdAt": "2025-05-15T14:30:00.000Z",
    }
    assert body == {
        "message": "DNC list fetched successfully",
        "status": True,
        "code": 200,
        "errorMessage": "",
        "data": {
            "dncList": [row],
            "pagination": {"total": 1, "page": 1, "limit": 10, "totalPages": 1},
        },
    }
    assert list(body["data"]) == ["dncList", "pagination"]
    assert list(body["data"]["dncList"][0]) == list(row)
    assert list(body["data"]["pagination"]) == ["total", "page", "limit", "totalPages"]


def test_absent_values_are_left_out(api: Api, owner: Person) -> None:
    entry(owner)
    [row] = checked(api.get(PATH, owner.with_key))["data"]["dncList"]
    assert list(row) == ["_id", "phoneNumber", "orgId", "createdAt"]


def test_an_empty_list_is_no_error(api: Api, owner: Person) -> None:
    data = checked(api.get(PATH, owner.with_key), 200)["data"]
    assert data == {
        "dncList": [],
        "pagination": {"total": 0, "page": 1, "limit": 10, "totalPages": 0},
    }


def test_the_newest_comes_first_and_the_id_decides_between_equals(api: Api, owner: Person) -> None:
    for number, id_, at in (
        ("1", "64e5f12345abcdef00000002", NOON),
        ("2", "64e5f12345abcdef00000003", NOON),
        ("3", "64e5f12345abcdef00000001", NOON),
        ("4", "00000000000000000000000a", NOON + timedelta(1)),
    ):
        entry(owner, id=id_, created_at=at, phone_number=f"+1212555000{number}")

    newest_first = [f"1212555000{number}" for number in "4213"]
    assert listed(api, owner) == newest_first
    assert [listed(api, owner, limit=1, page=page)[0] for page in range(1, 5)] == newest_first


def test_pages_past_the_end_are_empty_with_the_true_totals(api: Api, owner: Person) -> None:
    for _ in range(3):
        entry(owner)
    for page in (2, 999999999):
        data = checked(api.get(PATH, owner.with_key, page=page, limit=3))["data"]
        assert data["dncList"] == []
        assert data["pagination"] == {"total": 3, "page": page, "limit": 3, "totalPages": 1}


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ({"page": "0"}, "page", "min_value"),
        ({"page": "x"}, "page", "invalid"),
        ({"limit": "101"}, "limit", "max_value"),
        ({"limit": "1.5"}, "limit", "invalid"),
        ({"search": "x" * 201}, "search", "max_length"),
    ],
)
def test_a_wrong_parameter_is_named(
    api: Api, owner: Person, query: dict[str, str], field: str, code: str
) -> None:
    error = checked(api.get(PATH, owner.with_key, **query), 400)["data"]["errors"][0]
    assert (error["field"], error["code"]) == (field, code)


def test_deleted_entries_and_other_workspaces_are_never_listed(
    api: Api, owner: Person, stranger: Person
) -> None:
    entry(owner, phone_number="+12125550001")
    entry(owner, phone_number="+12125550002", deleted_at=NOON)
    entry(stranger, phone_number="+12125550003")

    assert listed(api, owner) == ["12125550001"]
    assert listed(api, owner, search="1212555000") == ["12125550001"]
    assert listed(api, stranger) == ["12125550003"]
    assert checked(api.get(PATH, owner.with_key))["data"]["pagination"]["total"] == 1


# --- Search ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "12125551234",
        "+12125551234",
        "+1 (212) 555-1234",
        "(212) 555-1234",
        "212.555",
        " 1 212 ",
        "5551234",
        "(+1) 212/555",
        "ASKED",
        "sked by",
        "100%",
        "50%_o",
        "550E8400-E29B",
        REQUEST_UUID,
        "",
    ],
)
def test_the_search_finds_number_type_and_request(api: Api, owner: Person, text: str) -> None:
    entry(
        owner,
        phone_number="+12125551234",
        type="Asked by letter, 100% 50%_off",
        request_uuid=UUID(REQUEST_UUID),
    )
    assert listed(api, owner, search=text) == ["12125551234"]


@pytest.mark.parametrize(
    "text",
    ["+212", "+1 (213)", "asked  by", "%", "_", "a%b", "12125551234x", "\\", "---", "550e84001"],
)
def test_the_search_is_literal(api: Api, owner: Person, text: str) -> None:
    entry(owner, phone_number="+12125551234", type="asked by", request_uuid=UUID(REQUEST_UUID))
    assert listed(api, owner, search=text) == []


def test_the_totals_are_those_of_the_search(api: Api, owner: Person) -> None:
    for number in range(12):
        entry(owner, type="letter" if number % 2 else "phone")
    data = checked(api.get(PATH, owner.with_key, search="letter", limit=4, page=2))["data"]
    assert len(data["dncList"]) == 2
    assert data["pagination"] == {"total": 6, "page": 2, "limit": 4, "totalPages": 2}


# --- Cost -----------------------------------------------------------------------------------------


def test_a_page_costs_the_same_for_one_entry_and_for_many(
    api: Api, owner: Person, statements: CaptureQueriesContext
) -> None:
    """Three: the credential, the number of entries, the page."""
    for more in (1, 49):
        for _ in range(more):
            user: User = factories.UserFactory.create()
            entry(owner, created_by=user)
        listed(api, owner)  # the first use of a key is written once a minute
        before = len(statements)
        listed(api, owner, limit=100)
        sent = [query["sql"] for query in statements.captured_queries[before:]]
        assert [sql.split()[0] for sql in sent] == ["SELECT", "SELECT", "SELECT"]


def test_the_page_is_read_from_its_index(
    api: Api, owner: Person, stranger: Person, statements: CaptureQueriesContext
) -> None:
    for who in (owner, stranger):
        DoNotCallEntry.objects.bulk_create(
            DoNotCallEntry(
                workspace=who.workspace,
                phone_number=f"+1212{5550000 + number}",
                created_at=NOON + timedelta(minutes=number),
                deleted_at=NOON if number % 10 == 0 else None,
            )
            for number in range(2000)
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE batches_donotcallentry")
        listed(api, owner)
        page = statements.captured_queries[-1]["sql"]
        assert "ORDER BY" in page
        cursor.execute(f"EXPLAIN {page}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Index Scan using donotcallentry_newest" in plan, plan
    assert "Sort" not in plan

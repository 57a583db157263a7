"""GET /api/call/batches/{userId}: every row of its contract."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from batches.models import BatchStatus, CallBatch, CallCounter, PauseReason
from tests import factories
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.models import User

NOON = datetime(2025, 5, 1, 12, tzinfo=UTC)
UNKNOWN_ID = "64e5f12345abcdef87654321"


def path(user: User | str) -> str:
    return f"/api/call/batches/{user if isinstance(user, str) else user.id}"


def batch(owner: Person, **fields: Any) -> CallBatch:
    created: CallBatch = factories.CallBatchFactory.create(
        workspace=owner.workspace, created_by=owner.user, **fields
    )
    return created


def names(response: Any) -> list[str]:
    return [row["batchName"] for row in checked(response, 200)["data"]["batches"]]


def listed(api: Api, who: Person, **query: Any) -> list[str]:
    return names(api.get(path(who.user), who.with_key, **query))


def error(response: Any) -> tuple[str, str]:
    found = checked(response, 400)["data"]["errors"][0]
    return found["field"], found["code"]


# --- The answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("credential", ["with_key", "with_read_key", "with_token"])
def test_the_documented_answer(api: Api, owner: Person, credential: str) -> None:
    stored = batch(
        owner,
        name="Marketing Campaign May 2025",
        status=BatchStatus.ACTIVE,
        created_at=NOON,
        updated_at=datetime(2025, 5, 15, 14, 30, tzinfo=UTC),
    )
    factories.CallFactory.create_batch(100, batch=stored, status="completed", is_picked=True)
    factories.CallFactory.create_batch(20, batch=stored, status="pending", is_picked=True)
    factories.CallFactory.create_batch(30, batch=stored, status="failed")

    response = api.get(path(owner.user), getattr(owner, credential))

    body = checked(response, 200)
    expected = {
        "message": "Batches fetched successfully",
        "status": True,
        "code": 200,
        "errorMessage": "",
        "data": {
            "batches": [
                {
                    "_id": stored.id,
                    "batchName": "Marketing Campaign May 2025",
                    "totalCalls": 150,
                    "callsPicked": 120,
                    "callsCompleted": 100,
                    "queue_status": "active",
                    "createdAt": "2025-05-01T12:00:00.000Z",
                    "updatedAt": "2025-05-15T14:30:00.000Z",
                }
            ],
            "pagination": {"total": 1, "page": 1, "limit": 10, "totalPages": 1},
        },
    }
    assert body == expected
    assert list(body["data"]) == list(expected["data"])  # type: ignore[call-overload]
    assert list(body["data"]["batches"][0]) == [
        *("_id", "batchName", "totalCalls", "callsPicked", "callsCompleted"),
        *("queue_status", "createdAt", "updatedAt"),
    ]
    assert list(body["data"]["pagination"]) == ["total", "page", "limit", "totalPages"]


def test_times_are_cut_to_milliseconds_of_utc(api: Api, owner: Person) -> None:
    east = datetime.fromisoformat("2025-01-01T01:30:00.987654+05:30")
    batch(owner, created_at=east, updated_at=east)
    row = checked(api.get(path(owner.user), owner.with_key))["data"]["batches"][0]
    assert row["createdAt"] == row["updatedAt"] == "2024-12-31T20:00:00.987Z"


@pytest.mark.parametrize("status", BatchStatus.values)
def test_every_status_is_listed_as_it_is(api: Api, owner: Person, status: str) -> None:
    reason = PauseReason.KILL_SWITCH if status == BatchStatus.PAUSED else ""
    batch(owner, status=status, status_reason=reason)
    row = checked(api.get(path(owner.user), owner.with_key))["data"]["batches"][0]
    assert row["queue_status"] == status


def test_the_newest_comes_first_and_the_id_decides_between_equals(api: Api, owner: Person) -> None:
    batch(owner, name="b", id="64e5f12345abcdef00000002", created_at=NOON)
    batch(owner, name="c", id="64e5f12345abcdef00000003", created_at=NOON)
    batch(owner, name="a", id="64e5f12345abcdef00000001", created_at=NOON)
    batch(owner, name="newest", id="00000000000000000000000a", created_at=NOON + timedelta(1))
    batch(owner, name="oldest", id="ffffffffffffffffffffffff", created_at=NOON - timedelta(1))

    assert listed(api, owner) == ["newest", "c", "b", "a", "oldest"]
    one_by_one = [listed(api, owner, limit=1, page=page)[0] for page in range(1, 6)]
    assert one_by_one == ["newest", "c", "b", "a", "oldest"]


def test_a_deleted_batch_is_never_listed(api: Api, owner: Person) -> None:
    batch(owner, name="kept")
    batch(owner, name="gone", deleted_at=NOON)

    response = api.get(path(owner.user), owner.with_key)
    assert names(response) == ["kept"]
    assert response.json()["data"]["pagination"]["total"] == 1
    assert listed(api, owner, search="gone") == []


def test_a_user_without_a_batch_is_a_404_and_so_is_one_with_deleted_ones(
    api: Api, owner: Person
) -> None:
    for query in ({}, {"search": "x"}, {"page": 2}):
        checked(api.get(path(owner.user), owner.with_key, **query), 404)
    batch(owner, deleted_at=NOON)
    checked(api.get(path(owner.user), owner.with_key), 404)


# --- Pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected", "numbers"),
    [
        ({}, 10, (25, 1, 10, 3)),
        ({"page": "1"}, 10, (25, 1, 10, 3)),
        ({"page": "3"}, 5, (25, 3, 10, 3)),
        ({"page": "4"}, 0, (25, 4, 10, 3)),
        ({"page": "999999999", "limit": "100"}, 0, (25, 999999999, 100, 1)),
        ({"limit": "1"}, 1, (25, 1, 1, 25)),
        ({"limit": "25"}, 25, (25, 1, 25, 1)),
        ({"limit": "24"}, 24, (25, 1, 24, 2)),
        ({"limit": "100"}, 25, (25, 1, 100, 1)),
        ({"limit": "010"}, 10, (25, 1, 10, 3)),
    ],
    ids=str,
)
def test_pages_and_their_totals(
    api: Api, owner: Person, query: dict[str, str], expected: int, numbers: tuple[int, ...]
) -> None:
    factories.CallBatchFactory.create_batch(25, workspace=owner.workspace, created_by=owner.user)
    data = checked(api.get(path(owner.user), owner.with_key, **query), 200)["data"]
    assert len(data["batches"]) == expected
    assert tuple(data["pagination"].values()) == numbers


@pytest.mark.parametrize("name", ["page", "limit"])
@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("0", "min_value"),
        ("", "invalid"),
        ("-1", "invalid"),
        ("+5", "invalid"),
        ("abc", "invalid"),
        ("1.0", "invalid"),
        ("1e1", "invalid"),
        ("0x1", "invalid"),
        (" 1", "invalid"),
        ("1 ", "invalid"),
        ("1\n", "invalid"),
        ("1_0", "invalid"),
        ("١", "invalid"),
        ("true", "invalid"),
        ("null", "invalid"),
        ("1" * 10, "invalid"),
        ("9" * 5000, "invalid"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_page_or_limit_that_is_no_number_is_refused(
    api: Api, owner: Person, name: str, value: str, code: str
) -> None:
    batch(owner)
    assert error(api.get(path(owner.user), owner.with_key, **{name: value})) == (name, code)


def test_a_limit_over_100_is_refused(api: Api, owner: Person) -> None:
    batch(owner)
    assert error(api.get(path(owner.user), owner.with_key, limit="101")) == ("limit", "max_value")


# --- Search ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("spring", ["Spring 100%"]),
        ("SPRING", ["Spring 100%"]),
        ("ring 1", ["Spring 100%"]),
        ("%", ["Spring 100%"]),
        ("100%", ["Spring 100%"]),
        ("S%g", []),
        ("_", ["snake_case"]),
        ("e_c", ["snake_case"]),
        ("snakeXcase", []),
        ("\\", ["back\\slash"]),
        ("k\\s", ["back\\slash"]),
        ("\\%", []),
        ("'", ["O'Brien"]),
        ("''", []),
        ("ÜBER", ["Über alles"]),
        ("über", ["Über alles"]),
        (" ", ["Spring 100%", "Über alles"]),
        ("stop", ["O'Brien"]),
        ("STOPPED", ["O'Brien"]),
        ("draft", ["Spring 100%", "snake_case", "back\\slash", "Über alles"]),
        ("no such text", []),
        ("", ["Spring 100%", "snake_case", "back\\slash", "O'Brien", "Über alles"]),
    ],
    ids=lambda value: repr(value)[:20] if isinstance(value, str) else "",
)
def test_search_finds_a_text_in_name_or_status_and_takes_it_literally(
    api: Api, owner: Person, search: str, expected: list[str]
) -> None:
    for name in ("Spring 100%", "snake_case", "back\\slash", "Über alles"):
        batch(owner, name=name)
    batch(owner, name="O'Brien", status=BatchStatus.STOPPED)

    response = api.get(path(owner.user), owner.with_key, search=search)

    assert sorted(names(response)) == sorted(expected)
    pagination = response.json()["data"]["pagination"]
    assert pagination["total"] == len(expected)
    assert pagination["totalPages"] == (1 if expected else 0)


def test_search_and_pages_go_together(api: Api, owner: Person) -> None:
    for number in range(5):
        batch(owner, name=f"hit {number}", created_at=NOON + timedelta(number))
        batch(owner, name="other", created_at=NOON + timedelta(number))
    response = api.get(path(owner.user), owner.with_key, search="HIT", limit=2, page=2)
    assert names(response) == ["hit 2", "hit 1"]
    assert response.json()["data"]["pagination"]["total"] == 5


@pytest.mark.parametrize("text", ["%00", "a%00b", "%FF", "%C3", "%ED%A0%80", "%F8%88%80%80%80"])
def test_a_search_that_is_no_clean_text_is_refused(api: Api, owner: Person, text: str) -> None:
    batch(owner)
    checked(api.get(f"{path(owner.user)}?search={text}", owner.with_key), 400)


def test_a_search_of_more_than_200_characters_is_refused(api: Api, owner: Person) -> None:
    batch(owner, name="é" * 200)
    assert listed(api, owner, search="é" * 200) == ["é" * 200]
    response = api.get(path(owner.user), owner.with_key, search="é" * 201)
    assert error(response) == ("search", "max_length")


@pytest.mark.parametrize(
    "query", ["format=xml", "format=json", "sort=x", "Page=0", "_=1", "x", "&"]
)
def test_a_parameter_that_is_none_of_ours_is_ignored(api: Api, owner: Person, query: str) -> None:
    batch(owner, name="here")
    assert names(api.get(f"{path(owner.user)}?{query}", owner.with_key)) == ["here"]


# --- What it costs --------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 50])
def test_it_costs_three_statements_whatever_the_rows(
    api: Api, owner: Person, statements: CaptureQueriesContext, rows: int
) -> None:
    """The first use of a key in a minute writes so (an UPDATE after the first statement).

    1. SELECT the key with its workspace, creator and membership
    2. SELECT how many batches there are, and how many match
    3. SELECT the page
    """
    factories.CallBatchFactory.create_batch(rows, workspace=owner.workspace, created_by=owner.user)
    listed(api, owner)
    before = len(statements)

    assert len(listed(api, owner, limit=100)) == rows

    sent = [query["sql"] for query in statements.captured_queries[before:]]
    assert [sql.split()[0] for sql in sent] == ["SELECT", "SELECT", "SELECT"]


def test_naming_another_member_costs_one_statement_more(
    api: Api, owner: Person, member: Person, statements: CaptureQueriesContext
) -> None:
    """The fourth asks whether the named user is a member."""
    batch(member)
    checked(api.get(path(member.user), owner.with_key), 200)
    before = len(statements)
    checked(api.get(path(member.user), owner.with_key), 200)
    assert len(statements) - before == 4


def test_the_page_is_read_from_its_index(
    api: Api, owner: Person, stranger: Person, statements: CaptureQueriesContext
) -> None:
    """On a filled table the list, in its order, comes out of callbatch_of_user: nothing is sorted."""
    fill(owner, 2000)
    fill(stranger, 2000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE batches_callbatch, batches_callcounter")
    listed(api, owner)
    page = statements.captured_queries[-1]["sql"]
    assert "ORDER BY" in page

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {page}")
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "Index Scan using callbatch_of_user" in plan, plan
    assert "Sort" not in plan
    assert "Seq Scan" not in plan


def fill(owner: Person, count: int) -> None:
    """Each counted, as real ones are: PostgreSQL reads through a table that it knows to be empty."""
    batches = CallBatch.objects.bulk_create(
        CallBatch(
            workspace=owner.workspace,
            created_by=owner.user,
            name=f"Batch {number}",
            timezone="UTC",
            created_at=NOON + timedelta(minutes=number),
            updated_at=NOON,
            deleted_at=NOON if number % 10 == 0 else None,
        )
        for number in range(count)
    )
    CallCounter.objects.bulk_create(
        CallCounter(workspace=owner.workspace, batch=batch, slot=0) for batch in batches
    )

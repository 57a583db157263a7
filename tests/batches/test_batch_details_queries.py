"""GET /api/call/batch-details/{id}: filter, search, order and pages."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from batches.models import CallBatch, CallStatus
from tests.batches.test_batch_details import batch_of, call_of, details, path
from tests.cast import Api, Person
from tests.envelope import checked

NOON = datetime(2025, 5, 15, 12, tzinfo=UTC)


def error(api: Api, who: Person, batch: CallBatch, **query: Any) -> tuple[str, str]:
    found = checked(api.get(path(batch), who.with_key, **query), 400)["data"]["errors"][0]
    return found["field"], found["code"]


@pytest.fixture
def batch(owner: Person) -> CallBatch:
    return batch_of(owner)


def named(batch: CallBatch, **calls: dict[str, Any]) -> None:
    """A call for each name, with these variables besides `who`."""
    for minute, (name, variables) in enumerate(calls.items()):
        call_of(
            batch,
            variables={"who": name, **variables},
            created_at=NOON + timedelta(minutes=minute),
        )


def found(api: Api, who: Person, batch: CallBatch, **query: Any) -> set[str]:
    """Who is on the page, after a look at the numbers beside it."""
    if "filter" in query and not isinstance(query["filter"], str):
        query["filter"] = json.dumps(query["filter"])
    page = details(api, who, batch, limit=100, **query)
    assert page["total"] == len(page["data"])
    return {call["who"] for call in page["data"]}


# --- filter ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (1, {"one", "decimal"}),
        (1.0, {"one", "decimal"}),
        ("1", {"text"}),
        (True, {"truth"}),
        (None, {"nothing"}),
        ("", {"blank"}),
        ([1, 2], {"list"}),
        ([2, 1], set()),
        ({"b": 1, "a": 2}, {"object"}),
        ({"a": 2}, set()),
        ("%", {"percent"}),
        ("it's", {"quote"}),
    ],
)
def test_a_variable_is_equal_as_in_json(
    api: Api, owner: Person, batch: CallBatch, wanted: Any, expected: set[str]
) -> None:
    named(
        batch,
        one={"x": 1},
        decimal={"x": 1.0},
        text={"x": "1"},
        truth={"x": True},
        nothing={"x": None},
        blank={"x": ""},
        list={"x": [1, 2]},
        object={"x": {"a": 2, "b": 1}},
        percent={"x": "%"},
        quote={"x": "it's"},
        absent={},
    )
    assert found(api, owner, batch, filter={"x": wanted}) == expected


@pytest.mark.parametrize("name", ["1", "-1", "a.b", "a__b", "%s", '"', "'", "{}", "", "ü", "id"])
def test_any_name_can_be_a_variable(api: Api, owner: Person, batch: CallBatch, name: str) -> None:
    named(batch, this={name: "v"}, other={name: "w"}, absent={})
    assert found(api, owner, batch, filter={name: "v"}) == {"this"}


@pytest.mark.parametrize(
    "number", ["12125551234", "+12125551234", "+1 (212) 555-1234", "1.212.555.1234"]
)
def test_a_number_is_equal_however_it_is_written(
    api: Api, owner: Person, batch: CallBatch, number: str
) -> None:
    call_of(batch, phone_number="+12125551234", variables={"who": "this"})
    call_of(batch, phone_number="+121255512345", variables={"who": "longer"})
    assert found(api, owner, batch, filter={"phoneNumber": number}) == {"this"}
    assert found(api, owner, batch, filter={"phoneNumber": number[:-1]}) == set()


@pytest.mark.parametrize("status", CallStatus.values)
def test_calls_of_one_status(api: Api, owner: Person, batch: CallBatch, status: str) -> None:
    for one in CallStatus.values:
        call_of(batch, status=one, variables={"who": one})
    assert found(api, owner, batch, filter={"callStatus": status}) == {status}


def test_calls_with_a_time_zone_of_their_own(api: Api, owner: Person, batch: CallBatch) -> None:
    call_of(batch, timezone="Asia/Tokyo", variables={"who": "this"})
    call_of(batch, timezone="Europe/Paris", variables={"who": "elsewhere"})
    call_of(batch, variables={"who": "nowhere"})
    assert found(api, owner, batch, filter={"timezone": "Asia/Tokyo"}) == {"this"}


def test_all_conditions_must_be_met_and_the_search_too(
    api: Api, owner: Person, batch: CallBatch
) -> None:
    call_of(batch, status="failed", variables={"who": "this", "x": 1, "y": 2})
    call_of(batch, status="failed", variables={"who": "x only", "x": 1, "y": 3})
    call_of(batch, status="pending", variables={"who": "pending", "x": 1, "y": 2})
    wanted = {"callStatus": "failed", "x": 1, "y": 2}
    assert found(api, owner, batch, filter=wanted) == {"this"}
    assert found(api, owner, batch, filter=wanted, search="THIS") == {"this"}
    assert found(api, owner, batch, filter=wanted, search="that") == set()
    assert found(api, owner, batch, filter={}) == {"this", "x only", "pending"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "blank"),
        ("{", "invalid_filter"),
        ('{"x": ' + "[" * 300 + "]" * 300 + "}", "invalid_filter"),
        ("[]", "invalid_filter"),
        ('"callStatus"', "invalid_filter"),
        ("null", "invalid_filter"),
        ("{'x': 1}", "invalid_filter"),
        ('{"x": NaN}', "invalid_filter"),
        ('{"x": 1e999}', "invalid_filter"),
        ('{"x": "\\ud800"}', "invalid_filter"),
        ('{"x": "a\\u0000b"}', "invalid_filter"),
        ('{"x": [{"\\u0000": 1}]}', "invalid_filter"),
        ('{"x\\u0000": 1}', "invalid_filter"),
        (json.dumps({str(number): 1 for number in range(21)}), "invalid_filter"),
        ("[" * 2000, "invalid_filter"),
        (json.dumps({"x": "x" * 4000}), "max_length"),
        ('{"_id": "64e5f12345abcdef87654321"}', "unknown_filter"),
        ('{"phoneLogs": []}', "unknown_filter"),
        ('{"createdAt": "2025-05-15T12:00:00.000Z"}', "unknown_filter"),
        ('{"updatedAt": 1}', "unknown_filter"),
        ('{"waitingFor": null}', "unknown_filter"),
        ('{"callStatus": "in_progress"}', "invalid_choice"),
        ('{"callStatus": 1}', "invalid"),
        ('{"callStatus": null}', "invalid"),
        ('{"phoneNumber": 12125551234}', "invalid"),
        ('{"phoneNumber": ""}', "invalid"),
        ('{"timezone": ["UTC"]}', "invalid"),
    ],
)
def test_what_is_no_filter_is_refused(
    api: Api, owner: Person, batch: CallBatch, text: str, code: str
) -> None:
    assert error(api, owner, batch, filter=text) == ("filter", code)


def test_an_escaped_backslash_is_no_nul(api: Api, owner: Person, batch: CallBatch) -> None:
    named(batch, this={"x": "a\\u0000b"})
    assert found(api, owner, batch, filter={"x": "a\\u0000b"}) == {"this"}


# --- search ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"Emily", "Ünal", "per cent"}),
        ("emily", {"Emily"}),
        ("MIL", {"Emily"}),
        ("ünal", {"Ünal"}),
        ("50%", {"per cent"}),
        ("5%", set()),
        ("a_b", {"per cent"}),
        ("a.b", set()),
        ("c\\d", {"per cent"}),
        ('say "hi"', {"per cent"}),
        ("line\nbreak", {"per cent"}),
        ("-1.5", {"Emily"}),
        ("TRUE", {"Emily"}),
        ("deep", {"Ünal"}),
        ("note", set()),
        ("who", set()),
        ("', '", set()),
        ("55512", {"Emily"}),
        ("+1 (212) 555-1234", {"Emily"}),
        ("12125551234", {"Emily"}),
        ("(310) 555.2002", {"Ünal"}),
        ("+310", set()),
        ("+", set()),
        ("tel 12125551234", set()),
    ],
)
def test_search_looks_in_numbers_and_values(
    api: Api, owner: Person, batch: CallBatch, text: str, expected: set[str]
) -> None:
    for number, variables in {
        "+12125551234": {"who": "Emily", "x": -1.5, "truth": True},
        "+13105552002": {"who": "Ünal", "list": ["deep"], "nothing": None},
        "+442079460000": {"who": "per cent", "note": '50% a_b c\\d say "hi"\nline\nbreak'},
    }.items():
        call_of(batch, phone_number=number, variables=variables)
    assert found(api, owner, batch, search=text) == expected


@pytest.mark.parametrize("search", ["x" * 201, "\0"])
def test_what_cannot_be_searched_for_is_refused(
    api: Api, owner: Person, batch: CallBatch, search: str
) -> None:
    checked(api.get(path(batch), owner.with_key, search=search), 400)


# --- Order ----------------------------------------------------------------------------------------


@pytest.fixture
def five(batch: CallBatch) -> CallBatch:
    """`id`, `created`, `updated`, number and status each in an order of their own."""
    rows = [
        ("a", 1, 3, "+12125550003", "pending"),
        ("b", 1, 3, "+12125550005", "failed"),
        ("c", 2, 1, "+12125550001", "completed"),
        ("d", 2, 2, "+12125550004", "pending"),
        ("e", 0, 2, "+12125550002", "failed"),
    ]
    for who, created, updated, number, status in rows:
        call_of(
            batch,
            id=who * 24,
            created_at=NOON + timedelta(minutes=created),
            updated_at=NOON + timedelta(minutes=updated),
            phone_number=number,
            status=status,
            variables={"who": who, "x": 1},
        )
    return batch


@pytest.mark.parametrize(
    ("sort_by", "ascending"),
    [
        ("createdAt", "eabcd"),
        ("updatedAt", "cdeab"),
        ("phoneNumber", "ceadb"),
        ("callStatus", "cebad"),
    ],
)
def test_calls_are_sorted_and_the_id_decides_between_equals(
    api: Api, owner: Person, five: CallBatch, sort_by: str, ascending: str
) -> None:
    def listed(**query: Any) -> str:
        return "".join(call["who"] for call in details(api, owner, five, **query)["data"])

    assert listed(sortBy=sort_by, sortOrder="asc") == ascending
    assert listed(sortBy=sort_by, sortOrder="desc") == ascending[::-1]
    assert listed(sortBy=sort_by) == ascending[::-1]
    for order, expected in (("asc", ascending), ("desc", ascending[::-1])):
        for query in ({}, {"filter": '{"x": 1}'}):
            pages = [
                listed(sortBy=sort_by, sortOrder=order, limit=2, page=page, **query)
                for page in (1, 2, 3, 4)
            ]
            assert "".join(pages) == expected


def test_the_newest_call_comes_first(api: Api, owner: Person, five: CallBatch) -> None:
    assert [call["who"] for call in details(api, owner, five)["data"]] == list("dcbae")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"sortBy": "name"}, "invalid_choice"),
        ({"sortBy": "created_at"}, "invalid_choice"),
        ({"sortBy": ""}, "invalid_choice"),
        ({"sortOrder": "ASC"}, "invalid_choice"),
        ({"sortOrder": "-1"}, "invalid_choice"),
        ({"page": "0"}, "min_value"),
        ({"page": "-1"}, "invalid"),
        ({"page": "1.0"}, "invalid"),
        ({"page": ""}, "invalid"),
        ({"page": "9" * 30}, "invalid"),
        ({"limit": "0"}, "min_value"),
        ({"limit": "101"}, "max_value"),
        ({"limit": "ten"}, "invalid"),
    ],
)
def test_an_order_or_page_that_does_not_exist_is_refused(
    api: Api, owner: Person, batch: CallBatch, query: dict[str, str], code: str
) -> None:
    assert error(api, owner, batch, **query) == (*query, code)


# --- Pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"filter": '{"callStatus": "pending"}'},
        {"filter": '{"x": 1}'},
        {"search": "somebody"},
        {"filter": '{"x": 1}', "sortBy": "phoneNumber"},
    ],
)
def test_pages_add_up_and_one_past_the_end_is_empty(
    api: Api, owner: Person, batch: CallBatch, query: dict[str, str]
) -> None:
    for _ in range(25):
        call_of(batch, variables={"x": 1, "who": "somebody"})
    call_of(batch, status="failed", phone_number="+442079460000", variables={"who": "else"})
    total = 26 if not query else 25

    seen = []
    for page in (1, 2, 3):
        shown = details(api, owner, batch, page=page, **query)
        assert (shown["page"], shown["limit"]) == (page, 10)
        assert (shown["total"], shown["totalPages"]) == (total, 3)
        seen += [call["_id"] for call in shown["data"]]
    assert len(seen) == len(set(seen)) == total
    for page in (4, 999_999_999):
        shown = details(api, owner, batch, page=page, limit=100, **query)
        assert (shown["data"], shown["total"], shown["totalPages"]) == ([], total, 1)


def test_other_batches_and_workspaces_are_neither_shown_nor_counted(
    api: Api, owner: Person, stranger: Person, batch: CallBatch
) -> None:
    for other in (batch_of(owner), batch_of(stranger)):
        named(other, other={"x": 1})
    named(batch, mine={"x": 1})
    for query in ({}, {"filter": {"x": 1}}, {"filter": {"callStatus": "pending"}}, {"search": "m"}):
        assert found(api, owner, batch, **query) == {"mine"}

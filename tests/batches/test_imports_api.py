"""GET /api/call/imports, …/{importId} and …/{importId}/errors."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from batches.exports import ROWS_A_PAGE
from batches.models import Import, ImportErrorRow, ImportKind, ImportSource, ImportStatus
from tests import factories
from tests.batches.test_batch_details import batch_of
from tests.cast import Api, Person
from tests.envelope import checked

PATH = "/api/call/imports"
UNKNOWN_ID = "64e5f12345abcdef87654321"
NOON = datetime(2025, 5, 15, 14, tzinfo=UTC)
PROBLEM = {"field": "phoneNumber", "code": "required", "message": "This field is required."}


def import_of(who: Person, **fields: Any) -> Import:
    record: Import = factories.ImportFactory.create(
        workspace=who.workspace, created_by=who.user, **fields
    )
    return record


def listed(api: Api, who: Person, **query: Any) -> list[str]:
    body = checked(api.get(PATH, who.with_key, **query), 200)
    return [record["_id"] for record in body["data"]["imports"]]


# --- One ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("credential", ["with_key", "with_read_key", "with_token"])
def test_the_whole_import_in_its_order(api: Api, owner: Person, credential: str) -> None:
    batch = batch_of(owner)
    record = import_of(
        owner,
        batch=batch,
        file_name="contacts.csv",
        status=ImportStatus.STORED,
        progress=100,
        rows_read=103,
        rows_invalid=1,
        rows_duplicate=2,
        rows_added=90,
        rows_updated=10,
        rows_known=3,
        errors=[{"row": 7, "errors": [PROBLEM]}],
        created_at=NOON,
        updated_at=NOON + timedelta(seconds=1),
    )
    expected = {
        "_id": record.id,
        "batchId": batch.id,
        "userId": owner.user.id,
        "kind": "contacts",
        "source": "csv",
        "fileName": "contacts.csv",
        "dryRun": False,
        "status": "stored",
        "progress": 100,
        "rowsRead": 103,
        "rowsInvalid": 1,
        "rowsDuplicate": 2,
        "rowsAdded": 90,
        "rowsUpdated": 10,
        "rowsAlreadyAdded": 3,
        "errors": [{"row": 7, "errors": [PROBLEM]}],
        "createdAt": "2025-05-15T14:00:00.000Z",
        "updatedAt": "2025-05-15T14:00:01.000Z",
    }

    one = checked(api.get(f"{PATH}/{record.id}", getattr(owner, credential)), 200)
    many = checked(api.get(PATH, getattr(owner, credential)), 200)

    assert one["message"] == "Import fetched successfully"
    assert json.dumps(one["data"]) == json.dumps(expected)
    assert json.dumps(many["data"]) == json.dumps(
        {
            "imports": [expected],
            "pagination": {"total": 1, "page": 1, "limit": 10, "totalPages": 1},
        }
    )


@pytest.mark.parametrize("kind", ImportKind.values)
@pytest.mark.parametrize("source", ImportSource.values)
def test_every_kind_of_import_is_shown(api: Api, owner: Person, kind: str, source: str) -> None:
    """Also the errors of a JSON import, which have an index in the place of a row."""
    errors = [{"index": 3, **PROBLEM}]
    record = import_of(owner, kind=kind, source=source, dry_run=True, errors=errors)
    shown = checked(api.get(f"{PATH}/{record.id}", owner.with_key), 200)["data"]
    assert (shown["kind"], shown["source"], shown["dryRun"]) == (kind, source, True)
    assert (shown["batchId"], shown["fileName"], shown["status"]) == (None, "", "running")
    assert shown["errors"] == errors


# --- The list -------------------------------------------------------------------------------------


def test_the_newest_comes_first_a_page_at_a_time(api: Api, owner: Person) -> None:
    late = import_of(owner, id="0" * 24, created_at=NOON + timedelta(1)).id
    early = import_of(owner, id="f" * 24, created_at=NOON - timedelta(1)).id
    second = import_of(owner, id="b" * 24, created_at=NOON).id
    third = import_of(owner, id="a" * 24, created_at=NOON).id

    assert listed(api, owner) == [late, second, third, early]
    assert listed(api, owner, limit=3, page=2) == [early]
    assert listed(api, owner, page=2) == []
    data = checked(api.get(PATH, owner.with_key, limit=3, page=9), 200)["data"]
    assert data["pagination"] == {"total": 4, "page": 9, "limit": 3, "totalPages": 2}


def test_the_imports_of_one_batch(api: Api, owner: Person, stranger: Person) -> None:
    batch, other, foreign = batch_of(owner), batch_of(owner), batch_of(stranger)
    mine = import_of(owner, batch=batch).id
    import_of(owner, batch=other)
    import_of(owner)
    import_of(stranger, batch=foreign)

    assert listed(api, owner, batchId=batch.id) == [mine]
    for id_ in (foreign.id, UNKNOWN_ID):
        assert listed(api, owner, batchId=id_) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"batchId": "x"}, "batchId"),
        ({"batchId": ""}, "batchId"),
        ({"page": "0"}, "page"),
        ({"limit": "101"}, "limit"),
    ],
)
def test_a_malformed_query_is_refused(
    api: Api, owner: Person, query: dict[str, str], field: str
) -> None:
    body = checked(api.get(PATH, owner.with_key, **query), 400)
    assert body["data"]["errors"][0]["field"] == field


def test_a_member_sees_all_of_the_workspace_and_a_stranger_nothing(
    api: Api, owner: Person, member: Person, stranger: Person
) -> None:
    record = import_of(owner)
    assert listed(api, member) == [record.id]
    assert listed(api, stranger) == []
    for path in (f"{PATH}/{record.id}", f"{PATH}/{record.id}/errors"):
        assert checked(api.get(path, stranger.with_key), 404) == checked(
            api.get(path.replace(record.id, UNKNOWN_ID), stranger.with_key), 404
        )


def test_fifty_imports_cost_as_many_statements_as_one(
    api: Api, owner: Person, stranger: Person
) -> None:
    """The credential, the number of imports, a page of them."""
    for who, number in ((owner, 1), (stranger, 50)):
        for _ in range(number):
            import_of(who, batch=batch_of(who))
        listed(api, who)  # writes the last use of the key
    for who in (owner, stranger):
        with CaptureQueriesContext(connection) as statements:
            listed(api, who, limit=50)
        assert len(statements) == 3


# --- Refused rows ---------------------------------------------------------------------------------


def refused(record: Import, row: int, cells: list[Any], *errors: dict[str, str]) -> None:
    factories.ImportErrorRowFactory.create(
        source=record, row=row, cells=cells, errors=list(errors) or [PROBLEM]
    )


def errors_of(api: Api, who: Person, record: Import) -> str:
    response = api.get(f"{PATH}/{record.id}/errors", who.with_read_key)
    assert response.status_code == 200
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    return b"".join(response).decode()


def test_refused_rows_come_as_they_were_with_what_was_wrong(api: Api, owner: Person) -> None:
    record = import_of(owner, header=["phoneNumber", "name", "=x"], file_name="May.csv")
    refused(record, 7, ["", "Sarah, the first", "=1+1"])
    refused(
        record,
        3,
        ["0123", 7, True],
        PROBLEM,
        {"field": "name", "code": "invalid", "message": "Must be a string."},
    )
    other = import_of(owner, header=["phoneNumber"])
    refused(other, 2, ["9"])

    assert errors_of(api, owner, record) == (
        "phoneNumber,name,'=x,_errors\r\n"
        "0123,7,true,phoneNumber: This field is required.; name: Must be a string.\r\n"
        ',"Sarah, the first",\'=1+1,phoneNumber: This field is required.\r\n'
    )


def test_cells_beyond_the_header_are_not_lost(api: Api, owner: Person) -> None:
    record = import_of(owner, header=["phoneNumber", "name"])
    refused(record, 2, ["1", "a", "-b", "c"], {"field": "@", "code": "x", "message": "m"})
    refused(record, 3, ["1"])
    assert errors_of(api, owner, record).splitlines()[1:] == [
        "1,a,'@: m,'-b,c",
        "1,,phoneNumber: This field is required.",
    ]


def test_an_import_without_refused_rows_has_a_header(api: Api, owner: Person) -> None:
    assert (
        errors_of(api, owner, import_of(owner, header=["phoneNumber"])) == "phoneNumber,_errors\r\n"
    )
    assert errors_of(api, owner, import_of(owner)) == "_errors\r\n"


def test_all_refused_rows_come_however_many_pages(api: Api, owner: Person) -> None:
    record = import_of(owner, header=["phoneNumber"])
    ImportErrorRow.objects.bulk_create(
        ImportErrorRow(
            workspace=owner.workspace, source=record, row=row, cells=[str(row)], errors=[PROBLEM]
        )
        for row in range(2, 2 * ROWS_A_PAGE + 3)
    )
    lines = errors_of(api, owner, record).splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [
        str(row) for row in range(2, 2 * ROWS_A_PAGE + 3)
    ]


def test_the_file_is_named_after_the_one_that_came(api: Api, owner: Person) -> None:
    named, unnamed = import_of(owner, file_name="May 2025.xlsx"), import_of(owner)
    for record, name in ((named, "May_2025.xlsx_errors.csv"), (unnamed, "import_errors.csv")):
        response = api.get(f"{PATH}/{record.id}/errors", owner.with_key)
        assert f'filename="{name}"' in response["Content-Disposition"]

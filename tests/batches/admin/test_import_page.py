"""The page of an import: live while it runs, then what became of it; the list of imports."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from batches.models import Import, ImportStatus
from tests import factories
from tests.batches.admin.batches import batch_of, html_of, page, words_of
from tests.batches.admin.browsers import browser
from tests.cast import Person

ERROR = {"field": "name", "code": "required", "message": "This variable is required."}


@pytest.fixture
def leader(owner: Person) -> Client:
    return browser(owner)


def import_of(who: Person, **fields: object) -> Import:
    made: Import = factories.ImportFactory.create(
        workspace=who.workspace, created_by=who.user, file_name="contacts.csv", **fields
    )
    return made


def address(name: str, record: Import) -> str:
    return reverse(f"admin:batches_import_{name}", args=[record.id])


@pytest.mark.parametrize("name", ["change", "live", "errors"])
def test_a_member_sees_it_and_a_stranger_does_not(
    owner: Person, member: Person, stranger: Person, name: str
) -> None:
    record = import_of(owner)
    assert browser(member).get(address(name, record)).status_code == 200
    assert browser(stranger).get(address(name, record)).status_code == 404


def test_a_running_import_is_followed_and_one_that_ended_is_not(
    leader: Client, owner: Person
) -> None:
    record = import_of(owner, status="running", progress=40, rows_read=5000)
    for name in ("change", "live"):
        html = words_of(html_of(leader, address(name, record)))
        assert f'hx-get="{address("live", record)}"' in html
        assert 'aria-valuenow="40"' in html
        assert "5,000 rows read" in html
    Import.objects.filter(id=record.id).update(status=ImportStatus.STORED)
    for name in ("change", "live"):
        assert address("live", record) not in html_of(leader, address(name, record))


def test_what_was_wrong_is_shown_and_can_be_downloaded(leader: Client, owner: Person) -> None:
    record = import_of(
        owner,
        status="stored",
        header=["phone", "name"],
        rows_read=3,
        rows_invalid=1,
        errors=[{"row": 2, "errors": [ERROR]}],
        batch=batch_of(owner),
    )
    assert address("errors", record) not in html_of(leader, address("change", record))
    factories.ImportErrorRowFactory.create(source=record, row=2, cells=["=1", ""], errors=[ERROR])
    html = words_of(html_of(leader, address("change", record)))
    assert "<strong>name</strong>: This variable is required." in html
    assert address("errors", record) in html
    assert page("change", record.batch_id or "") in html
    assert page("upload", record.batch_id or "") in html

    response = leader.get(address("errors", record))
    assert "contacts.csv_errors.csv" in response["Content-Disposition"]
    lines = b"".join(response).decode().splitlines()
    assert lines == ["phone,name,_errors", "'=1,,name: This variable is required."]


def test_a_reader_is_not_asked_to_upload(owner: Person, member: Person) -> None:
    record = import_of(owner, status="stored", batch=batch_of(owner))
    html = html_of(browser(member), address("change", record))
    assert page("change", record.batch_id or "") in html
    assert page("upload", record.batch_id or "") not in html


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"status": "refused", "errors": [{"row": 0, "errors": [{**ERROR, "message": "Odd."}]}]},
            "Odd. Nothing was stored.",
        ),
        ({"status": "failed"}, "broke off by an error on our side"),
        (
            {
                "status": "refused",
                "source": "json",
                "errors": [{**ERROR, "field": "callData[3].name"}],
            },
            "callData[3].name</span>: This variable is required.",
        ),
        ({"status": "checked", "dry_run": True}, "a dry run: nothing was stored"),
    ],
)
def test_an_import_in_vain_says_why(
    leader: Client, owner: Person, fields: dict[str, object], sentence: str
) -> None:
    record = import_of(owner, **fields)
    assert sentence in words_of(html_of(leader, address("change", record)))


def test_the_page_saves_nothing(leader: Client, owner: Person) -> None:
    assert leader.post(address("change", import_of(owner)), {"status": "stored"}).status_code == 403


def test_the_page_costs_the_same_whatever_was_wrong(leader: Client, owner: Person) -> None:
    record = import_of(owner, status="stored", rows_invalid=1, batch=batch_of(owner))
    html_of(leader, address("change", record))  # the first visit writes the session
    with CaptureQueriesContext(connection) as few:
        html_of(leader, address("change", record))
    errors = [{"row": row, "errors": [ERROR]} for row in range(1, 101)]
    Import.objects.filter(id=record.id).update(errors=errors, rows_invalid=100)
    for row in range(5):
        factories.ImportErrorRowFactory.create(source=record, row=row, cells=[], errors=[])
    with CaptureQueriesContext(connection) as many:
        html_of(leader, address("change", record))
    assert len(many) == len(few) <= 12

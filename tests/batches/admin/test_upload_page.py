"""Uploading contacts in the back office: choose, name the columns, check, import, mend, again."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from batches.models import BatchStatus, Call, CallBatch, ContactsFilePart, Import, ImportStatus
from tests import factories
from tests.batches.admin.batches import audited, batch_of, html_of, page, words_of
from tests.batches.admin.browsers import browser
from tests.batches.admin.files import (
    GOOD,
    HEADER,
    act,
    batch_to_fill,
    contacts,
    csv,
    send,
    state,
    work,
)
from tests.batches.imports.files import xlsx
from tests.cast import Person
from workspaces.models import AuditEvent, Workspace


@pytest.fixture
def leader(owner: Person) -> Client:
    return browser(owner)


@pytest.fixture
def batch(owner: Person) -> CallBatch:
    return batch_to_fill(owner)


# --- The whole way --------------------------------------------------------------------------------


def test_a_file_with_mistakes_is_mended_and_uploaded_again(
    leader: Client, owner: Person, batch: CallBatch
) -> None:
    bad = ["hello;Cy;1;Oslo", "13105550103;;2;Kyiv", "13105550101;Ada again;43;Bern"]
    file = send(leader, batch, csv(*GOOD, *bad))
    html = words_of(html_of(leader, page("file", batch.id, file.id)))
    for text in ("Mobile", "Ada again", "The agent requires name.", "name (required)"):
        assert text in html
    assert file.columns == ["phoneNumber", "name", "age", "Town"]
    assert "Checking the rows" in state(leader, file)

    work()  # the check went by itself: the columns were clear
    html = state(leader, file)
    for text in (
        "Valid rows</dt><dd>3<",
        "Invalid rows</dt><dd>2<",
        "Repeated numbers</dt><dd>1<",
        "New</dt><dd>2<",
        "<strong>name</strong>: This variable is required.",
        "Import 2 contacts",
    ):
        assert text in html
    assert contacts(batch) == {}
    assert audited(batch) == []

    response = act(leader, file, "import")
    record = Import.objects.get(dry_run=False)
    assert response["Location"] == reverse("admin:batches_import_change", args=[record.id])
    assert "waiting for its turn" in html_of(leader, response["Location"])
    work()
    assert contacts(batch) == {
        "+13105550101": {"name": "Ada", "age": 42, "Town": "Bern"},
        "+13105550102": {"name": "Bob", "Town": "Rome"},
    }
    assert audited(batch) == ["batch.add_calls"]
    html = words_of(html_of(leader, response["Location"]))
    assert "Stored" in html
    assert "Added</dt><dd>2<" in html

    errors: Any = leader.get(reverse("admin:batches_import_errors", args=[record.id]))
    lines = b"".join(errors.streaming_content).decode().splitlines()
    assert lines[0] == "Mobile,Name,Age,Town,_errors"
    assert len(lines) == 3
    mended = "\n".join(lines).replace("hello", "13105550104").replace("103,,", "103,Di,")
    again = SimpleUploadedFile("mended.csv", mended.encode())
    file = send(leader, batch, again)
    assert file.columns == ["phoneNumber", "name", "age", "Town", None]
    work()
    act(leader, file, "import")
    work()
    assert set(contacts(batch)) == {f"+1310555010{number}" for number in (1, 2, 3, 4)}
    assert contacts(batch)["+13105550103"] == {"name": "Di", "age": 2, "Town": "Kyiv"}
    assert Import.objects.get(file_name="mended.csv", dry_run=False).rows_invalid == 0


def test_an_excel_file_goes_the_same_way(leader: Client, batch: CallBatch) -> None:
    content = xlsx(["Phone", "Name", "Age"], [13105550101, "Ada", 42], ["hello", "Bob", 1])
    file = send(leader, batch, SimpleUploadedFile("contacts.xlsx", content))
    work()
    assert "Import 1 contact<" in state(leader, file)
    act(leader, file, "import")
    work()
    assert contacts(batch) == {"+13105550101": {"name": "Ada", "age": 42}}


def test_columns_that_cannot_be_guessed_are_asked_for(leader: Client, batch: CallBatch) -> None:
    file = send(leader, batch, csv("13105550101;Ada", header="A;B"))
    assert file.check_run is None
    html = html_of(leader, page("file", batch.id, file.id))
    assert "There is no column phoneNumber." in html

    response = act(leader, file, "check", "phoneNumber", "")
    assert "The agent requires the columns: name." in response.content.decode()
    response = act(leader, file, "check", "phoneNumber", "phoneNumber")
    assert "Two columns are taken as" in response.content.decode()
    assert not Import.objects.exists()

    assert act(leader, file, "check", "phoneNumber", "name").status_code == 302
    work()
    act(leader, file, "import", "phoneNumber", "name")
    work()
    assert contacts(batch) == {"+13105550101": {"name": "Ada"}}


def test_a_column_may_be_left_out(leader: Client, batch: CallBatch) -> None:
    file = send(leader, batch, csv(*GOOD))
    columns = ["phoneNumber", "name", "", ""]
    act(leader, file, "check", *columns)
    work()
    act(leader, file, "import", *columns)
    work()
    assert contacts(batch)["+13105550101"] == {"name": "Ada"}


def test_columns_changed_after_the_check_are_checked_before_they_are_imported(
    leader: Client, batch: CallBatch
) -> None:
    file = send(leader, batch, csv(*GOOD))
    work()
    response = act(leader, file, "import", "phoneNumber", "name", "", "")
    assert response["Location"].startswith(page("file", batch.id, file.id))
    assert not Import.objects.filter(dry_run=False).exists()
    assert "Checking the rows" in state(leader, file)


def test_a_file_is_imported_once_however_often_one_asks(leader: Client, batch: CallBatch) -> None:
    file = send(leader, batch, csv(*GOOD))
    work()
    first, second = act(leader, file, "import"), act(leader, file, "import")
    assert first["Location"] == second["Location"]
    assert Import.objects.filter(dry_run=False).count() == 1
    work()
    assert leader.get(page("file", batch.id, file.id))["Location"] == first["Location"]
    assert not ContactsFilePart.objects.exists()


def test_nothing_is_imported_without_a_check(leader: Client, batch: CallBatch) -> None:
    file = send(leader, batch, csv("13105550101;Ada", header="A;B"))
    act(leader, file, "import", "phoneNumber", "name")
    assert list(Import.objects.values_list("dry_run", flat=True)) == [True]


# --- What the check and the import tell -----------------------------------------------------------


def test_known_and_listed_numbers_are_told_and_known_ones_updated(
    leader: Client, owner: Person, batch: CallBatch, stranger: Person
) -> None:
    factories.CallFactory.create(batch=batch, phone_number="+13105550101", status="failed")
    factories.CallFactory.create(batch=batch_of(stranger), phone_number="+13105550102")
    factories.DoNotCallEntryFactory.create(workspace=owner.workspace, phone_number="+13105550102")
    factories.DoNotCallEntryFactory.create(
        workspace=stranger.workspace, phone_number="+13105550101"
    )
    file = send(leader, batch, csv(*GOOD))
    work()
    html = state(leader, file)
    assert "In the batch already</dt><dd>1<" in html
    assert "On the do-not-call list</dt><dd>1<" in html
    act(leader, file, "import")
    work()
    record = Import.objects.get(dry_run=False)
    assert (record.rows_added, record.rows_updated) == (1, 1)
    call = Call.objects.get(batch=batch, phone_number="+13105550101")
    assert (call.status, call.variables["name"]) == ("pending", "Ada")


def test_a_file_without_a_valid_row_cannot_be_imported(leader: Client, batch: CallBatch) -> None:
    file = send(leader, batch, csv("hello;;;"))
    work()
    html = state(leader, file)
    assert "There is no valid row to import." in html
    assert 'value="import"' not in html


def test_the_workspace_may_start_the_batch_with_its_contacts(
    leader: Client, owner: Person, batch: CallBatch
) -> None:
    Workspace.objects.filter(id=owner.workspace.id).update(start_when_calls_added=True)
    file = send(leader, batch, csv(*GOOD))
    work()
    assert "adding contacts starts the batch" in state(leader, file)
    act(leader, file, "import")
    work()
    batch.refresh_from_db()
    assert batch.status == BatchStatus.ACTIVE
    assert "session" in AuditEvent.objects.get(action="batch.add_calls").changes


def test_a_batch_that_was_deleted_meanwhile_takes_nothing(leader: Client, batch: CallBatch) -> None:
    file = send(leader, batch, csv(*GOOD))
    work()
    act(leader, file, "import")
    CallBatch.objects.filter(id=batch.id).update(deleted_at=timezone.now())
    work()
    record = Import.objects.get(dry_run=False)
    assert record.status == ImportStatus.REFUSED
    assert "The batch was deleted." in html_of(
        leader, reverse("admin:batches_import_change", args=[record.id])
    )
    assert not Call.objects.exists()


def test_agents_that_went_meanwhile_are_told(leader: Client, batch: CallBatch) -> None:
    file = send(leader, batch, csv(*GOOD))
    phone = batch.rotation.get().phone
    phone.agent = None
    phone.save()
    work()
    assert "There is no agent behind the numbers of this batch." in state(leader, file)


def test_a_file_of_several_parts_is_put_together_again(
    leader: Client, batch: CallBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batches.services.contact_files._PART", 7)
    lines = [f"1310555{number:04};Name {number};{number};Town" for number in range(300)]
    file = send(leader, batch, csv(*lines))
    assert file.size == len("\n".join([HEADER, *lines, ""]))
    assert ContactsFilePart.objects.count() > 100
    work()
    act(leader, file, "import")
    work()
    assert Call.objects.filter(batch=batch).count() == 300

"""What an upload refuses, whom it is for, and what is left of files that nobody imports."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from batches import tasks
from batches.imports import capacity
from batches.models import CallBatch, ContactsFile, ContactsFilePart, Import
from batches.services.file_imports import delete_old_files
from tests.batches.admin.batches import batch_of, html_of, page
from tests.batches.admin.browsers import browser
from tests.batches.admin.files import GOOD, act, batch_to_fill, csv, send, work
from tests.cast import Person


@pytest.fixture
def leader(owner: Person) -> Client:
    return browser(owner)


@pytest.fixture
def batch(owner: Person) -> CallBatch:
    return batch_to_fill(owner)


# --- What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (None, "Choose a file."),
        (SimpleUploadedFile("contacts.pdf", b"x"), "The file must be a .csv, .xlsx or .xls file."),
        (SimpleUploadedFile("contacts.csv", b""), "The file is empty."),
        (SimpleUploadedFile("a.csv", b"phone,phone\n"), "Two columns are named"),
        (SimpleUploadedFile("a.csv", "phöne\n".encode("latin-1")), "UTF-8"),
        (SimpleUploadedFile("a.xlsx", b"nonsense"), "The file is named .xlsx but is none."),
    ],
)
def test_a_file_that_cannot_be_read_is_told_as_by_the_api(
    leader: Client, batch: CallBatch, file: Any, sentence: str
) -> None:
    if file:
        file.seek(0)
    response = leader.post(page("upload", batch.id), {"file": file} if file else {})
    assert response.status_code == 200
    assert sentence in response.content.decode()
    assert not ContactsFile.objects.exists()


def test_a_file_beyond_the_limit_of_the_api_is_refused(
    leader: Client, batch: CallBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batches.admin.uploads.LARGEST_FILE", 10)
    response = leader.post(page("upload", batch.id), {"file": csv(*GOOD)})
    assert "The file is over 10 bytes." in response.content.decode()
    assert not ContactsFile.objects.exists()


def test_while_others_import_one_is_asked_to_wait(
    leader: Client, batch: CallBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Taken:
        def acquire(self, *, blocking: bool) -> bool:
            return False

    monkeypatch.setattr(capacity, "_slots", Taken())
    response = leader.post(page("upload", batch.id), {"file": csv(*GOOD)})
    assert "Other imports are running." in response.content.decode()


def test_without_an_agent_there_is_nothing_to_upload_for(leader: Client, batch: CallBatch) -> None:
    phone = batch.rotation.get().phone
    phone.agent = None
    phone.save()
    assert "There is no agent behind the numbers" in html_of(leader, page("upload", batch.id))
    response = leader.post(page("upload", batch.id), {"file": csv(*GOOD)})
    assert "There is no agent behind the numbers" in response.content.decode()
    assert not ContactsFile.objects.exists()


def test_a_choice_that_is_none_is_refused(leader: Client, batch: CallBatch) -> None:
    file = send(leader, batch, csv(*GOOD))
    response = act(leader, file, "check", "phoneNumber", "name", "callStatus", "")
    assert "Select a valid choice." in response.content.decode()


# --- Who ------------------------------------------------------------------------------------------


def test_only_who_steers_uploads(
    owner: Person, member: Person, stranger: Person, batch: CallBatch
) -> None:
    file = send(browser(owner), batch, csv(*GOOD))
    work()
    of_stranger = batch_of(stranger)
    for who, code in ((member, 403), (stranger, 404)):
        client = browser(who)
        for name in ("file", "file_state"):
            assert client.get(page(name, batch.id, file.id)).status_code == code
        assert act(client, file, "import").status_code == code
    # A file is reached by its own batch alone.
    for name in ("file", "file_state"):
        address = page(name, of_stranger.id, file.id)
        assert browser(stranger).get(address).status_code == 404
        assert browser(owner).get(page(name, batch.id, "nonsense")).status_code == 404
    assert not Import.objects.filter(dry_run=False).exists()


# --- What is left ---------------------------------------------------------------------------------


def test_forgotten_files_are_deleted_after_a_day(leader: Client, batch: CallBatch) -> None:
    old, new = send(leader, batch, csv(*GOOD)), send(leader, batch, csv(*GOOD))
    now = timezone.now()
    ContactsFile.objects.filter(id=old.id).update(created_at=now - timedelta(hours=25))
    assert delete_old_files(before=now - timedelta(days=1)) == 1
    assert list(ContactsFile.objects.values_list("id", flat=True)) == [new.id]
    assert set(ContactsFilePart.objects.values_list("file_id", flat=True)) == {new.id}
    assert tasks.clean_up_files(0) == 0


def test_the_queue_knows_ids_and_no_contact(leader: Client, batch: CallBatch) -> None:
    send(leader, batch, csv(*GOOD))
    args = json.dumps(list(ProcrastinateJob.objects.values_list("args", flat=True)))
    assert "Ada" not in args
    assert "1310555" not in args

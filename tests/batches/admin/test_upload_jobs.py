"""The jobs that read uploaded files: how many there are, and what one does twice or too late."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.tasks import Task

from batches import tasks as tasks_of_batches
from batches.imports import capacity
from batches.imports.capacity import ImportsBusy
from batches.imports.loading import line_of
from batches.imports.sheet import MOST_COLUMNS
from batches.imports.tracking import ImportTracker
from batches.models import (
    CallBatch,
    ContactsFile,
    ContactsFilePart,
    Import,
    ImportErrorRow,
    ImportStatus,
)
from batches.services import contact_files
from batches.tasks import close_abandoned_imports, read_file
from tests.batches.admin.batches import page
from tests.batches.admin.browsers import browser
from tests.batches.admin.files import GOOD, act, batch_to_fill, contacts, csv, send, state, work
from tests.cast import Person
from workspaces import tasks as tasks_of_workspaces

OTHER = ["phoneNumber", "name", "", ""]


@pytest.fixture
def leader(owner: Person) -> Client:
    return browser(owner)


@pytest.fixture
def batch(owner: Person) -> CallBatch:
    return batch_to_fill(owner)


def queued() -> list[dict[str, Any]]:
    jobs = ProcrastinateJob.objects.filter(task_name=read_file.name).order_by("id")
    return list(jobs.values_list("args", flat=True))


# --- How many -------------------------------------------------------------------------------------


def test_a_check_that_has_not_ended_is_not_asked_for_again(
    leader: Client, batch: CallBatch
) -> None:
    file = send(leader, batch, csv(*GOOD))
    for _ in range(3):
        assert act(leader, file, "check").status_code == 302
    assert len(queued()) == 1
    work()
    act(leader, file, "check")
    assert len(queued()) == 1
    work()
    assert "Import 2 contacts" in state(leader, file)


def test_a_check_of_other_columns_replaces_the_one_that_waits(
    leader: Client, batch: CallBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = send(leader, batch, csv(*GOOD))
    act(leader, file, "check", *OTHER)
    read: list[int] = []

    def counted(*args: Any) -> bytes:
        read.append(1)
        return line_of(*args)

    monkeypatch.setattr("batches.services.file_imports.line_of", counted)
    work()
    assert len(read) == len(GOOD)  # once
    assert "Import 2 contacts" in state(leader, file)


def test_a_check_of_other_columns_ends_the_one_that_runs(
    leader: Client, batch: CallBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = send(leader, batch, csv(*GOOD))
    first = Import.objects.get()
    [job] = queued()
    advance = ImportTracker.advance

    def interrupted(tracker: ImportTracker, rows: int, progress: int) -> None:
        if tracker.record.id == first.id:
            act(leader, file, "check", *OTHER)
        advance(tracker, rows, progress)

    monkeypatch.setattr(ImportTracker, "advance", interrupted)
    read_file(**job)
    first.refresh_from_db()
    assert (first.status, first.rows_added) == (ImportStatus.CHECKED, 0)
    assert "another check took the place" in first.errors[0]["errors"][0]["message"]
    work()
    assert "Import 2 contacts" in state(leader, file)


def test_mail_goes_first_and_files_never_take_all_of_a_worker() -> None:
    mails: list[Task[..., bool, ...]] = [
        *(tasks_of_batches.mail_listing, tasks_of_batches.mail_import_summary),
        *(tasks_of_workspaces.mail_invitation, tasks_of_workspaces.mail_password_reset),
    ]
    assert all(mail.priority > read_file.priority for mail in mails)
    assert app.worker_defaults["concurrency"] >= 2 * capacity.MOST_AT_A_TIME


def test_a_file_without_a_slot_is_not_fetched_and_tried_until_there_is_one(
    leader: Client, batch: CallBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(leader, batch, csv(*GOOD))

    class Taken:
        def acquire(self, *, blocking: bool) -> bool:
            return False

    monkeypatch.setattr(capacity, "_slots", Taken())
    monkeypatch.setattr("batches.services.file_imports._content_of", None)
    with pytest.raises(ImportsBusy) as busy:
        work()
    job = ProcrastinateJob(attempts=5000, task_name=read_file.name, args={}).procrastinate_job
    assert read_file.get_retry_exception(busy.value, job) is not None


def test_a_workspace_keeps_so_many_files_waiting(
    leader: Client, batch: CallBatch, stranger: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_files, "MOST_WAITING", 2)
    imported, refused = send(leader, batch, csv(*GOOD)), send(leader, batch, csv("hello;;;"))
    response = leader.post(page("upload", batch.id), {"file": csv(*GOOD)})
    assert response.status_code == 200
    assert "2 files of this workspace wait to be imported." in response.content.decode()
    assert ContactsFile.objects.count() == 2

    work()
    for file in (imported, refused):
        act(leader, file, "import")
    work()
    assert not ContactsFilePart.objects.exists()
    old = send(leader, batch, csv(*GOOD))
    ContactsFile.objects.filter(id=old.id).update(created_at=timezone.now() - timedelta(hours=25))
    for _ in range(2):
        send(leader, batch, csv(*GOOD))


# --- Twice, or too late ---------------------------------------------------------------------------


def test_a_job_that_runs_again_after_its_end_changes_nothing(
    leader: Client, batch: CallBatch
) -> None:
    file = send(leader, batch, csv(*GOOD))
    [check] = queued()
    work()
    act(leader, file, "import")
    [stored] = queued()
    work()
    before = list(Import.objects.order_by("id").values())
    for job in (check, stored):
        read_file(**job)
    assert list(Import.objects.order_by("id").values()) == before
    assert len(contacts(batch)) == 2


def test_an_import_that_was_closed_while_it_waited_is_not_run(
    leader: Client, batch: CallBatch
) -> None:
    file = send(leader, batch, csv(*GOOD))
    work()
    act(leader, file, "import")
    Import.objects.filter(dry_run=False).update(status=ImportStatus.FAILED)
    work()
    assert Import.objects.get(dry_run=False).status == ImportStatus.FAILED
    assert contacts(batch) == {}


def test_an_import_that_is_closed_while_it_stores_stores_nothing(
    leader: Client, batch: CallBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = send(leader, batch, csv(*GOOD))
    work()
    act(leader, file, "import")
    finish = ImportTracker.finish

    def closed(tracker: ImportTracker, status: ImportStatus, **counts: Any) -> None:
        Import.objects.filter(id=tracker.record.id).update(status=ImportStatus.STORED)
        finish(tracker, status, **counts)

    monkeypatch.setattr(ImportTracker, "finish", closed)
    work()
    assert contacts(batch) == {}


def test_an_import_whose_process_died_starts_from_its_beginning(
    leader: Client, batch: CallBatch
) -> None:
    send(leader, batch, csv(*GOOD, "hello;Cy;1;Oslo"))
    record = Import.objects.get()
    Import.objects.update(rows_read=3, rows_invalid=1, progress=99)
    ImportErrorRow.objects.create(
        workspace_id=record.workspace_id, source=record, row=4, cells=["x"], errors=[]
    )
    work()
    record.refresh_from_db()
    assert (record.rows_read, record.rows_invalid) == (3, 1)
    assert record.error_rows.count() == 1


def test_what_only_waits_is_not_taken_for_dead(leader: Client, batch: CallBatch) -> None:
    send(leader, batch, csv(*GOOD))
    hour_ago = timezone.now() - timedelta(hours=1)
    Import.objects.update(updated_at=hour_ago)
    assert close_abandoned_imports(0) == 0
    Import.objects.update(updated_at=hour_ago)
    ProcrastinateJob.objects.all()._raw_delete("default")
    assert close_abandoned_imports(0) == 1


# --- Wide files -----------------------------------------------------------------------------------


def test_a_file_of_the_most_columns_can_be_checked(leader: Client, batch: CallBatch) -> None:
    names = ["Mobile", "Name", *(f"c{number}" for number in range(MOST_COLUMNS - 2))]
    file = send(leader, batch, csv(";".join(["13105550101", "Ada"]), header=";".join(names)))
    work()
    columns = ["phoneNumber", "name", *[""] * (MOST_COLUMNS - 2)]
    assert act(leader, file, "check", *columns).status_code == 302
    assert len(queued()) == 1

"""Files of contacts, and what somebody does with them on the pages of an upload."""

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from procrastinate.contrib.django.models import ProcrastinateJob

from batches import tasks
from batches.models import Call, CallBatch, ContactsFile
from calling.models import Agent
from tests.batches.admin.batches import batch_of, html_of, page, words_of
from tests.cast import Person

NAMES = [
    {"key": "name", "type": "string", "required": True},
    {"key": "age", "type": "number", "required": False},
]
HEADER = "Mobile;Name;Age;Town"
GOOD = ["13105550101;Ada;42;Bern", "13105550102;Bob;;Rome"]


def batch_to_fill(who: Person) -> CallBatch:
    """Its agent has to know a name; no job of another test is queued."""
    made = batch_of(who)
    Agent.objects.update(variables=NAMES)
    with connection.cursor() as cursor:  # tests with real transactions leave their jobs
        cursor.execute("DELETE FROM procrastinate_jobs")
    return made


def csv(*lines: str, header: str = HEADER, name: str = "contacts.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, "".join(f"{line}\n" for line in (header, *lines)).encode())


def work() -> None:
    """Run the queued imports, without a worker."""
    jobs = ProcrastinateJob.objects.filter(task_name="batches.tasks.read_file").order_by("id")
    args = list(jobs.values_list("args", flat=True))
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
    for one in args:
        tasks.read_file(**one)


def send(client: Client, batch: CallBatch, file: SimpleUploadedFile) -> ContactsFile:
    response = client.post(page("upload", batch.id), {"file": file})
    assert response.status_code == 302, response.content.decode()
    sent = ContactsFile.objects.order_by("-created_at", "-id").first()
    assert sent is not None
    assert response["Location"] == page("file", batch.id, sent.id)
    return sent


def act(client: Client, file: ContactsFile, action: str, *columns: str) -> Any:
    file.refresh_from_db()
    chosen = columns or [column or "" for column in file.columns]
    fields = {f"column_{index}": column for index, column in enumerate(chosen)}
    return client.post(page("file", file.batch_id, file.id), {**fields, "action": action})


def state(client: Client, file: ContactsFile) -> str:
    return words_of(html_of(client, page("file_state", file.batch_id, file.id)))


def contacts(batch: CallBatch) -> dict[str, dict[str, Any]]:
    return dict(Call.objects.filter(batch=batch).values_list("phone_number", "variables"))

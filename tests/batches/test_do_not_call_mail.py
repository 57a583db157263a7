"""Who is mailed about the do-not-call list, with what, when, and what happens when it fails."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection, transaction
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from batches.models import DoNotCallEntry
from batches.services.do_not_call import Listing, list_number
from batches.tasks import MAIL_RETRY, mail_import_summary, mail_listing
from tests import factories
from tests.cast import Api, Person, person
from workspaces.callers import Actor, Role
from workspaces.models import Membership, User, Workspace

NUMBER = "+12125551234"


@pytest.fixture(autouse=True)
def _no_jobs_of_other_tests(db: None) -> None:
    """A test with real transactions leaves its jobs: Django empties the tables of its own models."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")


@pytest.fixture
def run_worker(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Runs the real worker until no job is due."""
    # Its threads end with it; they would leave their connections open.
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)

    async def work() -> None:
        connector = app.connector.get_worker_connector()  # type: ignore[attr-defined]
        with app.replace_connector(connector) as worker_app:
            async with worker_app.open_async():
                await worker_app.run_worker_async(
                    wait=False, install_signal_handlers=False, listen_notify=False
                )

    return lambda: asyncio.run(work())


def add(api: Api, who: Person, **body: Any) -> None:
    response = api.post("/api/dnc/add", {"phoneNumber": NUMBER, **body}, who.with_key)
    assert response.status_code == 200, response.content


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return list(ProcrastinateJob.objects.order_by("id").values_list("task_name", "args"))


def deliver() -> None:
    """Run what is queued, without a worker."""
    tasks: dict[str, Any] = {
        "mail_listing": mail_listing,
        "mail_import_summary": mail_import_summary,
    }
    for name, args in jobs():
        tasks[name.rpartition(".")[2]](**args)


def recipients() -> list[list[str]]:
    return sorted(message.to for message in mail.outbox)


# --- Who ------------------------------------------------------------------------------------------


def test_each_active_admin_and_owner_gets_a_message_of_their_own(
    api: Api, owner: Person, member: Person, stranger: Person
) -> None:
    admin = person(owner.workspace, Role.ADMIN)
    inactive = person(owner.workspace, Role.ADMIN)
    User.objects.filter(id=inactive.user.id).update(is_active=False)

    add(api, member)

    entry = DoNotCallEntry.objects.get()
    assert jobs() == [
        ("batches.tasks.mail_listing", {"entry_id": entry.id, "user_id": user_id})
        for user_id in sorted([owner.user.id, admin.user.id])
    ]
    assert mail.outbox == []
    deliver()
    assert recipients() == sorted([[owner.user.email], [admin.user.email]])


def test_who_leads_no_more_when_the_mail_goes_out_gets_none(api: Api, owner: Person) -> None:
    admin = person(owner.workspace, Role.ADMIN)
    add(api, owner)
    Membership.objects.filter(user=admin.user).update(role=Role.MEMBER)
    deliver()
    assert recipients() == [[owner.user.email]]


def test_a_workspace_without_anybody_who_leads_mails_nobody(api: Api, member: Person) -> None:
    Membership.objects.exclude(user=member.user).delete()
    add(api, member)
    assert jobs() == []


# --- What -----------------------------------------------------------------------------------------


def test_a_mail_tells_number_type_who_when_and_the_workspace(owner: Person, settings: Any) -> None:
    settings.DEFAULT_FROM_EMAIL = "outdial@example.com"
    Workspace.objects.filter(id=owner.workspace.id).update(name="Acme\nBcc: x@example.com")
    entry = factories.DoNotCallEntryFactory.create(
        workspace=owner.workspace,
        created_by=owner.user,
        phone_number=NUMBER,
        type="asked by letter",
        created_at=datetime(2025, 5, 15, 14, 30, tzinfo=UTC),
    )

    assert mail_listing(entry_id=entry.id, user_id=owner.user.id)

    [message] = mail.outbox
    assert (message.from_email, message.to) == ("outdial@example.com", [owner.user.email])
    assert (message.cc, message.bcc) == ([], [])
    subject = "A number was put on the do-not-call list of Acme Bcc: x@example.com"
    assert message.subject == subject
    text = str(message.body)
    assert "Number:         12125551234\n" in text
    assert "Type:           asked by letter\n" in text
    assert f"Listed by:      Somebody <{owner.user.email}>\n" in text
    assert "At:             2025-05-15 10:30 (America/New_York)\n" in text
    assert "Workspace:      Acme" in text
    assert message.content_subtype == "plain"


def test_a_mail_without_a_type_or_a_user_leaves_these_lines_out(owner: Person) -> None:
    entry = factories.DoNotCallEntryFactory.create(workspace=owner.workspace)
    assert mail_listing(entry_id=entry.id, user_id=owner.user.id)
    text = str(mail.outbox[0].body)
    assert "Type:" not in text
    assert "Listed by:" not in text


def test_nothing_is_sent_about_what_is_gone(owner: Person) -> None:
    unknown = "64e5f12345abcdef87654321"
    assert not mail_listing(entry_id=unknown, user_id=owner.user.id)
    assert not mail_import_summary(import_id=unknown, user_id=owner.user.id)
    assert mail.outbox == []


def test_a_file_is_one_mail_with_its_numbers(api: Api, owner: Person) -> None:
    file = SimpleUploadedFile(
        "list.csv", b"phoneNumber\n12125551234\n12125551235\n12125551234\nx\n"
    )
    api.post("/api/dnc/import", {"file": file}, owner.with_key)

    assert [name for name, _ in jobs()] == ["batches.tasks.mail_import_summary"]
    deliver()
    [message] = mail.outbox
    assert message.to == [owner.user.email]
    text = str(message.body)
    for line in (
        "File:           list.csv\n",
        "Numbers added:  2\n",
        "Listed already: 1\n",
        "Invalid rows:   1\n",
        f"Listed by:      Somebody <{owner.user.email}>\n",
    ):
        assert line in text


@pytest.mark.parametrize("form", [{"dryRun": "true"}, {}])
def test_a_file_that_adds_nothing_is_no_mail(api: Api, owner: Person, form: dict[str, str]) -> None:
    if not form:
        factories.DoNotCallEntryFactory.create(workspace=owner.workspace, phone_number=NUMBER)
    file = SimpleUploadedFile("list.csv", b"phoneNumber\n12125551234\n")
    assert api.post("/api/dnc/import", {"file": file, **form}, owner.with_key).status_code == 200
    assert jobs() == []


# --- When -----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_mail_is_queued_by_the_transaction_that_lists_the_number(owner: Person) -> None:
    def list_it() -> None:
        list_number(
            workspace_id=owner.workspace.id,
            user_id=owner.user.id,
            listing=Listing(phone_number=NUMBER),
            actor=Actor(),
            now=timezone.now(),
        )

    def list_and_fail() -> None:
        with transaction.atomic():
            list_it()
            assert len(jobs()) == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        list_and_fail()
    assert jobs() == []
    assert not DoNotCallEntry.objects.exists()

    list_it()
    assert len(jobs()) == 1


@pytest.mark.django_db(transaction=True)
def test_the_worker_sends_it_outside_of_any_transaction(
    api: Api, owner: Person, run_worker: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_transaction = []
    send = EmailBackend.send_messages

    def watched(self: EmailBackend, messages: Any) -> Any:
        in_transaction.append(connection.in_atomic_block)
        return send(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", watched)
    add(api, owner)
    assert mail.outbox == []

    run_worker()

    assert recipients() == [[owner.user.email]]
    assert in_transaction == [False]
    assert not ProcrastinateJob.objects.filter(task_name=mail_listing.name).exists()


@pytest.mark.django_db(transaction=True)
def test_a_mailbox_that_refuses_is_tried_again_and_keeps_nobody_else_from_theirs(
    api: Api, owner: Person, run_worker: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = person(owner.workspace, Role.ADMIN)
    send = EmailBackend.send_messages

    def refusing(self: EmailBackend, messages: Any) -> Any:
        if messages[0].to == [owner.user.email]:
            raise OSError("mailbox full")
        return send(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", refusing)
    add(api, owner)
    run_worker()

    assert recipients() == [[admin.user.email]]
    [left] = ProcrastinateJob.objects.filter(task_name=mail_listing.name)
    assert (left.status, left.attempts) == ("todo", 1)
    assert left.args["user_id"] == owner.user.id
    assert left.scheduled_at is not None
    assert left.scheduled_at > timezone.now()


def test_the_tries_are_bounded() -> None:
    assert mail_listing.retry_strategy is mail_import_summary.retry_strategy is MAIL_RETRY
    assert MAIL_RETRY.max_attempts == 6

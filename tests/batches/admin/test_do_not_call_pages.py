"""The do-not-call list in the back office: where entries come from, adding, importing, taking off."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from batches.models import DoNotCallEntry, Import, ImportKind, ImportStatus
from batches.services.callbacks import OPT_OUT
from calling.models import PhoneNumber
from tests import factories
from tests.batches.admin.browsers import browser
from tests.cast import Person, person
from workspaces.callers import Role
from workspaces.models import AuditEvent

NAME = "admin:batches_donotcallentry"
LIST, ADD = reverse(f"{NAME}_changelist"), reverse(f"{NAME}_list_number")
IMPORT, PROGRESS = reverse(f"{NAME}_import_numbers"), reverse(f"{NAME}_import_progress")
NUMBER = "+12125550123"


def entry_of(owner: Person, **fields: Any) -> DoNotCallEntry:
    entry: DoNotCallEntry = factories.DoNotCallEntryFactory.create(
        workspace=owner.workspace, **fields
    )
    return entry


def page(entry: DoNotCallEntry, name: str = "change") -> str:
    return reverse(f"{NAME}_{name}", args=[entry.id])


def living(who: Person) -> dict[str, str]:
    entries = DoNotCallEntry.objects.for_workspace(who.workspace.id).living()
    return dict(entries.values_list("phone_number", "type"))


def listed(client: Client, **query: str) -> set[str]:
    response: Any = client.get(LIST, query)
    assert response.status_code == 200
    return {entry.id for entry in response.context["cl"].result_list}


# --- The list and the page of one -----------------------------------------------------------------


def test_the_list_says_where_entries_come_from(owner: Person, phone: PhoneNumber) -> None:
    client, of = browser(owner), {"created_by": owner.user}
    call = factories.CallFactory.create(
        batch=factories.CallBatchFactory.create(workspace=owner.workspace)
    )
    attempt = factories.CallAttemptFactory.create(call=call)
    entry_of(owner, type=OPT_OUT, request_uuid=attempt.request_uuid)
    from_call = entry_of(owner, **of, request_uuid=attempt.request_uuid)
    entry_of(owner, **of, batch=call.batch)
    entry_of(owner, **of)
    client.post(IMPORT, {"workspace": owner.workspace.id, "pasted": NUMBER})

    html = client.get(LIST).content.decode()
    who = f"by {owner.user.email}"
    for text in (
        "The contact pressed the opt-out key",
        f"From a call, {who}",
        f"From a batch, {who}",
        f"By {owner.user.email}",
        f"From a file, {who}",
        reverse("admin:batches_import_change", args=[Import.objects.get().id]),
    ):
        assert text in html
    html = client.get(page(from_call)).content.decode()
    assert reverse("admin:batches_call_change", args=[call.id]) in html


def test_the_list_costs_the_same_for_one_entry_and_for_many(owner: Person) -> None:
    client = browser(owner)
    entry_of(owner, created_by=owner.user)
    listed(client)  # the first page of a session is also noted in it
    with CaptureQueriesContext(connection) as few:
        listed(client)
    for _ in range(6):
        entry_of(owner, created_by=person(owner.workspace).user)
    with CaptureQueriesContext(connection) as many:
        listed(client)
    assert len(few) == len(many)


def test_numbers_are_found_whole_and_filtered_by_state(owner: Person) -> None:
    client = browser(owner)
    off = entry_of(owner, phone_number=NUMBER, deleted_at=timezone.now())
    on, other = entry_of(owner, phone_number=NUMBER), entry_of(owner, type="asked by mail")
    assert listed(client, q="+1 (212) 555-0123") == {off.id, on.id}
    assert listed(client, q="by mail") == {other.id}
    assert listed(client, q=on.id) == {on.id}
    assert listed(client, state="on") == {on.id, other.id}
    assert listed(client, state="off") == {off.id}
    assert listed(client, state="nonsense") == {on.id, off.id, other.id}


def test_a_stranger_finds_no_entry(owner: Person, stranger: Person) -> None:
    entry, client = entry_of(owner, phone_number=NUMBER), browser(stranger)
    assert listed(client) == listed(client, q=NUMBER) == listed(client, q=entry.id) == set()
    assert client.get(page(entry)).status_code == 302
    for answer in (client.get(page(entry, "take_off")), client.post(page(entry, "take_off"))):
        assert answer.status_code == 404
    assert living(owner)


def test_the_page_tells_who_took_it_off(owner: Person) -> None:
    entry, client = entry_of(owner, call_recording="javascript:alert(1)"), browser(owner)
    assert client.get(page(entry, "take_off")).status_code == 200
    assert living(owner)
    assert client.post(page(entry, "take_off")).status_code == 302
    assert not living(owner)
    html = client.get(page(entry)).content.decode()
    assert "Number taken off the do-not-call list" in html
    assert owner.user.email in html
    assert "javascript:" not in html
    assert page(entry, "take_off") not in html
    again = client.post(page(entry, "take_off"))
    assert "This entry has been deleted already." in again.content.decode()


# --- Adding one -----------------------------------------------------------------------------------


def test_a_leader_adds_a_number(owner: Person, phone: PhoneNumber) -> None:
    client = browser(owner)
    assert "+1 (212) 555-0123" in client.get(ADD, {"number": "+1 (212) 555-0123"}).content.decode()
    form = {"workspace": owner.workspace.id, "number": "+1 (212) 555-0123", "type": "asked"}
    assert client.post(ADD, form).status_code == 302
    assert living(owner) == {NUMBER: "asked"}
    event = AuditEvent.objects.get(action="donotcallentry.create")
    assert (event.user_id, event.credential_kind) == (owner.user.id, "session")


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        ("Emily", "A phone number has only digits"),
        ("+49 30 901820", "This workspace does not call DE"),  # as the API says, by its numbers
        (NUMBER, "Is on the do-not-call list already."),
    ],
)
def test_what_the_api_refuses_is_said_at_the_field(
    owner: Person, phone: PhoneNumber, number: str, sentence: str
) -> None:
    entry_of(owner, phone_number=NUMBER)
    form = {"workspace": owner.workspace.id, "number": number, "type": "typed"}
    response: Any = browser(owner).post(ADD, form)
    assert response.status_code == 200
    assert sentence in response.context["form"].errors["number"][0]
    html = response.content.decode()
    assert number in html
    assert "typed" in html
    assert set(living(owner)) == {NUMBER}


# --- Importing ------------------------------------------------------------------------------------


def imported(client: Client, **form: Any) -> Any:
    response = client.post(IMPORT, form, follow=True)
    assert response.status_code == 200
    return response


def test_pasted_numbers_are_listed_and_the_bad_ones_told(owner: Person, phone: PhoneNumber) -> None:
    entry_of(owner, phone_number=NUMBER, type="before")
    response = imported(
        browser(owner),
        workspace=owner.workspace.id,
        pasted="+1 (212) 555-0124\r\n12125550125, 12125550123;\n\nEmily",
        type="moved away",
    )
    assert living(owner) == {
        NUMBER: "before",
        "+12125550124": "moved away",
        "+12125550125": "moved away",
    }
    done = response.context["done"]
    assert (done.rows_added, done.rows_duplicate, done.rows_invalid) == (2, 1, 1)
    assert "A phone number has only digits" in response.content.decode()


def test_a_file_is_imported_or_only_checked(owner: Person, phone: PhoneNumber) -> None:
    client = browser(owner)
    for dry_run in ({"dry_run": "on"}, {}):
        file = SimpleUploadedFile("n.csv", b"phoneNumber,type\n12125550124,moved\n")
        done = imported(client, workspace=owner.workspace.id, file=file, **dry_run).context["done"]
        assert done.status == (ImportStatus.CHECKED if dry_run else ImportStatus.STORED)
        assert living(owner) == ({} if dry_run else {"+12125550124": "moved"})


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({}, "Choose a file, or paste numbers."),
        ({"pasted": " "}, "Choose a file, or paste numbers."),
        ({"pasted": ";,"}, "The file has no row below its header."),
        ({"file": ("n.csv", b"name\nEmily\n")}, "There is no column phoneNumber."),
        ({"file": ("n.csv", b"")}, "The file is empty."),
        ({"file": ("n.txt", b"x")}, "The file must be a .csv, .xlsx or .xls file."),
        ({"file": ("n.xlsx", b"no workbook")}, "file"),
        ({"pasted": "1", "file": ("n.csv", b"phoneNumber\n")}, "not both"),
    ],
)
def test_bad_input_is_told_and_lists_nothing(
    owner: Person, phone: PhoneNumber, form: dict[str, Any], sentence: str
) -> None:
    sent = {
        name: SimpleUploadedFile(*value) if isinstance(value, tuple) else value
        for name, value in form.items()
    }
    response: Any = browser(owner).post(IMPORT, {"workspace": owner.workspace.id, **sent})
    assert response.status_code == 200
    assert response.context["form"].errors
    assert sentence in response.content.decode()
    assert not living(owner)


def test_the_progress_is_that_of_ones_own_import(owner: Person) -> None:
    of_numbers = {"kind": ImportKind.DO_NOT_CALL, "status": ImportStatus.RUNNING}
    for who, name in ((owner, "mine.csv"), (person(owner.workspace), "theirs.csv")):
        factories.ImportFactory.create(
            **of_numbers,
            workspace=owner.workspace,
            created_by=who.user,
            file_name=name,
            progress=42,
            rows_read=5000,
        )
    html = browser(owner).get(PROGRESS).content.decode()
    assert "Reading mine.csv: 5,000 rows so far" in html
    assert 'aria-valuenow="42"' in html
    assert f'hx-get="{PROGRESS}"' in html


def test_the_result_of_another_workspaces_import_is_not_shown(
    owner: Person, stranger: Person
) -> None:
    record = factories.ImportFactory.create(
        workspace=owner.workspace, kind=ImportKind.DO_NOT_CALL, file_name="secret.csv"
    )
    for who, is_shown in ((owner, True), (stranger, False)):
        html = browser(who).get(IMPORT, {"done": record.id}).content.decode()
        assert ("secret.csv" in html) is is_shown
    assert browser(owner).get(IMPORT, {"done": "nonsense"}).status_code == 200


# --- Who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [ADD, IMPORT, PROGRESS])
def test_a_member_only_looks(owner: Person, member: Person, address: str) -> None:
    entry, client = entry_of(owner), browser(member)
    assert listed(client) == {entry.id}
    for path in (LIST, page(entry)):
        html = client.get(path).content.decode()
        assert ADD not in html
        assert page(entry, "take_off") not in html
    form = {"workspace": owner.workspace.id, "number": NUMBER, "pasted": NUMBER}
    for answer in (client.get(address), client.post(address, form)):
        assert answer.status_code == 403
    for answer in (client.get(page(entry, "take_off")), client.post(page(entry, "take_off"))):
        assert answer.status_code == 403
    assert living(owner) == {entry.phone_number: ""}


@pytest.mark.parametrize("address", [ADD, IMPORT])
def test_one_adds_only_to_workspaces_that_one_leads(
    owner: Person, stranger: Person, address: str
) -> None:
    factories.MembershipFactory.create(
        workspace=owner.workspace, user=stranger.user, role=Role.MEMBER
    )
    client = browser(stranger)
    assert owner.workspace.name not in client.get(address).content.decode()
    form = {"workspace": owner.workspace.id, "number": NUMBER, "pasted": NUMBER}
    response: Any = client.post(address, form)
    assert response.context["form"].errors["workspace"]
    assert not living(owner)


@pytest.mark.parametrize("address", [ADD, IMPORT])
def test_who_leads_several_workspaces_chooses(staff: Client, owner: Person, address: str) -> None:
    assert '<select name="workspace"' not in browser(owner).get(address).content.decode()
    person()
    html = staff.get(address).content.decode()
    assert '<select name="workspace"' in html
    assert owner.workspace.name in html

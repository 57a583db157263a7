"""POST /api/dnc/import: a file of numbers goes on the list, the rest of it is reported."""

import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.db import connection
from django.test import Client
from openpyxl import Workbook

from batches.api.serializers import do_not_call as serializers
from batches.imports import pipeline
from batches.imports.capacity import import_slot
from batches.imports.reading import open_sheet
from batches.models import DoNotCallEntry, Import, ImportErrorRow, ImportKind, ImportStatus
from batches.services import do_not_call_import
from calling.models import PhoneNumber
from tests import factories
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.models import AuditEvent

PATH = "/api/dnc/import"


def csv(*lines: str, name: str = "numbers.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, "".join(f"{line}\r\n" for line in lines).encode(), "text/csv")


def send(api: Api, who: Person, *lines: str, code: int = 200, **form: Any) -> Any:
    file = form.pop("file", None) or csv(*lines)
    return checked(api.post(PATH, {"file": file, **form}, who.with_key), code)


def error(body: Any) -> tuple[str, str]:
    found = body["data"]["errors"][0]
    return found["field"], found["code"]


def on_the_list(who: Person) -> dict[str, str]:
    """Type by number."""
    entries = DoNotCallEntry.objects.for_workspace(who.workspace.id).living()
    return dict(entries.values_list("phone_number", "type"))


# --- The answer -----------------------------------------------------------------------------------


def test_valid_rows_are_listed_and_the_others_reported(
    api: Api, owner: Person, phone: PhoneNumber
) -> None:
    factories.DoNotCallEntryFactory.create(
        workspace=owner.workspace, phone_number="+12125550001", type="before"
    )
    body = send(
        api,
        owner,
        "name,phoneNumber,type",
        "Ann,+1 (212) 555-0002,asked",
        "Bob,12125550001,again",
        "Cid,12125550002,twice",
        "",
        "Dan,31105552002,from elsewhere",
        f"Eve,x,{'y' * 65}",
        "Fay,12125550003,",
    )

    data = body["data"]
    assert list(body.values())[:4] == ["DNC file imported successfully", True, 200, ""]
    assert list(data) == ["importId", "added", "alreadyListed", "totalInvalid", "invalidRows"]
    assert (data["added"], data["alreadyListed"], data["totalInvalid"]) == (2, 2, 2)
    assert [list(row) for row in data["invalidRows"]] == [["row", "errors"], ["row", "errors"]]
    found = [
        (row["row"], [(one["field"], one["code"]) for one in row["errors"]])
        for row in data["invalidRows"]
    ]
    assert found == [
        (6, [("phoneNumber", "country_not_called")]),
        (7, [("phoneNumber", "not_a_number"), ("type", "max_length")]),
    ]
    assert all(
        list(one) == ["field", "code", "message"] for one in data["invalidRows"][0]["errors"]
    )
    assert on_the_list(owner) == {
        "+12125550001": "before",
        "+12125550002": "asked",
        "+12125550003": "",
    }
    entry = DoNotCallEntry.objects.get(phone_number="+12125550002")
    assert entry.batch is None
    assert (entry.created_by_id, entry.call_recording) == (owner.user.id, "")


def test_the_import_is_recorded_with_its_refused_rows_and_an_audit_event(
    api: Api, owner: Person
) -> None:
    data = send(api, owner, "phoneNumber", "12125550001", "12125550001", "x")["data"]

    record = Import.objects.get(id=data["importId"])
    assert (record.workspace_id, record.created_by_id) == (owner.workspace.id, owner.user.id)
    assert (record.kind, record.source, record.file_name) == ("do_not_call", "csv", "numbers.csv")
    assert (record.status, record.progress, record.dry_run) == (ImportStatus.STORED, 100, False)
    assert (record.rows_read, record.rows_added) == (3, 1)
    assert (record.rows_duplicate, record.rows_invalid) == (1, 1)
    [refused] = ImportErrorRow.objects.filter(source=record)
    assert (refused.row, refused.cells) == (4, ["x"])
    event = AuditEvent.objects.get(action="donotcallentry.import")
    assert (event.target_id, event.changes) == (record.id, {"added": 1})
    assert event.workspace_id == owner.workspace.id


def test_sending_a_file_again_changes_nothing(api: Api, owner: Person) -> None:
    lines = ("phoneNumber", "12125550001", "12125550002")
    send(api, owner, *lines)
    before = list(DoNotCallEntry.objects.order_by("id").values())
    data = send(api, owner, *lines)["data"]
    assert (data["added"], data["alreadyListed"]) == (0, 2)
    assert list(DoNotCallEntry.objects.order_by("id").values()) == before


def test_a_number_deleted_before_is_listed_again(api: Api, owner: Person) -> None:
    factories.DoNotCallEntryFactory.create(
        workspace=owner.workspace,
        phone_number="+12125550001",
        deleted_at=owner.user.created_at,
    )
    assert send(api, owner, "phoneNumber", "12125550001")["data"]["added"] == 1
    assert on_the_list(owner) == {"+12125550001": ""}


def test_each_workspace_has_its_own_list(api: Api, owner: Person, stranger: Person) -> None:
    for who in (owner, stranger):
        assert send(api, who, "phoneNumber", "12125550001")["data"]["added"] == 1
    send(api, stranger, "phoneNumber", "12125550002")
    assert on_the_list(owner) == {"+12125550001": ""}


def test_a_member_imports_and_a_read_key_does_not(api: Api, owner: Person, member: Person) -> None:
    form = {"file": csv("phoneNumber", "12125550001")}
    checked(api.post(PATH, form, member.with_token), 200)
    checked(api.post(PATH, {"file": csv("phoneNumber", "1")}, owner.with_read_key), 403)
    assert Import.objects.count() == 1


# --- A dry run ------------------------------------------------------------------------------------


def test_a_dry_run_stores_nothing_but_what_it_found(api: Api, owner: Person) -> None:
    factories.DoNotCallEntryFactory.create(workspace=owner.workspace, phone_number="+12125550001")
    lines = ("phoneNumber", "12125550001", "12125550002", "12125550002", "x")

    data = send(api, owner, *lines, dryRun="true")["data"]

    assert list(data)[-1] == "dryRun"
    assert data["dryRun"] is True
    assert list(on_the_list(owner)) == ["+12125550001"]
    assert not AuditEvent.objects.filter(action="donotcallentry.import").exists()
    record = Import.objects.get(id=data["importId"])
    assert (record.status, record.dry_run) == (ImportStatus.CHECKED, True)
    assert (record.rows_added, record.rows_duplicate, record.rows_invalid) == (0, 2, 1)
    real = send(api, owner, *lines, dryRun="false")["data"]
    for name in ("added", "alreadyListed", "totalInvalid", "invalidRows"):
        assert real[name] == data[name], name


@pytest.mark.parametrize("value", ["True", "1", "yes", ""])
def test_a_dry_run_is_true_or_false(api: Api, owner: Person, value: str) -> None:
    body = send(api, owner, "phoneNumber", "12125550001", dryRun=value, code=400)
    assert error(body) == ("dryRun", "invalid")
    assert not Import.objects.exists()


# --- Files ----------------------------------------------------------------------------------------


def xlsx(*rows: list[Any]) -> SimpleUploadedFile:
    book, content = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(content)
    return SimpleUploadedFile("numbers.XLSX", content.getvalue())


def test_excel_numbers_are_read_as_they_look(api: Api, owner: Person) -> None:
    file = xlsx(
        ["type", "phoneNumber"], ["asked", 12125550001], [7, "+1 212-555-0002"], [True, 1.5]
    )
    data = send(api, owner, file=file)["data"]
    assert (data["added"], data["totalInvalid"]) == (2, 1)
    assert on_the_list(owner) == {"+12125550001": "asked", "+12125550002": "7"}
    assert Import.objects.get().source == "xlsx"


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (csv(), "empty_file"),
        (csv("number", "12125550001"), "missing_column"),
        (csv("PhoneNumber", "12125550001"), "missing_column"),
        (csv("phoneNumber,phoneNumber", "12125550001,12125550002"), "duplicate_column"),
        (csv("phoneNumber"), "no_rows"),
        (csv("phoneNumber", "12125550001", name="numbers.txt"), "unsupported_file"),
        (csv("phoneNumber", "12125550001", name="numbers.xlsx"), "broken_file"),
        (SimpleUploadedFile("n.csv", b"phoneNumber\n12125550001\n\xff\n"), "not_utf8"),
        (SimpleUploadedFile("n.csv", b"phoneNumber\n12125550001\n\x00\n"), "not_utf8"),
    ],
)
def test_a_file_at_fault_is_a_400_and_lists_nothing(
    api: Api, owner: Person, file: SimpleUploadedFile, code: str
) -> None:
    file.seek(0)
    assert error(send(api, owner, file=file, code=400)) == ("file", code)
    assert on_the_list(owner) == {}
    assert not Import.objects.exclude(status=ImportStatus.REFUSED).exists()


def test_a_file_without_a_valid_row_is_reported_in_full(api: Api, owner: Person) -> None:
    data = send(api, owner, "phoneNumber", "x", "y")["data"]
    assert (data["added"], data["alreadyListed"], data["totalInvalid"]) == (0, 0, 2)
    assert Import.objects.get().status == ImportStatus.REFUSED


def test_the_first_thousand_invalid_rows_are_listed(api: Api, owner: Person) -> None:
    data = send(api, owner, "phoneNumber", "12125550001", *["x"] * 1003)["data"]
    assert (data["added"], data["totalInvalid"]) == (1, 1003)
    assert [row["row"] for row in data["invalidRows"]] == list(range(3, 1003))
    assert ImportErrorRow.objects.count() == 1003


@pytest.mark.parametrize(
    ("form", "field", "code"),
    [
        ({"dryRun": "true"}, "file", "required"),
        ({"file": "phoneNumber\n1"}, "file", "not_a_file"),
        ({"file": csv("phoneNumber"), "type": "x"}, "type", "unknown_field"),
        ({"file": csv("phoneNumber"), "dryrun": "true"}, "dryrun", "unknown_field"),
    ],
)
def test_a_wrong_form_is_named(
    api: Api, owner: Person, form: dict[str, Any], field: str, code: str
) -> None:
    if "file" not in form or isinstance(form["file"], str):
        form = {**form, "another": csv("phoneNumber")}  # makes it a form
    body = checked(api.post(PATH, form, owner.with_key), 400)
    assert (field, code) in [(one["field"], one["code"]) for one in body["data"]["errors"]]


def test_no_body_at_all_has_no_file(api: Api, owner: Person) -> None:
    response = Client().generic("POST", PATH, content_type="", headers=owner.with_key)
    assert error(checked(response, 400)) == ("file", "required")


def test_json_is_another_media_type(api: Api, owner: Person) -> None:
    checked(api.post(PATH, {"file": "x"}, owner.with_key), 415)


def test_a_file_over_the_limit_is_a_413(
    api: Api, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = serializers.ImportNumbersSerializer.of_this_thread().fields["file"]
    assert field.max_bytes == 50_000_000  # type: ignore[attr-defined]
    monkeypatch.setattr(field, "max_bytes", 28)
    send(api, owner, "phoneNumber", "12125550001", code=200)
    send(api, owner, "phoneNumber", "12125550001", "1", code=413)


def test_a_big_file_is_spooled_to_disk_and_read_in_blocks(
    api: Api, owner: Person, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 100
    monkeypatch.setattr(pipeline, "BLOCK", 10)
    opened = []

    def watched(file: Any, name: str) -> Any:
        opened.append(type(file))
        return open_sheet(file, name)

    monkeypatch.setattr(pipeline, "open_sheet", watched)
    numbers = [f"1212555{number:04}" for number in range(95)]

    data = send(api, owner, "phoneNumber", *numbers, *numbers[:7])["data"]

    assert opened == [TemporaryUploadedFile]
    assert (data["added"], data["alreadyListed"]) == (95, 7)
    assert len(on_the_list(owner)) == 95


# --- When it goes wrong ---------------------------------------------------------------------------


def test_a_third_import_at_a_time_is_a_503(api: Api, owner: Person) -> None:
    with import_slot(), import_slot():
        send(api, owner, "phoneNumber", "12125550001", code=503)
    assert not Import.objects.exists()
    send(api, owner, "phoneNumber", "12125550001")


@pytest.mark.django_db(transaction=True)
def test_an_error_of_ours_lists_nothing_and_leaves_no_staging_table(
    api: Api, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(do_not_call_import, "mail_leaders", broken)
        send(api, owner, "phoneNumber", "12125550001", "x", code=500)

    assert on_the_list(owner) == {}
    record = Import.objects.get()
    assert (record.kind, record.status) == (ImportKind.DO_NOT_CALL, ImportStatus.FAILED)
    assert not AuditEvent.objects.filter(action="donotcallentry.import").exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('pg_temp.incoming_numbers')")
        assert cursor.fetchone() == (None,)
    send(api, owner, "phoneNumber", "12125550001")
    assert len(on_the_list(owner)) == 1

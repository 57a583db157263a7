"""POST /api/call/upload: its limits, its import, and that all of it is stored or nothing."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.client import MULTIPART_CONTENT
from django.test.utils import CaptureQueriesContext

from batches.api.serializers.contacts import UploadSerializer
from batches.imports import pipeline, reading
from batches.imports.capacity import import_slot
from batches.imports.staging import StagingTable
from batches.imports.tracking import ImportTracker
from batches.models import Call, CallBatch, Import, ImportErrorRow
from batches.services import uploads as services
from batches.services import variables
from calling.models import PhoneNumber
from tests.batches.contacts import counted, errors
from tests.batches.uploads import (
    UPLOAD,
    bad_rows,
    csv_file,
    file_of,
    form,
    numbers_file,
    post,
    upload,
)
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.models import AuditEvent


def nothing_stored() -> bool:
    return not (CallBatch.objects.exists() or Call.objects.exists() or AuditEvent.objects.exists())


def fail(*arguments: Any, **more: Any) -> Any:
    raise RuntimeError


# --- Limits ---------------------------------------------------------------------------------------


def test_a_body_over_the_limit_is_refused_before_it_is_read(owner: Person) -> None:
    headers = {**owner.with_key, "Content-Length": "51000001"}
    client = Client(raise_request_exception=False)
    checked(client.generic("POST", UPLOAD, b"--x", MULTIPART_CONTENT, headers=headers), 413)


def test_a_file_over_50_mb_is_refused(
    owner: Person, phone: PhoneNumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    field: Any = UploadSerializer.of_this_thread().fields["file"]
    assert field.max_bytes == 50_000_000
    file = numbers_file(1)
    assert file.size is not None
    monkeypatch.setattr(field, "max_bytes", file.size - 1)
    upload(owner, phone, 413, file=file)
    assert nothing_stored()
    file.seek(0)
    monkeypatch.setattr(field, "max_bytes", file.size)
    upload(owner, phone, file=file)


@pytest.mark.parametrize("kind", ["true", "false"])
def test_a_file_with_too_many_rows_is_refused(
    owner: Person, phone: PhoneNumber, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_small(file: Any, name: str) -> Any:
        return reading.open_sheet(file, name, max_csv_rows=3)

    monkeypatch.setattr(pipeline, "open_sheet", open_small)
    body = upload(owner, phone, 400, file=numbers_file(2, "x", "y"), type=kind)
    assert errors(body) == [("file", "too_many_rows")]
    assert nothing_stored()
    assert Import.objects.get().status == "refused"
    upload(owner, phone, file=numbers_file(3))


def test_a_third_import_at_a_time_is_told_to_come_back(owner: Person, phone: PhoneNumber) -> None:
    with import_slot(), import_slot():
        response = post(form(owner, phone), owner.with_key)
        checked(response, 503)
        assert response["Retry-After"] == "10"
        assert not Import.objects.exists()
    upload(owner, phone)


def test_whatever_happens_the_slot_is_given_back(
    owner: Person, phone: PhoneNumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        upload(owner, phone, 400, file=file_of(b"phoneNumber\n\xff\n"))
        upload(owner, phone, 422, file=csv_file("phoneNumber", "x"))
    monkeypatch.setattr(pipeline, "open_sheet", fail)
    for _ in range(3):
        assert post(form(owner, phone), owner.with_key).status_code == 500


# --- Dry runs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["true", "false"])
def test_a_dry_run_of_a_good_file(owner: Person, phone: PhoneNumber, kind: str) -> None:
    response = post(form(owner, phone, dryRun="true", type=kind), owner.with_key)
    assert response.status_code == 200, response.content
    body = response.json()
    assert list(body) == ["success", "dryRun", "validRows", "invalidRows", "totalInvalid"]
    assert body == {
        "success": True,
        "dryRun": True,
        "validRows": 2,
        "invalidRows": [],
        "totalInvalid": 0,
    }
    assert nothing_stored()
    record = Import.objects.get(id=response["X-Import-Id"])
    assert (record.status, record.dry_run, record.rows_read) == ("checked", True, 2)
    assert (record.rows_added, record.batch) == (0, None)


def test_a_dry_run_of_a_file_with_invalid_rows(owner: Person, phone: PhoneNumber) -> None:
    file = numbers_file(2, "x")
    body = upload(owner, phone, 200, file=file, dryRun="true", type="true")
    assert (body["validRows"], body["totalInvalid"]) == (2, 1)
    assert bad_rows(body) == [(4, [("phoneNumber", "not_a_number")])]
    file.seek(0)
    body = upload(owner, phone, 422, file=file, dryRun="true")
    assert bad_rows(body) == [(4, [("phoneNumber", "not_a_number")])]
    assert nothing_stored()


# --- The import -----------------------------------------------------------------------------------


def test_the_import_tells_what_became_of_the_file(
    owner: Person, member: Person, phone: PhoneNumber
) -> None:
    file = csv_file(
        "phoneNumber,name", "12125551001,Ann", "x,Bob", "12125551001,Cid", "12125551002,", ",Eve"
    )
    fields = form(owner, phone, file=file, type="true", userId=member.user.id)
    response = post(fields, owner.with_key)
    assert response.status_code == 201

    record = Import.objects.get(id=response["X-Import-Id"])
    assert (record.workspace_id, record.created_by_id) == (owner.workspace.id, member.user.id)
    assert record.batch_id == response.json()["batch"]["_id"]
    assert (record.kind, record.source, record.file_name) == ("contacts", "csv", "contacts.csv")
    assert (record.status, record.progress, record.dry_run) == ("stored", 100, False)
    assert (record.rows_read, record.rows_invalid, record.rows_duplicate) == (5, 2, 1)
    assert (record.rows_added, record.rows_updated) == (2, 0)
    assert record.header == ["phoneNumber", "name"]
    assert [row["row"] for row in record.errors] == [3, 6]
    rows = ImportErrorRow.objects.filter(source=record).order_by("row")
    assert [(row.row, row.cells) for row in rows] == [(3, ["x", "Bob"]), (6, ["", "Eve"])]
    assert [row.errors for row in rows] == [row["errors"] for row in record.errors]
    assert {row.workspace_id for row in rows} == {owner.workspace.id}


def test_a_refused_file_leaves_its_refused_rows(owner: Person, phone: PhoneNumber) -> None:
    nasty = "a\tb\\N\\u2028é"
    file = csv_file("phoneNumber,name", "12125551001,Ann", f"x,{nasty}")
    response = post(form(owner, phone, file=file), owner.with_key)
    assert response.status_code == 422
    record = Import.objects.get(id=response["X-Import-Id"])
    assert (record.status, record.progress, record.batch) == ("refused", 100, None)
    assert (record.rows_read, record.rows_invalid, record.rows_added) == (2, 1, 0)
    [row] = ImportErrorRow.objects.all()
    assert (row.row, row.cells) == (3, ["x", nasty])


def test_of_many_refused_rows_a_hundred_are_in_the_import_and_all_beside_it(
    owner: Person, phone: PhoneNumber
) -> None:
    upload(owner, phone, 422, file=numbers_file(0, *["x"] * 2500))
    assert len(Import.objects.get().errors) == 100
    assert ImportErrorRow.objects.count() == 2500


def test_progress_can_be_watched(
    owner: Person, phone: PhoneNumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int, int]] = []
    beats: list[datetime] = []
    copy = StagingTable.copy

    def copy_and_look(table: StagingTable, lines: Any) -> None:
        record = Import.objects.get()
        seen.append((record.status, record.rows_read, record.progress))
        beats.append(record.updated_at)
        copy(table, lines)

    monkeypatch.setattr(pipeline, "BLOCK", 100)
    monkeypatch.setattr(StagingTable, "copy", copy_and_look)
    upload(owner, phone, file=numbers_file(12_000))
    assert seen[0] == ("running", 0, 0)
    assert [rows for _, rows, _ in seen] == list(range(0, 12_000, 100))
    progress = [percent for _, _, percent in seen]
    assert progress == sorted(progress)
    assert 0 < progress[len(progress) // 2] < 100
    assert beats[0] < beats[-1]


# --- All or nothing -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "where", ["stage_rows", "insert_staged", "change_counts", "remember_variables", "insert_rows"]
)
def test_a_failure_of_ours_stores_nothing_and_marks_the_import(
    owner: Person, phone: PhoneNumber, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(services, where, fail)
        response = post(form(owner, phone), owner.with_key)
    body = checked(response, 500)
    assert response["X-Request-Id"] in body["errorMessage"]
    assert nothing_stored()
    record = Import.objects.get()
    assert (record.status, record.batch, record.rows_added) == ("failed", None, 0)
    upload(owner, phone)


def test_a_failure_in_the_last_statement_stores_nothing(
    owner: Person, phone: PhoneNumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = ImportTracker.finish

    def finish_and_fail(*arguments: Any, **more: Any) -> None:
        finish(*arguments, **more)
        fail()

    monkeypatch.setattr(ImportTracker, "finish", finish_and_fail)
    file = numbers_file(2, "x")
    checked(post(form(owner, phone, file=file, type="true"), owner.with_key), 500)
    assert nothing_stored()
    record = Import.objects.get()
    assert (record.status, record.batch, record.rows_added) == ("failed", None, 0)


def seen_by_another_connection(look: Callable[[], Any]) -> Any:
    found = []

    def work() -> None:
        try:
            found.append(look())
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    return found[0]


@pytest.mark.django_db(transaction=True)
def test_batch_and_calls_appear_together(
    owner: Person, phone: PhoneNumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks from outside sees nothing but the running import before all of it is there."""
    seen = []
    remember = variables.remember_variables

    def look() -> tuple[int, int, str]:
        return CallBatch.objects.count(), Call.objects.count(), Import.objects.get().status

    def remember_and_look(*arguments: Any) -> None:
        remember(*arguments)
        assert (CallBatch.objects.count(), Call.objects.count()) == (1, 1500)
        seen.append(seen_by_another_connection(look))

    monkeypatch.setattr(services, "remember_variables", remember_and_look)
    batch_id = upload(owner, phone, file=numbers_file(1500))["batch"]["_id"]
    assert seen == [(0, 0, "running")]
    assert seen_by_another_connection(look) == (1, 1500, "stored")
    assert counted(CallBatch.objects.get(id=batch_id)) == {"pending": 1500}
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('pg_temp.incoming')")
        assert cursor.fetchone() == (None,)


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_lost_stores_nothing(
    owner: Person, phone: PhoneNumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*arguments: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as broken:
        broken.setattr(services, "remember_variables", lose)
        response = post(form(owner, phone), owner.with_key)
    checked(response, 503)
    connection.close()
    assert nothing_stored()
    assert Import.objects.get().status == "failed"  # written over a new connection
    upload(owner, phone)


# --- What it costs --------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 900])
def test_it_costs_the_same_statements_whatever_the_rows(
    owner: Person, phone: PhoneNumber, statements: CaptureQueriesContext, rows: int
) -> None:
    """After the key: SELECT which numbers are active ones, the user, the agents, the workspace, its own
    numbers; INSERT the import; DROP, CREATE and COPY into the temporary table; UPDATE the import's
    progress; then in a transaction SELECT the numbers for keeps, the batch with its rotation and event,
    INSERT the calls, the counter and what is told, SELECT the known names, INSERT the new ones, UPDATE
    the import; DROP the table.
    """
    upload(owner, phone)
    before = len(statements)

    file = csv_file("phoneNumber,name", *(f"{13105550000 + n},Ann" for n in range(rows)))
    upload(owner, phone, file=file)

    sent = [query["sql"].split()[0] for query in statements.captured_queries[before:]]
    stored = ["SELECT", "WITH", "INSERT", "INSERT", "INSERT", "SELECT", "INSERT", "UPDATE"]
    assert sent == [
        *[*["SELECT"] * 6, "INSERT", "DROP", "CREATE", "COPY", "UPDATE"],
        *["SAVEPOINT", *stored, "RELEASE", "DROP"],
    ]


# --- Mended and sent again ------------------------------------------------------------------------


def test_refused_rows_can_be_mended_and_sent_again_as_often_as_it_takes(
    api: Api, owner: Person, phone: PhoneNumber
) -> None:
    def refused_rows(fields: dict[str, Any]) -> str:
        response = post(form(owner, phone, **fields), owner.with_key)
        assert response.status_code in (201, 422)
        path = f"/api/call/imports/{response['X-Import-Id']}/errors"
        return b"".join(api.get(path, owner.with_key)).decode()

    sent = csv_file("phoneNumber,note", "12125551001,good", "21,=1+1", "22,-5")
    first = refused_rows({"file": sent, "type": "true"})
    half_mended = first.replace("\r\n21,", "\r\n12125551002,")
    second = refused_rows({"file": file_of(half_mended.encode()), "type": "true"})
    mended = second.replace("\r\n22,", "\r\n12125551003,")
    body = upload(owner, phone, file=file_of(mended.encode()))

    assert first.startswith("phoneNumber,note,_errors\r\n21,'=1+1,phoneNumber: ")
    assert second.startswith("phoneNumber,note,_errors\r\n22,'-5,phoneNumber: ")
    assert second.count("\r\n") == 2
    assert body["batch"]["totalCalls"] == 1
    contacts = Call.objects.order_by("id").values_list("phone_number", "variables")
    assert list(contacts) == [
        ("+12125551001", {"note": "good"}),
        ("+12125551002", {"note": "=1+1"}),
        ("+12125551003", {"note": "-5"}),
    ]

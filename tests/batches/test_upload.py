"""POST /api/call/upload: the form, its answers, and what they leave behind."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from batches.models import BatchNumber, Call, CallBatch, Import, ImportErrorRow
from calling.models import Agent, PhoneNumber
from tests import factories
from tests.batches.contacts import UNKNOWN_ID, counted, errors, number_with_agent, statuses
from tests.batches.uploads import (
    DOCUMENTED_NAME,
    UPLOAD,
    bad_rows,
    csv_file,
    file_of,
    form,
    numbers_file,
    post,
    upload,
)
from tests.cast import Api, Person, person
from tests.envelope import checked
from tests.rows import everything_of
from workspaces.callers import Role
from workspaces.ids import is_object_id
from workspaces.models import AuditEvent, User


def nothing_stored() -> bool:
    return not (CallBatch.objects.exists() or Call.objects.exists())


# --- Stored ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("credential", ["with_key", "with_token"])
def test_the_documented_answer_has_no_envelope(
    owner: Person, phone: PhoneNumber, credential: str
) -> None:
    response = post(form(owner, phone, file=numbers_file(100)), getattr(owner, credential))
    assert response.status_code == 201, response.content
    body = response.json()
    assert list(body) == ["success", "batch"]
    assert list(body["batch"]) == ["_id", "batchName", "callingNumbers", "totalCalls"]
    assert is_object_id(body["batch"]["_id"])
    assert body == {
        "success": True,
        "batch": {
            "_id": body["batch"]["_id"],
            "batchName": DOCUMENTED_NAME,
            "callingNumbers": [phone.id],
            "totalCalls": 100,
        },
    }


def test_everything_sent_is_stored(owner: Person, member: Person, phone: PhoneNumber) -> None:
    second = number_with_agent(owner)
    body = upload(
        owner,
        phone,
        userId=member.user.id,
        callingNumbers=json.dumps([second.id, phone.id, second.id]),
        batchType="mixed",
        enableDNC="false",
        retry="3",
        delay="120",
        timezone="America/New_York",
        callingHour='{"start": "09:00", "end": "24:00"}',
        allowedDays="[5, 1]",
    )
    batch = CallBatch.objects.get(id=body["batch"]["_id"])
    assert body["batch"]["callingNumbers"] == [second.id, phone.id]
    assert (batch.workspace_id, batch.created_by_id) == (owner.workspace.id, member.user.id)
    assert (batch.name, batch.status, batch.session) == (DOCUMENTED_NAME, "draft", None)
    assert (batch.batch_type, batch.enable_dnc) == ("mixed", False)
    assert (batch.retry, batch.delay, batch.timezone) == (3, 120, "America/New_York")
    assert (batch.calling_hour_start, batch.calling_hour_end) == (540, 1440)
    assert batch.allowed_days == [1, 5]
    rotation = BatchNumber.objects.filter(batch=batch).order_by("position")
    assert [row.phone_id for row in rotation] == [second.id, phone.id]
    assert statuses(batch) == {"13105550000": "pending", "13105550001": "pending"}
    assert counted(batch) == {"pending": 2}
    event = AuditEvent.objects.get(action="batch.create")
    assert (event.user_id, event.target_id) == (owner.user.id, batch.id)


def test_what_is_left_out_has_the_defaults_of_create_batch(
    owner: Person, phone: PhoneNumber
) -> None:
    batch = CallBatch.objects.get(id=upload(owner, phone)["batch"]["_id"])
    assert (batch.retry, batch.delay, batch.timezone) == (0, 60, owner.workspace.timezone)
    assert (batch.calling_hour_start, batch.allowed_days) == (None, [0, 1, 2, 3, 4, 5, 6])
    assert (batch.batch_type, batch.enable_dnc) == ("outbound", True)


def test_the_batch_is_in_the_list_of_its_user_and_can_be_started(
    api: Api, owner: Person, member: Person, phone: PhoneNumber
) -> None:
    batch_id = upload(owner, phone, userId=member.user.id)["batch"]["_id"]
    path = f"/api/call/batches/{member.user.id}"
    [row] = checked(api.get(path, member.with_token), 200)["data"]["batches"]
    assert (row["_id"], row["totalCalls"], row["queue_status"]) == (batch_id, 2, "draft")
    ids = {"batchId": batch_id, "userId": member.user.id}
    checked(api.post("/api/call/start-calling", ids, owner.with_key), 200)


# --- Invalid rows ---------------------------------------------------------------------------------


def test_by_default_one_invalid_row_refuses_the_file(owner: Person, phone: PhoneNumber) -> None:
    file = numbers_file(5, "12345", "1310", "")
    for more in ({}, {"type": "false"}):
        body = upload(owner, phone, 422, file=file, **more)
        file.seek(0)
        assert list(body) == ["success", "message", "invalidRows", "totalInvalid"]
        assert body == {
            "success": False,
            "message": "Nothing was stored: 2 rows are invalid.",
            "invalidRows": [
                {
                    "row": row,
                    "errors": [
                        {
                            "field": "phoneNumber",
                            "code": "too_short",
                            "message": "After the country code 1 come 10 digits, not as many as here.",
                        }
                    ],
                }
                for row in (7, 8)
            ],
            "totalInvalid": 2,
        }
        assert nothing_stored()


def test_with_type_true_the_valid_rows_are_stored(owner: Person, phone: PhoneNumber) -> None:
    file = numbers_file(5, "x", "13105550000", "y", "z")
    body = upload(owner, phone, file=file, type="true")
    assert list(body["batch"])[-2:] == ["totalCalls", "skippedRows"]
    assert (body["batch"]["totalCalls"], body["batch"]["skippedRows"]) == (5, 3)
    assert upload(owner, phone, type="true")["batch"]["skippedRows"] == 0


def test_the_first_thousand_invalid_rows_are_listed(owner: Person, phone: PhoneNumber) -> None:
    body = upload(owner, phone, 422, file=numbers_file(1, *["x"] * 1001))
    assert body["totalInvalid"] == 1001
    assert body["message"] == "Nothing was stored: 1,001 rows are invalid."
    assert [row["row"] for row in body["invalidRows"]] == list(range(3, 1003))


def test_of_a_repeated_number_the_first_row_stays_and_none_counts_as_skipped(
    owner: Person, phone: PhoneNumber
) -> None:
    file = csv_file("phoneNumber,n", "12125551001,1", "+1 (212) 555-1001,2", "12125551002,3")
    body = upload(owner, phone, file=file, type="true")
    assert (body["batch"]["totalCalls"], body["batch"]["skippedRows"]) == (2, 0)
    kept = Call.objects.get(phone_number="+12125551001")
    assert kept.variables == {"n": "1"}
    assert Import.objects.get().rows_duplicate == 1


@pytest.mark.parametrize("kind", ["true", "false"])
def test_a_file_without_a_valid_row(owner: Person, phone: PhoneNumber, kind: str) -> None:
    """With type=true there is nothing to store: 400. With type=false the 422 says what is wrong."""
    file = csv_file("phoneNumber", "x", "y")
    body = upload(owner, phone, 400 if kind == "true" else 422, file=file, type=kind)
    if kind == "true":
        assert errors(body) == [("file", "no_valid_row")]
    else:
        assert [row for row, _ in bad_rows(body)] == [2, 3]
    assert nothing_stored()
    assert Import.objects.get().status == "refused"
    assert ImportErrorRow.objects.count() == 2


# --- Refused files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (file_of(b""), "empty_file"),
        (file_of(b"\n\n"), "empty_file"),
        (file_of(b"phoneNumber\n"), "no_valid_row"),
        (file_of(b"name\nAnn\n"), "missing_column"),
        (file_of(b"PhoneNumber\n12125551001\n"), "missing_column"),
        (file_of(b"phoneNumber,a,a\n12125551001,1,2\n"), "duplicate_column"),
        (file_of(b"phoneNumber,callStatus\n12125551001,x\n"), "reserved_name"),
        (file_of(b"phoneNumber," + b"x" * 65 + b"\n12125551001,1\n"), "invalid_name"),
        (file_of(b"phoneNumber,name\n12125551001,J\xf6rg\n"), "not_utf8"),
        (file_of(b"phoneNumber,name\n12125551001,a\x00b\n"), "not_utf8"),
        (file_of("phoneNumber\n12125551001\n".encode("utf-16")), "not_utf8"),
        (file_of(b'phoneNumber\n"12125551001\n'), "broken_file"),
        (file_of(b"%PDF-1.7", "contacts.pdf"), "unsupported_file"),
        (file_of(b"phoneNumber\n12125551001\n", "contacts"), "unsupported_file"),
        (file_of(b"phoneNumber\n12125551001\n", "contacts.xlsx"), "broken_file"),
        (file_of(b"phoneNumber\n12125551001\n", "contacts.xls"), "broken_file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("kind", ["true", "false"])
def test_a_file_that_is_none_of_ours_is_a_400(
    owner: Person, phone: PhoneNumber, file: SimpleUploadedFile, code: str, kind: str
) -> None:
    file.seek(0)
    body = upload(owner, phone, 400, file=file, type=kind)
    assert errors(body) == [("file", code)]
    assert nothing_stored()
    assert not Import.objects.filter(status="running").exists()


def test_a_missing_file_is_a_400(owner: Person, phone: PhoneNumber) -> None:
    assert errors(upload(owner, phone, 400, file=None)) == [("file", "required")]
    assert errors(upload(owner, phone, 400, file="contacts.csv")) == [("file", "not_a_file")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"batchName": None}, ("batchName", "required")),
        ({"batchName": "  "}, ("batchName", "blank")),
        ({"batchName": "x" * 201}, ("batchName", "max_length")),
        ({"batchName": "a\x07b"}, ("batchName", "control_character")),
        ({"batchName": "a\x00b"}, ("batchName", "control_character")),
        ({"userId": None}, ("userId", "required")),
        ({"userId": "x"}, ("userId", "invalid_id")),
        ({"callingNumbers": None}, ("callingNumbers", "required")),
        ({"callingNumbers": "["}, ("callingNumbers", "invalid_json")),
        ({"callingNumbers": UNKNOWN_ID}, ("callingNumbers", "invalid_json")),
        ({"callingNumbers": f'"{UNKNOWN_ID}"'}, ("callingNumbers", "not_a_list")),
        ({"callingNumbers": "[]"}, ("callingNumbers", "empty")),
        ({"callingNumbers": "null"}, ("callingNumbers", "null")),
        ({"callingNumbers": f'["{UNKNOWN_ID}"]'}, ("callingNumbers[0]", "unknown_number")),
        ({"batchType": "inbound"}, ("batchType", "invalid_choice")),
        ({"batchType": ""}, ("batchType", "invalid_choice")),
        ({"enableDNC": "True"}, ("enableDNC", "invalid")),
        ({"enableDNC": "1"}, ("enableDNC", "invalid")),
        ({"type": "yes"}, ("type", "invalid")),
        ({"dryRun": ""}, ("dryRun", "invalid")),
        ({"retry": "11"}, ("retry", "max_value")),
        ({"retry": "-1"}, ("retry", "invalid")),
        ({"retry": "3.0"}, ("retry", "invalid")),
        ({"delay": "604801"}, ("delay", "max_value")),
        ({"delay": "x"}, ("delay", "invalid")),
        ({"timezone": "Mars"}, ("timezone", "unknown_timezone")),
        ({"timezone": ""}, ("timezone", "blank")),
        ({"callingHour": "09:00"}, ("callingHour", "invalid_json")),
        ({"callingHour": "[]"}, ("callingHour", "invalid")),
        ({"callingHour": '{"start": "09:00"}'}, ("callingHour.end", "required")),
        ({"callingHour": "null"}, ("callingHour", "null")),
        ({"allowedDays": "[7]"}, ("allowedDays[0]", "max_value")),
        ({"allowedDays": '["1"]'}, ("allowedDays[0]", "invalid")),
        ({"allowedDays": "1,2"}, ("allowedDays", "invalid_json")),
        ({"callingHours": "{}"}, ("callingHours", "unknown_field")),
    ],
    ids=str,
)
def test_each_rule_of_the_form_names_its_field(
    owner: Person, phone: PhoneNumber, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert errors(upload(owner, phone, 400, **changes)) == [expected]
    assert nothing_stored()


def test_a_form_is_wanted_and_no_json(api: Api, owner: Person, phone: PhoneNumber) -> None:
    fields = {name: value for name, value in form(owner, phone).items() if name != "file"}
    checked(api.post(UPLOAD, fields, owner.with_key), 415)


@pytest.mark.parametrize(
    ("code", "more"),
    [
        (400, {f"field{number}": "x" for number in range(1001)}),
        (400, {f"file{number}": file_of(b"x") for number in range(101)}),
        (413, {"batchName": "x" * 3_000_000}),
    ],
    ids=["fields", "files", "a long field"],
)
def test_a_form_that_is_too_much_is_refused(
    owner: Person, phone: PhoneNumber, code: int, more: dict[str, Any]
) -> None:
    checked(post(form(owner, phone) | more, owner.with_key), code)
    assert nothing_stored()


# --- Users, numbers and agents --------------------------------------------------------------------


def test_unknown_foreign_and_inactive_users_are_one_404(
    owner: Person, stranger: Person, phone: PhoneNumber
) -> None:
    inactive = person(owner.workspace)
    User.objects.filter(id=inactive.user.id).update(is_active=False)
    answers = [
        upload(owner, phone, 404, userId=id_)
        for id_ in (UNKNOWN_ID, stranger.user.id, inactive.user.id)
    ]
    assert all(answer == answers[0] for answer in answers)
    assert nothing_stored()


def test_without_an_agent_or_with_one_without_a_language_it_is_a_404(
    owner: Person, phone: PhoneNumber
) -> None:
    alone = factories.PhoneNumberFactory.create(workspace=owner.workspace, agent=None)
    mute = number_with_agent(owner, language="")
    before = everything_of(owner.workspace)
    for ids in ([alone.id], [mute.id], [phone.id, mute.id]):
        upload(owner, phone, 404, callingNumbers=json.dumps(ids))
    assert everything_of(owner.workspace) == before
    upload(owner, phone, callingNumbers=json.dumps([alone.id, phone.id]))
    Agent.objects.update(language="de")
    upload(owner, phone, callingNumbers=json.dumps([mute.id]))


def test_a_foreign_number_reads_like_an_unknown_one(
    owner: Person, stranger: Person, phone: PhoneNumber
) -> None:
    foreign = number_with_agent(stranger)
    body = upload(owner, phone, 400, callingNumbers=json.dumps([foreign.id]))
    assert errors(body) == [("callingNumbers[0]", "unknown_number")]


@pytest.mark.parametrize("role", Role)
def test_everybody_in_the_workspace_may_upload(
    owner: Person, phone: PhoneNumber, role: Role
) -> None:
    who = person(owner.workspace, role)
    assert post(form(who, phone), who.with_token).status_code == 201


def test_a_read_key_and_nobody_may_not(owner: Person, phone: PhoneNumber) -> None:
    checked(post(form(owner, phone), owner.with_read_key), 403)
    checked(post(form(owner, phone), {}), 401)
    assert nothing_stored()

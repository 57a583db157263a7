"""GET /api/call/export/csv and …/ndjson: what the files hold."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from batches.exports import ROWS_A_PAGE
from batches.models import BatchVariable, Call, CallBatch
from batches.services.counters import change_counts
from tests import factories
from tests.batches.test_batch_details import batch_of, call_of
from tests.cast import Api, Person

NOON = datetime(2025, 5, 15, 14, tzinfo=UTC)
FIXED = [
    *("_id", "phoneNumber", "callStatus", "attempts", "lastAttemptStatus", "lastAttemptAt"),
    *("callDuration", "hangupCause", "recordingUrl", "transcript", "timezone"),
    *("createdAt", "updatedAt"),
]


def exported(api: Api, who: Person, batch: CallBatch, form: str) -> str:
    response = api.get(f"/api/call/export/{form}", who.with_key, batchId=batch.id)
    assert response.status_code == 200
    return b"".join(response).decode()


def as_csv(api: Api, who: Person, batch: CallBatch) -> list[list[str]]:
    return list(csv.reader(io.StringIO(exported(api, who, batch, "csv"), newline="")))


def as_ndjson(api: Api, who: Person, batch: CallBatch) -> list[dict[str, Any]]:
    return list(map(json.loads, exported(api, who, batch, "ndjson").splitlines()))


def cells(api: Api, who: Person, batch: CallBatch) -> list[dict[str, str]]:
    header, *rows = as_csv(api, who, batch)
    return [dict(zip(header, row, strict=True)) for row in rows]


def called_twice(batch: CallBatch) -> Call:
    call = call_of(
        batch,
        phone_number="+12125551234",
        status="completed",
        variables={"account_id": "ACC-5678", "name": "Emily Davis"},
        timezone="Europe/Paris",
        created_at=NOON,
        updated_at=NOON + timedelta(minutes=9, microseconds=999_999),
    )
    factories.CallAttemptFactory.create(
        call=call,
        request_uuid=UUID("550e8400-e29b-41d4-a716-446655440000"),
        status="completed",
        talk_seconds=120,
        hangup_cause="NORMAL_CLEARING",
        recording_url="https://example.com/recording.mp3",
        transcript='Hello,\n"Emily".',
        created_at=NOON + timedelta(minutes=6),
        answered_at=NOON + timedelta(minutes=7),
    )
    factories.CallAttemptFactory.create(call=call, status="busy", created_at=NOON)
    return call


# --- CSV ------------------------------------------------------------------------------------------


def test_a_row_has_the_call_its_last_attempt_and_its_variables(api: Api, owner: Person) -> None:
    batch = batch_of(owner, ["name", "account_id"])
    call = called_twice(batch)
    text = exported(api, owner, batch, "csv")
    assert text == (
        ",".join([*FIXED, "name", "account_id"]) + "\r\n"
        f"{call.id},12125551234,completed,2,completed,2025-05-15T14:06:00.000Z,120,NORMAL_CLEARING,"
        'https://example.com/recording.mp3,"Hello,\n""Emily"".",Europe/Paris,'
        "2025-05-15T14:00:00.000Z,2025-05-15T14:09:00.999Z,Emily Davis,ACC-5678\r\n"
    )


def test_a_call_that_was_not_tried_has_no_outcome(api: Api, owner: Person) -> None:
    batch = batch_of(owner)
    call = call_of(batch, phone_number="+13105552002", created_at=NOON, updated_at=NOON)
    assert as_csv(api, owner, batch) == [
        FIXED,
        [call.id, "13105552002", "pending", "0", *[""] * 7, *["2025-05-15T14:00:00.000Z"] * 2],
    ]


def test_an_empty_batch_is_a_header(api: Api, owner: Person) -> None:
    assert as_csv(api, owner, batch_of(owner, ["name"])) == [[*FIXED, "name"]]
    assert as_ndjson(api, owner, batch_of(owner, ["name"])) == []


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("text", "text"),
        ("", ""),
        (None, ""),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (-7, "-7"),
        (-0.5, "-0.5"),
        ("-7", "'-7"),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("@sum", "'@sum"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        (" =1", " =1"),
        ("'=1", "'=1"),
        ("a\r\nb", "a\r\nb"),
        ('say "hi", you', 'say "hi", you'),
        ("ünïcødé \U0001f600", "ünïcødé \U0001f600"),
        ([1, "a"], '[1,"a"]'),
        ({"a": {"b": None}}, '{"a":{"b":null}}'),
    ],
)
def test_a_value_as_a_cell(api: Api, owner: Person, value: Any, cell: str) -> None:
    batch = batch_of(owner, ["x"])
    call_of(batch, variables={"x": value})
    assert cells(api, owner, batch)[0]["x"] == cell


def test_what_carriers_and_agents_say_is_no_formula_either(api: Api, owner: Person) -> None:
    batch = batch_of(owner)
    factories.CallAttemptFactory.create(
        call=call_of(batch), hangup_cause="-", recording_url="=x", transcript="@x"
    )
    [row] = cells(api, owner, batch)
    assert (row["hangupCause"], row["recordingUrl"], row["transcript"]) == ("'-", "'=x", "'@x")


def test_the_columns_of_variables_have_names_of_their_own(api: Api, owner: Person) -> None:
    names = ["b", "a", "attempts", "variables.attempts", "=cmd", "otherVariables", "x,y\n"]
    batch = batch_of(owner, names)
    call_of(batch, variables={name: str(number) for number, name in enumerate(names)})
    header, row = as_csv(api, owner, batch)
    assert header == [
        *FIXED,
        *("b", "a", "variables.attempts", "variables.variables.attempts", "'=cmd"),
        *("variables.otherVariables", "x,y\n"),
    ]
    assert row[len(FIXED) :] == list("0123456")


def test_variables_beyond_the_named_ones_share_a_column(
    api: Api, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BatchVariable, "MAX_NAMED", 2)
    batch = batch_of(owner, ["a", "b"])
    call_of(batch, variables={"a": 1, "c": "=x", "d": None}, created_at=NOON)
    call_of(batch, variables={"b": 2})

    more, none = cells(api, owner, batch)

    assert list(more)[-3:] == ["a", "b", "otherVariables"]
    assert (more["a"], more["b"], none["b"], none["otherVariables"]) == ("1", "", "2", "")
    assert json.loads(more["otherVariables"]) == {"c": "=x", "d": None}


# --- NDJSON ---------------------------------------------------------------------------------------


def test_a_line_has_the_call_with_its_last_attempt(api: Api, owner: Person) -> None:
    batch = batch_of(owner, ["name", "account_id"])
    call = called_twice(batch)
    bare = call_of(batch, created_at=NOON + timedelta(1), updated_at=NOON, variables={"x": [-1]})
    expected = [
        {
            "_id": call.id,
            "phoneNumber": "12125551234",
            "callStatus": "completed",
            "attempts": 2,
            "lastAttempt": {
                "requestUUID": "550e8400-e29b-41d4-a716-446655440000",
                "from": "12125550100",
                "callStatus": "completed",
                "callDuration": 120,
                "hangupCause": "NORMAL_CLEARING",
                "recordingUrl": "https://example.com/recording.mp3",
                "transcript": 'Hello,\n"Emily".',
                "createdAt": "2025-05-15T14:06:00.000Z",
                "answeredAt": "2025-05-15T14:07:00.000Z",
                "endedAt": None,
            },
            "timezone": "Europe/Paris",
            "variables": {"name": "Emily Davis", "account_id": "ACC-5678"},
            "createdAt": "2025-05-15T14:00:00.000Z",
            "updatedAt": "2025-05-15T14:09:00.999Z",
        },
        {
            "_id": bare.id,
            "phoneNumber": bare.phone_number[1:],
            "callStatus": "pending",
            "attempts": 0,
            "lastAttempt": None,
            "timezone": None,
            "variables": {"x": [-1]},
            "createdAt": "2025-05-16T14:00:00.000Z",
            "updatedAt": "2025-05-15T14:00:00.000Z",
        },
    ]
    lines = exported(api, owner, batch, "ndjson").splitlines()
    assert [json.dumps(json.loads(line)) for line in lines] == list(map(json.dumps, expected))


def test_absent_texts_of_the_last_attempt_are_left_out(api: Api, owner: Person) -> None:
    batch = batch_of(owner)
    factories.CallAttemptFactory.create(call=call_of(batch))
    [line] = as_ndjson(api, owner, batch)
    assert list(line["lastAttempt"]) == [
        *("requestUUID", "from", "callStatus", "callDuration"),
        *("createdAt", "answeredAt", "endedAt"),
    ]


# --- Both -----------------------------------------------------------------------------------------


def fill(batch: CallBatch, number: int, **fields: Any) -> list[Call]:
    """So many calls in few statements, by id."""
    calls = [
        factories.CallFactory.build(
            workspace=batch.workspace, batch=batch, phone_number=f"+1310{5_000_000 + n}", **fields
        )
        for n in range(number)
    ]
    Call.objects.bulk_create(calls, batch_size=3000)  # a statement has 65,535 parameters at most
    change_counts(workspace_id=batch.workspace_id, batch_id=batch.id, changes={"pending": number})
    return sorted(calls, key=lambda call: call.id)


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_every_call_comes_once_oldest_first_however_many_pages(
    api: Api, owner: Person, extra: int
) -> None:
    """An import gives all its calls one time: then their ids decide."""
    batch = batch_of(owner)
    ids = [call.id for call in fill(batch, 2 * ROWS_A_PAGE + extra, created_at=NOON)]
    first = call_of(batch, id="f" * 24, created_at=NOON - timedelta(microseconds=1)).id
    last = call_of(batch, id="0" * 24, created_at=NOON + timedelta(microseconds=1)).id
    call_of(batch_of(owner))

    expected = [first, *ids, last]
    assert [row["_id"] for row in cells(api, owner, batch)] == expected
    assert [line["_id"] for line in as_ndjson(api, owner, batch)] == expected

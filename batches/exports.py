"""Every call of a batch as CSV or NDJSON, and the refused rows of an import.

Read in pages by key: between two pages nothing is open in the database, however long the client takes
to read, and the memory is that of a page. A call that is added meanwhile comes at the end; one that
changes is shown as it was when its page was read.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from batches.imports.records import ERRORS_COLUMN
from batches.models import BatchVariable, CallBatch, Import
from batches.variables import in_order, variable_names
from calling.numbers import digits
from workspaces.sql import fetch_all

ROWS_A_PAGE = 2000
_CHUNK = 64 * 1024  # bytes, about
_TIME = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
# The page first, in the order of `call_in_order`; then for each of its calls one look into
# `callattempt_of_call`. Times and UUIDs leave as text: to load them takes longer than all the rest.
_PAGE = f"""
SELECT call.created_at::text, call.id, call.phone_number, call.status, call.timezone, call.variables,
    {_TIME.format("call.created_at")}, {_TIME.format("call.updated_at")}, coalesce(last.made, 0),
    last.request_uuid::text, last.from_number, last.status, last.talk_seconds,
    last.hangup_cause, last.recording_url, last.transcript, {_TIME.format("last.created_at")},
    {_TIME.format("last.answered_at")}, {_TIME.format("last.ended_at")}
FROM (
    SELECT * FROM batches_call
    WHERE batch_id = %s AND (created_at, id) > (%s::timestamptz, %s::bytea)
    ORDER BY created_at, id LIMIT {ROWS_A_PAGE}
) AS call
LEFT JOIN LATERAL (
    SELECT attempt.*, count(*) OVER () AS made FROM batches_callattempt AS attempt
    WHERE attempt.call_id = call.id
    ORDER BY attempt.created_at DESC, attempt.id DESC LIMIT 1
) AS last ON true
ORDER BY call.created_at, call.id
"""  # noqa: S608 (names and a number of ours)


class ExportedCall(NamedTuple):
    """A call with its last attempt, whose fields are None before the first. `variables` is JSON.

    Times are texts as the API shows them, but for `position`, which has all its digits.
    """

    position: str
    id: bytes
    phone_number: str
    status: str
    timezone: str
    variables: str
    created_at: str
    updated_at: str
    attempts: int
    request_uuid: str | None
    from_number: str | None
    attempt_status: str | None
    talk_seconds: int | None
    hangup_cause: str | None
    recording_url: str | None
    transcript: str | None
    attempted_at: str | None
    answered_at: str | None
    ended_at: str | None


def exported_calls(batch: CallBatch) -> Iterator[ExportedCall]:
    """Oldest first. One statement a page."""
    last: Sequence[Any] = ("-infinity", b"")
    while True:
        page = fetch_all(_PAGE, [bytes.fromhex(batch.id), *last[:2]])
        yield from map(ExportedCall._make, page)
        if len(page) < ROWS_A_PAGE:
            return
        last = page[-1]


# --- CSV ------------------------------------------------------------------------------------------

_FIXED = (
    *("_id", "phoneNumber", "callStatus", "attempts", "lastAttemptStatus", "lastAttemptAt"),
    *("callDuration", "hangupCause", "recordingUrl", "transcript", "timezone"),
    *("createdAt", "updatedAt"),
)
_OTHERS = "otherVariables"
_STARTS_A_FORMULA = frozenset("=+-@\t\r")  # in a spreadsheet


class _Echo:
    """A file for `csv.writer` that hands back what is written."""

    def write(self, line: str) -> str:
        return line


_csv_text = csv.writer(_Echo()).writerow


def calls_as_csv(batch: CallBatch) -> Iterator[bytes]:
    """A header; then a line a call, with the variables in columns of their own."""
    return _in_chunks(_csv_lines(batch))


def _csv_lines(batch: CallBatch) -> Iterator[bytes]:
    names = variable_names(batch)
    with_others = len(names) >= BatchVariable.MAX_NAMED  # of which there may be more
    yield csv_line(csv_header(names, with_others))
    for call in exported_calls(batch):
        yield csv_line(csv_cells(call, names, with_others))


def csv_header(names: Iterable[str], with_others: bool) -> list[str]:
    """A variable's column has its name, after `variables.` when a column has that already."""
    taken = {*_FIXED, _OTHERS}
    columns = list(_FIXED)
    for name in names:
        column = name
        while column in taken:
            column = f"variables.{column}"
        taken.add(column)
        columns.append(harmless(column))
    return [*columns, _OTHERS] if with_others else columns


def csv_cells(call: ExportedCall, names: Sequence[str], with_others: bool) -> list[Any]:
    variables = orjson.loads(call.variables)
    cells = [
        call.id.hex(),
        digits(call.phone_number),
        call.status,
        call.attempts,
        call.attempt_status,
        call.attempted_at,
        call.talk_seconds,
        harmless(call.hangup_cause or ""),
        harmless(call.recording_url or ""),
        harmless(call.transcript or ""),
        call.timezone,
        call.created_at,
        call.updated_at,
        *[_cell(variables.pop(name, None)) for name in names],
    ]
    if with_others:
        cells.append(_cell(variables or None))
    return cells


def csv_line(cells: Iterable[Any]) -> bytes:
    """Ends with CR LF."""
    return str(_csv_text(cells)).encode()


def harmless(text: str) -> str:
    """With a `'` before what a spreadsheet would run as a formula; an import takes it away again."""
    return f"'{text}" if text[:1] in _STARTS_A_FORMULA else text


def _cell(value: Any) -> str:
    """A JSON value: a number as it is, even a negative one; lists and objects as JSON."""
    if type(value) is str:
        return harmless(value)
    return "" if value is None else orjson.dumps(value).decode()


# --- NDJSON ---------------------------------------------------------------------------------------


def calls_as_ndjson(batch: CallBatch) -> Iterator[bytes]:
    """A JSON object a line, one for each call."""
    return _in_chunks(_ndjson_lines(batch))


def _ndjson_lines(batch: CallBatch) -> Iterator[bytes]:
    names = variable_names(batch)
    for call in exported_calls(batch):
        yield ndjson_line(call, names)


def ndjson_line(call: ExportedCall, names: Sequence[str]) -> bytes:
    shown = {
        "_id": call.id.hex(),
        "phoneNumber": digits(call.phone_number),
        "callStatus": call.status,
        "attempts": call.attempts,
        "lastAttempt": _last_attempt(call) if call.attempts else None,
        "timezone": call.timezone or None,
        "variables": in_order(call.variables, names),
        "createdAt": call.created_at,
        "updatedAt": call.updated_at,
    }
    return orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE)


def _last_attempt(call: ExportedCall) -> dict[str, Any]:
    optional = {
        "hangupCause": call.hangup_cause,
        "recordingUrl": call.recording_url,
        "transcript": call.transcript,
    }
    return {
        "requestUUID": call.request_uuid,
        "from": digits(call.from_number or ""),
        "callStatus": call.attempt_status,
        "callDuration": call.talk_seconds,
        **{name: value for name, value in optional.items() if value},
        "createdAt": call.attempted_at,
        "answeredAt": call.answered_at,
        "endedAt": call.ended_at,
    }


# --- Refused rows ---------------------------------------------------------------------------------


def refused_rows_as_csv(record: Import) -> Iterator[bytes]:
    """The header of the file and `_errors`; then the refused rows as they came, and what was wrong.

    Cells beyond the header stand after the errors. An `_errors` of the file itself is left out: it came
    from here, with a row that has been refused again.
    """
    return _in_chunks(_refused_lines(record))


def _refused_lines(record: Import) -> Iterator[bytes]:
    kept = [index for index, name in enumerate(record.header) if name != ERRORS_COLUMN]
    yield csv_line([*(harmless(record.header[index]) for index in kept), ERRORS_COLUMN])
    read = 0
    rows = record.error_rows.order_by("row").values_list("row", "cells", "errors")
    while page := list(rows.filter(row__gt=read)[:ROWS_A_PAGE]):
        for _, cells, errors in page:
            shown = [_cell(cells[index]) if index < len(cells) else "" for index in kept]
            told = "; ".join(f"{error['field']}: {error['message']}" for error in errors)
            surplus = map(_cell, cells[len(record.header) :])
            yield csv_line([*shown, harmless(told), *surplus])
        read = page[-1][0]


# --- Chunks ---------------------------------------------------------------------------------------


def _in_chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """As few and as large pieces as can be sent without waiting for long."""
    waiting: list[bytes] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= _CHUNK:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)

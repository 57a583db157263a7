"""Whatever a contact carries comes out of the export whole, and none of it runs in a spreadsheet."""

import csv
import io
import json
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from batches.exports import ExportedCall, csv_cells, csv_header, csv_line, ndjson_line
from tests.batches.test_export import FIXED

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# What PostgreSQL stores, with more of what is dangerous than chance would bring.
letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.text(st.one_of(letters, st.sampled_from("=+-@\t\r\n'\",;")), max_size=20)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
contacts = st.dictionaries(texts.filter(bool), values, max_size=8)


def call_with(variables: dict[str, Any], said: str) -> ExportedCall:
    return ExportedCall(
        position="2025-01-01 00:00:00+00",
        id=b"0123456789ab",
        phone_number="+12125551234",
        status="completed",
        timezone="",
        variables=orjson.dumps(variables).decode(),
        created_at="2025-01-01T00:00:00.000Z",
        updated_at="2025-01-01T00:00:00.000Z",
        attempts=1,
        request_uuid="550e8400-e29b-41d4-a716-446655440000",
        from_number="+12125550100",
        attempt_status="completed",
        talk_seconds=1,
        hangup_cause=said,
        recording_url=said,
        transcript=said,
        attempted_at="2025-01-01T00:00:00.000Z",
        answered_at=None,
        ended_at=None,
    )


def parsed(line: bytes) -> list[str]:
    [cells] = csv.reader(io.StringIO(line.decode(), newline=""), strict=True)
    return cells


@given(contacts, texts, st.integers(0, 8))
def test_variables_come_out_of_a_row_as_they_went_in(
    variables: dict[str, Any], said: str, named: int
) -> None:
    names = list(variables)[:named]
    others = {name: variables[name] for name in list(variables)[named:]}
    header = parsed(csv_line(csv_header(names, with_others=True)))
    row = parsed(csv_line(csv_cells(call_with(variables, said), names, with_others=True)))

    assert len(row) == len(header) == len(FIXED) + len(names) + 1
    assert len(set(header)) == len(header)
    for name, cell in zip(names, row[len(FIXED) :], strict=False):
        assert is_cell_of(cell, variables[name])
    assert json.loads(row[-1] or "{}") == json.loads(orjson.dumps(others))
    assert is_cell_of(row[FIXED.index("transcript")], said)


def is_cell_of(cell: str, value: Any) -> bool:
    if isinstance(value, str):
        return cell == (f"'{value}" if value.startswith(FORMULA_STARTS) else value)
    if value is None:
        return cell == ""
    return bool(json.loads(cell) == json.loads(orjson.dumps(value)))


@given(contacts, texts)
def test_no_text_begins_like_a_formula(variables: dict[str, Any], said: str) -> None:
    names = list(variables)
    header = parsed(csv_line(csv_header(names, with_others=False)))
    row = parsed(csv_line(csv_cells(call_with(variables, said), names, with_others=False)))

    assert not any(cell.startswith(FORMULA_STARTS) for cell in header)
    kinds = [str] * len(FIXED) + [type(value) for value in variables.values()]
    for kind, cell in zip(kinds, row, strict=True):
        assert kind in (int, float) or not cell.startswith(FORMULA_STARTS)


@given(contacts, texts)
def test_a_line_of_json_is_one_line_and_whole(variables: dict[str, Any], said: str) -> None:
    line = ndjson_line(call_with(variables, said), list(variables))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    shown = json.loads(line)
    assert shown["variables"] == json.loads(orjson.dumps(variables))
    assert list(shown["variables"]) == list(variables)
    assert shown["lastAttempt"].get("transcript", "") == said

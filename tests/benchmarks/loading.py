"""Contacts into a batch, beside `psql \\copy` of the same rows into the same kind of table.

Ours is the whole request: parsing, validating, loading, answering. The table beside it has the keys,
the indexes, the checks and the foreign key of the real one; both grow alike.
"""

import os
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from tests.benchmarks.server import Server, running_server

from tests.benchmarks import limit  # isort: skip (the settings stand in the environment now)
from django.db import connection
from django.utils import timezone

from workspaces.ids import new_object_id

FEW, MANY = 50_000, 1_000_000
BOUNDARY = uuid.uuid4().hex


def run_add_calls(rounds: int = 7) -> None:
    """addCallsToBatch with 50,000 contacts of 5 variables."""
    _compare("addCallsToBatch", FEW, rounds, _add_calls)


def run_upload(rounds: int = 3) -> None:
    """upload of a CSV of 1,000,000 rows, with the peak memory of the web server's processes."""
    _compare("upload", MANY, rounds, _upload)


def _compare(name: str, rows: int, rounds: int, ours: Callable[..., float]) -> None:
    demo = limit.prepare()
    _create_peer_table()
    ratios = []
    with running_server() as server, tempfile.TemporaryDirectory() as folder:
        before = server.peak_megabytes()
        for number in range(1, rounds + 1):
            seconds = ours(server, demo, rows)
            best = _psql_copy(demo, rows, Path(folder) / "rows.tsv")
            ratios.append(best / seconds)
            print(
                f"round {number}: {name} {rows / seconds:8,.0f} rows a second,"
                f" \\copy {rows / best:8,.0f}, ratio {ratios[-1]:.3f}",
                flush=True,
            )
        peak = server.peak_megabytes()
    print(f"{name} reaches {statistics.median(ratios):.3f} of \\copy (median of the rounds)")
    print(f"  peak memory of a web process {peak:.0f} MB ({before:.0f} MB before)")


# --- Ours -----------------------------------------------------------------------------------------


def _add_calls(server: Server, demo: dict[str, Any], rows: int) -> float:
    batch_id = _create_batch(server, demo)
    contacts = [{"phoneNumber": _number(row), **_variables(row)} for row in range(rows)]
    body = orjson.dumps({"batchId": batch_id, "call_data": contacts})
    return _seconds(server, demo, "/api/call/addCallsToBatch", body, "application/json", 200)


def _upload(server: Server, demo: dict[str, Any], rows: int) -> float:
    names = list(_variables(0))
    lines = [",".join(["phoneNumber", *names])]
    lines += [",".join([_number(row), *_variables(row).values()]) for row in range(rows)]
    fields = {
        "userId": demo["userId"],
        "batchName": "A million",
        "callingNumbers": orjson.dumps(demo["phoneIds"]).decode(),
    }
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    parts.append(
        f"--{BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="file"; filename="million.csv"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    )
    body = "".join([*parts, "\r\n".join(lines), f"\r\n--{BOUNDARY}--\r\n"]).encode()
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    return _seconds(server, demo, "/api/call/upload", body, content_type, 201)


def _seconds(
    server: Server, demo: dict[str, Any], path: str, body: bytes, content_type: str, expected: int
) -> float:
    start = time.perf_counter()
    response = server.request("POST", path, demo["apiKey"], body, content_type)
    answer = response.read()
    seconds = time.perf_counter() - start
    if response.status != expected:
        raise SystemExit(f"{path} answered {response.status}: {answer[:500]!r}")
    return seconds


def _create_batch(server: Server, demo: dict[str, Any]) -> str:
    body = {"batchName": "Fifty thousand", "callingNumbers": demo["phoneIds"]}
    return str(server.json("POST", "/api/call/createBatch", demo["apiKey"], body)["data"])


# --- The limit ------------------------------------------------------------------------------------


def _create_peer_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_call")
        cursor.execute("CREATE TABLE bench_call (LIKE batches_call INCLUDING ALL)")
        cursor.execute(
            "ALTER TABLE bench_call ADD FOREIGN KEY (batch_id) REFERENCES batches_callbatch (id)"
            " DEFERRABLE INITIALLY DEFERRED"
        )


def _psql_copy(demo: dict[str, Any], rows: int, path: Path) -> float:
    """Seconds of `\\copy`, as psql itself tells them, of the rows that a request would store."""
    batch_id, now = _some_batch(), timezone.now().isoformat()
    with path.open("w") as file:
        for row in range(rows):
            variables = orjson.dumps(_variables(row)).decode()
            file.write(
                f"\\\\x{new_object_id()}\t\\\\x{demo['workspaceId']}\t\\\\x{batch_id}\t+{_number(row)}"
                f"\t{variables}\t\tpending\t0\tf\t\\N\t{now}\t{now}\n"
            )
    columns = "id, workspace_id, batch_id, phone_number, variables, timezone, status,"
    columns += " attempts_made, is_picked, session_id, created_at, updated_at"
    psql = Path(os.environ["PG_BIN"]) / "psql"
    done = subprocess.run(
        [str(psql), "--no-psqlrc", "--quiet", os.environ["DATABASE_URL"]],
        input=f"\\timing on\n\\copy bench_call ({columns}) from '{path}'\n",
        capture_output=True,
        text=True,
        check=True,
    )
    milliseconds = [line for line in done.stdout.splitlines() if line.startswith("Time:")]
    if not milliseconds:
        raise SystemExit(f"\\copy failed: {done.stderr}")
    return float(milliseconds[-1].split()[1]) / 1000


def _some_batch() -> str:
    """A batch that nothing was copied to yet, since a number occurs once in each."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO batches_callbatch SELECT (jsonb_populate_record(NULL::batches_callbatch,"
            " to_jsonb(old) || jsonb_build_object('id', %s::text))).*"
            " FROM batches_callbatch AS old LIMIT 1 RETURNING id",
            [f"\\x{new_object_id()}"],
        )
        [row] = cursor.fetchall()
    return bytes(row[0]).hex()


# --- The contacts ---------------------------------------------------------------------------------


def _number(row: int) -> str:
    """Spread over the exchanges of New York, as a list of customers is."""
    return f"1212{2_000_000 + row * 7_919 % 7_999_993}"


def _variables(row: int) -> dict[str, str]:
    return {
        "name": f"C. {row}",
        "account_id": f"A{row:07}",
        "priority": "high" if row % 10 == 0 else "low",
        "city": "NYC",
        "tag": "a",
    }

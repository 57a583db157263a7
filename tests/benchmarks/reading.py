"""What is read, at 1,000, 100,000 and 1,000,000 calls in one batch."""

import random
import time
from typing import Any
from urllib.parse import quote

from tests.benchmarks.http_load import percentile
from tests.benchmarks.server import Server, running_server

from tests.benchmarks import limit  # isort: skip (the settings stand in the environment now)
from django.db import connection
from django.utils import timezone

from batches.models import CallBatch
from batches.services.counters import change_counts
from batches.services.variables import remember_variables

SIZES = (1_000, 100_000, 1_000_000)
REQUESTS = 60  # of each query, size and round
DETAILS = {
    "first page": "",
    "tenth page": "?page=10",
    "by number": "?sortBy=phoneNumber&sortOrder=asc",
    "by status": "?sortBy=callStatus",
    "failed ones": "?filter=" + quote('{"callStatus": "failed"}'),
    "one number": "?filter=" + quote('{"phoneNumber": "12122000500"}'),
    "100 calls": "?limit=100",
}
SCANS = {
    "by updatedAt": "?sortBy=updatedAt",
    "by a variable": "?filter=" + quote('{"priority": "high"}'),
    "search": "?search=customer%2077",
    "middle page": "?page={middle}",
}

_FILL = """
INSERT INTO batches_call (id, workspace_id, batch_id, phone_number, variables, timezone, status,
    attempts_made, is_picked, session_id, created_at, updated_at)
SELECT int4send(1) || int8send(%s::bigint + row), %s, %s, '+1212' || (2000000 + row),
    jsonb_build_object('name', 'Customer ' || row, 'account_id', 'ACC-' || row,
        'priority', CASE WHEN row %% 10 = 0 THEN 'high' ELSE 'low' END),
    '', CASE WHEN row %% 100 = 0 THEN 'failed' WHEN row %% 2 = 0 THEN 'completed' ELSE 'pending' END,
    0, false, NULL, %s, %s
FROM generate_series(1, %s) AS row
"""
_RING = """
INSERT INTO batches_callattempt (id, workspace_id, batch_id, call_id, session_id, request_uuid,
    from_number, status, carrier_call_id, talk_seconds, hangup_cause, recording_url, transcript,
    created_at, answered_at, ended_at)
SELECT int4send(2) || substring(id from 5), workspace_id, batch_id, id, NULL, gen_random_uuid(),
    '+12125550100', 'completed', '', 12, '', '', '', created_at, created_at, created_at
FROM batches_call WHERE batch_id = %s AND status <> 'pending'
"""


def run_lists(rounds: int = 3) -> None:
    """batch-details and the list of batches: p50 and p95 of the whole request, one at a time."""
    demo = limit.prepare()
    batches = {size: filled_batch(demo, size) for size in SIZES}
    with running_server() as server:
        for name, query in DETAILS.items():
            _print_sizes(f"batch-details, {name}", server, demo, batches, query, REQUESTS * rounds)
        for name, query in SCANS.items():
            _print_sizes(f"batch-details, {name}", server, demo, batches, query, rounds)
        path = f"/api/call/batches/{demo['userId']}"
        print(f"list of batches: {line_of(_latencies(server, demo, path, REQUESTS * rounds))}")


def run_export(rounds: int = 3) -> None:
    """A batch of a million calls as CSV and as NDJSON, with the memory of the web server."""
    demo = limit.prepare()
    batch_id = filled_batch(demo, SIZES[-1])
    with running_server() as server:
        before = server.peak_megabytes()
        for kind in ("csv", "ndjson"):
            for _ in range(rounds):
                start, size = time.perf_counter(), 0
                path = f"/api/call/export/{kind}?batchId={batch_id}"
                response = server.request("GET", path, demo["apiKey"])
                while block := response.read(1 << 20):
                    size += len(block)
                seconds = time.perf_counter() - start
                print(
                    f"{kind}: {SIZES[-1] / seconds:,.0f} rows a second, {size / 1e6:.0f} MB",
                    flush=True,
                )
        after = server.peak_megabytes()
    print(f"  peak memory of a web process {after:.0f} MB ({before:.0f} MB before)")


def _print_sizes(
    title: str,
    server: Server,
    demo: dict[str, Any],
    batches: dict[int, str],
    query: str,
    requests: int,
) -> None:
    """The sizes take turns, so that a busy neighbour disturbs all of them alike."""
    found: dict[int, list[float]] = {size: [] for size in batches}
    for _ in range(requests):
        for size, batch_id in random.sample(list(batches.items()), len(batches)):
            path = f"/api/call/batch-details/{batch_id}" + query.replace(
                "{middle}", str(size // 20)
            )
            found[size] += _latencies(server, demo, path, 1)
    print(title)
    for size, latencies in found.items():
        print(f"  {size:9,} calls: {line_of(latencies)}", flush=True)


def _latencies(server: Server, demo: dict[str, Any], path: str, requests: int) -> list[float]:
    latencies = []
    for _ in range(requests):
        start = time.perf_counter()
        server.json("GET", path, demo["apiKey"])
        latencies.append(time.perf_counter() - start)
    return latencies


def line_of(latencies: list[float]) -> str:
    p50, p95 = (percentile(latencies, share) * 1000 for share in (0.50, 0.95))
    return f"p50 {p50:7.1f} ms, p95 {p95:7.1f} ms"


def filled_batch(demo: dict[str, Any], size: int) -> str:
    """A batch with so many calls, half of which were rung."""
    limit.create_one_batch(demo)
    batch = CallBatch.objects.order_by("-created_at", "-id")[0]
    now = timezone.now()
    workspace, own = bytes.fromhex(batch.workspace_id), bytes.fromhex(batch.id)
    with connection.cursor() as cursor:
        first = random.getrandbits(62)
        cursor.execute(_FILL, [first, workspace, own, now, now, size])
        cursor.execute(_RING, [own])
        counts = "SELECT status, count(*) FROM batches_call WHERE batch_id = %s GROUP BY status"
        cursor.execute(counts, [own])
        change_counts(
            workspace_id=batch.workspace_id, batch_id=batch.id, changes=dict(cursor.fetchall())
        )
        remember_variables(batch, ["name", "account_id", "priority"])
        cursor.execute("VACUUM ANALYZE batches_call, batches_callattempt")
    return str(batch.id)

"""createBatch beside its limit: pgbench sending the same statements, prepared, to the same server.

Both take turns on one machine in one run, because only their ratio survives a noisy machine. The
web server runs with the production settings, 2 workers of 2 threads: 4 connections, as pgbench has.

A second server without rate limits takes its turn, too: what limits cost. The limits of the first are
out of reach, but taken in blocks of 100, as those of 10,000 requests a minute and more are.

Many short rounds: a neighbour that takes the processor away then spoils a few of them, not all.
"""

import json
import statistics
import tempfile
from pathlib import Path

from tests.benchmarks import http_load
from tests.benchmarks.server import NO_LIMITS, THREADS, WORKERS, running_server

from tests.benchmarks import limit  # isort: skip (the settings stand in the environment now)

HTTP_CONNECTIONS = 8


def run(rounds: int = 9, seconds: int = 3) -> None:
    """`seconds` of each side in each round."""
    demo = limit.prepare()
    request = _request(demo)
    script = limit.pgbench_script(demo)
    ratios, costs = [], []
    with (
        running_server() as server,
        running_server(NO_LIMITS) as unlimited,
        tempfile.TemporaryDirectory() as folder,
    ):
        for one in (server, unlimited):
            _load(one.port, request, 2)
        for number in range(1, rounds + 1):
            first, second = (server, unlimited) if number % 2 else (unlimited, server)
            loads = {one: _load(one.port, request, seconds) for one in (first, second)}
            ours, free = loads[server], loads[unlimited]
            best = limit.pgbench(script, Path(folder), clients=WORKERS * THREADS, seconds=seconds)
            ratios.append(ours.per_second / best.per_second)
            costs.append(1 - ours.per_second / free.per_second)
            print(f"round {number}: ratio {ratios[-1]:.3f}, rate limits {costs[-1]:+.1%}")
            print(f"  createBatch {_line(ours)}\n  unlimited   {_line(free)}")
            print(f"  pgbench     {_line(best)}", flush=True)
    print(
        f"createBatch reaches {statistics.median(ratios):.3f} of its limit (median of the rounds);"
        f" rate limits cost {statistics.median(costs):+.1%} of it"
    )


def _request(demo: dict[str, object]) -> bytes:
    body = json.dumps(
        {
            "batchName": "API Campaign May 2025",
            "callingNumbers": demo["phoneIds"],
            "retry": 3,
            "delay": 60,
            "timezone": "America/New_York",
            "callingHour": {"start": "09:00", "end": "17:00"},
            "allowedDays": [1, 2, 3, 4, 5],
        }
    )
    return (
        "POST /api/call/createBatch HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n"
        f"x-api-key: {demo['apiKey']}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def _load(port: int, request: bytes, seconds: int) -> http_load.Load:
    request = request.replace(b"PORT", str(port).encode())
    load = http_load.run(
        port, request, expected=b"HTTP/1.1 201", connections=HTTP_CONNECTIONS, seconds=seconds
    )
    if load.failures:
        raise SystemExit(f"createBatch failed {len(load.failures)} times: {load.failures[0]!r}")
    return load


def _line(load: http_load.Load) -> str:
    p50, p99 = (load.percentile(share) * 1000 for share in (0.50, 0.99))
    return f"{load.per_second:7.0f} a second, p50 {p50:5.2f} ms, p99 {p99:5.2f} ms"

"""createBatch beside its limit: pgbench sending the same statements, prepared, to the same server.

Both take turns on one machine in one run, because only their ratio survives a noisy machine. The
web server runs with the production settings, 2 workers of 2 threads: 4 connections, as pgbench has.

Many short rounds: a neighbour that takes the processor away then spoils a few of them, not all.

    make bench ARGS="--rounds 20"
"""

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import http_load

SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
    "SECRET_KEY": "benchmark-only-benchmark-only-benchmark-only-benchmark",
    "CREDENTIAL_PEPPERS": "1:benchmark-only-benchmark-only-benchmark-only",
    "ALLOWED_HOSTS": "127.0.0.1",
    "SECURE_SSL_REDIRECT": "false",
}
WORKERS, THREADS = 2, 2
HTTP_CONNECTIONS = 8


def main() -> None:
    arguments = _arguments()
    os.environ.update(SETTINGS)
    # Django reads the environment when it is first imported.
    from tests.benchmarks import limit

    demo = limit.prepare()
    request = _request(demo)
    script = limit.pgbench_script(demo)
    ratios = []
    with _server() as port, tempfile.TemporaryDirectory() as folder:
        request = request.replace(b"PORT", str(port).encode())
        _load(port, request, 2)
        for number in range(1, arguments.rounds + 1):
            ours = _load(port, request, arguments.seconds)
            best = limit.pgbench(
                script, Path(folder), clients=WORKERS * THREADS, seconds=arguments.seconds
            )
            ratios.append(ours.per_second / best.per_second)
            print(f"round {number}: ratio {ratios[-1]:.3f}")
            print(f"  createBatch {_line(ours)}\n  pgbench     {_line(best)}", flush=True)
    print(
        f"createBatch reaches {statistics.median(ratios):.3f} of its limit (median of the rounds)"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=3, help="of each side in each round")
    return parser.parse_args()


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


@contextlib.contextmanager
def _server() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", str(WORKERS)]
    command += ["--blocking-threads", str(THREADS), "config.wsgi:application"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}/readyz")
            yield port
        finally:
            server.terminate()
            server.wait(20)


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _load(port: int, request: bytes, seconds: int) -> http_load.Load:
    load = http_load.run(
        port, request, expected=b"HTTP/1.1 201", connections=HTTP_CONNECTIONS, seconds=seconds
    )
    if load.failures:
        raise SystemExit(f"createBatch failed {len(load.failures)} times: {load.failures[0]!r}")
    return load


def _line(load: http_load.Load) -> str:
    p50, p99 = (load.percentile(share) * 1000 for share in (0.50, 0.99))
    return f"{load.per_second:7.0f} a second, p50 {p50:5.2f} ms, p99 {p99:5.2f} ms"


if __name__ == "__main__":
    main()

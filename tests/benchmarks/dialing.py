"""The whole dialing loop: claim, place, record, by one dialer and by two.

Against a carrier that tells the outcome at once, so that nothing but the dialer is measured; beside
Procrastinate's rate with tasks that do nothing, on the same database in the same run. Then with the
simulator, its callbacks coming through HTTP: reported, no target.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from tests.benchmarks.server import running_server

from tests.benchmarks import limit  # isort: skip (the settings stand in the environment now)
from django.db import connection
from django.utils import timezone

from batches.dialer.claim import claim_calls
from batches.models import Call, CallBatch, CallStatus
from batches.services.counters import change_counts, counts_of
from calling.models import CarrierAccount
from workspaces.ids import new_object_id
from workspaces.models import DialSchedule, Workspace
from workspaces.services.dialing import wake

SIZES = (10_000, 100_000, 1_000_000)
DIALERS = (1, 2)
WARM_UP, SECONDS = 1.5, 4.0
_FILL = """
INSERT INTO batches_call (
    id, workspace_id, batch_id, phone_number, variables, timezone,
    status, attempts_made, is_picked, next_attempt_at, created_at, updated_at
)
SELECT decode(lpad(to_hex(%s::bigint + n), 24, '0'), 'hex'), %s, %s, '+1212' || (2000000 + n),
    '{"name": "Sarah Johnson", "account_id": "ACC-1001"}', '', 'pending', 0, false, %s, %s, %s
FROM generate_series(1, %s) AS n
"""
_TABLES = (
    *("batches_callevent", "batches_lease", "batches_callattempt", "batches_call"),
    *("batches_callcounter", "batches_rotationcursor", "calling_simulatedcall"),
)


def run(rounds: int = 3) -> None:
    """Medians of interleaved rounds."""
    demo = prepare()
    rates: dict[tuple[int, int], list[float]] = {}
    noop = []
    for number in range(1, rounds + 1):
        noop.append(_procrastinate())
        print(f"round {number}: Procrastinate, no-op tasks {noop[-1]:8,.0f} a second", flush=True)
        for size in SIZES:
            for dialers in DIALERS:
                rate = _dial(demo, size, dialers)
                rates.setdefault((size, dialers), []).append(rate)
                print(
                    f"round {number}: {size:9,} pending, {dialers} dialer(s) {rate:8,.0f} calls a"
                    " second",
                    flush=True,
                )
    for dialers in DIALERS:
        medians = {size: statistics.median(rates[size, dialers]) for size in SIZES}
        values = ", ".join(f"{value:,.0f} at {size:,}" for size, value in medians.items())
        flat = min(medians.values()) / max(medians.values())
        print(f"{dialers} dialer(s): {values} pending (medians); lowest by highest {flat:.2f}")
    print(f"Procrastinate, no-op tasks: {statistics.median(noop):,.0f} a second (median)")
    _fairness(demo)
    _with_callbacks(demo)


def prepare() -> dict[str, Any]:
    """The first demo workspace without limits, one batch being dialed."""
    demo = limit.prepare()
    Workspace.objects.update(concurrency_limit=0)
    CarrierAccount.objects.update(calls_per_second=0)
    return demo


def _dial(demo: dict[str, Any], size: int, dialers: int) -> float:
    """Calls completed a second, from a table that begins with so many pending calls."""
    batch = batch_of(demo, size)
    with running("tests.benchmarks.instant_dialer", dialers):
        _wait_for_first(batch)
        time.sleep(WARM_UP)
        return _rate(batch)


def _rate(batch: CallBatch) -> float:
    began, before = time.perf_counter(), counts_of(batch.id)[CallStatus.COMPLETED]
    while time.perf_counter() - began < SECONDS:
        time.sleep(0.05)
        if counts_of(batch.id)[CallStatus.PENDING] == 0:  # a small batch may be at its end
            break
    completed = counts_of(batch.id)[CallStatus.COMPLETED] - before
    return completed / (time.perf_counter() - began)


def _wait_for_first(batch: CallBatch) -> None:
    give_up = time.monotonic() + 60
    while not counts_of(batch.id)[CallStatus.COMPLETED]:
        if time.monotonic() > give_up:
            raise SystemExit("no call was dialed within a minute")
        time.sleep(0.02)


def batch_of(demo: dict[str, Any], size: int) -> CallBatch:
    """An active batch with so many due calls, alone in its table."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(_TABLES)} CASCADE")
    CallBatch.objects.update(status="stopped")
    batch = _create(demo)
    _fill(batch, size)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE batches_call")
        cursor.execute("CHECKPOINT")
    _start(batch)
    return batch


def _create(demo: dict[str, Any]) -> CallBatch:
    limit.create_one_batch(demo)
    return CallBatch.objects.filter(workspace_id=demo["workspaceId"]).latest("created_at", "id")


def _fill(batch: CallBatch, size: int) -> None:
    now = timezone.now()
    ids = [bytes.fromhex(id_) for id_ in (batch.workspace_id, batch.id)]
    start = int(new_object_id()[-8:], 16) << 24
    with connection.cursor() as cursor:
        cursor.execute(_FILL, [start, *ids, now, now, now, size])
    change_counts(
        workspace_id=batch.workspace_id, batch_id=batch.id, changes={CallStatus.PENDING: size}
    )


def _start(batch: CallBatch) -> None:
    CallBatch.objects.filter(id=batch.id).update(status="active")
    wake(batch.workspace_id, timezone.now())


def _fairness(demo: dict[str, Any]) -> None:
    large = batch_of(demo, SIZES[-1])
    small = _create(demo)
    _fill(small, 10)
    _start(small)
    claims = 0
    while Call.objects.filter(batch=small, status=CallStatus.PENDING).exists():
        DialSchedule.objects.update(next_dial_at=timezone.now())
        claim_calls(now=timezone.now(), most=20, lease=timedelta(seconds=20))
        claims += 1
    taken = Call.objects.filter(batch=large, status=CallStatus.IN_PROGRESS).count()
    print(
        f"fairness: a batch of 10 beside one of {SIZES[-1]:,} was taken within {claims} claim(s) of"
        f" 20, beside {taken} calls of the large one"
    )


def _with_callbacks(demo: dict[str, Any], size: int = 3000) -> None:
    """The real simulator, fifty times as fast, and its callbacks through the web server."""
    with running_server() as server:
        batch = batch_of(demo, size)
        env = {
            "PUBLIC_BASE_URL": f"http://127.0.0.1:{server.port}",
            "SIMULATOR_TIME_SCALE": "0.02",
        }
        with running("manage.py run_dialer", 1, env):
            _wait_for_first(batch)
            time.sleep(WARM_UP)
            rate = _rate(batch)
    print(f"with callbacks through HTTP, 1 dialer: {rate:,.0f} calls a second (no target)")


def _procrastinate() -> float:
    command = [sys.executable, "-m", "tests.benchmarks.noop_worker"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(output.split()[-1])


@contextlib.contextmanager
def running(
    program: str, number: int, env: dict[str, str] | None = None
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many processes of a module, or of a command of `manage.py`."""
    arguments: Sequence[str] = program.split()
    command = [sys.executable, *(arguments if " " in program else ["-m", *arguments])]
    environment = {**os.environ, "LOG_LEVEL": "ERROR", **(env or {})}
    processes = [subprocess.Popen(command, env=environment) for _ in range(number)]
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(40)

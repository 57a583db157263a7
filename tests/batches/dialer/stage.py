"""Real processes: a PostgreSQL that can be stopped, a web server for callbacks, dialers to be killed."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import psycopg
from django.utils import timezone

from calling.carriers.base import CallProgress
from calling.carriers.simulator.script import Plan, script_for, timeline
from config.local.postgres import Cluster, make_short_folder
from config.local.process import Signals, die_with_parent
from tests.config.server import HOST, PROJECT, free_port, granian

TERMINAL = {"completed", "failed", "skipped", "unknown", "cancelled"}
QUICK = {
    "SIMULATOR_TIME_SCALE": "0.1",
    "DIALER_LEASE_SECONDS": "2",
    "CALLBACK_PATIENCE_SECONDS": "2",
    "UNSURE_LOOKUP_SECONDS": "0,0.5,1,2",
    "LOG_LEVEL": "ERROR",
}
RINGS_BETWEEN_KILLS = 100
_RINGS = """
SELECT ring.to_number, ring.request_uuid, ring.rang_at, ring.called_before, ring.time_scale,
    ring.hung_up_at, attempt.status
FROM calling_simulatedcall AS ring
LEFT JOIN batches_callattempt AS attempt ON attempt.request_uuid = ring.request_uuid
ORDER BY ring.to_number, ring.rang_at
"""


class _NoSignals:
    """What starts a server asks of whoever might stop it: nobody does."""

    def check(self) -> None: ...

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


SIGNALS = cast(Signals, _NoSignals())


class Stage:
    def __init__(self, cluster: Cluster, port: int) -> None:
        self.cluster = cluster
        self.env = {
            **os.environ,
            **QUICK,
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "DATABASE_URL": cluster.url,
            "PUBLIC_BASE_URL": f"http://{HOST}:{port}",
        }
        self.server = cluster.start(SIGNALS)
        self.dialers: list[subprocess.Popen[bytes]] = []
        self.kills = self._rings_at_last_kill = 0

    # --- Processes --------------------------------------------------------------------------------

    def run(self, *arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], env=self.env, cwd=PROJECT, check=True)

    def add_dialer(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "manage.py", "run_dialer"]
        dialer = subprocess.Popen(
            command,
            env=self.env,
            cwd=PROJECT,
            stdout=subprocess.DEVNULL,
            # Or a killed test run would leave it behind, trying to reach its database for ever.
            preexec_fn=partial(die_with_parent, signal.SIGKILL, os.getpid()),
        )
        self.dialers.append(dialer)
        return dialer

    def kill_one(self) -> None:
        """A random one that is at work, and another takes its place.

        Not before some have rung since the last one was killed: on a busy machine dialers would die
        faster than they can start.
        """
        rings = self.value("SELECT count(*) FROM calling_simulatedcall")
        at_work = [dialer for dialer in self.dialers if is_at_work(dialer)]
        if not at_work or rings < self._rings_at_last_kill + RINGS_BETWEEN_KILLS:
            return
        self._rings_at_last_kill = rings
        victim = random.choice(at_work)  # noqa: S311 (any)
        victim.kill()
        victim.wait()
        self.dialers.remove(victim)
        self.kills += 1
        self.add_dialer()

    def stop_database(self, number: int = signal.SIGQUIT) -> None:
        self.server.send_signal(number)
        self.server.wait(30)

    def start_database(self) -> None:
        self.server = self.cluster.start(SIGNALS)

    def close(self) -> None:
        for dialer in self.dialers:
            dialer.kill()
            dialer.wait()
        if self.server.poll() is None:
            self.stop_database(signal.SIGINT)

    # --- What there is ----------------------------------------------------------------------------

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.cluster.url, autocommit=True) as connection:
            return connection.execute(statement).fetchall()

    def value(self, statement: str) -> Any:
        return self.rows(statement)[0][0]

    def statuses(self) -> dict[str, int]:
        return dict(self.rows("SELECT status, count(*) FROM batches_call GROUP BY 1"))

    def is_over(self) -> bool:
        return set(self.statuses()) <= TERMINAL

    def until(self, is_so: Callable[[], bool], seconds: float) -> float:
        """Returns after how many seconds it was so."""
        began = time.monotonic()
        while not is_so():
            assert time.monotonic() - began < seconds, self.dump()
            time.sleep(0.05)
        return time.monotonic() - began

    def dump(self) -> str:
        stuck = self.rows(
            "SELECT call.phone_number, call.status, lease.* FROM batches_call AS call"
            " LEFT JOIN batches_lease AS lease ON lease.call_id = call.id"
            " WHERE call.status IN ('pending', 'in-progress') LIMIT 10"
        )
        return f"{self.statuses()} {self.rows('SELECT * FROM workspaces_dialschedule')} {stuck}"


def is_at_work(dialer: subprocess.Popen[bytes]) -> bool:
    """Whether it has started: the last thing before its work is that it catches SIGTERM."""
    status = Path(f"/proc/{dialer.pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


@contextmanager
def stage(contacts: int, calls_a_second: int = 0, at_a_time: int = 0) -> Iterator[Stage]:
    """A batch of contacts, waiting for a dialer; 0: no limit. Durable: the database is killed."""
    folder = make_short_folder("outdial-stage-")
    folder.chmod(0o711)  # the server's user, if it is another one, must get through
    sockets = folder / "socket"
    sockets.mkdir(mode=0o700)
    port = free_port()
    found = Stage(Cluster(folder / "data", folder / "log", sockets), port)
    try:
        found.run("manage.py", "migrate", "--verbosity", "0")
        numbers = map(str, (contacts, calls_a_second, at_a_time))
        found.run("-m", "tests.batches.dialer.stage_seed", *numbers)
        with granian(port, found.env):
            yield found
    finally:
        found.close()
        shutil.rmtree(folder, ignore_errors=True)


def judge_rings(found: Stage) -> int:
    """By the simulator's ledger: nobody was rung twice at once, or again after an answer.

    Returns how many rings there were.
    """
    rings = found.rows(_RINGS)
    last_of: dict[str, tuple[Plan, int]] = {}
    for number, request_uuid, rang_at, called_before, scale, hung_up_at, attempt in rings:
        assert attempt is not None, f"{number}: a ring that no attempt knows of"
        script = script_for(
            to_number=number, request_uuid=request_uuid, called_before=called_before
        )
        plan = Plan(script=script, call_id="", rang_at=rang_at, scale=scale, hung_up_at=hung_up_at)
        if number in last_of:
            earlier, count = last_of[number]
            end = timeline(earlier)[-1]
            assert count == 1, f"{number}: rung more often than once and one retry"
            assert end.at <= rang_at, f"{number}: rung while it rang"
            again = {CallProgress.BUSY, CallProgress.NO_ANSWER, CallProgress.FAILED}
            assert end.progress in again, f"{number}: rung again after {end.progress}"
            assert not end.permanent, f"{number}: rung again although it is out of service"
            assert not earlier.script.is_lost, f"{number}: rung again, and nobody can tell"
        last_of[number] = plan, last_of.get(number, (plan, 0))[1] + 1
    assert all(plan.rang_at <= timezone.now() for plan, _ in last_of.values())
    return len(rings)


def judge_end(found: Stage) -> None:
    """Every call in its place, nothing left over, counters and batch in agreement."""
    assert found.is_over(), found.dump()
    assert found.value("SELECT count(*) FROM batches_lease") == 0
    assert found.value("SELECT status FROM batches_callbatch") == "completed"
    open_attempts = "status IN ('queued', 'ringing', 'in-progress')"
    assert found.value(f"SELECT count(*) FROM batches_callattempt WHERE {open_attempts}") == 0
    unrung = found.value(
        "SELECT count(*) FROM batches_call AS call WHERE status = 'completed' AND NOT EXISTS ("
        "SELECT FROM calling_simulatedcall AS ring WHERE ring.to_number = call.phone_number)"
    )
    assert unrung == 0
    found.run("manage.py", "check_counters")

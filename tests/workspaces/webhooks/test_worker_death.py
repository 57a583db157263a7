"""Real workers, killed again and again, and a receiver that is killed, too: no event is lost.

What is written and rolled back is never sent, and an event that comes twice comes with the same id.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from config.local.process import die_with_parent
from tests import factories
from tests.config.server import PROJECT, free_port, url_of_the_test_database
from workspaces.models import Event, Workspace
from workspaces.tasks import send_webhooks

EVENTS, RECEIVED_BETWEEN_KILLS = 1500, 150

pytestmark = pytest.mark.django_db(transaction=True)


class Stage:
    """Two workers and a receiver, as processes."""

    def __init__(self, path: Path) -> None:
        self.env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "DATABASE_URL": url_of_the_test_database(),
            "LOG_LEVEL": "ERROR",
        }
        self.path, self.port = path, free_port()
        self.receiver = self.start(
            "-m", "tests.workspaces.webhooks.receiver", str(self.port), str(path)
        )
        self.workers = [self.start_worker() for _ in range(2)]

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=self.env,
            cwd=PROJECT,
            stdout=subprocess.DEVNULL,
            preexec_fn=partial(die_with_parent, signal.SIGKILL, os.getpid()),
        )

    def start_worker(self) -> subprocess.Popen[bytes]:
        return self.start("manage.py", "procrastinate", "worker")

    def restart_receiver(self) -> None:
        kill(self.receiver)
        arguments = ("-m", "tests.workspaces.webhooks.receiver", str(self.port), str(self.path))
        self.receiver = self.start(*arguments)

    def received(self) -> Counter[str]:
        lines = self.path.read_text() if self.path.exists() else ""
        return Counter(lines.splitlines())

    def close(self) -> None:
        for process in (*self.workers, self.receiver):
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@contextmanager
def stage(path: Path) -> Iterator[Stage]:
    found = Stage(path)
    try:
        yield found
    finally:
        found.close()


def write_some(workspace: Workspace) -> set[str]:
    """Some events, and as many that are rolled back. Returns the ids of the former."""

    def write() -> set[str]:
        events = [factories.EventFactory.build(workspace=workspace) for _ in range(10)]
        return {event.id for event in Event.objects.bulk_create(events)}

    with suppress(ZeroDivisionError), transaction.atomic():
        write()
        raise ZeroDivisionError
    with transaction.atomic():
        return write()


def let_hours_pass() -> None:
    """What waits for the third attempt or later need not wait for minutes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workspaces_webhookdelivery SET next_attempt_at = now()"
            " WHERE status = 'pending' AND next_attempt_at > now() + interval '1 minute'"
        )


def until(is_so: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_event_is_lost_whoever_is_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written: set[str] = set()
    kills: Counter[str] = Counter()
    with stage(tmp_path / "received") as found:
        endpoint = factories.WebhookEndpointFactory.create(
            url=f"http://127.0.0.1:{found.port}/hook"
        )
        at_last_kill = 0
        began = time.monotonic()
        while len(written) < EVENTS or found.received().total() < EVENTS // 2:
            if len(written) < EVENTS:
                written |= write_some(endpoint.workspace)
            received = found.received().total()
            if received > at_last_kill + RECEIVED_BETWEEN_KILLS:
                at_last_kill = received
                if kills.total() % 3 == 2:
                    found.restart_receiver()
                    kills["receiver"] += 1
                else:
                    # Both: what sends, and what might have gone on with it.
                    for worker in found.workers:
                        kill(worker)
                        kills["worker"] += 1
                    found.workers = [found.start_worker() for _ in found.workers]
            let_hours_pass()
            time.sleep(0.05)
            assert time.monotonic() - began < 400, (len(written), received, kills)

        def is_over() -> bool:
            let_hours_pass()
            return not endpoint.deliveries.exclude(status="succeeded").exists()

        until(lambda: not Event.objects.filter(position=None).exists(), 60)
        until(is_over, 120)
        received_ids = found.received()
        assert set(received_ids) == written
        assert kills["worker"] >= 4
        assert kills["receiver"]
        seconds = time.monotonic() - began

        # A polite stop takes no longer although nobody has told the worker a time.
        for worker in found.workers:
            worker.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        assert [worker.wait(30) for worker in found.workers] == [0, 0]
        stopped_after = time.monotonic() - asked
    jobs = ProcrastinateJob.objects.filter(task_name=send_webhooks.name)
    assert jobs.filter(status="todo").count() == 1  # for the next worker
    assert not jobs.filter(status__in=["failed", "aborted"]).exists()
    with capsys.disabled():
        twice = received_ids.total() - len(received_ids)
        print(
            f"{len(written)} events, {dict(kills)} kills in {seconds:.0f} s: none lost,"
            f" {twice} came again; stopped after {stopped_after:.1f} s"
        )


def test_the_job_goes_on_with_the_next_one_and_forgets_the_dead() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status, args)"
            " VALUES ('default', %s, 'doing', '{}'), ('default', 'another', 'doing', '{}')",
            [send_webhooks.name],
        )
    context: Any = SimpleNamespace(
        additional_context={"worker": SimpleNamespace(_stop_event=SimpleNamespace(is_set=bool))},
        should_abort=lambda: True,
    )
    for _ in range(2):  # what waits already is enough
        assert send_webhooks.func(context, timestamp=1)
    jobs = ProcrastinateJob.objects.order_by("task_name").values_list("task_name", "status")
    assert list(jobs) == [("another", "doing"), (send_webhooks.name, "todo")]

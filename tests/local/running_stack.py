"""A real local stack for tests: started, watched and ended from outside, as a person would."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
LAUNCHER = [sys.executable, "-m", "config.local"]
READY = "Stop with Ctrl-C."


def environment(**changes: str) -> dict[str, str]:
    """The test run's own environment without what it says about its database and settings."""
    own = {
        *("DATABASE_URL", "DJANGO_SETTINGS_MODULE", "DATA_DIR", "PORT", "PUBLIC_BASE_URL"),
        *("MAKEFLAGS", "MAKELEVEL"),
    }
    return {name: value for name, value in os.environ.items() if name not in own} | changes


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(is_true: Callable[[], object], seconds: float, what: str) -> None:
    give_up = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < give_up, f"not within {seconds} s: {what}"
        time.sleep(0.05)


class RunningStack:
    """`command` runs the launcher, directly or through something that stands for make; `variables`
    are settings of the stack."""

    def __init__(
        self, data: Path, command: list[str] | None = None, variables: Mapping[str, str] = {}
    ) -> None:
        self.data = data
        self.port = free_port()
        self.log = data.with_name("terminal.log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command or [*LAUNCHER, "run"],
                cwd=PROJECT,
                env=environment(DATA_DIR=str(data), PORT=str(self.port), **variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> RunningStack:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.processes(), 5, "everything killed is gone")
        if (note := self.data / "postgres.socket").exists():
            shutil.rmtree(note.read_text(), ignore_errors=True)

    def output(self) -> str:
        return self.log.read_text()

    def wait_ready(self) -> RunningStack:
        ended = lambda: self.process.poll() is not None  # noqa: E731
        wait_until(lambda: READY in self.output() or ended(), 60, "ready")
        assert READY in self.output(), self.output()
        return self

    def answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def processes(self, word: str = "") -> set[int]:
        """The processes that have our folder in their environment, all or those of a command."""
        mark = os.fsencode(f"DATA_DIR={self.data}\0")
        found = set()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (process / "cmdline").read_bytes()
                if mark in (process / "environ").read_bytes() + b"\0" and word.encode() in command:
                    found.add(int(process.name))
        return found

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Signal the started process; the seconds until it and everything else has ended."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=20)
        wait_until(lambda: not self.processes(), 10, "no process left")
        return time.monotonic() - began

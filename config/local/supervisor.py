"""Keeps the services of the stack running, and ends them in order."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from config.local.process import Signals, StackError, describe_exit, end, has_ended, say

FIRST_DELAY = 0.5  # seconds before a service that ended is started again; doubles each time
LONGEST_DELAY = 30.0
SETTLED_AFTER = 30.0  # seconds of running after which earlier ends are forgotten
FAILURES_AT_START = 3  # ends before ready that make the start-up give up
GRACE = 8.0  # seconds to stop everything, then SIGKILL
RESERVED_FOR_LAST = 2.0  # of these, seconds that nobody may take from the last, the database


@dataclass
class Service:
    """What to run, and how to tell that it answers."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    is_ready: Callable[[], bool] = lambda: True
    stop_signal: int = signal.SIGTERM


@dataclass
class _Running:
    service: Service
    process: subprocess.Popen[bytes] | None
    since: float = field(default_factory=time.monotonic)
    failures: int = 0
    due: float = 0.0

    def tend(self) -> None:
        """Notice an end, start again when it is time."""
        now = time.monotonic()
        if self.process is not None and has_ended(self.process):
            self._ended(describe_exit(self.process.returncode), now)
        if self.process is None and now >= self.due:
            try:
                self.process = self.service.start()
            except (OSError, StackError) as error:
                self._ended(str(error), now)
            else:
                self.since = now

    def _ended(self, how: str, now: float) -> None:
        self.process = None
        self.failures = 1 if now - self.since > SETTLED_AFTER else self.failures + 1
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (self.failures - 1))
        self.due = now + delay
        say(f"outdial: {self.service.name} ended ({how}), starting it again in {delay:g} s")


class Supervisor:
    """The services in the order of their start; the database comes first and goes last."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals
        self._running: list[_Running] = []

    def add(self, service: Service, process: subprocess.Popen[bytes] | None = None) -> None:
        """Run a service; `process` if it has been started already."""
        self._running.append(_Running(service, process or service.start()))

    def wait_ready(self, seconds: float) -> None:
        """Until every service answers. Gives up on one that keeps ending or never does."""
        give_up = time.monotonic() + seconds
        waiting = list(self._running)
        while waiting := [each for each in waiting if not each.service.is_ready()]:
            self.signals.check()
            for each in self._running:
                each.tend()
                if each.failures >= FAILURES_AT_START:
                    raise StackError(f"{each.service.name} does not start, see above")
            if time.monotonic() > give_up:
                names = " and ".join(each.service.name for each in waiting)
                raise StackError(f"no answer from {names} after {seconds:g} s")
            self.signals.wait(0.05)

    def run(self) -> None:
        """Until a stop is asked for."""
        while not self.signals.stop_requested():
            for each in self._running:
                each.tend()
            self.signals.wait(0.5)

    def stop(self) -> None:
        """End the services, last started first, all within the grace.

        Each but the database gets an equal share of the time, so that one that hangs cannot bring
        the database to be killed.
        """
        if self._running:
            say("outdial: stopping")
        began = time.monotonic()
        shares = max(1, len(self._running) - 1)
        for index, each in enumerate(reversed(self._running), start=1):
            share = (GRACE - RESERVED_FOR_LAST) * index / shares
            until = began + (share if index < len(self._running) else GRACE)
            process, number = each.process, each.service.stop_signal
            if process and not end(process, number, until, self.signals):
                say(f"outdial: {each.service.name} did not stop and was killed")
        self._running.clear()

"""Starting and ending processes so that none is left behind, whoever is killed and how."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StackError(Exception):
    """Something that the person at the terminal can put right, told in one line."""


class Stopped(Exception):
    """A stop signal arrived while the stack was starting."""


def say(text: str) -> None:
    """Print for the person at the terminal, who may have closed it in the meantime."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


class Signals:
    """Stop requests and ended children, noticed here and nowhere else.

    The handlers only take note. An exception raised from a handler could hit any line, the one
    between starting a process and remembering it included; so the launcher asks between steps.
    Every pause is a `wait`, which any signal cuts short: the wake-up pipe also catches the
    signal that arrives just before the pause begins.
    """

    def __init__(self, parent_asks: Callable[[], bool] = lambda: False) -> None:
        self.received: int | None = None
        self._parent_asks = parent_asks
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            # `nohup` ignores SIGHUP on purpose; SIGINT is ignored in any background job of a
            # script, where `kill -INT` still has to work.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._note)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _note(self, number: int, frame: object) -> None:
        self.received = number

    def wait(self, seconds: float) -> None:
        """Pause until the time is over or any signal arrives, whichever comes first."""
        if select.select([self._reader], [], [], max(0.0, seconds))[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._reader, 4096)

    def stop_requested(self) -> bool:
        """Whether somebody asked to stop; to be asked every half second or so, since a parent may
        ask without sending a signal."""
        return self.received is not None or self._parent_asks()

    def check(self) -> None:
        """Raise Stopped if somebody asked to stop."""
        if self.stop_requested():
            raise Stopped


def prctl(option: int, *arguments: int) -> int:
    """The system call that sets what a process is allowed and told; 0 when it worked."""
    longs = [ctypes.c_ulong(number) for number in (*arguments, 0, 0, 0, 0)[:4]]
    return int(ctypes.CDLL(None).prctl(option, *longs))


def die_with_parent(number: int, parent: int) -> None:
    """Have the kernel send this process the signal when its parent dies, even by SIGKILL.

    The setting survives exec, not fork, and a change of user clears it: call it last. The parent
    may have died before the call took effect; then nothing would ever come, hence the look.
    """
    if sys.platform != "linux":
        return
    prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    death_signal: int = signal.SIGKILL,
    become: Callable[[], None] | None = None,
    own_session: bool = True,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    output: int | IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process that ends with us.

    If we are killed it gets `death_signal`. For a worker that must be SIGKILL: its database goes
    at the same moment, and a polite end would wait half a minute for it to come back.

    A session of its own keeps Ctrl-C, which a terminal sends to its whole foreground group, from
    ending the children in no order at all; it also makes one group of whatever they start.
    """
    launcher = os.getpid()

    def between_fork_and_exec() -> None:
        # Our handlers would swallow a signal that comes before exec.
        for number in (*STOP_SIGNALS, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        if become is not None:
            become()
        die_with_parent(death_signal, launcher)

    return subprocess.Popen(
        command,
        env=dict(env),
        cwd=cwd,
        stdin=stdin,
        stdout=output,
        stderr=output,
        start_new_session=own_session,
        preexec_fn=between_fork_and_exec,
    )


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process has ended; if it just did, what it left of its own group is killed.

    granian's workers outlive a killed granian, and a new one would silently share their port.
    """
    if process.returncode is not None:
        return True
    if process.poll() is None:
        return False
    kill_group(process)
    return True


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and all it started; only for one that has a session of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def end(process: subprocess.Popen[bytes], number: int, until: float, signals: Signals) -> bool:
    """Ask a process to end and wait until the given moment, then kill. True if it went itself."""
    if has_ended(process):
        return True
    process.send_signal(number)
    while not has_ended(process):
        left = until - time.monotonic()
        if left <= 0:
            kill_group(process)
            process.wait()
            return False
        signals.wait(left)
    return True


def run_to_end(process: subprocess.Popen[bytes], signals: Signals) -> int:
    """Wait for a step of the start-up; if a stop is asked for meanwhile, end it and raise."""
    try:
        while not has_ended(process):
            signals.check()
            signals.wait(0.5)
    finally:
        end(process, signal.SIGTERM, time.monotonic() + 2, signals)
    return process.returncode


def describe_exit(code: int) -> str:
    """`signal 9` or `exit code 1`, from the return code of a Popen."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"

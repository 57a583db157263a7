"""A real web server on a free port, working on the database of the tests."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from django.db import connection

PROJECT = Path(__file__).parents[2]
HOST = "127.0.0.1"
START_WITHIN = 60.0


def url_of_the_test_database() -> str:
    parameters = connection.get_connection_params()
    user = quote(parameters.get("user") or "")
    password = f":{quote(parameters['password'])}" if parameters.get("password") else ""
    place = {name: parameters[name] for name in ("host", "port") if parameters.get(name)}
    return f"postgresql://{user}{password}@/{parameters['dbname']}?{urlencode(place)}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def granian(port: int = 0, settings: Mapping[str, str] | None = None) -> Iterator[int]:
    """The port of a server that answers; as production has it, with one worker of two threads.

    `settings`: of its environment, in the place of those of the tests.
    """
    port = port or free_port()
    command = [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws", "--host", HOST),
        *("--port", str(port), "--workers", "1", "--blocking-threads", "2"),
        *("--log-level", "warning", "config.wsgi:application"),
    ]
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        **(settings or {"DATABASE_URL": url_of_the_test_database()}),
    }
    process = subprocess.Popen(command, env=env, cwd=PROJECT, stdout=subprocess.DEVNULL)
    try:
        _wait_until_ready(process, port)
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    """Asks again and again; a refused connection returns at once, so it pauses a little."""
    pause = threading.Event()
    for _ in range(int(START_WITHIN / 0.05)):
        assert process.poll() is None, "the server has ended"
        with_answer = HTTPConnection(HOST, port, timeout=5)
        try:
            with_answer.request("GET", "/readyz")
            if with_answer.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            pause.wait(0.05)
        finally:
            with_answer.close()
    raise AssertionError("the server does not become ready")


class RawConnection:
    """One TCP connection, to send what no client library would."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=30)
        self._reader = self._socket.makefile("rb")

    def __enter__(self) -> "RawConnection":
        return self

    def __exit__(self, *_: Any) -> None:
        self._reader.close()
        self._socket.close()

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self._socket.sendall(part)

    def request(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> None:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode() + body)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers with lower-case names, body of the next answer."""
        status = int(self._reader.readline().split()[1])
        headers: dict[str, str] = {}
        while line := self._reader.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        length = 0 if status < 200 else int(headers.get("content-length", 0))
        return status, headers, self._reader.read(length)

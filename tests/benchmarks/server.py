"""The web server under measurement: production settings, a process of its own."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
    "SECRET_KEY": "benchmark-only-benchmark-only-benchmark-only-benchmark",
    "CREDENTIAL_PEPPERS": "1:benchmark-only-benchmark-only-benchmark-only",
    "ENCRYPTION_KEYS": "YmVuY2htYXJrLW9ubHktYmVuY2htYXJrLW9ubHktMTI=",
    "ALLOWED_HOSTS": "127.0.0.1",
    "EMAIL_URL": "dummymail://",
    "SECURE_SSL_REDIRECT": "false",
}
WORKERS, THREADS = 2, 2


@dataclass(frozen=True)
class Server:
    port: int
    process: subprocess.Popen[bytes]

    def request(
        self, method: str, path: str, key: str, body: Any = None, content_type: str = ""
    ) -> http.client.HTTPResponse:
        """Send, and return the answer with its body unread. `body` is bytes, or becomes JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"x-api-key": key, "Content-Type": content_type or "application/json"}
        connection.request(method, path, data, headers)
        return connection.getresponse()

    def json(self, method: str, path: str, key: str, body: Any = None) -> Any:
        response = self.request(method, path, key, body)
        answer = json.loads(response.read())
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {str(answer)[:500]}")
        return answer

    def peak_megabytes(self) -> float:
        """The highest resident memory that any of its processes ever had."""
        pids = [self.process.pid, *_children(self.process.pid)]
        return max(_peak(pid) for pid in pids) / 1024


# Counted as always, and out of reach.
LIMITS = {"API_RATE_LIMIT": "2000000000", "API_KEY_RATE_LIMIT": "1900000000"}
NO_LIMITS = {"API_RATE_LIMIT": "0", "API_KEY_RATE_LIMIT": "0"}


@contextlib.contextmanager
def running_server(limits: Mapping[str, str] = LIMITS) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", str(WORKERS)]
    command += ["--blocking-threads", str(THREADS), "config.wsgi:application"]
    environment = {**os.environ, **limits}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}/readyz")
            yield Server(port, process)
        finally:
            process.terminate()
            process.wait(20)


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def _peak(pid: int) -> int:
    """Kilobytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


os.environ.update(SETTINGS)  # Django reads the environment when it is first imported

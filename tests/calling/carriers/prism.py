"""A carrier that we did not write: a mock server made by Prism from a carrier's OpenAPI description.

It answers with the description's examples, and refuses (422) what the description does not allow.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.config.server import HOST, PROJECT, free_port

CLI = "@stoplight/prism-cli"
VERSION = "5.14.2"  # the last one for Node.js 20
FORM = "application/x-www-form-urlencoded"
START_WITHIN = 30.0  # seconds
INSTALL_WITHIN = 240.0
REFUSED = 422


def twilio_description() -> Path:
    """Twilio publishes it, and it is not part of this project. Skips the test without it."""
    path = os.environ.get("TWILIO_OPENAPI", "")
    if not path:
        pytest.skip("TWILIO_OPENAPI does not name Twilio's OpenAPI description")
    return Path(path)


@contextmanager
def prism(description: Path) -> Iterator[str]:
    """The URL of a mock server for the (JSON) description. Skips the test without npm."""
    program = _installed()
    with tempfile.TemporaryDirectory(prefix="prism-") as folder:
        plain = Path(folder, "openapi.json")
        plain.write_text(json.dumps(_with_form_encodings(json.loads(description.read_text()))))
        port, log = free_port(), Path(folder, "prism.log")
        command = [str(program), "mock", "-h", HOST, "-p", str(port), str(plain)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            _wait_until_ready(process, port, log)
            yield f"http://{HOST}:{port}"
        finally:
            _end(process)


def _installed() -> Path:
    folder = PROJECT / ".pytest_cache" / "d" / f"prism-cli-{VERSION}"
    program = folder / "node_modules" / ".bin" / "prism"
    if program.exists():
        return program
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm, which installs Prism, is not there")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as parent:
        unfinished = Path(parent, "cli")
        quietly = ["--no-audit", "--no-fund", "--ignore-scripts"]
        command = [npm, "install", "--prefix", str(unfinished), *quietly, f"{CLI}@{VERSION}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=INSTALL_WITHIN)
        unfinished.rename(folder)
    return program


def _with_form_encodings(description: dict[str, Any]) -> dict[str, Any]:
    """Says of each list in a form that its name is repeated, which OpenAPI takes for granted.

    Prism does not (its issue 2473): it refuses repeated names where the description is silent.
    """
    operations = [
        operation
        for path in description["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
    ]
    for operation in operations:
        form = operation.get("requestBody", {}).get("content", {}).get(FORM, {})
        for name, schema in form.get("schema", {}).get("properties", {}).items():
            if schema.get("type") == "array":
                form.setdefault("encoding", {})[name] = {"style": "form", "explode": True}
    return description


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up = time.monotonic() + START_WITHIN
    while time.monotonic() < give_up:
        assert process.poll() is None, f"Prism has ended: {log.read_text()}"
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"Prism does not become ready: {log.read_text()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

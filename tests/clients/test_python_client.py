"""The generated Python client, used as a customer would: against the whole running stack."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.clients.generate import HERE, PROJECT, python_client
from tests.local.running_stack import RunningStack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
SAMPLE = HERE / "sample.py"


@pytest.fixture
def stack(tmp_path: Path) -> RunningStack:
    return RunningStack(tmp_path / "data", variables={"SIMULATOR_TIME_SCALE": "0.02"})


def test_a_batch_from_its_creation_to_its_export(stack: RunningStack, tmp_path: Path) -> None:
    """The client is made of what the server serves. It has types enough for mypy to be strict."""
    with stack:
        stack.wait_ready()
        document = tmp_path / "openapi.yaml"
        address = f"http://127.0.0.1:{stack.port}"
        document.write_bytes(urllib.request.urlopen(f"{address}/api/schema").read())
        client = python_client(document, tmp_path / "client")
        checked = _python(client, "-m", "mypy", "--strict", "--config-file=", str(SAMPLE))
        assert checked.returncode == 0, checked.stdout

        demo = json.loads((stack.data / "demo.json").read_text())["workspaces"][0]
        arguments = [address, demo["apiKey"], demo["userId"], demo["phoneIds"][0]]
        played = _python(client, str(SAMPLE), *arguments)
        assert played.returncode == 0, played.stderr
        stack.stop()
    lines = played.stdout.splitlines()
    assert sorted(lines[:3]) == [
        "12125550104 failed not in service 1",
        "12125550105 completed busy, then answered 2",
        "12125550123 completed answered 1",
    ]
    header, *rows = lines[3:]
    assert {"phoneNumber", "externalId", "account_id"} <= set(header.split(","))
    assert len(rows) == 3


def _python(client: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Away from the project: nothing but the client is at hand, as at a customer's."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=client,
        env={"PATH": os.environ["PATH"], "MYPYPATH": str(client), "PYTHONPATH": str(client)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_folder_of_the_clients_is_no_part_of_the_project() -> None:
    ignored = (PROJECT / ".gitignore").read_text().splitlines()
    assert "build/" in ignored

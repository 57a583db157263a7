"""What README and `make run` print works as printed."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.local.running_stack import PROJECT, RunningStack

pytestmark = pytest.mark.slow


def answers(commands: str, folder: Path) -> list[dict[str, Any]]:
    """The JSON answers of a shell block, one after the other."""
    shell = subprocess.run(
        ["bash", "-eu", "-c", commands], cwd=folder, capture_output=True, text=True, check=True
    )
    decoder, text, found = json.JSONDecoder(), shell.stdout.strip(), []
    while text:
        answer, end = decoder.raw_decode(text)
        found.append(answer)
        text = text[end:].lstrip()
    return found


def test_the_printed_commands_work(tmp_path: Path) -> None:
    readme = (PROJECT / "README.md").read_text()
    blocks = re.findall(r"<!-- run by tests/test_readme.py.*?```sh\n(.*?)```", readme, re.DOTALL)
    with RunningStack(tmp_path / ".data") as stack:
        stack.wait_ready()
        pasted = stack.output().partition("Create a batch:")[2].replace("List the batches:", "\n")
        created, listed = answers(pasted.replace("Stop with Ctrl-C.", ""), tmp_path)
        assert (created["code"], listed["code"]) == (201, 200)
        assert listed["data"]["batches"][0]["_id"] == created["data"]

        created, listed, added, started, details = answers("".join(blocks), tmp_path)

    assert [answer["code"] for answer in (created, listed, added, started, details)] == [
        *(201, 200, 200, 200, 200)
    ]
    assert added["data"]["added"] == details["data"]["total"] == 2
    assert details["data"]["batchId"] == started["data"]["batchId"] == created["data"]
    assert details["data"]["batchStatus"] == "active"

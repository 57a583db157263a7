"""What docs/guide.md has people type works as printed, one block after the other."""

import csv
import re
import subprocess
from pathlib import Path

import pytest

from tests.local.running_stack import PROJECT, RunningStack, environment, free_port

GUIDE = (PROJECT / "docs/guide.md").read_text()
TYPED = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_the_guide_leads_to_a_finished_batch_and_a_webhook(tmp_path: Path) -> None:
    with RunningStack(tmp_path / ".data") as stack:
        stack.wait_ready()
        shell = subprocess.run(
            ["bash", "-eu", "-o", "pipefail"],
            input="\n".join(TYPED),
            cwd=tmp_path,
            env=environment(HOOK_PORT=str(free_port())),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    assert shell.returncode == 0, shell.stdout + shell.stderr

    with (tmp_path / "calls.csv").open(newline="") as exported:
        rows = {row["phoneNumber"]: row for row in csv.DictReader(exported)}
    outcomes = {number: (row["callStatus"], row["attempts"]) for number, row in rows.items()}
    assert outcomes == {
        "12125550223": ("completed", "1"),
        "12125550205": ("completed", "2"),
        "12125550204": ("failed", "1"),
    }
    told = [line.split()[1] for line in (tmp_path / "events.log").read_text().splitlines()]
    assert sorted(told) == ["batch.completed", "call.completed"]

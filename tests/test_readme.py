"""What README and `make run` print works as printed; the pages on settings and the dialer are true."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from batches.dialer import claim, database, loop, steps
from batches.models import EventReason
from calling import limiter
from calling.carriers.simulator import ledger
from calling.carriers.simulator.script import SCRIPTS
from calling.tasks import KEEP_SIMULATED_CALLS
from config.checks import SHORTEST_STOP
from config.local.stack import DIALER_STOP_SECONDS
from tests.local.running_stack import PROJECT, RunningStack

DIALER = (PROJECT / "docs/dialer.md").read_text()
SETTINGS = "".join(path.read_text() for path in (PROJECT / "config/settings").glob("*.py"))
EXAMPLE = (PROJECT / ".env.example").read_text()


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


@pytest.mark.slow
def test_the_printed_commands_work(tmp_path: Path) -> None:
    readme = (PROJECT / "README.md").read_text()
    blocks = re.findall(r"<!-- run by tests/test_readme.py.*?```sh\n(.*?)```", readme, re.DOTALL)
    with RunningStack(tmp_path / ".data") as stack:
        stack.wait_ready()
        commands = re.findall(r"^curl .*?^$", stack.output(), re.DOTALL | re.MULTILINE)
        created, listed = answers("\n".join(commands), tmp_path)
        assert (created["code"], listed["code"]) == (201, 200)
        assert listed["data"]["batches"][0]["_id"] == created["data"]

        created, listed, added, started, preflight, *ringing = answers("".join(blocks), tmp_path)
        added_and_started, statistics, details = ringing

    codes = [answer["code"] for answer in (created, listed, added, started, preflight, *ringing)]
    assert codes == [201, *(200,) * 7]
    assert added["data"]["added"] == 2
    assert started["data"]["batchId"] == created["data"]
    assert preflight["data"]["batchId"] == created["data"]

    assert added_and_started["data"]["added"] == 3
    assert statistics["data"]["batchStatus"] == "completed"
    assert statistics["data"]["attempts"] == 4
    assert statistics["data"]["callsPicked"] == 2
    rang = {
        call["phoneNumber"]: [log["callStatus"] for log in call["phoneLogs"]]
        for call in details["data"]["data"]
    }
    assert rang == {
        "12125550123": ["completed"],
        "12125550105": ["busy", "completed"],
        "12125550104": ["failed"],
    }


# --- Pages that tell numbers and names of the code ------------------------------------------------


def table(heading: str) -> list[list[str]]:
    """The rows of the last table of a chapter of docs/dialer.md."""
    chapter = re.split(r"^## ", DIALER.partition(f"\n## {heading}\n")[2], flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| (.*) \|$", chapter, re.MULTILINE)
    return [[cell.strip(" `") for cell in row.split(" | ")] for row in rows[1:]]


def defaults() -> dict[str, list[float]]:
    """The defaults of the dialer's settings, as numbers."""
    base = (PROJECT / "config/settings/base.py").read_text()
    found = re.findall(
        r'env\.(?:float|list)\(\s*"(\w+)",(?: cast=float,)? default=([^)]+?)\s*\)', base
    )
    return {
        name: [float(number) for number in re.findall(r"[\d.]+", default)]
        for name, default in found
        if name != "CSRF_TRUSTED_ORIGINS"
    }


def test_the_example_of_settings_has_all_there_are() -> None:
    read = set(re.findall(r'(?:env\.\w+|numbered_secrets|networks)\(\s*"([A-Z_]+)"', SETTINGS))
    read |= {"ENCRYPTION_KEYS", "EMAIL_URL", "DATABASE_URL"}
    shown = set(re.findall(r"^(?:# )?([A-Z_]+)=", EXAMPLE, re.MULTILINE))
    assert shown == read | {"POSTGRES_PASSWORD", "PORT", "DATA_DIR"}


def test_the_settings_of_the_dialer_are_told_with_their_defaults() -> None:
    told = {name: default for name, default, *_ in table("Settings")}
    shown = dict(re.findall(r"^# (\w+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert set(told) == {"PUBLIC_BASE_URL", *defaults()}
    for name, default in defaults().items():
        assert [float(number) for number in told[name].split(",")] == default
        assert [float(number) for number in shown[name].split(",")] == default
    under_make_run = {name: value for name, _, value, *_ in table("Settings")}
    assert float(under_make_run["DIALER_STOP_SECONDS"]) == DIALER_STOP_SECONDS


def test_every_ending_and_every_word_of_the_timeline_is_told() -> None:
    assert [row[0] for row in table("The simulator")] == [*SCRIPTS, "any other"]
    assert [row[0] for row in table("The timeline's words")] == EventReason.values


def test_the_numbers_told_of_the_dialer_are_those_of_the_code() -> None:
    """Change docs/dialer.md with them."""
    assert steps.POLL_EVERY.total_seconds() == 5
    assert claim.LOOK_EVERY.total_seconds() == 60
    assert (claim.BUSY_AGAIN.total_seconds(), claim.LINE_AGAIN.total_seconds()) == (15, 5)
    assert (database.FIRST_DELAY, database.LONGEST_DELAY) == (0.2, 5)
    assert (loop.CLAIM_SIZE, loop.CAPACITY, loop.LOOK_EVERY) == (200, 600, 1)
    assert (loop.LOCK_TIMEOUT, loop.TO_RECORD) == ("2s", SHORTEST_STOP)
    assert limiter.HORIZON.total_seconds() == 5
    assert (ledger.RETRIES, KEEP_SIMULATED_CALLS.days) == (5, 7)

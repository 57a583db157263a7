"""`make demo-batch` against a running stack: what is shown, and what becomes of the calls."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.local.demo_batch.contacts import (
    ANSWERED,
    DECK_SIZE,
    ENDINGS,
    LISTED,
    MOST_CONTACTS,
    make_contacts,
)
from config.local.demo_batch.progress import Progress, Sight
from tests.local.running_stack import PROJECT, RunningStack, environment, free_port, wait_until

DEMO = [sys.executable, "-m", "config.local.demo_batch"]
FAST = {
    "SIMULATOR_TIME_SCALE": "0.2",
    "CALLBACK_PATIENCE_SECONDS": "2",
    "UNSURE_LOOKUP_SECONDS": "0,1,2",
    "DIALER_LEASE_SECONDS": "4",
}


def play(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEMO, *arguments],
        cwd=PROJECT,
        env=environment(DATA_DIR=str(data)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def api(data: Path, path: str) -> Any:
    demo = json.loads((data / "demo.json").read_text())
    key = demo["workspaces"][0]["apiKey"]
    request = urllib.request.Request(demo["baseUrl"] + path, headers={"x-api-key": key})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)["data"]


# --- Without a stack ------------------------------------------------------------------------------


def test_without_a_stack_it_says_so_in_one_line(tmp_path: Path) -> None:
    done = play(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"outdial: there is no {tmp_path}/demo.json: start the stack with `make run`, then try again\n"
    )


def test_when_the_stack_was_stopped_it_says_so_in_one_line(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    workspace = {"apiKey": "odk_live_x", "userId": "u", "phoneIds": ["p"]}
    demo = json.dumps({"baseUrl": url, "workspaces": [workspace]})
    (tmp_path / "demo.json").write_text(demo)
    done = play(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"outdial: nothing answers at {url}: start the stack with `make run`, then try again\n"
    )


def test_a_broken_file_of_credentials_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text('{"baseUrl": "http://127.0.0.1", "workspaces": []}')
    done = play(tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"outdial: cannot read {tmp_path}/demo.json: `make run` writes it anew\n"


@pytest.mark.parametrize("count", [1, 12, 150, MOST_CONTACTS])
def test_contacts_are_different_and_mixed(count: int) -> None:
    contacts = make_contacts(count)
    assert len({one.number for one in contacts}) == count
    endings = [one.ending for one in contacts]
    assert endings.count(LISTED) == (count >= len(ENDINGS))
    assert count < DECK_SIZE or set(endings) == set(ENDINGS)
    for one in contacts:
        assert re.fullmatch(r"1[2-9]\d\d555\d{4}", one.number)
        if one.ending in (ANSWERED, LISTED):
            assert int(one.number[-2:]) > 10
        else:
            assert one.number.endswith(one.ending)


def test_the_pace_is_that_of_the_last_seconds() -> None:
    progress = Progress()

    def see(at: float, attempts: int, done: int) -> None:
        calls = {"completed": done, "pending": 100 - done, "in-progress": 0}
        statistics = {"totalCalls": 100, "calls": calls, "attempts": attempts}
        progress.add(Sight(at, statistics, []))

    see(0, 0, 0)
    assert (progress.calls_a_second, progress.seconds_left) == (0, None)
    for second in range(1, 31):
        see(second, attempts=min(second * 4, 80), done=min(second * 2, 40))
        assert not progress.stands_still(3) or second >= 23
    assert progress.stands_still(3)
    assert progress.calls_a_second == 0
    assert progress.seconds_left == pytest.approx(60 / (10 / 15))  # 40 now, 30 fifteen seconds ago


# --- With one -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    data = tmp_path_factory.mktemp("demo") / "data"
    with RunningStack(data, variables=FAST) as running:
        yield running.wait_ready()
        assert running.stop() < 10


def of_a_stack(test: Any) -> Any:
    return pytest.mark.slow(pytest.mark.timeout(120)(test))


@of_a_stack
def test_every_ending_does_what_its_number_says(stack: RunningStack) -> None:
    done = play(stack.data, "--contacts", "50", "--delay", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert re.search(r"^ +\d+ s  50 of 50 done .* 1 skipped", done.stdout, re.MULTILINE)
    ended = {
        line.split()[0]: re.split(r"  +", line.strip())[-3:]
        for line in done.stdout.splitlines()
        if re.match(r" (\d\d|any other|listed) ", line)
    }
    assert ended == {
        "01": ["3", "6", "failed 3"],
        "02": ["4", "8", "failed 4"],
        "03": ["2", "4", "failed 2"],
        "04": ["2", "2", "failed 2"],
        "05": ["3", "6", "completed 3"],
        "06": ["1", "1", "completed 1"],
        "07": ["2", "2", "completed 2"],
        "08": ["1", "1", "completed 1"],
        "09": ["1", "1", "unknown 1"],
        "10": ["1", "1", "completed 1"],
        "any": ["29", "29", "completed 29"],
        "listed": ["1", "0", "skipped 1"],
    }
    assert "The batch is completed after" in done.stdout
    assert "50 contacts, 61 calls, 37 contacts reached." in done.stdout
    assert api(stack.data, "/api/dnc/list")["dncList"] == [], "it takes its number off again"


@of_a_stack
def test_a_killed_dialer_loses_no_call_and_rings_nobody_twice(stack: RunningStack) -> None:
    demo = subprocess.Popen(
        [*DEMO, "--contacts", "100", "--retry", "0"],
        cwd=PROJECT,
        env=environment(DATA_DIR=str(stack.data)),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    try:
        for line in demo.stdout:
            if re.search(r"[1-9]\d* in-progress", line):
                break
        [dialer] = stack.processes("run_dialer")
        os.kill(dialer, signal.SIGKILL)
        output = demo.communicate(timeout=90)[0]
    finally:
        demo.kill()
    assert demo.returncode == 0, output
    assert "100 contacts, 99 calls" in output


@of_a_stack
def test_in_a_terminal_it_is_drawn_and_ctrl_c_stops_the_batch(stack: RunningStack) -> None:
    seen = bytearray()
    with in_terminal(stack.data, "--contacts", "500") as (demo, terminal):
        wait_until(lambda: read(terminal, seen) and "█" in text(seen), 20, "a bar that grows")
        demo.send_signal(signal.SIGINT)
        wait_until(lambda: not read(terminal, seen), 10, "the end")
        assert demo.wait(5) == 130
    assert "last outcomes" in text(seen)
    assert "calls a second" in text(seen)
    stopped = re.search(r"Stopped batch ([0-9a-f]{24})", text(seen))
    assert stopped, text(seen)
    details = api(stack.data, f"/api/call/batch-stats/{stopped[1]}")
    assert details["batchStatus"] == "stopped"
    assert details["calls"]["pending"] > 0
    assert api(stack.data, "/api/dnc/list")["dncList"] == []


@contextlib.contextmanager
def in_terminal(data: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The demo with a terminal, and our end of it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 110, 0, 0))
    demo = subprocess.Popen(
        [*DEMO, *arguments],
        cwd=PROJECT,
        env=environment(DATA_DIR=str(data), TERM="xterm-256color", PYTHONUTF8="1"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        yield demo, ours
    finally:
        demo.kill()
        demo.wait()
        os.close(ours)


def read(terminal: int, seen: bytearray) -> bool:
    """Take what there is. False: the program has ended."""
    if not select.select([terminal], [], [], 0)[0]:
        return True
    try:
        block = os.read(terminal, 65536)
    except OSError:  # as Linux tells it
        return False
    seen += block
    return bool(block)


def text(seen: bytearray) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode(errors="replace")).replace("\r", "")

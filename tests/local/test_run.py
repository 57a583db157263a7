"""`make run` as a person meets it: real processes, real signals."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.local.running_stack import RunningStack, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all tests here: each finds a prepared database, whatever the last one did to
    it. Its path needs quoting and is too long for a socket."""
    folder = tmp_path_factory.mktemp("it's a folder ", numbered=True)
    return folder / ("long " * 20).strip() / "data"


@pytest.fixture
def stack(data: Path) -> RunningStack:
    data.parent.mkdir(parents=True, exist_ok=True)
    return RunningStack(data)


def test_the_printed_commands_work_and_sigterm_ends_everything(stack: RunningStack) -> None:
    with stack:
        stack.wait_ready()
        assert stack.answers()
        assert len(stack.processes("run_dialer")) == len(stack.processes("procrastinate")) == 1
        commands = re.findall(r"^curl .*?^$", stack.output(), re.DOTALL | re.MULTILINE)
        assert len(commands) == 2
        if shutil.which("curl"):
            created, listed = (paste(command) for command in commands)
            assert '"code":201' in created
            assert '"totalPages":1' in listed
        assert stack.stop() < 10
        assert stack.process.returncode == 0
        assert "dialer.stopped" in stack.output()
        assert "was killed" not in stack.output()
        assert "Traceback" not in stack.output()


def paste(command: str) -> str:
    """What a shell makes of a command that was printed for people to paste."""
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("delay", [0.3, 0.9, 2.0])
def test_a_stop_during_the_start_ends_cleanly(tmp_path: Path, delay: float) -> None:
    with RunningStack(tmp_path / "data") as stack:
        time.sleep(delay)
        assert stack.stop(signal.SIGINT) < 10
        # The signal itself: it came before the launcher could take note of any.
        assert stack.process.returncode in (0, -signal.SIGINT)
        assert "Traceback" not in stack.output()


@pytest.mark.parametrize("command", ["granian", "run_dialer", "procrastinate", "postgres\0-D"])
def test_a_killed_child_comes_back(stack: RunningStack, command: str) -> None:
    with stack:
        stack.wait_ready()
        killed = stack.processes(command)
        os.kill(min(killed), signal.SIGKILL)  # granian starts a process of its own: the second
        wait_until(lambda: stack.processes(command) - killed, 10, f"a new {command}")
        wait_until(lambda: not stack.processes(command) & killed, 10, f"no old {command}")
        wait_until(stack.answers, 20, "an answer")
        assert len(re.findall("starting it again", stack.output())) == 1
        assert stack.stop() < 10


def test_a_killed_launcher_leaves_no_orphan_and_the_next_start_is_clean(data: Path) -> None:
    data.parent.mkdir(parents=True, exist_ok=True)
    with RunningStack(data) as stack:
        stack.wait_ready()
        stack.process.kill()
        stack.process.wait()
        with RunningStack(data) as next_stack:  # while the old server may still be shutting down
            next_stack.wait_ready()
            assert next_stack.stop() < 10


def test_after_kill_9_of_everything_the_next_start_is_clean(data: Path) -> None:
    data.parent.mkdir(parents=True, exist_ok=True)
    with RunningStack(data) as stack:
        stack.wait_ready()
        (data / "run.lock").write_text(f"{os.getpid()}\n")  # a number that means somebody else
    with RunningStack(data) as next_stack:
        next_stack.wait_ready()
        assert next_stack.stop() < 10


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_stack_goes_with_its_make(data: Path, tmp_path: Path, number: int) -> None:
    """SIGINT to make alone, too, of which make says nothing to its children."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make here")
    makefile = tmp_path / "Makefile"
    recipe = f'@exec "{sys.executable}" -m config.local run --with-parent $$PPID'
    makefile.write_text(f"run:\n\t{recipe}\n")
    data.parent.mkdir(parents=True, exist_ok=True)
    with RunningStack(data, [make, "-f", str(makefile), "run"]) as stack:
        stack.wait_ready()
        assert stack.stop(number) < 10

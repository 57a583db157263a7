"""The throw-away database of the tests, itself."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import environ
import psycopg
import pytest

from tests.local.running_stack import LAUNCHER, PROJECT, environment, wait_until


@pytest.fixture
def short() -> Iterator[Path]:
    """Short enough that the launcher takes it for its temporary files; pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="it's "))
    yield folder
    shutil.rmtree(folder)


def start(command: list[str], **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*LAUNCHER, "with-postgres", "--", *command],
        cwd=PROJECT,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_the_command_gets_a_database_and_its_exit_code_is_ours(short: Path) -> None:
    script = '"$PG_BIN/psql" -d "$DATABASE_URL" -Atc "CREATE DATABASE x" -c "SELECT 42"; exit 7'
    for_another_server = {"PGPORT": "1", "PGOPTIONS": "nonsense"}
    with start(["sh", "-c", script], TMPDIR=str(short), **for_another_server) as run:
        assert run.communicate()[0].split() == ["CREATE", "DATABASE", "42"]
    assert run.returncode == 7
    assert list(short.iterdir()) == []


def test_a_given_database_is_used_as_it_is() -> None:
    with start(["sh", "-c", 'echo "$DATABASE_URL"'], DATABASE_URL="postgresql://given/") as run:
        assert run.communicate()[0] == "postgresql://given/\n"


def test_an_unknown_command_is_told_in_one_line() -> None:
    done = subprocess.run(
        [*LAUNCHER, "with-postgres", "--", "no-such-program"],
        cwd=PROJECT,
        env=environment(DATABASE_URL="postgresql://given/"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "outdial: cannot run no-such-program: No such file or directory\n"


def test_libpq_and_django_read_the_same_database_from_our_url() -> None:
    """A socket folder in the place of the host would come out of django-environ in lower case."""
    url = "postgresql://outdial@/outdial?host=%2Ftmp%2FOutdial%20x"
    for_libpq = psycopg.conninfo.conninfo_to_dict(url)
    for_django = environ.Env.db_url_config(url)
    assert for_django["OPTIONS"]["host"] == for_libpq["host"] == "/tmp/Outdial x"
    assert (for_django["HOST"], for_django["PORT"]) == ("", "")
    assert (for_django["USER"], for_django["NAME"]) == ("outdial", "outdial")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_command_and_all_is_cleaned_up(short: Path, number: int) -> None:
    script = "trap 'echo told; exit 3' TERM INT; echo ready; while :; do sleep 0.05; done"
    with start(["sh", "-c", script], TMPDIR=str(short)) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
        run.send_signal(number)
        assert run.communicate(timeout=10)[0] == "told\n"
    assert run.returncode == 3
    assert list(short.iterdir()) == []


@pytest.mark.slow
def test_kill_9_leaves_no_process_and_the_next_run_sweeps_the_folder(short: Path) -> None:
    mark = os.fsencode(f"TMPDIR={short}")

    def processes() -> list[str]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_text())
            except OSError:
                continue
        return found

    with start(["sh", "-c", "echo ready; exec sleep 60"], TMPDIR=str(short)) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
        run.kill()
    wait_until(lambda: not processes(), 5, "no process left")
    assert len(list(short.iterdir())) == 1
    with start(["true"], TMPDIR=str(short)) as run:
        pass
    assert run.returncode == 0
    assert list(short.iterdir()) == []

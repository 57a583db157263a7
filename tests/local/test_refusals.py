"""What `run` refuses: one clear line on stderr, no traceback, no password."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
from pathlib import Path

import pytest

from config.local.database import check_database
from config.local.place import Place
from config.local.process import StackError
from tests.local.running_stack import LAUNCHER, PROJECT, environment, free_port


def refusal(data: Path, **variables: str) -> str:
    variables = {"DATA_DIR": str(data), "PORT": str(free_port())} | variables
    done = subprocess.run(
        [*LAUNCHER, "run"],
        cwd=PROJECT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_second_run_in_the_same_folder(tmp_path: Path) -> None:
    with (tmp_path / "run.lock").open("w") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "already running" in (line := refusal(tmp_path))
    assert "process 4711" in line


def test_a_taken_port(tmp_path: Path) -> None:
    with socket.socket() as other:
        # As granian does: without a look of our own, both would get requests.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("0.0.0.0", 0))  # noqa: S104
        other.listen()
        port = str(other.getsockname()[1])
        assert f"port {port}: Address already in use" in refusal(tmp_path, PORT=port)


def test_a_data_dir_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is not a folder" in refusal(tmp_path / "file")


def test_a_data_dir_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    folder = Path("/proc/outdial") if os.geteuid() == 0 else tmp_path / "data"
    assert "cannot write in DATA_DIR" in refusal(folder)


def test_a_folder_of_something_else_where_the_database_should_be(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    assert "is not a PostgreSQL data folder" in refusal(tmp_path)


def test_a_dead_database(tmp_path: Path) -> None:
    url = f"postgresql://someone:open-sesame@127.0.0.1:{free_port()}/outdial"
    line = refusal(tmp_path, DATABASE_URL=url)
    assert "cannot connect to DATABASE_URL (someone@127.0.0.1/outdial)" in line
    assert "open-sesame" not in line


@pytest.mark.parametrize(
    "url",
    [
        "open-sesame",
        "sqlite:///open-sesame",
        "host=localhost password=open-sesame",
        "postgresql://someone:mar@open-sesame@localhost/outdial",
        "postgresql://someone:mar/open-sesame@localhost/outdial",
        "postgresql://someone:12/open-sesame@localhost/outdial",
        "postgresql://someone:12?open-sesame@localhost/outdial",
        "postgresql://someone:12#open-sesame@localhost/outdial",
        "postgresql://someone:%zz-open-sesame@localhost/outdial",
        "postgresql://[open-sesame/outdial",
    ],
)
def test_a_malformed_database_url_is_not_shown(url: str) -> None:
    with pytest.raises(StackError) as refused:
        check_database(url)
    assert "must read postgresql://user:password@host:port/name" in str(refused.value)
    assert "open-sesame" not in str(refused.value)


@pytest.mark.parametrize("port", ["0", "65536", "eight", "-1", "8000.0", "²"])
def test_a_port_that_is_none(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("PORT", port)
    with pytest.raises(StackError, match="PORT must be a number"):
        Place.from_environment(Path())

"""The limit of createBatch: its own statements, sent by pgbench."""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import django
from psycopg import sql

django.setup()

from django.core.management import call_command  # noqa: E402 (models need the set-up above)
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from batches.services.batches import BatchSettings, create_batch  # noqa: E402
from calling.models import PhoneNumber  # noqa: E402
from config.demo import seed  # noqa: E402
from tests.benchmarks.http_load import Load  # noqa: E402
from workspaces.callers import Actor, CredentialKind  # noqa: E402
from workspaces.credentials import CredentialPrefix, public_id_of  # noqa: E402
from workspaces.ids import is_object_id  # noqa: E402
from workspaces.lookups import find_credential  # noqa: E402


def prepare() -> dict[str, Any]:
    """Tables, and the first demo workspace with its credentials."""
    call_command("migrate", verbosity=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "demo.json"
        demo = seed(path=path, base_url="http://127.0.0.1", now=timezone.now())
    return dict(demo["workspaces"][0])


def pgbench_script(demo: dict[str, Any]) -> str:
    """The statements of createBatch, recorded while they run.

    Ids of new rows become expressions over a random number, so that every transaction has its own.
    """
    recorder = _Recorder()
    with connection.execute_wrapper(recorder):
        create_one_batch(demo)
    literals = _Literals(demo)
    lines = [literals.inline(*sent) for sent in recorder.sent]
    return "\n".join(["\\set id random(1, 9000000000000000000)", *lines, ""])


def pgbench(script: str, folder: Path, *, clients: int, seconds: int) -> Load:
    """Run the script; the latencies come from pgbench's own log."""
    for old in folder.glob("log.*"):
        old.unlink()
    path = folder / "create_batch.sql"
    path.write_text(script)
    program = Path(os.environ["PG_BIN"]) / "pgbench"
    command = [str(program), "--no-vacuum", "--protocol=prepared", f"--file={path}", "--log"]
    command += [
        f"--log-prefix={folder}/log",
        f"--client={clients}",
        "--jobs=2",
        f"--time={seconds}",
    ]
    subprocess.run(
        [*command, os.environ["DATABASE_URL"]], check=True, stdout=subprocess.DEVNULL, cwd=folder
    )
    load = Load(seconds)
    for log in folder.glob("log.*"):
        # client, transaction, microseconds, …
        load.latencies += [int(line.split()[2]) / 1e6 for line in log.read_text().splitlines()]
    return load


class _Recorder:
    def __init__(self) -> None:
        self.sent: list[tuple[str, list[Any]]] = []

    def __call__(self, execute: Any, text: str, params: Any, many: bool, context: Any) -> Any:
        self.sent.append((text, list(params or [])))
        return execute(text, params, many, context)


def create_one_batch(demo: dict[str, Any]) -> None:
    """What a request does to the database."""
    public_id = public_id_of(demo["apiKey"], CredentialPrefix.API_KEY) or ""
    now = timezone.now()
    assert find_credential(CredentialPrefix.API_KEY, public_id, now=now, last_touch=now)
    assert PhoneNumber.objects.active_ids(demo["workspaceId"], demo["phoneIds"])
    actor = Actor(demo["userId"], CredentialKind.API_KEY, public_id, "127.0.0.1", "f" * 32)
    settings = BatchSettings(
        name="API Campaign May 2025", phone_ids=demo["phoneIds"], timezone="America/New_York"
    )
    create_batch(
        workspace_id=demo["workspaceId"],
        user_id=demo["userId"],
        settings=settings,
        actor=actor,
        now=now,
    )


class _Literals:
    """Parameters written into the text; an id that is not of the demo is a new row's."""

    def __init__(self, demo: dict[str, Any]) -> None:
        old = [demo["workspaceId"], demo["userId"], *demo["phoneIds"]]
        self.old = {bytes.fromhex(id_) for id_ in old}
        self.fresh: dict[bytes, str] = {}

    def inline(self, statement: str, params: list[Any]) -> str:
        text, *rest = " ".join(statement.split()).split("%s")
        for param, part in zip(params, rest, strict=True):
            text += self.literal(param) + part
        return f"{text};"

    def literal(self, value: Any) -> str:
        if isinstance(value, str) and value.startswith('{"\\\\x'):  # an array of ids
            ids = [bytes.fromhex(item) for item in re.findall("[0-9a-f]{24}", value)]
            return f"ARRAY[{', '.join(map(self.literal, ids))}]"
        if isinstance(value, bytes) and len(value) == 12 and value not in self.old:
            return self.fresh.setdefault(value, f"(int4send({len(self.fresh)}) || int8send(:id))")
        if isinstance(value, str) and is_object_id(value):
            return f"encode({self.literal(bytes.fromhex(value))}, 'hex')"
        return sql.Literal(value).as_string(connection.connection)

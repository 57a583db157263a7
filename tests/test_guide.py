"""What docs/guide.md has people type works as printed; what the pages beside it tell is true."""

import csv
import json
import re
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from inspect import signature
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.utils import timezone
from standardwebhooks import WebhookVerificationError

from batches.api import streams
from batches.api.contact_schema import MOST_RECORDS
from batches.api.serializers.batches import MAX_NUMBERS
from batches.api.serializers.contacts import LARGEST_FILE
from batches.api.serializers.dialing import MOST_CANCELLED
from batches.imports import capacity
from batches.imports.external_ids import LONGEST_EXTERNAL_ID
from batches.imports.loading import FEW
from batches.imports.reading import open_sheet
from batches.imports.records import LARGEST_RECORD, LONGEST_NAME
from batches.models import MAX_DELAY, MAX_RETRY
from batches.tasks import KEEP_ERROR_ROWS
from tests import routes
from tests.local.running_stack import PROJECT, RunningStack, environment, free_port
from workspaces.api.endpoint import MEGABYTE
from workspaces.api.events import MOST_EVENTS
from workspaces.models import Event, EventType, IdempotentRequest
from workspaces.services.webhooks import MOST_WEBHOOKS, OLD_SECRET_LIVES, new_secret
from workspaces.webhooks.queue import PER_ENDPOINT
from workspaces.webhooks.schedule import DELAYS, LONGEST_REST
from workspaces.webhooks.sending import ANSWER_WITHIN, Message, headers_of

PAGES = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")])
GUIDE = (PROJECT / "docs/guide.md").read_text()
WEBHOOKS = (PROJECT / "docs/webhooks.md").read_text()
MIGRATION = (PROJECT / "docs/migration.md").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which `make run` was started, with its `.data`."""
    path = tmp_path_factory.mktemp("checkout")
    with RunningStack(path / ".data") as stack:
        stack.wait_ready()
        yield path


def typed(page: str, folder: Path, **variables: str) -> str:
    """What the shell blocks of a page print, typed one after the other."""
    shell = subprocess.run(
        ["bash", "-eu", "-o", "pipefail"],
        input="\n".join(blocks(page, "sh")),
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert shell.returncode == 0, shell.stdout + shell.stderr
    return shell.stdout


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_the_guide_leads_to_a_finished_batch_and_a_webhook(folder: Path) -> None:
    output = typed(GUIDE, folder, HOOK_PORT=str(free_port()))
    with (folder / "calls.csv").open(newline="") as exported:
        rows = {row["phoneNumber"]: row for row in csv.DictReader(exported)}
    outcomes = {number: (row["callStatus"], row["attempts"]) for number, row in rows.items()}
    assert outcomes == {
        "12125550223": ("completed", "1"),
        "12125550205": ("completed", "2"),
        "12125550204": ("failed", "1"),
    }
    told = [line.split()[1] for line in (folder / "events.log").read_text().splitlines()]
    assert sorted(told) == ["batch.completed", "call.completed"]
    first, again = re.findall(r"^(.*Batch created.*)$", output, re.MULTILINE)
    assert first == again
    assert output.lower().count("idempotency-replayed: true") == 1
    assert '"retry":2' in output
    assert '"code":412' in output


@pytest.mark.slow
def test_the_script_shown_moves_the_list_and_the_pending_contacts(folder: Path) -> None:
    demo = json.loads((folder / ".data/demo.json").read_text())
    old, new = (Side(demo["baseUrl"], workspace) for workspace in demo["workspaces"])
    listed = "".join(f"1212555{number},asked\n" for number in range(1000, 1101))
    old.upload("/api/dnc/import", f"phoneNumber,type\n{listed}")
    batches = [side.new_batch() for side in (old, new)]
    contacts = [{**CONTACT, "phoneNumber": f"1310555{number}"} for number in range(1000, 1103)]
    old.ask("/api/call/addCallsToBatch", {"batchId": batches[0], "call_data": contacts})

    [script] = blocks(MIGRATION, "python")
    (folder / "move.py").write_text(script)
    variables = {
        "OLD_URL": old.url,
        "OLD_KEY": old.key,
        "OLD_BATCH_ID": batches[0],
        "NEW_URL": new.url,
        "NEW_KEY": new.key,
        "NEW_BATCH_ID": batches[1],
    }
    first, again = (typed(MIGRATION, folder, **variables) for _ in range(2))
    assert '"added":101,"alreadyListed":0' in first
    assert '"added":0,"alreadyListed":101' in again
    assert "'added': 103" in first
    assert "'alreadyAdded': 103" in again
    moved = new.ask(f"/api/call/batch-details/{batches[1]}?limit=1")["data"]
    assert moved["total"] == 103
    assert moved["data"][0].items() >= CONTACT.items()


CONTACT = {"name": "Sarah Johnson", "account_id": "ACC-1001", "priority": 3}


class Side:
    """One of the services between which somebody moves: here a workspace of the demo."""

    def __init__(self, url: str, workspace: dict[str, Any]) -> None:
        self.url, self.key, self.phone_id = url, workspace["apiKey"], workspace["phoneIds"][0]

    def ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        return self._open(path, data, "application/json")

    def new_batch(self) -> str:
        settings = {"batchName": "Moving", "callingNumbers": [self.phone_id]}
        return str(self.ask("/api/call/createBatch", settings)["data"])

    def upload(self, path: str, text: str) -> Any:
        file = SimpleUploadedFile("numbers.csv", text.encode())
        return self._open(path, encode_multipart(BOUNDARY, {"file": file}), MULTIPART_CONTENT)

    def _open(self, path: str, data: bytes | None, content_type: str) -> Any:
        headers = {"x-api-key": self.key, "Content-Type": content_type}
        with urlopen(Request(self.url + path, data, headers)) as answer:
            return json.load(answer)


def test_every_event_is_told() -> None:
    assert re.findall(r"^\| `(\w+\.\w+)` \|", WEBHOOKS, re.MULTILINE) == EventType.values


def test_the_numbers_told_of_webhooks_are_those_of_the_code() -> None:
    """Change docs/webhooks.md with them."""
    [row] = re.findall(r"^\| after the one before \| at once \| (.*) \|$", WEBHOOKS, re.MULTILINE)
    units = {"s": "seconds", "min": "minutes", "h": "hours"}
    waits = [cell.split() for cell in row.split(" | ")]
    assert [timedelta(**{units[unit]: int(number)}) for number, unit in waits] == DELAYS
    assert (MOST_WEBHOOKS, PER_ENDPOINT, ANSWER_WITHIN) == (20, 10, 15)
    times = [OLD_SECRET_LIVES, LONGEST_REST, Event.KEPT_FOR]
    assert times == [timedelta(hours=24), timedelta(hours=6), timedelta(days=30)]


def test_the_limits_told_are_those_of_the_code() -> None:
    """Change docs/guide.md with them."""
    base = (PROJECT / "config/settings/base.py").read_text()
    rates = dict(re.findall(r"^(API_\w*RATE_LIMIT) = env.int\(.*default=([\d_]+)\)", base, re.M))
    assert rates == {"API_KEY_RATE_LIMIT": "6_000", "API_RATE_LIMIT": "12_000"}
    login = [settings.AXES_FAILURE_LIMIT, settings.AXES_COOLOFF_TIME]
    assert login == [5, timedelta(minutes=15)]
    largest = {
        str(route): route.endpoint.max_body
        for route in routes.routes()
        if route.endpoint.max_body != MEGABYTE and "/carriers/" not in str(route)
    }
    assert largest == {
        "POST /api/call/addCallsToBatch": 64 * MEGABYTE,
        "POST /api/call/start-calling": 64 * MEGABYTE,
        "POST /api/call/upload": LARGEST_FILE + MEGABYTE,
        "POST /api/dnc/import": LARGEST_FILE + MEGABYTE,
    }
    assert (MEGABYTE, LARGEST_FILE) == (1_000_000, 50_000_000)
    rows = signature(open_sheet).parameters
    assert [rows[name].default for name in ("max_csv_rows", "max_excel_rows")] == [10**6, 200_000]
    assert (MOST_RECORDS, LARGEST_RECORD, LONGEST_NAME) == (50_000, 16 * 1024, 64)
    assert (MAX_NUMBERS, MAX_RETRY, MAX_DELAY) == (100, 10, 7 * 24 * 3600)
    assert (MOST_CANCELLED, MOST_EVENTS) == (10_000, 1_000)
    assert (capacity.MOST_AT_A_TIME, FEW, streams.MOST_AT_A_TIME) == (2, 1_000, 1)
    kept = [IdempotentRequest.KEPT_FOR, KEEP_ERROR_ROWS]
    assert kept == [timedelta(hours=24), timedelta(days=30)]
    assert LONGEST_EXTERNAL_ID == 128


def test_the_endpoints_told_of_repeating_and_editing_are_those_that_take_the_headers() -> None:
    chapter = GUIDE.partition("## Repeat a request safely")[2].partition("## Test without")[0]
    [sentence] = re.findall(r"^- (.*) take it; none", chapter, re.MULTILINE)
    told = re.findall(r"[\w/-]{5,}", sentence)
    repeatable = [str(route) for route in routes.routes() if route.endpoint.idempotent]
    assert sorted(told) == sorted(re.sub(".*/api/(call/)?", "", name) for name in repeatable)
    edited = {
        route.template.removeprefix("/api/")
        for route in routes.routes()
        if route.endpoint.etag and route.method in {"PATCH", "DELETE"}
    }
    # Batches, numbers, agents, webhooks and the workspace.
    assert edited == {
        *("call/update-batch/{batchId}", "call/delete-batch/{batchId}"),
        *("call/update-phone/{phoneId}", "call/delete-phone/{phoneId}"),
        *("agents/{id}", "webhooks/{id}", "workspace"),
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_every_link_leads_to_a_page_and_a_chapter_that_is_there(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for file, chapter in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", text):
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), file
        if chapter:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in headings}
            assert chapter in slugs, f"{file}#{chapter}"


def test_the_verification_shown_takes_what_we_sign_and_nothing_else() -> None:
    [code] = blocks(WEBHOOKS, "python")
    shown: dict[str, Any] = {}
    exec(code, shown)  # noqa: S102 (our own page)
    old, new = new_secret(), new_secret()
    message = Message("67def9053495307c718d9e01", "https://x.example", b'{"a": 1}', (new, old))
    headers = {str(name): str(value) for name, value in headers_of(message, timezone.now()).items()}
    for secret in (old, new):
        assert shown["receive"](secret, message.body, headers) == {"a": 1}
    for secret, body in ((new_secret(), message.body), (new, b'{"a": 2}')):
        with pytest.raises(WebhookVerificationError):
            shown["receive"](secret, body, headers)

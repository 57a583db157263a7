"""What docs/guide.md has people type works as printed; what the pages beside it tell is true."""

import csv
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from standardwebhooks import WebhookVerificationError

from tests.local.running_stack import PROJECT, RunningStack, environment, free_port
from workspaces.models import Event, EventType
from workspaces.services.webhooks import MOST_WEBHOOKS, OLD_SECRET_LIVES, new_secret
from workspaces.webhooks.queue import PER_ENDPOINT
from workspaces.webhooks.schedule import DELAYS, LONGEST_REST
from workspaces.webhooks.sending import ANSWER_WITHIN, Message, headers_of

GUIDE = (PROJECT / "docs/guide.md").read_text()
WEBHOOKS = (PROJECT / "docs/webhooks.md").read_text()
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


def test_the_verification_shown_takes_what_we_sign_and_nothing_else() -> None:
    [code] = re.findall(r"^```python\n(.*?)^```", WEBHOOKS, re.DOTALL | re.MULTILINE)
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

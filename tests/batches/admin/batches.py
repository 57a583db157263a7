"""Batches as the back office's tests need them, and the addresses of their pages."""

from typing import Any

from django.test import Client
from django.urls import reverse

from batches.models import BatchStatus, CallBatch
from tests import factories
from tests.cast import Person
from workspaces.models import AuditEvent

STEERED = ["edit", "start", "stop", "retry", "cancel", "delete", "upload"]
SEEN = ["change", "live", "preflight", "export"]


def batch_of(who: Person, status: str = BatchStatus.DRAFT, **calls: int) -> CallBatch:
    """A batch with a number and an agent, and so many calls of each status (`in_progress=2`)."""
    batch: CallBatch = factories.CallBatchFactory.create(
        workspace=who.workspace, created_by=who.user, status=status
    )
    factories.BatchNumberFactory.create(batch=batch)
    for name, number in calls.items():
        status_of_calls = name.replace("_", "-")
        factories.CallFactory.create_batch(number, batch=batch, status=status_of_calls)
    return batch


def page(name: str, *args: str) -> str:
    return reverse(f"admin:batches_callbatch_{name}", args=args)


def html_of(client: Client, address: str, **query: Any) -> str:
    response = client.get(address, query)
    assert response.status_code == 200
    return response.content.decode()


def words_of(html: str) -> str:
    """The text with each run of blanks as one."""
    return " ".join(html.split())


def audited(batch: CallBatch) -> list[str]:
    events = AuditEvent.objects.filter(target_id=batch.id).order_by("created_at", "id")
    return list(events.values_list("action", flat=True))

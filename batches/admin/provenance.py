"""Where entries of the do-not-call list come from, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from batches.models import DoNotCallEntry
from batches.services.callbacks import OPT_OUT
from workspaces.models import AuditEvent


@dataclass(frozen=True, slots=True)
class Origin:
    """`url` leads to the import that an entry came with; empty for any other entry."""

    text: str
    url: str = ""


def origins_of(entries: Sequence[DoNotCallEntry]) -> dict[str, Origin]:
    """By entry id. One statement: an import has the time of its entries, to the microsecond."""
    found = AuditEvent.objects.filter(
        workspace__in={entry.workspace_id for entry in entries},
        created_at__in={entry.created_at for entry in entries},
        action="donotcallentry.import",
    )
    imports: dict[tuple[str | None, datetime], str] = {
        (event.workspace_id, event.created_at): event.target_id for event in found
    }
    return {
        entry.id: _origin(entry, imports.get((entry.workspace_id, entry.created_at), ""))
        for entry in entries
    }


def _origin(entry: DoNotCallEntry, import_id: str) -> Origin:
    who = f"by {entry.created_by}" if entry.created_by else "by nobody who was signed in"
    if import_id:
        return Origin(
            f"From a file, {who}", reverse("admin:batches_import_change", args=[import_id])
        )
    if entry.created_by is None and entry.type == OPT_OUT:
        return Origin("The contact pressed the opt-out key")
    if entry.request_uuid:
        return Origin(f"From a call, {who}")
    if entry.batch_id:
        return Origin(f"From a batch, {who}")
    return Origin(who[:1].upper() + who[1:])

"""Writes on the do-not-call list. Each function is one transaction and records its own audit event."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.http import Http404
from rest_framework.exceptions import NotFound, PermissionDenied

from batches.models import CallAttempt, CallBatch, DoNotCallEntry
from batches.services.outbox import number_listed
from batches.tasks import mail_listing
from workspaces.callers import Actor
from workspaces.errors import field_error
from workspaces.services.audit import audit_event
from workspaces.sql import insert_rows
from workspaces.tasks import mail_leaders
from workspaces.unit_of_work import unit_of_work


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A number to list, E.164, and perhaps the batch and the call that it comes from."""

    phone_number: str
    type: str = ""
    batch_id: str | None = None
    request_uuid: UUID | None = None


def list_number(
    *, workspace_id: str, user_id: str | None, listing: Listing, actor: Actor, now: datetime
) -> DoNotCallEntry:
    """Put a number on the list and queue a mail to each admin and owner.

    `user_id` None: the called person asked for it. With `request_uuid` the recording and the transcript
    of that call are copied. Raises Http404 (no such call to this number, no such living batch),
    ValidationError (`already_listed`).
    """
    entry = DoNotCallEntry(
        workspace_id=workspace_id,
        phone_number=listing.phone_number,
        type=listing.type,
        created_by_id=user_id,
        created_at=now,
        **_origin(workspace_id, listing),
    )
    with unit_of_work():
        try:
            with transaction.atomic():
                entry.save(force_insert=True)
        except IntegrityError as error:  # listed before, or by somebody else a moment ago
            raise field_error(
                "phoneNumber", "Is on the do-not-call list already.", "already_listed"
            ) from error
        _record(actor, "create", entry, now)
        insert_rows(number_listed(entry, now=now))
        mail_leaders(mail_listing, workspace_id, entry_id=entry.id)
    return entry


def delist_number(*, workspace_id: str, entry_id: str, actor: Actor, now: datetime) -> None:
    """Take an entry off the list; a tombstone stays.

    Raises NotFound (deleted here before), PermissionDenied (never of this workspace).
    """
    found = DoNotCallEntry.objects.for_workspace(workspace_id).filter(id=entry_id)
    with transaction.atomic():
        # Compare-and-set: of two deletions at the same time one finds nothing.
        if found.living().update(deleted_at=now):
            _record(actor, "delete", found.get(), now)
        elif found.exists():
            raise NotFound("This entry has been deleted already.")
        else:
            raise PermissionDenied("This is no do-not-call entry of this workspace.")


def _origin(workspace_id: str, listing: Listing) -> dict[str, Any]:
    """The batch and the call that the number comes from, as fields of an entry. Raises Http404."""
    if listing.batch_id is not None:
        batches = CallBatch.objects.for_workspace(workspace_id).living()
        if not batches.filter(id=listing.batch_id).exists():
            raise Http404
    if listing.request_uuid is None:
        return {"batch_id": listing.batch_id}
    attempt = (
        CallAttempt.objects.for_workspace(workspace_id)
        .filter(request_uuid=listing.request_uuid, call__phone_number=listing.phone_number)
        .first()
    )
    if attempt is None or listing.batch_id not in (None, attempt.batch_id):
        raise Http404
    return {
        "batch_id": attempt.batch_id,
        "request_uuid": attempt.request_uuid,
        "call_recording": attempt.recording_url,
        "transcription": attempt.transcript,
    }


def _record(actor: Actor, verb: str, entry: DoNotCallEntry, now: datetime) -> None:
    audit_event(
        actor=actor,
        action=f"donotcallentry.{verb}",
        target=entry,
        workspace_id=entry.workspace_id,
        now=now,
    ).save(force_insert=True)

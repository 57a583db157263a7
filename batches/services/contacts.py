"""Contacts given as JSON: checked in chunks, loaded in one transaction."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.http import Http404
from rest_framework.exceptions import PermissionDenied

from batches.imports.capacity import import_slot
from batches.imports.loading import (
    FEW,
    Destination,
    Loaded,
    Staged,
    staged_contacts,
)
from batches.imports.records import Contact, ContactChecker
from batches.imports.tracking import RowError, RowRefused
from batches.models import (
    BatchStatus,
    CallBatch,
    CallStatus,
    Import,
    ImportKind,
    ImportSource,
    ImportStatus,
)
from batches.services.batches import locked_batch
from batches.services.counters import change_counts
from batches.services.sessions import (
    activate,
    has_call_to_make,
    is_dialing_everything,
    new_session,
    obstacle_of,
    takes_every_call,
)
from batches.services.variables import remember_variables
from batches.states import move_batch
from calling.models import Agent, PhoneNumber
from calling.variables import VariableSchema
from workspaces.callers import Actor
from workspaces.models import Workspace
from workspaces.services.audit import audit_event
from workspaces.services.dialing import wake
from workspaces.sql import insert_rows
from workspaces.unit_of_work import unit_of_work

CHUNK = 1000
_MOST_ERRORS = 100  # listed of a chunk, and kept of an import


@dataclass(slots=True)
class CheckedRecords:
    """The contacts of the good chunks, and what is wrong with the others."""

    contacts: list[Contact] = field(default_factory=list)
    failed_chunks: list[dict[str, Any]] = field(default_factory=list)
    invalid: int = 0
    names: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AddedContacts:
    """`call_ids`: one per stored record, in the order of the input. `known`: records left alone, for
    the batch has their external id already."""

    import_id: str
    call_ids: list[str]
    valid: int
    known: int
    failed_chunks: list[dict[str, Any]]


def add_contacts(
    *,
    workspace_id: str,
    batch_id: str,
    user_id: str,
    records: Sequence[Any],
    field_name: str,
    start: bool | None,
    dry_run: bool,
    actor: Actor,
    now: datetime,
) -> AddedContacts:
    """Store the records of every chunk that is valid as a whole, new or in the place of older ones.

    `start`: also start the batch; None leaves it to the workspace. Raises PermissionDenied (unknown
    batch), Http404 (deleted batch; no agent behind its numbers), ImportsBusy.
    """
    batch = _living_batch(workspace_id, batch_id)
    workspace = Workspace.objects.get(id=workspace_id)
    with import_slot() if len(records) > FEW else nullcontext():
        checked = check_records(records, checker_of(workspace, batch), field_name)
        record = import_of(batch, user_id, records, checked, dry_run, now)
        if dry_run or not checked.contacts:
            record.rows_known = Staged(checked.contacts).leave_known(batch_id)
            insert_rows(record)
            return _added(record, [], checked)
        with staged_contacts(checked.contacts) as staged, unit_of_work():
            batch = locked_batch(workspace_id, batch_id)
            wants_start = workspace.start_when_calls_added if start is None else start
            loaded = place_contacts(
                batch, staged, names=checked.names, user_id=user_id, now=now, starts=wants_start
            )
            starts = wants_start and (start is not None or bool(loaded.call_ids))
            session_id = carry_on(batch, loaded, starts=starts, user_id=user_id, now=now)
            tell_loaded(record, loaded)
            insert_rows(record, added_event(batch, record, session_id, actor, now))
    return _added(record, loaded.call_ids, checked)


def _added(record: Import, call_ids: list[str], checked: CheckedRecords) -> AddedContacts:
    valid, failed = len(checked.contacts), checked.failed_chunks
    return AddedContacts(record.id, call_ids, valid, record.rows_known, failed)


def tell_loaded(record: Import, loaded: Loaded) -> None:
    """What became of contacts, into the record of their import."""
    record.rows_added, record.rows_updated = loaded.added, loaded.updated
    record.rows_known = loaded.known


def _living_batch(workspace_id: str, batch_id: str) -> CallBatch:
    batch = CallBatch.objects.for_workspace(workspace_id).filter(id=batch_id).first()
    if batch is None:
        raise PermissionDenied("There is no such batch in this workspace.")
    if batch.deleted_at is not None:
        raise Http404
    return batch


def checker_of(
    workspace: Workspace, batch: CallBatch, phone_ids: Sequence[str] | None = None
) -> ContactChecker:
    """What the agents behind the batch's numbers, or behind these, ask of a contact.

    Raises Http404 when there is no agent.
    """
    if phone_ids is None:
        chosen = Agent.objects.filter(numbers__rotations__batch=batch)
    else:
        chosen = Agent.objects.for_workspace(workspace.id).filter(numbers__id__in=phone_ids)
    agents = list(chosen.distinct())
    if not agents:
        raise Http404("There is no agent behind the numbers of this batch.")
    countries = PhoneNumber.objects.called_countries(workspace)
    return ContactChecker(VariableSchema(agents), countries)


def check_records(
    records: Sequence[Any], checker: ContactChecker, field_name: str
) -> CheckedRecords:
    """Check every record; a chunk with a bad one is left out as a whole."""
    checked = CheckedRecords(names=checker.names)
    for first in range(0, len(records), CHUNK):
        contacts, errors, invalid = [], [], 0
        known = len(checker.names)
        for index, record in enumerate(records[first : first + CHUNK], start=first):
            try:
                contacts.append(checker.check(record))
            except RowRefused as refused:
                invalid += 1
                errors += [_located(error, index, field_name) for error in refused.errors]
        if invalid:
            checker.forget_names_after(known)
            checked.invalid += invalid
            checked.failed_chunks.append(_failed_chunk(first // CHUNK + 1, errors))
        else:
            checked.contacts += contacts
    return checked


def place_contacts(
    batch: CallBatch,
    staged: Staged,
    *,
    names: dict[str, None],
    user_id: str,
    now: datetime,
    starts: bool,
) -> Loaded:
    """Load staged contacts into a batch whose row the caller has locked, count them, wake the dialers.

    They belong to the batch's present session unless another is named. Where the batch has the external
    ids of all of them, it stays as it is.
    """
    loaded = staged.upsert(
        Destination(
            workspace_id=batch.workspace_id,
            batch_id=batch.id,
            session_id=batch.session_id,
            user_id=user_id,
            now=now,
        )
    )
    goes_on = loaded.stored and batch.status in (BatchStatus.ACTIVE, BatchStatus.COMPLETED)
    if starts or goes_on:
        wake(batch.workspace_id, now)
    if not loaded.stored:
        return loaded
    change_counts(
        workspace_id=batch.workspace_id,
        batch_id=batch.id,
        changes={
            CallStatus.PENDING: loaded.to_call,
            **{status: -number for status, number in loaded.old_ends.items()},
        },
    )
    remember_variables(batch, names)
    CallBatch.objects.filter(id=batch.id).update(updated_at=now)
    return loaded


def carry_on(
    batch: CallBatch, loaded: Loaded, *, starts: bool, user_id: str, now: datetime
) -> str | None:
    """After contacts were placed in a locked batch: a completed one goes on; `starts`: start one that
    has a call to make, can make it, and does not dial everything already.

    Returns the id of the new session, if there is one.
    """
    goes_on = batch.status == BatchStatus.COMPLETED and loaded.to_call > 0
    is_started = is_dialing_everything(batch) or (goes_on and takes_every_call(batch))
    if starts and not is_started and has_call_to_make(batch) and not obstacle_of(batch):
        session = new_session(batch, user_id=user_id, now=now)
        activate(batch, session, now=now)
        return session.id
    if goes_on:
        move_batch(batch, BatchStatus.ACTIVE, now=now)
    return None


def _located(error: RowError, index: int, field_name: str) -> dict[str, Any]:
    place = f"{field_name}[{index}]"
    return {"index": index, **error, "field": f"{place}.{error['field']}".rstrip(".")}


def _failed_chunk(number: int, errors: list[dict[str, Any]]) -> dict[str, Any]:
    sentence = f"{errors[0]['field']}: {errors[0]['message']}"
    if len(errors) > 1:
        sentence += f" … and {len(errors) - 1} more"
    return {"chunkNum": number, "error": sentence, "errors": errors[:_MOST_ERRORS]}


def import_of(
    batch: CallBatch,
    user_id: str,
    records: Sequence[Any],
    checked: CheckedRecords,
    dry_run: bool,
    now: datetime,
) -> Import:
    if dry_run:
        status = ImportStatus.CHECKED
    else:
        status = ImportStatus.STORED if checked.contacts else ImportStatus.REFUSED
    errors = [error for chunk in checked.failed_chunks for error in chunk["errors"]]
    return Import(
        workspace_id=batch.workspace_id,
        created_by_id=user_id,
        batch_id=batch.id,
        kind=ImportKind.CONTACTS,
        source=ImportSource.JSON,
        dry_run=dry_run,
        status=status,
        progress=100,
        rows_read=len(records),
        rows_invalid=checked.invalid,
        errors=errors[:_MOST_ERRORS],
        created_at=now,
        updated_at=now,
    )


def added_event(
    batch: CallBatch, record: Import, session_id: str | None, actor: Actor, now: datetime
) -> Any:
    return audit_event(
        actor=actor,
        action="batch.add_calls",
        target=batch,
        workspace_id=batch.workspace_id,
        now=now,
        changes={
            "added": record.rows_added,
            "updated": record.rows_updated,
            "invalid": record.rows_invalid,
            **({"alreadyAdded": record.rows_known} if record.rows_known else {}),
            "import": record.id,
            **({"session": session_id} if session_id else {}),
        },
    )

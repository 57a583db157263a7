"""Steering: what starts, stops, puts back and takes out. The dialing itself follows the status."""

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q, QuerySet
from rest_framework.exceptions import ErrorDetail, ValidationError

from batches.imports.capacity import import_slot
from batches.imports.loading import FEW, Staged, staged_contacts
from batches.models import (
    BatchStatus,
    Call,
    CallBatch,
    CallEvent,
    CallStatus,
    EventReason,
    Import,
    ImportStatus,
    Lease,
)
from batches.services.batches import locked_batch, record_batch_event, replace_rotation
from batches.services.contacts import (
    CheckedRecords,
    check_records,
    checker_of,
    import_of,
    place_contacts,
    tell_loaded,
)
from batches.services.counters import count_moves
from batches.services.sessions import (
    activate,
    complete_if_done,
    has_call_to_make,
    is_dialing_everything,
    new_session,
    obstacle_of,
)
from batches.states import move_batch
from workspaces.callers import Actor
from workspaces.errors import field_error
from workspaces.models import Workspace
from workspaces.services.dialing import wake
from workspaces.sql import insert_rows
from workspaces.unit_of_work import unit_of_work

AT_A_TIME = 5000  # calls moved in one transaction
RETRYABLE = (CallStatus.FAILED, CallStatus.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a start asks for. `user_id` has asked; `records` are the only calls to dial now."""

    user_id: str
    phone_ids: Sequence[str] | None = None
    records: Sequence[Any] | None = None
    uuid: str = ""


class GivenContacts(NamedTuple):
    """Contacts that came with a start, staged, and the record of their import."""

    staged: Staged
    names: dict[str, None]
    record: Import


def start_batch(
    *, workspace_id: str, batch: CallBatch, start: Start, actor: Actor, now: datetime
) -> None:
    """Make a batch active. One that dials everything already is changed only by numbers or records.

    Raises Http404 (deleted meanwhile; no agent for the records), ValidationError (an invalid record:
    nothing is started; `no_calls`; `no_number`; `kill_switch`), ImportsBusy.
    """
    if start.records is None:
        with unit_of_work():
            _start(locked_batch(workspace_id, batch.id), start, actor, now)
        return
    with import_slot() if len(start.records) > FEW else nullcontext():
        workspace = Workspace.objects.get(id=workspace_id)
        checker = checker_of(workspace, batch, start.phone_ids)
        checked = check_records(start.records, checker, "callData")
        record = import_of(batch, start.user_id, start.records, checked, dry_run=False, now=now)
        if checked.failed_chunks:
            record.status = ImportStatus.REFUSED
            insert_rows(record)
            raise _refusal(checked)
        with staged_contacts(checked.contacts) as staged, unit_of_work():
            given = GivenContacts(staged, checked.names, record)
            _start(locked_batch(workspace_id, batch.id), start, actor, now, given)


def _start(
    batch: CallBatch,
    start: Start,
    actor: Actor,
    now: datetime,
    given: GivenContacts | None = None,
) -> None:
    if start.phone_ids is not None:
        replace_rotation(batch, start.phone_ids)
    elif given is None and is_dialing_everything(batch):
        return
    session = new_session(
        batch, user_id=start.user_id, uuid=start.uuid, only_its_calls=given is not None, now=now
    )
    activate(batch, session, now=now)
    added = 0
    if given is None:
        wake(batch.workspace_id, now)
    else:
        loaded = place_contacts(
            batch,
            given.staged,
            names=given.names,
            user_id=start.user_id,
            now=now,
            starts=True,
        )
        added = loaded.stored
        if not added:
            message = "The batch has all of these contacts already, so there is none to call."
            raise field_error("callData", message, "no_calls")
        tell_loaded(given.record, loaded)
        insert_rows(given.record)
    if not has_call_to_make(batch):
        raise field_error("batchId", "The batch has no call to make.", "no_calls")
    if obstacle := obstacle_of(batch):
        raise field_error(obstacle.field, obstacle.message, obstacle.reason.value)
    numbers = {} if start.phone_ids is None else {"numbers": list(start.phone_ids)}
    changes = {"session": session.id, "uuid": start.uuid, "callData": added, **numbers}
    record_batch_event(batch, "batch.start", changes, actor, now)


def _refusal(checked: CheckedRecords) -> ValidationError:
    errors: dict[str, list[ErrorDetail]] = {}
    for chunk in checked.failed_chunks:
        for error in chunk["errors"]:
            detail = ErrorDetail(error["message"], error["code"])
            errors.setdefault(error["field"], []).append(detail)
    return ValidationError(errors)


def stop_batch(*, workspace_id: str, batch_id: str, actor: Actor, now: datetime) -> None:
    """No new call starts; calls in flight finish. A batch that is not active stays as it is.

    Raises Http404.
    """
    with transaction.atomic():
        batch = locked_batch(workspace_id, batch_id)
        if move_batch(batch, BatchStatus.STOPPED, now=now):
            record_batch_event(batch, "batch.stop", {}, actor, now)


def retry_calls(
    *,
    workspace_id: str,
    batch_id: str,
    statuses: Sequence[CallStatus],
    actor: Actor,
    now: datetime,
    call_ids: Sequence[str] | None = None,
) -> int:
    """Put calls of these statuses back to pending, with a fresh count of attempts. Returns how many.

    `call_ids`: only these; None: all of the batch.
    In several transactions, each of `AT_A_TIME` calls, so that nobody waits long for the batch; asked
    again after an interruption it goes on. A completed batch becomes active. Raises Http404.
    """
    retried, moved = 0, AT_A_TIME
    while moved == AT_A_TIME:
        with transaction.atomic():
            batch = locked_batch(workspace_id, batch_id)
            # What fails again while this goes on has had its retry.
            calls = batch.calls.filter(status__in=statuses, updated_at__lte=now)
            if call_ids is not None:
                calls = calls.filter(id__in=call_ids)
            old = _locked(calls[:AT_A_TIME], statuses)
            moved = len(old)
            retried += moved
            if moved:
                wake(workspace_id, now)
                _move(batch, old, CallStatus.PENDING, EventReason.RETRY_REQUESTED, actor, now)
                if batch.status == BatchStatus.COMPLETED:
                    move_batch(batch, BatchStatus.ACTIVE, now=now)
                record_batch_event(batch, "batch.retry_calls", {"calls": moved}, actor, now)
    return retried


class Cancelled(NamedTuple):
    """Ids of calls that were taken out, and of those being dialed, which are being hung up."""

    call_ids: list[str]
    hanging_up: list[str]


def cancel_calls(
    *,
    workspace_id: str,
    batch_id: str,
    call_ids: Sequence[str] = (),
    phone_numbers: Sequence[str] = (),
    actor: Actor,
    now: datetime,
) -> Cancelled:
    """Take contacts out of a batch: pending ones at once; those being dialed when they are hung up.

    A contact who is talking already is not cut off, but not called again. An active batch whose last
    call this was is completed. Raises Http404.
    """
    with transaction.atomic():
        batch = locked_batch(workspace_id, batch_id)
        named = batch.calls.filter(Q(id__in=call_ids) | Q(phone_number__in=phone_numbers))
        old = _locked(named, [CallStatus.PENDING, CallStatus.IN_PROGRESS])
        pending = {id_: status for id_, status in old.items() if status == CallStatus.PENDING}
        ringing = [id_ for id_ in old if id_ not in pending]
        if ringing:
            _ask_to_hang_up(workspace_id, ringing, now)
        if pending:
            _move(batch, pending, CallStatus.CANCELLED, EventReason.CANCEL_REQUESTED, actor, now)
            complete_if_done(batch, now=now)
        if old:
            changes = {"calls": len(pending), "hangingUp": len(ringing)}
            record_batch_event(batch, "batch.cancel_calls", changes, actor, now)
    return Cancelled(list(pending), ringing)


def _ask_to_hang_up(workspace_id: str, call_ids: Sequence[str], now: datetime) -> None:
    """Have the dialer look after these calls at once."""
    Call.objects.filter(id__in=call_ids).update(is_cancel_requested=True, updated_at=now)
    sent = Lease.objects.filter(call__in=call_ids, sent_at__isnull=False)
    sent.update(look_at=now)
    wake(workspace_id, now)


def _locked(calls: QuerySet[Call], statuses: Sequence[CallStatus]) -> dict[str, str]:
    """Those of these calls that have one of the statuses, locked: status by id."""
    chosen = Call.objects.filter(id__in=calls.values("id"), status__in=statuses)
    locked = chosen.order_by("phone_number").select_for_update(no_key=True)
    return dict(locked.values_list("id", "status"))


def _move(
    batch: CallBatch,
    old: dict[str, str],
    to: CallStatus,
    reason: EventReason,
    actor: Actor,
    now: datetime,
) -> None:
    """Move these locked calls, whose statuses may go there; events and counters with them."""
    changes: dict[str, Any] = {"status": to, "updated_at": now}
    if to == CallStatus.PENDING:
        changes |= {"attempts_made": 0, "session": batch.session_id, "next_attempt_at": now}
    Call.objects.filter(id__in=old).update(**changes)
    insert_rows(
        *(
            CallEvent(
                workspace_id=batch.workspace_id,
                call_id=call_id,
                from_status=status,
                to_status=to,
                reason=reason,
                user_id=actor.user_id,
                created_at=now,
            )
            for call_id, status in old.items()
        )
    )
    count_moves(
        workspace_id=batch.workspace_id,
        batch_id=batch.id,
        moved_from=Counter(old.values()),
        to=to,
    )

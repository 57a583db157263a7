"""Writes on batches. Each function is one transaction and records its own audit event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.http import Http404
from rest_framework.exceptions import ErrorDetail, ValidationError

from batches.models import EVERY_DAY, BatchNumber, BatchStatus, BatchType, CallBatch
from batches.services.outbox import batch_created
from batches.states import move_batch
from calling.models import PhoneNumber
from workspaces.callers import Actor
from workspaces.conditional import Precondition, unconditional
from workspaces.models import AuditEvent, CallingHour
from workspaces.services.audit import audit_event
from workspaces.services.dialing import wake
from workspaces.sql import insert_rows
from workspaces.unit_of_work import unit_of_work


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """What createBatch sets, after validation. `phone_ids` in rotation order, none twice."""

    name: str
    phone_ids: Sequence[str]
    timezone: str
    retry: int = 0
    delay: int = 60
    calling_hour: CallingHour | None = None
    allowed_days: Sequence[int] = EVERY_DAY
    batch_type: str = BatchType.OUTBOUND
    enable_dnc: bool = True


def create_batch(
    *, workspace_id: str, user_id: str, settings: BatchSettings, actor: Actor, now: datetime
) -> CallBatch:
    """Store a draft batch with its rotation. All or nothing, in one statement.

    The caller has checked that the numbers are active ones of the workspace. One that is deactivated
    in between is no harm: the dialer looks again before each call. Raises ValidationError
    (`unknown_number`) for one that is deleted in between.
    """
    batch = new_batch(workspace_id, user_id, settings, now)
    rotation = rotation_of(batch, settings.phone_ids)
    try:
        with unit_of_work(is_one_statement=True):
            insert_rows(
                batch,
                *rotation,
                created_event(batch, len(rotation), actor, now),
                batch_created(batch, calls=0, now=now),
            )
    except IntegrityError:
        known = PhoneNumber.objects.active_ids(workspace_id, settings.phone_ids)
        refuse_unknown_numbers(settings.phone_ids, known)
        raise
    return batch


def new_batch(workspace_id: str, user_id: str, settings: BatchSettings, now: datetime) -> CallBatch:
    """An unsaved draft."""
    hour = settings.calling_hour
    return CallBatch(
        workspace_id=workspace_id,
        created_by_id=user_id,
        name=settings.name,
        retry=settings.retry,
        delay=settings.delay,
        timezone=settings.timezone,
        calling_hour_start=hour.start if hour else None,
        calling_hour_end=hour.end if hour else None,
        allowed_days=sorted(settings.allowed_days),
        batch_type=settings.batch_type,
        enable_dnc=settings.enable_dnc,
        created_at=now,
        updated_at=now,
    )


def rotation_of(batch: CallBatch, phone_ids: Sequence[str]) -> list[BatchNumber]:
    """The unsaved rotation of a batch, in this order."""
    return [
        BatchNumber(
            workspace_id=batch.workspace_id, batch_id=batch.id, phone_id=phone_id, position=position
        )
        for position, phone_id in enumerate(phone_ids)
    ]


def created_event(batch: CallBatch, numbers: int, actor: Actor, now: datetime) -> AuditEvent:
    """The unsaved event of a new batch."""
    return audit_event(
        actor=actor,
        action="batch.create",
        target=batch,
        workspace_id=batch.workspace_id,
        now=now,
        changes={"name": batch.name, "numbers": numbers},
    )


def update_batch(
    *,
    workspace_id: str,
    batch_id: str,
    changes: dict[str, Any],
    phone_ids: Sequence[str] | None,
    actor: Actor,
    now: datetime,
    precondition: Precondition = unconditional,
) -> CallBatch:
    """Set some of a batch's settings, in any state; calls made from now on follow them.

    `changes` by field of the model; `phone_ids` replaces the rotation. Raises Http404,
    PreconditionFailed.
    """
    with transaction.atomic():
        batch = locked_batch(workspace_id, batch_id)
        precondition(batch)
        for name, value in changes.items():
            setattr(batch, name, value)
        batch.updated_at = now
        batch.save(update_fields=[*changes, "updated_at"])
        if phone_ids is not None:
            replace_rotation(batch, phone_ids)
        told = {**changes, **({} if phone_ids is None else {"numbers": list(phone_ids)})}
        record_batch_event(batch, "batch.update", told, actor, now)
        wake(workspace_id, now)
    return batch


def delete_batch(
    *,
    workspace_id: str,
    batch_id: str,
    actor: Actor,
    now: datetime,
    precondition: Precondition = unconditional,
) -> None:
    """Stop dialing, and take the batch out of every list.

    Raises Http404, also the second time, and PreconditionFailed.
    """
    with transaction.atomic():
        batch = locked_batch(workspace_id, batch_id)
        precondition(batch)
        move_batch(batch, BatchStatus.STOPPED, now=now)
        CallBatch.objects.filter(id=batch.id).update(deleted_at=now, updated_at=now)
        record_batch_event(batch, "batch.delete", {}, actor, now)


def replace_rotation(batch: CallBatch, phone_ids: Sequence[str]) -> None:
    """The caller holds the lock of the batch's row. Raises ValidationError (`unknown_number`)."""
    hold_numbers(batch.workspace_id, phone_ids)
    batch.rotation.all().delete()
    insert_rows(*rotation_of(batch, phone_ids))


def hold_numbers(workspace_id: str, phone_ids: Sequence[str]) -> None:
    """Keep numbers that are about to enter a rotation from being deleted before the transaction ends.

    Raises ValidationError (`unknown_number`) for one that was deleted or deactivated since it was
    looked at.
    """
    refuse_unknown_numbers(phone_ids, PhoneNumber.objects.held_active_ids(workspace_id, phone_ids))


def refuse_unknown_numbers(phone_ids: Sequence[str], known: set[str]) -> None:
    """A foreign, an unknown and an inactive number read alike. Raises ValidationError."""
    if problems := unknown_numbers(phone_ids, known):
        raise ValidationError({"callingNumbers": problems})  # type: ignore[dict-item]  # by index


def unknown_numbers(phone_ids: Sequence[str], known: set[str]) -> dict[int, list[ErrorDetail]]:
    """What is wrong with each number that is not among the known ones, by its position."""
    return {
        index: [
            ErrorDetail(f"{id_} is not an active phone number of this workspace.", "unknown_number")
        ]
        for index, id_ in enumerate(phone_ids)
        if id_ not in known
    }


def record_batch_event(
    batch: CallBatch, action: str, changes: dict[str, Any], actor: Actor, now: datetime
) -> None:
    insert_rows(
        audit_event(
            actor=actor,
            action=action,
            target=batch,
            workspace_id=batch.workspace_id,
            now=now,
            changes=changes,
        )
    )


def locked_batch(workspace_id: str, batch_id: str) -> CallBatch:
    """A living batch, its row locked until the transaction ends. Raises Http404.

    Every write to a batch's calls or settings takes this lock first, so they follow one another.
    """
    batches = CallBatch.objects.for_workspace(workspace_id).living()
    batch = batches.select_for_update(no_key=True).filter(id=batch_id).first()
    if batch is None:
        raise Http404
    return batch

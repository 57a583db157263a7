"""Writes on batches. Each function is one transaction and records its own audit event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from batches.models import EVERY_DAY, BatchNumber, BatchType, CallBatch
from workspaces.callers import Actor
from workspaces.services.audit import audit_event
from workspaces.sql import insert_rows


@dataclass(frozen=True, slots=True)
class CallingHour:
    """Minutes of the day, `end` exclusive: 0 <= start < end <= 1440."""

    start: int
    end: int


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
    in between is no harm: the dialer looks again before each call.
    """
    hour = settings.calling_hour
    batch = CallBatch(
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
    rotation = [
        BatchNumber(
            workspace_id=workspace_id, batch_id=batch.id, phone_id=phone_id, position=position
        )
        for position, phone_id in enumerate(settings.phone_ids)
    ]
    event = audit_event(
        actor=actor,
        action="batch.create",
        target=batch,
        workspace_id=workspace_id,
        now=now,
        changes={"name": settings.name, "numbers": len(rotation)},
    )
    insert_rows(batch, *rotation, event)
    return batch

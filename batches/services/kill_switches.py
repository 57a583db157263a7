"""The kill switch of a workspace, of a number, of a carrier account.

The switch alone keeps calls from being placed: every call passes the gate, which looks at it. That the
batches are paused with it is for people to see, and so that nothing goes on by itself afterwards.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from batches.models import BatchNumber, BatchStatus, CallBatch, PauseReason
from batches.services.sessions import obstacle_of
from batches.states import move_batch
from calling.models import CarrierAccount, PhoneNumber
from workspaces.callers import Actor
from workspaces.errors import field_error
from workspaces.models import LONGEST_REASON, Workspace
from workspaces.services.audit import audit_event
from workspaces.services.dialing import wake
from workspaces.sql import insert_rows
from workspaces.texts import is_one_line

Target = Workspace | PhoneNumber | CarrierAccount

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Switched:
    """`is_changed` false: it stood like that already, and nothing was done.

    `batch_ids`: the batches that were paused by it, or resumed.
    """

    is_changed: bool
    batch_ids: tuple[str, ...] = ()


def engage(*, target: Target, reason: str, actor: Actor, now: datetime) -> Switched:
    """Let no further call be placed; active batches that have nothing else to call from are paused.

    Calls that a carrier has been given go on. One that is thrown already keeps its reason. Waits for no
    batch: one that somebody holds (an import, for minutes) is paused by the dialer's next look at it.
    Raises ValidationError (`reason`).
    """
    reason = _checked(reason)
    with transaction.atomic():
        if not _throw(target, at=now, reason=reason, now=now):
            return Switched(False)
        found = _batches_of(target).filter(status=BatchStatus.ACTIVE)
        if not isinstance(target, Workspace):
            found = found.exclude(Exists(_numbers_in_use()))
        batches = found.order_by("id").select_for_update(no_key=True, skip_locked=True)
        paused = [
            batch.id
            for batch in batches
            if move_batch(batch, BatchStatus.PAUSED, now=now, reason=PauseReason.KILL_SWITCH)
        ]
        _tell(target, "kill", {"reason": reason, "batches": paused}, actor, now)
        # After the commit: the switch must not wait for a claim either.
        transaction.on_commit(partial(wake, _workspace_id(target), now), robust=True)
    log.warning("kill_switch.engaged", **_named(target), batches=len(paused))
    return Switched(True, tuple(paused))


def release(*, target: Target, actor: Actor, now: datetime, resume: bool = False) -> Switched:
    """Let calls be placed again. With `resume` the batches that were paused by a kill switch go on under
    the session that they had, unless another switch, or nothing to call from, is still in their way.
    """
    with transaction.atomic():
        batches: list[CallBatch] = []
        if resume:  # first: whoever holds a batch may be about to wait for the number
            found = _batches_of(target).filter(
                status=BatchStatus.PAUSED, status_reason=PauseReason.KILL_SWITCH
            )
            batches = list(found.order_by("id").select_for_update(no_key=True))
        reason = _rows(target).values_list("kill_reason", flat=True).first()
        if not _throw(target, at=None, reason="", now=now):
            return Switched(False)
        resumed = [
            batch.id
            for batch in batches
            if obstacle_of(batch) is None and move_batch(batch, BatchStatus.ACTIVE, now=now)
        ]
        _tell(target, "release", {"reason": reason, "batches": resumed}, actor, now)
        wake(_workspace_id(target), now)
    log.warning("kill_switch.released", **_named(target), batches=len(resumed))
    return Switched(True, tuple(resumed))


def _checked(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise field_error("reason", "Say why: it is shown to those whose calls wait.", "blank")
    if len(reason) > LONGEST_REASON:
        message = f"Ensure this field has no more than {LONGEST_REASON} characters."
        raise field_error("reason", message, "max_length")
    if not is_one_line(reason):
        raise field_error("reason", "Must not contain control characters.", "control_character")
    return reason


def _throw(target: Target, *, at: datetime | None, reason: str, now: datetime) -> bool:
    """Whether it was the other way before."""
    rows = _rows(target).filter(killed_at__isnull=at is not None)
    if not rows.update(killed_at=at, kill_reason=reason, updated_at=now):
        return False
    target.killed_at, target.kill_reason, target.updated_at = at, reason, now
    return True


def _rows(target: Target) -> QuerySet[Workspace | PhoneNumber | CarrierAccount]:
    """Itself, as it stands in the database."""
    return type(target)._default_manager.filter(id=target.id)


def _workspace_id(target: Target) -> str:
    return target.id if isinstance(target, Workspace) else target.workspace_id


def _batches_of(target: Target) -> QuerySet[CallBatch]:
    """The living ones that call by it."""
    batches = CallBatch.objects.for_workspace(_workspace_id(target)).living()
    if isinstance(target, Workspace):
        return batches
    numbers = BatchNumber.objects.filter(batch=OuterRef("id"), phone__is_active=True)
    if isinstance(target, PhoneNumber):
        return batches.filter(Exists(numbers.filter(phone=target)))
    return batches.filter(Exists(numbers.filter(phone__account=target)))


def _numbers_in_use() -> QuerySet[BatchNumber]:
    """Those of a batch that calls can be made from."""
    of_account = Q(phone__account=None) | Q(phone__account__killed_at=None)
    return BatchNumber.objects.filter(
        of_account, batch=OuterRef("id"), phone__is_active=True, phone__killed_at=None
    )


def _tell(
    target: Target, what: str, changes: dict[str, object], actor: Actor, now: datetime
) -> None:
    insert_rows(
        audit_event(
            actor=actor,
            action=f"{target._meta.model_name}.{what}",
            target=target,
            workspace_id=_workspace_id(target),
            now=now,
            changes=changes,
        )
    )


def _named(target: Target) -> dict[str, str]:
    return {"workspace": _workspace_id(target), str(target._meta.model_name): target.id}

"""What makes a batch active: every start goes through here."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from batches.models import BatchStatus, CallBatch, CallStatus, DialingSession, PauseReason
from batches.services.counters import counts_of
from batches.services.outbox import tell_move
from batches.states import move_batch
from calling.carriers.registry import SANDBOX_CARRIERS


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why no call of a batch can be made until somebody does something.

    `reason` is also the code of the error in `field` that a start is refused with.
    """

    reason: PauseReason
    field: str
    message: str


def new_session(
    batch: CallBatch, *, user_id: str, uuid: str = "", only_its_calls: bool = False, now: datetime
) -> DialingSession:
    """The session of a start that is about to happen; stored, but not yet the batch's."""
    return DialingSession.objects.create(
        workspace_id=batch.workspace_id,
        batch=batch,
        started_by_id=user_id,
        uuid=uuid,
        only_its_calls=only_its_calls,
        started_at=now,
    )


def activate(batch: CallBatch, session: DialingSession, *, now: datetime) -> None:
    """Dial the batch under this session, and tell integrators that it was started, also when it was
    active before. The caller holds the lock of the batch's row, and wakes.
    """
    CallBatch.objects.filter(id=batch.id).update(session=session, updated_at=now)
    batch.session = session
    if batch.status == BatchStatus.ACTIVE:
        tell_move(batch, now=now)
    else:
        move_batch(batch, BatchStatus.ACTIVE, now=now)


def has_call_to_make(batch: CallBatch) -> bool:
    """Whether a call is pending, or in progress: it may have to be tried again."""
    counts = counts_of(batch.id)
    return bool(counts[CallStatus.PENDING] + counts[CallStatus.IN_PROGRESS])


def obstacle_of(batch: CallBatch) -> Obstacle | None:
    """What keeps the batch from calling: it has no active number, or all that it has are switched off.

    In a sandbox a number of a real carrier is none. One statement.
    """
    may_call = Q(workspace__sandbox_of=None) | Q(phone__carrier__in=SANDBOX_CARRIERS)
    numbers = batch.rotation.filter(may_call, phone__is_active=True).order_by("position")
    found = list(
        numbers.values_list(
            "workspace__kill_reason", "phone__kill_reason", "phone__account__kill_reason"
        )
    )
    if not found:
        message = "The batch has no active calling number."
        return Obstacle(PauseReason.NO_NUMBER, "callingNumbers", message)
    if of_workspace := found[0][0]:
        message = f"Calling is switched off for the workspace: {of_workspace}"
        return Obstacle(PauseReason.KILL_SWITCH, "batchId", message)
    reasons = [of_phone or of_account for _, of_phone, of_account in found]
    if not all(reasons):
        return None
    told = "; ".join(dict.fromkeys(reasons))
    message = f"Every calling number of the batch is switched off: {told}"
    return Obstacle(PauseReason.KILL_SWITCH, "callingNumbers", message)


def is_dialing_everything(batch: CallBatch) -> bool:
    """Whether a plain start would change nothing."""
    return batch.status == BatchStatus.ACTIVE and takes_every_call(batch)


def takes_every_call(batch: CallBatch) -> bool:
    """Whether no call waits for another start while the batch is active."""
    return not (batch.session and batch.session.only_its_calls)


def complete_if_done(batch: CallBatch, *, now: datetime) -> None:
    """Complete an active batch whose last call has ended. The caller holds the lock of its row.

    Of a batch that was started for some calls only, those count; the others wait for another start.
    """
    counts = counts_of(batch.id)
    if counts[CallStatus.IN_PROGRESS] or (counts[CallStatus.PENDING] and not _rest_waits(batch)):
        return
    move_batch(batch, BatchStatus.COMPLETED, now=now)


def _rest_waits(batch: CallBatch) -> bool:
    """Whether none of the pending calls is to be dialed under the present session."""
    session = batch.session
    if session is None or not session.only_its_calls:
        return False
    return not session.calls.filter(status=CallStatus.PENDING).exists()

"""The moves that a status may make, and the one way to make them: compare and set.

Late, repeated and out-of-order requests find that there is nothing to compare with, and change nothing.
"""

from datetime import datetime

from batches.models import AttemptStatus, BatchStatus, CallBatch, CallStatus, PauseReason
from batches.services.outbox import tell_move

BATCH_MOVES: dict[BatchStatus, frozenset[BatchStatus]] = {
    BatchStatus.DRAFT: frozenset({BatchStatus.ACTIVE}),
    BatchStatus.ACTIVE: frozenset({BatchStatus.STOPPED, BatchStatus.PAUSED, BatchStatus.COMPLETED}),
    BatchStatus.STOPPED: frozenset({BatchStatus.ACTIVE}),
    BatchStatus.PAUSED: frozenset({BatchStatus.ACTIVE}),
    BatchStatus.COMPLETED: frozenset({BatchStatus.ACTIVE}),
}
CALL_MOVES: dict[CallStatus, frozenset[CallStatus]] = {
    CallStatus.PENDING: frozenset(
        {CallStatus.IN_PROGRESS, CallStatus.SKIPPED, CallStatus.CANCELLED}
    ),
    # Back to pending: to be tried again, or put back before it was dialed.
    CallStatus.IN_PROGRESS: frozenset(
        {
            *(CallStatus.COMPLETED, CallStatus.FAILED, CallStatus.UNKNOWN, CallStatus.PENDING),
            *(CallStatus.SKIPPED, CallStatus.CANCELLED),
        }
    ),
    # Added again, or put back by retry-calls.
    CallStatus.COMPLETED: frozenset({CallStatus.PENDING}),
    CallStatus.FAILED: frozenset({CallStatus.PENDING}),
    CallStatus.SKIPPED: frozenset({CallStatus.PENDING}),
    CallStatus.CANCELLED: frozenset({CallStatus.PENDING}),
    # The carrier may tell after all, by a late callback.
    CallStatus.UNKNOWN: frozenset({CallStatus.PENDING, CallStatus.COMPLETED, CallStatus.FAILED}),
}
_ENDS = frozenset(
    {
        *(AttemptStatus.COMPLETED, AttemptStatus.BUSY, AttemptStatus.NO_ANSWER),
        *(AttemptStatus.FAILED, AttemptStatus.CANCELED, AttemptStatus.VOICEMAIL),
    }
)
ATTEMPT_MOVES: dict[AttemptStatus, frozenset[AttemptStatus]] = {
    AttemptStatus.QUEUED: frozenset(
        {AttemptStatus.RINGING, AttemptStatus.IN_PROGRESS, AttemptStatus.UNKNOWN, *_ENDS}
    ),
    AttemptStatus.RINGING: frozenset({AttemptStatus.IN_PROGRESS, AttemptStatus.UNKNOWN, *_ENDS}),
    AttemptStatus.IN_PROGRESS: frozenset({AttemptStatus.UNKNOWN, *_ENDS}),
    AttemptStatus.UNKNOWN: _ENDS,
}


def move_batch(
    batch: CallBatch, to: BatchStatus, *, now: datetime, reason: PauseReason | None = None
) -> bool:
    """Move a living batch, if its status in the database may go there, and tell integrators.

    Says whether it did. To be called in a transaction.
    """
    sources = [status for status, targets in BATCH_MOVES.items() if to in targets]
    moved = CallBatch.objects.filter(id=batch.id, status__in=sources, deleted_at=None).update(
        status=to, status_reason=reason or "", updated_at=now
    )
    if moved:
        batch.status, batch.status_reason, batch.updated_at = to, reason or "", now
        tell_move(batch, now=now)
    return bool(moved)

"""Why a pending call is not being dialed, for people who wonder."""

from dataclasses import dataclass
from datetime import datetime

from batches.models import BatchStatus, Call, CallBatch, CallStatus, PauseReason

DIALER = "dialer"
OTHER_SESSION = "other_session"
_OF_BATCH = {
    BatchStatus.DRAFT: "The batch has not been started.",
    BatchStatus.STOPPED: "The batch was stopped.",
    BatchStatus.PAUSED: "The system paused the batch: {reason}.",
    BatchStatus.COMPLETED: "The batch is completed; start it again to dial this call.",
}
_WHY_PAUSED = {
    PauseReason.NO_NUMBER: "it has no calling number left (no_number)",
    PauseReason.CARRIER_REFUSED: "the carrier refuses its calls (carrier_refused)",
    PauseReason.CARRIER_FAILING: "the carrier is failing (carrier_failing)",
    PauseReason.KILL_SWITCH: "dialing is switched off (kill_switch)",
}


@dataclass(frozen=True, slots=True)
class Wait:
    """`until`: when the wait ends by itself; None when nobody knows. `detail` is a sentence."""

    reason: str
    until: datetime | None
    detail: str


def waiting_for(call: Call, batch: CallBatch) -> Wait | None:
    """What a pending call waits for; None for any other call. Reads `batch.session`."""
    if call.status != CallStatus.PENDING:
        return None
    status = BatchStatus(batch.status)
    if status in _OF_BATCH:
        reason = _WHY_PAUSED[PauseReason(batch.status_reason)] if batch.status_reason else ""
        return Wait(f"batch_{status.value}", None, _OF_BATCH[status].format(reason=reason))
    session = batch.session
    if session and session.only_its_calls and call.session_id != session.id:
        detail = "The batch was started for other calls only; a start without callData includes it."
        return Wait(OTHER_SESSION, None, detail)
    return Wait(DIALER, None, "Waits for its turn.")

from batches.models.batch import (
    MAX_DELAY,
    MAX_RETRY,
    BatchNumber,
    BatchStatus,
    BatchType,
    BatchVariable,
    CallBatch,
    CallCounter,
    DialingSession,
    PauseReason,
    RotationCursor,
)
from batches.models.call import (
    AttemptStatus,
    Call,
    CallAttempt,
    CallEvent,
    CallStatus,
    EventReason,
    Lease,
)
from batches.models.carrier_callback import CarrierCallback
from batches.models.do_not_call import DoNotCallEntry
from batches.models.files import ContactsFile, ContactsFilePart
from batches.models.imports import Import, ImportErrorRow, ImportKind, ImportSource, ImportStatus
from workspaces.models import EVERY_DAY, MINUTES_PER_DAY, DaysAreDistinct, every_day

__all__ = [
    "EVERY_DAY",
    "MAX_DELAY",
    "MAX_RETRY",
    "MINUTES_PER_DAY",
    "AttemptStatus",
    "BatchNumber",
    "BatchStatus",
    "BatchType",
    "BatchVariable",
    "Call",
    "CallAttempt",
    "CallBatch",
    "CallCounter",
    "CallEvent",
    "CallStatus",
    "CarrierCallback",
    "ContactsFile",
    "ContactsFilePart",
    "DaysAreDistinct",
    "DialingSession",
    "DoNotCallEntry",
    "EventReason",
    "Import",
    "ImportErrorRow",
    "ImportKind",
    "ImportSource",
    "ImportStatus",
    "Lease",
    "PauseReason",
    "RotationCursor",
    "every_day",
]

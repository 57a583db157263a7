from batches.admin.batches import CallBatchAdmin
from batches.admin.calls import CallAdmin
from batches.admin.carrier_callbacks import CarrierCallbackAdmin
from batches.admin.do_not_call import DoNotCallEntryAdmin
from batches.admin.imports import ImportAdmin

__all__ = [
    "CallAdmin",
    "CallBatchAdmin",
    "CarrierCallbackAdmin",
    "DoNotCallEntryAdmin",
    "ImportAdmin",
]

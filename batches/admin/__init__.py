from batches.admin.batches import CallBatchAdmin
from batches.admin.calls import CallAdmin
from batches.admin.carrier_accounts import SwitchedCarrierAccountAdmin
from batches.admin.carrier_callbacks import CarrierCallbackAdmin
from batches.admin.do_not_call import DoNotCallEntryAdmin
from batches.admin.imports import ImportAdmin
from batches.admin.phones import UsedPhoneNumberAdmin
from batches.admin.workspaces import SwitchedWorkspaceAdmin

__all__ = [
    "CallAdmin",
    "CallBatchAdmin",
    "CarrierCallbackAdmin",
    "DoNotCallEntryAdmin",
    "ImportAdmin",
    "SwitchedCarrierAccountAdmin",
    "SwitchedWorkspaceAdmin",
    "UsedPhoneNumberAdmin",
]

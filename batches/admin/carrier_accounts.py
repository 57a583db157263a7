from django.contrib import admin

from batches.admin.kill_switches import KillSwitchPages
from calling.admin.accounts import CarrierAccountAdmin
from calling.models import CarrierAccount


@admin.register(CarrierAccount)
class SwitchedCarrierAccountAdmin(KillSwitchPages, CarrierAccountAdmin):
    actions_detail = ["renew", "kill", "release"]

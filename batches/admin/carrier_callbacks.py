from django.contrib import admin

from batches.models import CarrierCallback
from workspaces.back_office.base import ReadOnlyAdmin


@admin.register(CarrierCallback)
class CarrierCallbackAdmin(ReadOnlyAdmin[CarrierCallback]):
    """What carriers have sent us, as it came."""

    list_display = ["received_at", "workspace", "carrier", "attempt_id", "effect"]
    list_filter = ["carrier", "effect"]
    list_select_related = ["workspace"]
    search_fields = ["workspace__name"]
    ordering = ["-received_at", "-id"]
    show_full_result_count = False
    fields = ["id", "workspace", "attempt_id", "carrier", "url", "received_at", "effect", "sent"]
    readonly_fields = ["sent"]

    @admin.display(description="body")
    def sent(self, callback: CarrierCallback) -> str:
        return bytes(callback.body).decode(errors="replace")

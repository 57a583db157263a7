from django.contrib import admin

from batches.models import DoNotCallEntry
from workspaces.back_office.base import ReadOnlyAdmin


@admin.register(DoNotCallEntry)
class DoNotCallEntryAdmin(ReadOnlyAdmin[DoNotCallEntry]):
    """To look at: numbers are listed and taken off the list through the API."""

    list_display = ["phone_number", "workspace", "type", "created_by", "created_at", "deleted_at"]
    list_filter = [("deleted_at", admin.EmptyFieldListFilter), "created_at"]
    list_select_related = ["workspace", "created_by"]
    search_fields = ["phone_number", "type", "workspace__name"]
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-id"]
    fieldsets = [
        (None, {"fields": ["id", "phone_number", "type", "workspace", "created_by"]}),
        (
            "The call it came from",
            {"fields": ["batch", "request_uuid", "call_recording", "transcription"]},
        ),
        ("Times", {"fields": ["created_at", "deleted_at"]}),
    ]

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from calling.models import PhoneNumber
from workspaces.audited_admin import AuditedAdmin


@admin.register(PhoneNumber)
class PhoneNumberAdmin(AuditedAdmin[PhoneNumber]):
    list_display = ["number", "label", "workspace", "carrier", "is_active", "created_at"]
    list_filter = ["is_active", "carrier"]
    list_select_related = ["workspace"]
    search_fields = ["number", "label", "workspace__name"]
    autocomplete_fields = ["workspace"]
    ordering = ["-created_at", "-id"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        asked = ["workspace", "number", "label", "carrier", "is_active"]
        return ["id", *asked, "created_by", "created_at", "updated_at"] if obj else asked

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Which number it is, and whose, is settled once: batches and calls refer to it."""
        if obj is None:
            return []
        return ["id", "workspace", "number", "carrier", "created_by", "created_at", "updated_at"]

    def save_model(self, request: HttpRequest, obj: PhoneNumber, form: Any, change: bool) -> None:
        if not change:
            obj.created_by_id = str(request.user.pk)
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # deactivate it: batches may rotate through it

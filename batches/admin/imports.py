from django.contrib import admin

from batches.models import Import
from workspaces.back_office.base import ReadOnlyAdmin


@admin.register(Import)
class ImportAdmin(ReadOnlyAdmin[Import]):
    list_display = [
        "file_name",
        "source",
        "kind",
        "workspace",
        "status",
        "progress",
        "rows_read",
        "rows_invalid",
        "rows_added",
        "created_at",
    ]
    list_filter = ["status", "kind", "source", "created_at"]
    list_select_related = ["workspace"]
    search_fields = ["file_name", "workspace__name", "created_by__email"]
    ordering = ["-created_at", "-id"]
    fieldsets = [
        (None, {"fields": ["id", "workspace", "batch", "created_by", "kind"]}),
        ("File", {"fields": ["source", "file_name", "header", "dry_run"]}),
        ("Progress", {"fields": ["status", "progress", "rows_read", "rows_invalid"]}),
        ("Outcome", {"fields": ["rows_duplicate", "rows_added", "rows_updated", "errors"]}),
        ("Times", {"fields": ["created_at", "updated_at"]}),
    ]

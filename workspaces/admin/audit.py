from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from workspaces.back_office.base import ReadOnlyAdmin
from workspaces.models import AuditEvent


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin[AuditEvent]):
    list_display = ["created_at", "workspace", "user", "action", "target_id", "credential", "ip"]
    list_filter = ["action", "credential_kind", "created_at"]
    list_select_related = ["workspace", "user"]
    search_fields = ["target_id", "user__email", "workspace__name", "request_id", "credential"]
    ordering = ["-created_at", "-id"]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        """What happened to this id? (Its own id interests nobody.)"""
        return admin.ModelAdmin.get_search_results(self, request, queryset, search_term)

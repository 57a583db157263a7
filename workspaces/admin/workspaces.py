from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from workspaces.back_office.base import DialingAdmin, ReadOnlyInline
from workspaces.back_office.reach import reach_of
from workspaces.forms import WorkspaceForm
from workspaces.models import Membership, Workspace


class MembershipInline(ReadOnlyInline[Membership]):
    """To look at; who joins and who leaves is settled on the page of members, where keys end, too."""

    model = Membership
    verbose_name_plural = "members"
    fields = ["user", "role", "created_at"]
    show_change_link = True

    def get_queryset(self, request):  # type: ignore[no-untyped-def]
        return super().get_queryset(request).select_related("user").order_by("user__email")


@admin.register(Workspace)
class WorkspaceAdmin(DialingAdmin[Workspace]):
    form = WorkspaceForm
    workspace_path = "pk"
    list_display = ["name", "timezone", "is_active", "created_at"]
    list_filter = ["is_active"]
    search_fields = ["name"]
    ordering = ["-created_at", "-id"]
    readonly_fields = ["id", "created_at", "updated_at"]
    inlines = [MembershipInline]
    fieldsets = [
        (None, {"fields": ["id", "name", "is_active"]}),
        (
            "When",
            {
                "fields": [
                    "timezone",
                    "calling_hour_start",
                    "calling_hour_end",
                    "allowed_days",
                    "start_when_calls_added",
                ]
            },
        ),
        (
            "Limits",
            {
                "fields": [
                    "concurrency_limit",
                    "contact_daily_cap",
                    "called_countries",
                    "dnc_enabled",
                ]
            },
        ),
        ("Times", {"fields": ["created_at", "updated_at"]}),
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return reach_of(request).is_all

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it would take calls and audit events along: suspend it instead

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Whether a tenant is suspended is not the tenant's to say."""
        own = [] if reach_of(request).is_all else ["is_active"]
        return [*self.readonly_fields, *own]

"""What other packages bring along, in the dress of the rest. For superusers alone."""

from typing import Any

from axes.admin import AccessAttemptAdmin
from axes.models import AccessAttempt
from django.contrib import admin
from django.http import HttpRequest
from procrastinate.contrib.django.admin import ProcrastinateEventInline, ProcrastinateJobAdmin
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob

from workspaces.back_office.reach import reach_of
from workspaces.back_office.theme import ModelAdmin


class _ForSuperusers:
    def has_module_permission(self, request: HttpRequest) -> bool:
        return reach_of(request).is_all

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return reach_of(request).is_all

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


admin.site.unregister(AccessAttempt)
admin.site.unregister(ProcrastinateJob)


@admin.register(AccessAttempt)
class SignInFailures(_ForSuperusers, AccessAttemptAdmin, ModelAdmin[Any]):  # type: ignore[misc]
    """Who is locked out; deleting the row lets them in again."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return reach_of(request).is_all


class JobEventInline(_ForSuperusers, ProcrastinateEventInline):
    model = ProcrastinateEvent
    extra = 0

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ProcrastinateJob)
class BackgroundJobs(_ForSuperusers, ProcrastinateJobAdmin, ModelAdmin[Any]):
    inlines = [JobEventInline]
    ordering = ["-id"]
    list_per_page = 50
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

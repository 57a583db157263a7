from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from batches.models import MINUTES_PER_DAY, BatchNumber, CallBatch
from batches.querysets import CallBatchQuerySet
from workspaces.back_office.base import ReadOnlyAdmin, ReadOnlyInline

PROGRESS = ["total_calls", "calls_picked", "calls_completed"]
DAY_NAMES = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


class RotationInline(ReadOnlyInline[BatchNumber]):
    model = BatchNumber
    verbose_name_plural = "calling numbers, in rotation order"
    fields = ["position", "phone"]
    ordering = ["position"]

    def get_queryset(self, request):  # type: ignore[no-untyped-def]
        return super().get_queryset(request).select_related("phone")


@admin.register(CallBatch)
class CallBatchAdmin(ReadOnlyAdmin[CallBatch]):
    """To look at: batches are made and changed through the API."""

    list_display = [
        "name",
        "workspace",
        "status",
        *PROGRESS,
        "hours",
        "created_by",
        "created_at",
    ]
    list_filter = ["status", "batch_type", "created_at"]
    list_select_related = ["workspace", "created_by"]
    search_fields = ["name", "workspace__name", "created_by__email"]
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-id"]
    inlines = [RotationInline]
    fieldsets = [
        (None, {"fields": ["id", "name", "workspace", "created_by", "batch_type"]}),
        ("Progress", {"fields": ["status", "status_reason", *PROGRESS]}),
        ("When", {"fields": ["timezone", "hours", "days", "delay", "retry", "enable_dnc"]}),
        ("Times", {"fields": ["created_at", "updated_at", "deleted_at"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> CallBatchQuerySet:
        batches = super().get_queryset(request)
        assert isinstance(batches, CallBatchQuerySet)  # noqa: S101 (the model's own manager)
        return batches.with_counts()

    @admin.display(description="calls")
    def total_calls(self, batch: Any) -> int:
        return int(batch.counts["total"])

    @admin.display(description="picked")
    def calls_picked(self, batch: Any) -> int:
        return int(batch.counts["picked"])

    @admin.display(description="completed")
    def calls_completed(self, batch: Any) -> int:
        return int(batch.counts["completed"])

    @admin.display(description="calling hours")
    def hours(self, batch: CallBatch) -> str:
        if batch.calling_hour_start is None or batch.calling_hour_end is None:
            return "all day"
        return f"{_clock(batch.calling_hour_start)} to {_clock(batch.calling_hour_end)}"

    @admin.display(description="allowed days")
    def days(self, batch: CallBatch) -> str:
        if len(batch.allowed_days) == len(DAY_NAMES):
            return "every day"
        return ", ".join(DAY_NAMES[day] for day in batch.allowed_days)


def _clock(minutes: int) -> str:
    return "24:00" if minutes == MINUTES_PER_DAY else f"{minutes // 60:02}:{minutes % 60:02}"

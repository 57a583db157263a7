import re
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from batches.models import Call, CallAttempt, CallBatch, CallEvent
from workspaces.back_office.base import ReadOnlyAdmin, ReadOnlyInline
from workspaces.ids import is_object_id

_not_digits = re.compile(r"[^0-9]")


class ShortPaginator(Paginator[Call]):
    """Of many millions of rows only the first are counted, and can be leafed through."""

    MOST_COUNTED = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows[: self.MOST_COUNTED].count())


class AttemptInline(ReadOnlyInline[CallAttempt]):
    model = CallAttempt
    fields = [
        "created_at",
        "request_uuid",
        "from_number",
        "status",
        "answered_at",
        "ended_at",
        "talk_seconds",
        "answered_by",
        "hangup_cause",
    ]
    ordering = ["created_at", "id"]


class EventInline(ReadOnlyInline[CallEvent]):
    model = CallEvent
    verbose_name_plural = "timeline"
    fields = ["created_at", "from_status", "to_status", "reason", "detail", "request_uuid", "user"]
    ordering = ["created_at", "id"]

    def get_queryset(self, request):  # type: ignore[no-untyped-def]
        return super().get_queryset(request).select_related("user")


@admin.register(Call)
class CallAdmin(ReadOnlyAdmin[Call]):
    """To look at. Lists what an index serves: the newest, one number, one id; no filters."""

    list_display = ["phone_number", "batch", "workspace", "status", "attempts_made", "created_at"]
    list_select_related = ["batch", "workspace"]
    ordering = ["-id"]  # which begins with the time
    paginator = ShortPaginator
    search_fields = ["phone_number"]
    search_help_text = "A whole phone number with its country code, or an id."
    inlines = [AttemptInline, EventInline]
    fieldsets = [
        (None, {"fields": ["id", "phone_number", "batch", "workspace", "session"]}),
        ("Progress", {"fields": ["status", "attempts_made", "is_picked"]}),
        ("Contact", {"fields": ["timezone", "variables"]}),
        ("Times", {"fields": ["created_at", "updated_at"]}),
    ]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Call], search_term: str
    ) -> tuple[QuerySet[Call], bool]:
        """An id, or the whole number however it is written."""
        term = search_term.strip()
        if not term or is_object_id(term):
            return super().get_search_results(request, queryset, term)
        number = f"+{_not_digits.sub('', term)}"
        # By way of the batches: the index begins with them.
        return queryset.filter(batch__in=CallBatch.objects.all(), phone_number=number), False

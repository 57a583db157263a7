"""Batches: the list, and where their pages are."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from batches.admin import batch_deeds, batch_form, batch_page, uploads
from batches.models import CallBatch
from batches.querysets import CallBatchQuerySet
from batches.wording import window_in_words, window_of_row, zone_in_words
from workspaces.back_office.base import ReadOnlyAdmin
from workspaces.back_office.reach import reach_of
from workspaces.templatetags.back_office import moment, share, status_label

# The pages of one batch: the end of their address, which is also that of their name.
_PAGES = {
    "live": batch_page.live,
    "preflight": batch_page.look_ahead,
    "edit": batch_form.edit,
    "start": batch_deeds.start,
    "stop": batch_deeds.stop,
    "retry": batch_deeds.retry,
    "cancel": batch_deeds.cancel,
    "delete": batch_deeds.delete,
    "export": batch_deeds.export,
    "upload": uploads.send,
}
_PAGES_OF_A_FILE = {"file": ("", uploads.look), "file_state": ("state/", uploads.state)}


class DeletedFilter(admin.SimpleListFilter):
    """Deleted batches are gone from every list, unless somebody asks for them."""

    title = "deleted"
    parameter_name = "deleted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("only", "Deleted"), ("too", "Deleted or not")]

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield {**choice, "display": "Not deleted"} if choice["display"] == "All" else choice

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "too":
            return queryset
        return queryset.filter(deleted_at__isnull=self.value() != "only")


@admin.register(CallBatch)
class CallBatchAdmin(ReadOnlyAdmin[CallBatch]):
    """Nothing is saved by Django's own forms: every change goes through the API's services."""

    list_display = [
        *("name", "workspace", "state", "progress", "answered", "hours", "created"),
    ]
    list_filter = ["status", "batch_type", "created_at", DeletedFilter]
    list_select_related = ["workspace"]
    search_fields = ["name", "workspace__name", "created_by__email"]
    search_help_text = "In the name of the batch or its workspace, or the e-mail of who made it."
    ordering = ["-created_at", "-id"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return reach_of(request).leads_any

    def get_queryset(self, request: HttpRequest) -> CallBatchQuerySet:
        batches = super().get_queryset(request)
        assert isinstance(batches, CallBatchQuerySet)  # noqa: S101 (the model's own manager)
        return batches.with_counts()

    # --- pages ---

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<str:object_id>/{verb}/",
                self.admin_site.admin_view(_bound(view, self)),
                name=f"batches_callbatch_{verb}",
            )
            for verb, view in _PAGES.items()
        ]
        of_files = [
            path(
                f"<str:object_id>/upload/<str:file_id>/{end}",
                self.admin_site.admin_view(_bound(view, self)),
                name=f"batches_callbatch_{name}",
            )
            for name, (end, view) in _PAGES_OF_A_FILE.items()
        ]
        return [*own, *of_files, *super().get_urls()]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return batch_form.create(self, request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        batch = self.get_object(request, object_id)
        if batch is None:
            raise Http404
        return batch_page.show(self, request, batch)

    # --- columns ---

    @admin.display(description="status", ordering="status")
    def state(self, batch: CallBatch) -> SafeString:
        label = render_to_string("unfold/helpers/label.html", status_label(batch.status))
        if not batch.status_reason:
            return format_html("{}", label)
        return format_html("{} {}", label, batch.get_status_reason_display())

    @admin.display(description="progress")
    def progress(self, batch: Any) -> SafeString:
        total, done = batch.counts["total"], batch.counts["total"] - batch.counts["open"]
        if not total:
            return format_html("{}", "no calls yet")
        return format_html(
            '<span class="od-progress" aria-hidden="true"><span style="width: {}%"></span></span>'
            ' <span class="od-number">{} of {}</span>',
            f"{100 * done / total:.1f}",
            f"{done:,}",
            f"{total:,}",
        )

    @admin.display(description="answered")
    def answered(self, batch: Any) -> str:
        """Of the calls that are over."""
        done = batch.counts["total"] - batch.counts["open"]
        return share(min(batch.counts["picked"], done), done)

    @admin.display(description="created", ordering="created_at")
    def created(self, batch: CallBatch) -> str:
        return moment(batch.created_at)

    @admin.display(description="calling hours")
    def hours(self, batch: CallBatch) -> str:
        words = window_in_words(window_of_row(batch))
        return words if words == "at any time" else f"{words} {zone_in_words(batch.timezone)}"


def _bound(view: Any, model_admin: CallBatchAdmin) -> Any:
    def bound(request: HttpRequest, **kwargs: Any) -> Any:
        return view(model_admin, request, **kwargs)

    return bound

"""What became of files and records that were sent: the list, and a page for each that follows it."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from rest_framework.exceptions import APIException

from batches.api.streams import CSV, download
from batches.exports import refused_rows_as_csv
from batches.models import Import, ImportKind, ImportSource, ImportStatus
from workspaces.back_office.base import ReadOnlyAdmin
from workspaces.templatetags.back_office import moment, status_label

ERRORS_SHOWN = 20  # rows, on a page
_COLOURS = {
    ImportStatus.RUNNING: "running",
    ImportStatus.STORED: "completed",
    ImportStatus.CHECKED: "completed",
    ImportStatus.REFUSED: "refused",
    ImportStatus.FAILED: "failed",
}


@admin.register(Import)
class ImportAdmin(ReadOnlyAdmin[Import]):
    list_display = [
        *("name", "kind", "workspace", "state", "rows_read", "rows_invalid", "rows_added"),
        "created",
    ]
    list_filter = ["status", "kind", "source", "dry_run", "created_at"]
    list_select_related = ["workspace"]
    search_fields = ["file_name", "workspace__name", "created_by__email"]
    search_help_text = "In the name of the file or the workspace, or the e-mail of who sent it."
    ordering = ["-created_at", "-id"]

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<str:object_id>/{verb}/",
                self.admin_site.admin_view(view),
                name=f"batches_import_{verb}",
            )
            for verb, view in (("live", self.live_view), ("errors", self.errors_view))
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        record = self._seen(request, object_id)
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": _name(record),
            "opts": self.opts,
            "original": record,
            "may_upload": bool(record.batch_id) and self.may_steer(request, record),
            **told_of(record),
        }
        return TemplateResponse(request, "admin/batches/import/page.html", context)

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        record = self._seen(request, object_id)
        context = {**told_of(record)}
        context["may_upload"] = bool(record.batch_id) and self.may_steer(request, record)
        return TemplateResponse(request, "admin/batches/import/live.html", context)

    def errors_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The rows that were refused, for whoever sees the import, as with the API."""
        record = self._seen(request, object_id)
        try:
            return download(
                request,
                refused_rows_as_csv(record),
                media_type=CSV,
                name=f"{record.file_name or 'import'} errors",
                extension="csv",
            )
        except APIException as error:
            messages.warning(request, str(error.detail))
            return HttpResponseRedirect(reverse("admin:batches_import_change", args=[record.id]))

    def _seen(self, request: HttpRequest, object_id: str) -> Import:
        record = self.get_object(request, object_id)
        if record is None:
            raise Http404
        return record

    @admin.display(description="file", ordering="file_name")
    def name(self, record: Import) -> str:
        return _name(record)

    @admin.display(description="sent", ordering="created_at")
    def created(self, record: Import) -> str:
        return moment(record.created_at)

    @admin.display(description="status", ordering="status")
    def state(self, record: Import) -> SafeString:
        text = record.get_status_display()
        if record.status == ImportStatus.RUNNING:
            text = f"{text} {record.progress} %"
        label = status_label(_COLOURS[ImportStatus(record.status)], text)
        return format_html("{}", render_to_string("unfold/helpers/label.html", label))


def told_of(record: Import) -> dict[str, Any]:
    """What a page tells of an import. One statement, of one with invalid rows."""
    of_the_file = [row["errors"] for row in record.errors if row.get("row") == 0]
    rows = [] if record.source == ImportSource.JSON else record.errors
    return {
        "record": record,
        "colour": _COLOURS[ImportStatus(record.status)],
        "is_running": record.status == ImportStatus.RUNNING,
        "is_contacts": record.kind == ImportKind.CONTACTS,
        "is_file": record.source != ImportSource.JSON,
        "valid": record.rows_read - record.rows_invalid,
        "file_errors": [error["message"] for errors in of_the_file for error in errors],
        "row_errors": [row for row in rows if row.get("row") != 0][:ERRORS_SHOWN],
        "record_errors": record.errors[:ERRORS_SHOWN] if record.source == ImportSource.JSON else [],
        "has_rows": bool(record.rows_invalid) and record.error_rows.exists(),
        "live_url": reverse("admin:batches_import_live", args=[record.id]),
    }


def _name(record: Import) -> str:
    return record.file_name or f"{record.get_source_display()} records"

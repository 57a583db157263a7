import re
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.http import urlencode

from batches.admin import call_deeds
from batches.admin.call_page import page_of
from batches.admin.contacts import batches_in_sight, contact_page
from batches.models import Call, CallBatch, CallStatus
from batches.services.counters import counts_of, total_of
from workspaces.back_office.base import ReadOnlyAdmin
from workspaces.back_office.paging import ShortPaginator
from workspaces.back_office.reach import reach_of
from workspaces.back_office.theme import display
from workspaces.ids import is_object_id

_not_digits = re.compile(r"[^0-9]")
BATCH, STATUS = "batch__id__exact", "status__exact"
_LABELS = {
    CallStatus.PENDING: "default",
    CallStatus.IN_PROGRESS: "info",
    CallStatus.COMPLETED: "success",
    CallStatus.FAILED: "danger",
    CallStatus.SKIPPED: "warning",
    CallStatus.UNKNOWN: "warning",
    CallStatus.CANCELLED: "default",
}


class StatusOfBatch(admin.SimpleListFilter):
    """Only together with a batch, as the index has it; alone it would look through all calls."""

    title = "status"
    parameter_name = STATUS

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(CallStatus.choices) if BATCH in request.GET else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Call]) -> QuerySet[Call]:
        return queryset.filter(status=self.value()) if self.value() else queryset

    def has_output(self) -> bool:
        return bool(self.lookup_choices)


@admin.register(Call)
class CallAdmin(ReadOnlyAdmin[Call]):
    """Lists what an index serves: the newest, those of a batch (of one status), one number, one id."""

    list_display = ["phone_number", "state", "batch", "workspace", "attempts_made", "created_at"]
    list_select_related = ["batch", "workspace"]
    list_filter = [StatusOfBatch]
    list_filter_submit = False
    list_before_template = "admin/batches/call/of_batch.html"
    sortable_by = ()
    paginator = ShortPaginator
    search_fields = ["phone_number"]
    search_help_text = "A whole phone number with its country code, or an id."
    fields = ["id"]  # the page has a template of its own
    change_form_template = "admin/batches/call/change_form.html"

    # --- the list ---

    def get_ordering(self, request: HttpRequest) -> list[str]:
        """The order of the index; an id begins with the time, too."""
        return ["-created_at", "-id"] if BATCH in request.GET else ["-id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Call]:
        calls = super().get_queryset(request).defer("variables")
        reach = reach_of(request)
        # By way of the batches: no index begins with the workspace.
        is_nearly_all = reach.is_all and not reach.is_sandbox
        return calls if is_nearly_all else calls.filter(batch__in=batches_in_sight(reach))

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

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(
            request, {**(extra_context or {}), **self._of_batch(request)}
        )

    def _of_batch(self, request: HttpRequest) -> dict[str, Any]:
        """The batch that the list is of, and its calls by status, each with the address of its list."""
        batch_id = request.GET.get(BATCH, "")
        if not is_object_id(batch_id):
            return {}
        in_sight = reach_of(request).narrow(CallBatch.objects.all(), "workspace")
        batch = in_sight.filter(pk=batch_id).first()
        if batch is None:
            return {}
        counts, chosen = counts_of(batch.id), request.GET.get(STATUS, "")
        tabs = [("All", total_of(counts), f"?{urlencode({BATCH: batch.id})}", not chosen)]
        for status in CallStatus:
            if counts[status] or status == chosen:
                address = f"?{urlencode({BATCH: batch.id, STATUS: status})}"
                tabs.append((status.label, counts[status], address, status == chosen))
        return {"of_batch": batch, "status_tabs": tabs}

    @display(description="status", label=_LABELS)
    def state(self, call: Call) -> tuple[str, str]:
        return call.status, call.status.replace("-", " ")

    # --- the page of one ---

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("contact/", view(self.contact_view), name="batches_call_contact"),
            path("<str:object_id>/live/", view(self.live_view), name="batches_call_live"),
            path("<str:object_id>/cancel/", view(self.cancel_view), name="batches_call_cancel"),
            path("<str:object_id>/retry/", view(self.retry_view), name="batches_call_retry"),
            path(
                "<str:object_id>/do-not-call/",
                view(self.do_not_call_view),
                name="batches_call_do_not_call",
            ),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        call: Any = kwargs.get("obj")
        context |= {**self._page(request, call.pk), "title": f"Call to {call}", "subtitle": ""}
        return super().render_change_form(request, context, *args, **kwargs)

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return TemplateResponse(
            request, "admin/batches/call/live.html", self._page(request, object_id)
        )

    def _page(self, request: HttpRequest, call_id: str) -> dict[str, Any]:
        """Raises Http404 for what is not in sight."""
        calls: Any = self.get_queryset(request).select_related("workspace", "batch__session")
        call = (
            calls.with_variables_json().filter(pk=call_id).first()
            if is_object_id(call_id)
            else None
        )
        if call is None:
            raise Http404
        return page_of(call, may_steer=self.may_steer(request, call), now=timezone.now())

    def contact_view(self, request: HttpRequest) -> HttpResponse:
        return contact_page(self, request)

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return call_deeds.cancel(self, request, object_id)

    def retry_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return call_deeds.retry(self, request, object_id)

    def do_not_call_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return call_deeds.do_not_call(self, request, object_id)

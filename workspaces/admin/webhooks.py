"""Webhooks: the list, and where their pages are."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from workspaces.admin import webhook_deeds, webhook_page
from workspaces.admin.filters import WorkspaceFilter
from workspaces.admin.webhook_figures import figures_of
from workspaces.back_office.base import ReadOnlyAdmin
from workspaces.back_office.reach import reach_of
from workspaces.back_office.theme import display
from workspaces.back_office.webhook_words import state_of, types_in_words
from workspaces.models import WebhookEndpoint
from workspaces.templatetags.back_office import moment, status_label

# The pages of one webhook: the end of their address, which is also that of their name.
_PAGES = {
    "live": webhook_page.live,
    "edit": webhook_deeds.edit,
    "switch_off": webhook_deeds.switch_off,
    "switch_on": webhook_deeds.switch_on,
    "rotate": webhook_deeds.rotate,
    "test": webhook_deeds.test,
    "replay": webhook_deeds.replay,
}
_SHORT_LIST = 3  # types of events that are named
_SHORT_ADDRESS = 120  # characters


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("working", "Working"), ("failing", "Failing"), ("off", "Switched off")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "off":
            return queryset.exclude(disabled_reason="")
        if self.value() in ("working", "failing"):
            is_well = self.value() == "working"
            return queryset.filter(disabled_reason="", failing_since__isnull=is_well)
        return queryset


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin[WebhookEndpoint]):
    """Nothing is saved by Django's own forms: every change goes through the API's services.

    No page reads a secret, so none is even fetched.
    """

    list_display = [
        *("address", "description", "wanted", "state", "last_success", "waiting", "workspace"),
    ]
    list_filter = [WorkspaceFilter, StateFilter]
    list_select_related = ["workspace"]
    search_fields = ["url", "description", "workspace__name"]
    search_help_text = "In the address, the description or the name of the workspace."
    ordering = ["-created_at", "-id"]
    sortable_by = ["address", "description", "workspace"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return reach_of(request).leads_any

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        rows = super().get_queryset(request).defer("secret", "old_secret")
        return rows.select_related("workspace", "created_by")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        figures = figures_of(row.pk for row in changelist.result_list)
        for row in changelist.result_list:
            row.figures = figures[row.pk]
        return changelist

    # --- pages ---

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<str:object_id>/{verb.replace('_', '-')}/",
                self.admin_site.admin_view(_bound(view, self)),
                name=f"workspaces_webhookendpoint_{verb}",
            )
            for verb, view in _PAGES.items()
        ]
        return [*own, *super().get_urls()]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return webhook_deeds.create(self, request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        endpoint = self.get_object(request, object_id)
        if endpoint is None:
            raise Http404
        return webhook_page.show(self, request, endpoint)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        return webhook_deeds.delete(self, request, object_id)

    # --- columns ---

    @display(description="address", ordering="url")
    def address(self, endpoint: WebhookEndpoint) -> str:
        return Truncator(endpoint.url).chars(_SHORT_ADDRESS)

    @display(description="events")
    def wanted(self, endpoint: WebhookEndpoint) -> str:
        types = endpoint.event_types
        if len(types) > _SHORT_LIST + 1:
            return f"{types_in_words(types[:_SHORT_LIST])} and {len(types) - _SHORT_LIST} more"
        return types_in_words(types)

    @display(description="state")
    def state(self, endpoint: WebhookEndpoint) -> SafeString:
        state = state_of(endpoint, timezone.now())
        context = status_label(state.status, state.label)
        label = render_to_string("unfold/helpers/label.html", context)
        return format_html("{} {}", label, state.detail)

    @display(description="last success")
    def last_success(self, endpoint: Any) -> str:
        return moment(endpoint.figures.succeeded_at)

    @display(description="waiting")
    def waiting(self, endpoint: Any) -> str:
        return str(endpoint.figures.waiting_text)


def _bound(view: Any, model_admin: WebhookEndpointAdmin) -> Any:
    def bound(request: HttpRequest, **kwargs: Any) -> Any:
        return view(model_admin, request, **kwargs)

    return bound

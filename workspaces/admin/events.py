"""Events: what integrators are told, by webhook and in the feed."""

import json
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from unfold.contrib.filters.admin import DropdownFilter

from workspaces.admin.audit import page_of
from workspaces.admin.filters import WorkspaceFilter
from workspaces.admin.webhook_page import rows_of
from workspaces.back_office.base import ReadOnlyAdmin
from workspaces.back_office.paging import ShortPaginator
from workspaces.back_office.reach import reach_of
from workspaces.back_office.theme import display
from workspaces.back_office.webhook_words import type_in_words
from workspaces.ids import is_object_id
from workspaces.models import Event, EventType, WebhookDelivery
from workspaces.services.events import payload_of
from workspaces.templatetags.back_office import moment

MOST_DELIVERIES = 50  # shown with their event
# By which id an event names what it is about (as the audit log calls it), and what to call it.
_THINGS = (
    ("callId", "call", "Call to +{phoneNumber}"),
    ("batchId", "batch", "{batchName}"),
    ("entryId", "donotcallentry", "+{phoneNumber}"),
    ("importId", "import", "A file of numbers"),
    ("accountId", "carrieraccount", "A carrier account"),
    ("webhookId", "webhookendpoint", "A webhook"),
)
Thing = tuple[str, str]


class TypeFilter(DropdownFilter):  # type: ignore[misc]
    title = "event"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(EventType.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        known = self.value() in EventType.values
        return queryset.filter(type=self.value()) if known else queryset


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin[Event]):
    """Lists what an index serves: the newest, those of a type, one id."""

    list_display = ["what", "about", "created", "position", "workspace"]
    list_filter = [WorkspaceFilter, TypeFilter]
    list_select_related = ["workspace"]
    sortable_by = ()
    paginator = ShortPaginator
    search_fields = ["id"]
    search_help_text = "The id of an event."

    def get_ordering(self, request: HttpRequest) -> list[str]:
        """That of an index of one workspace; of several, an id begins with the time, too."""
        reach = reach_of(request)
        is_one = (not reach.is_all and len(reach.seen) == 1) or (
            WorkspaceFilter.parameter_name in request.GET
        )
        return ["-created_at", "-id"] if is_one else ["-id"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        term = search_term.strip()
        if term and not is_object_id(term):
            return queryset.none(), False
        return super().get_search_results(request, queryset, term)

    @display(description="event")
    def what(self, event: Event) -> str:
        return type_in_words(event.type)

    @display(description="about")
    def about(self, event: Event) -> str:
        things = things_of(event)
        if not things:
            return "–"
        text, address = things[0]
        return format_html('<a class="od-link" href="{}">{}</a>', address, text)

    @display(description="when")
    def created(self, event: Event) -> str:
        return moment(event.created_at)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        event = self.get_object(request, object_id)
        if event is None:
            raise Http404
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        deliveries = WebhookDelivery.objects.for_workspace(event.workspace_id).filter(event=event)
        deliveries = deliveries.select_related("endpoint", "event").defer(
            "endpoint__secret", "endpoint__old_secret", "event__data"
        )
        context = {
            **self.admin_site.each_context(request),
            "title": type_in_words(event.type),
            "opts": self.opts,
            "original": event,
            "event": event,
            "things": things_of(event),
            "document": json.dumps(payload_of(event), ensure_ascii=False, indent=2),
            "rows": rows_of(deliveries.order_by("-id")[:MOST_DELIVERIES]),
        }
        return TemplateResponse(request, "admin/workspaces/event/page.html", context)


def things_of(event: Event) -> list[Thing]:
    """What it is about, the nearest first: a text, and the address of its page."""
    data = event.data if isinstance(event.data, dict) else {}
    found = []
    for name, thing, text in _THINGS:
        id_ = str(data.get(name, ""))
        if is_object_id(id_) and (address := page_of(thing, id_)):
            found.append((text.format_map(_Known(data)), address))
    return found


class _Known(dict[str, Any]):
    """For a text with a name in it that this event does not tell."""

    def __missing__(self, name: str) -> str:
        return "…"

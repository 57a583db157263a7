from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from batches.models import CallAttempt, CarrierCallback
from batches.services.callbacks import Effect
from calling.carriers.registry import CARRIERS
from workspaces.back_office.base import ReadOnlyAdmin
from workspaces.back_office.paging import ShortPaginator
from workspaces.back_office.theme import display
from workspaces.ids import is_object_id

_EFFECTS = {
    Effect.RECORDED: "recorded",
    Effect.IGNORED: "changed nothing",
    Effect.UNKNOWN: "of no call of ours",
    "": "not read",
}


@admin.register(CarrierCallback)
class CarrierCallbackAdmin(ReadOnlyAdmin[CarrierCallback]):
    """What carriers have sent us, as it came. Found by what it is about: no index has more."""

    list_display = ["received_at", "carrier_title", "call", "what_it_did", "workspace"]
    list_select_related = ["workspace", "attempt__call"]
    sortable_by = ()
    paginator = ShortPaginator
    search_fields = ["id"]
    search_help_text = "The id of a callback, of an attempt, or an attempt's reference (a UUID)."
    ordering = ["-received_at", "-id"]
    fields = [
        *("id", "received_at", "workspace", "carrier_title", "call"),
        *("effect_in_words", "url", "sent"),
    ]
    readonly_fields = ["carrier_title", "call", "effect_in_words", "sent"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[CarrierCallback], search_term: str
    ) -> tuple[QuerySet[CarrierCallback], bool]:
        term = search_term.strip()
        if is_object_id(term):
            by_id = queryset.filter(pk=term)
            return (by_id if by_id.exists() else queryset.filter(attempt=term)), False
        try:
            attempts = CallAttempt.objects.filter(request_uuid=UUID(term))
        except ValueError:
            return (queryset.none() if term else queryset), False
        return queryset.filter(attempt__in=attempts.values("id")), False

    @admin.display(description="carrier")
    def carrier_title(self, callback: CarrierCallback) -> str:
        adapter = CARRIERS.get(callback.carrier)
        return adapter.title if adapter else callback.carrier

    @admin.display(description="call")
    def call(self, callback: CarrierCallback) -> str:
        call = callback.attempt.call
        address = reverse("admin:batches_call_change", args=[call.id])
        return format_html('<a class="od-link" href="{}">{}</a>', address, call.phone_number)

    @display(
        description="what it did",
        label={Effect.RECORDED: "success", Effect.IGNORED: "warning", Effect.UNKNOWN: "warning"},
    )
    def what_it_did(self, callback: CarrierCallback) -> Any:
        return callback.effect, self.effect_in_words(callback)

    @admin.display(description="what it did")
    def effect_in_words(self, callback: CarrierCallback) -> str:
        return _EFFECTS.get(callback.effect, callback.effect)

    @admin.display(description="body")
    def sent(self, callback: CarrierCallback) -> str:
        body = bytes(callback.body).decode(errors="replace")
        return format_html('<pre class="od-raw">{}</pre>', body)

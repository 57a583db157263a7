"""Webhooks made and changed, and what is sent again; in both cases the service has the last word."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from workspaces.back_office.reach import Reach
from workspaces.forms import WorkspaceChoice
from workspaces.models import Event, EventType, WebhookEndpoint
from workspaces.services.webhooks import SUBSCRIBABLE
from workspaces.webhooks.addresses import LONGEST_URL

_LOCAL_TIME = "%Y-%m-%dT%H:%M"


def _choices(types: list[EventType]) -> list[tuple[str, str]]:
    return [(type_.value, f"{type_.label} ({type_.value})") for type_ in types]


class WebhookForm(forms.Form):
    url = forms.CharField(
        label="Address",
        max_length=LONGEST_URL,
        widget=UnfoldAdminTextInputWidget(
            attrs={"inputmode": "url", "autocomplete": "off", "placeholder": "https://"}
        ),
        help_text="An https:// address on the internet, which takes each event as a POST.",
    )
    description = forms.CharField(
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="What it is for, as in “CRM”.",
    )
    event_types = forms.MultipleChoiceField(
        label="Events",
        choices=_choices(SUBSCRIBABLE),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None chosen: all of them, and those of later versions.",
    )


class NewWebhookForm(WebhookForm):
    field_order = ("workspace", "url", "description", "event_types")

    def __init__(self, data: Any, *, reach: Reach) -> None:
        super().__init__(data)
        self.fields["workspace"] = WorkspaceChoice(reach)
        self.order_fields(self.field_order)


def _moment_field(label: str) -> forms.DateTimeField:
    return forms.DateTimeField(
        label=label,
        input_formats=[_LOCAL_TIME, f"{_LOCAL_TIME}:%S"],
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
    )


class SpanForm(forms.Form):
    """Which events are sent again. Times are told in the zone of the viewer."""

    since = _moment_field("From")
    until = _moment_field("Until")
    types = forms.MultipleChoiceField(
        label="Events",
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None chosen: all that the webhook wants.",
    )
    only_failed = forms.BooleanField(
        label="Only what it has not taken",
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget,
        help_text="What failed, and what happened while it was switched off.",
    )

    def __init__(self, data: Any, *, endpoint: WebhookEndpoint) -> None:
        super().__init__(data)
        wanted = [
            type_
            for type_ in SUBSCRIBABLE
            if not endpoint.event_types or type_.value in endpoint.event_types
        ]
        now = timezone.localtime()
        fields: dict[str, Any] = self.fields
        fields["types"].choices = _choices(wanted)
        fields["since"].initial = (now - timedelta(days=1)).strftime(_LOCAL_TIME)
        fields["until"].initial = (now + timedelta(minutes=1)).strftime(_LOCAL_TIME)
        zone = f"In the time zone {timezone.get_current_timezone_name()}."
        fields["since"].help_text = f"{zone} Events are kept for {Event.KEPT_FOR.days} days."
        fields["until"].help_text = zone

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        since, until = values.get("since"), values.get("until")
        if since and until and since >= until:
            self.add_error("until", "Must be later than the beginning.")
        return values

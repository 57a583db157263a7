from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from calling.carriers.registry import CARRIERS
from calling.models import Agent, PhoneNumber
from workspaces.back_office.base import MADE, DialingAdmin


@admin.register(PhoneNumber)
class PhoneNumberAdmin(DialingAdmin[PhoneNumber]):
    list_display = ["number", "label", "workspace", "carrier", "agent", "is_active", "created_at"]
    list_filter = ["is_active", "carrier"]
    list_select_related = ["workspace", "agent"]
    search_fields = ["number", "label", "workspace__name"]
    autocomplete_fields = ["workspace"]
    ordering = ["-created_at", "-id"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:  # an agent is one of the workspace, which has yet to be chosen
            return ["workspace", "number", "label", "carrier", "is_active"]
        asked = ["label", "agent", "concurrency_limit", "daily_cap", "is_active"]
        return ["id", "workspace", "number", "carrier", *asked, *MADE]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Which number it is, and whose, is settled once: batches and calls refer to it."""
        return ["id", "workspace", "number", "carrier", *MADE] if obj else []

    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if obj is None:  # without an account: those of real carriers are verified by the API
            without_account = [
                (name, one.title) for name, one in CARRIERS.items() if not one.asks_back
            ]
            form.base_fields["carrier"] = forms.ChoiceField(choices=without_account)
        if obj and "agent" in form.base_fields:
            agents = Agent.objects.for_workspace(obj.workspace_id).order_by("name", "id")
            form.base_fields["agent"].queryset = agents  # type: ignore[attr-defined]
        return form

    def save_model(self, request: HttpRequest, obj: PhoneNumber, form: Any, change: bool) -> None:
        if not change:
            obj.created_by_id = str(request.user.pk)
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # deactivate it: batches may rotate through it

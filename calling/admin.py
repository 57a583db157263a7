from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from rest_framework.exceptions import ValidationError

from calling.api.serializers import TARGETS, CreateAgentSerializer
from calling.carriers.registry import CARRIERS
from calling.models import Agent, CarrierAccount, ConnectionType, PhoneNumber
from calling.services.agents import check_opt_out, check_placeholders
from workspaces.audited_admin import AuditedAdmin, DialingAdmin
from workspaces.errors import flatten

MADE = ["created_by", "created_at", "updated_at"]  # who made it and when, to look at


class AgentForm(forms.ModelForm[Agent]):
    """Held to the rules of the API."""

    class Meta:
        model = Agent
        fields = [
            *("workspace", "name", "language", "variables"),
            *("connection_type", "connection_target", "on_voicemail", "records_calls"),
            *("opt_out_key", "opt_out_message"),
        ]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if self.errors:
            return values
        kind, variables = values["connection_type"], values["variables"]
        body = {
            "name": values["name"],
            "language": values["language"],
            "variables": [] if variables is None else variables,  # None: left blank
            "connection": {
                "type": kind,
                TARGETS[ConnectionType(kind)]: values["connection_target"],
            },
            "onVoicemail": values["on_voicemail"],
            "recordCalls": values["records_calls"],
            "optOut": {"key": values["opt_out_key"], "message": values["opt_out_message"]}
            if values["opt_out_key"]
            else None,
        }
        try:
            checked = CreateAgentSerializer().run_validation(body)
            check_placeholders(Agent(**checked), "connection.message")
            check_opt_out(Agent(**checked))
        except ValidationError as error:
            for problem in flatten(error.detail):
                name = problem["field"].partition("[")[0].partition(".")[0]
                field = {
                    "connection": "connection_target",
                    "onVoicemail": "on_voicemail",
                    "recordCalls": "records_calls",
                    "optOut": "opt_out_key",
                }.get(name, name)
                self.add_error(field, f"{problem['field']}: {problem['message']}")
            return values
        return {**values, **checked}


@admin.register(Agent)
class AgentAdmin(AuditedAdmin[Agent]):
    form = AgentForm
    list_display = ["name", "workspace", "language", "connection_type", "created_at"]
    list_filter = ["connection_type"]
    list_select_related = ["workspace"]
    search_fields = ["name", "workspace__name"]
    autocomplete_fields = ["workspace"]
    ordering = ["-created_at", "-id"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        asked = AgentForm.Meta.fields
        return ["id", *asked, *MADE] if obj else asked

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["id", "workspace", *MADE] if obj else []

    def save_model(self, request: HttpRequest, obj: Agent, form: Any, change: bool) -> None:
        if not change:
            obj.created_by_id = str(request.user.pk)
        super().save_model(request, obj, form, change)


@admin.register(CarrierAccount)
class CarrierAccountAdmin(DialingAdmin[CarrierAccount]):
    """Which accounts there are, and their limits. What opens them is neither shown nor decrypted."""

    list_display = [
        *("id", "carrier", "workspace", "phone_numbers"),
        *("calls_per_second", "concurrency_limit", "failures", "resting_until", "last_error"),
    ]
    list_filter = ["carrier"]
    list_select_related = ["workspace"]
    search_fields = ["workspace__name"]
    ordering = ["-created_at", "-id"]
    readonly_fields = [
        *("id", "carrier", "workspace", "phone_numbers", "created_at", "updated_at"),
        *("failures", "resting_until", "last_error", "last_error_at"),
    ]
    fieldsets = [
        (None, {"fields": ["id", "carrier", "workspace", "phone_numbers"]}),
        ("Limits", {"fields": ["calls_per_second", "concurrency_limit"]}),
        ("Trouble", {"fields": ["failures", "resting_until", "last_error", "last_error_at"]}),
        ("Times", {"fields": ["created_at", "updated_at"]}),
    ]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the first number of an account brings it along

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the last number of it takes it along

    def get_queryset(self, request: HttpRequest) -> QuerySet[CarrierAccount]:
        accounts = super().get_queryset(request).defer("credentials")
        return accounts.annotate(phone_numbers=Count("numbers"))

    @admin.display(description="phone numbers")
    def phone_numbers(self, account: Any) -> int:
        return int(account.phone_numbers)


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

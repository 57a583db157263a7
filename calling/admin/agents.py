from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from rest_framework.exceptions import ValidationError

from calling.api.serializers import TARGETS, CreateAgentSerializer
from calling.models import Agent, ConnectionType
from calling.services.agents import check_opt_out, check_placeholders
from workspaces.back_office.base import MADE, AuditedAdmin
from workspaces.errors import flatten


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

"""An agent as a form, held to the rules of the API."""

import json
import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.forms.fields import InvalidJSONInput
from rest_framework.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextareaWidget

from calling.api.serializers import TARGETS, CreateAgentSerializer
from calling.models import Agent, ConnectionType
from calling.services.agents import check_opt_out, check_placeholders
from workspaces.errors import flatten

_ELSEWHERE = {
    "connection": "connection_target",
    "onVoicemail": "on_voicemail",
    "recordCalls": "records_calls",
    "optOut": "opt_out_key",
}
_of_variable = re.compile(r"variables\[(\d+)\]\.?(\w*)").match
_DEEPEST = 20
_TOO_MUCH = "Is nested too deeply, or has too long a number."
_COLUMNS = {"key": "name", "type": "type", "enum": "values", "description": "description"}


class VariablesField(forms.JSONField):
    """The schema as JSON, legible for who has no script; `agent_editor.js` makes rows of it."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, InvalidJSONInput):
            return value
        shown = [] if value is None else value
        return json.dumps(shown, indent=2, ensure_ascii=not is_storable(shown))

    def bound_data(self, data: Any, initial: Any) -> Any:
        try:
            read = super().bound_data(data, initial)
        except (RecursionError, ValueError):
            return InvalidJSONInput(data)
        return InvalidJSONInput(data) if _is_deep(read) else read

    def to_python(self, value: Any) -> Any:
        try:
            read = super().to_python(value)
        except (RecursionError, ValueError) as error:  # brackets, or digits, without end
            raise forms.ValidationError(_TOO_MUCH, "unreadable") from error
        if _is_deep(read):
            raise forms.ValidationError(_TOO_MUCH, "unreadable")
        return read

    def clean(self, value: Any) -> Any:
        variables = super().clean(value)
        if not is_storable(variables):
            raise forms.ValidationError("Must not have NUL or half characters.", "unreadable")
        return [] if variables is None else variables  # None: left blank

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(super().has_changed(initial, data))


def _is_deep(value: Any) -> bool:
    """Past what writing it again would bear."""
    layer = [value]
    for _ in range(_DEEPEST):
        layer = [
            inner
            for one in layer
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return bool(layer)


def is_storable(value: Any) -> bool:
    """JSON may escape what PostgreSQL takes for no text."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\\u0000" not in text


def checked_agent(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the API makes of it, by the names of Agent's fields. Raises ValidationError."""
    kind = values["connection_type"]
    body = {
        "name": values["name"],
        "language": values["language"],
        "variables": values["variables"],
        "connection": {"type": kind, TARGETS[ConnectionType(kind)]: values["connection_target"]},
        "onVoicemail": values["on_voicemail"],
        "recordCalls": values["records_calls"],
        "optOut": {"key": values["opt_out_key"], "message": values["opt_out_message"]}
        if values["opt_out_key"]
        else None,
    }
    checked: dict[str, Any] = CreateAgentSerializer().run_validation(body)
    check_placeholders(Agent(**checked), "connection.message")
    check_opt_out(Agent(**checked))
    return checked


class AgentForm(forms.ModelForm[Agent]):
    variables = VariablesField(
        required=False,
        help_text="A list of objects with key, type (string, number, boolean, date, enum), required,"
        " description, and for an enum its values as a list.",
    )

    class Meta:
        model = Agent
        fields = [
            *("workspace", "name", "language", "variables"),
            *("connection_type", "connection_target", "on_voicemail", "records_calls"),
            *("opt_out_key", "opt_out_message"),
        ]
        labels = {
            "connection_type": "Connected with",
            "connection_target": "Text or address",
            "on_voicemail": "When an answering machine takes the call",
            "records_calls": "Record the calls",
            "opt_out_key": "Opt-out key",
            "opt_out_message": "Opt-out message",
        }
        widgets = {
            "connection_target": UnfoldAdminTextareaWidget(attrs={"rows": 5}),
            "opt_out_message": UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        }

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if self.errors:
            return values
        try:
            return {**values, **checked_agent(values)}
        except ValidationError as error:
            self._tell(error)
        return values

    def _tell(self, error: ValidationError) -> None:
        rows = []
        for problem in flatten(error.detail):
            path, message = problem["field"], problem["message"]
            if found := _of_variable(path):
                row, column = int(found[1]), found[2]
                rows.append({"row": row, "column": column, "message": message})
                self.add_error("variables", variable_problem(row, column, message))
            else:
                name = path.partition(".")[0]
                self.add_error(_ELSEWHERE.get(name, name), message)
        if "variables" in self.fields:
            self.fields["variables"].widget.attrs["data-errors"] = json.dumps(rows)


def variable_problem(row: int, column: str, message: str) -> str:
    what = f", {_COLUMNS.get(column, column)}" if column else ""
    return f"Variable {row + 1}{what}: {message}"

"""What may be asked of a batch's calls."""

import re
from typing import Any

import orjson
from rest_framework.exceptions import ValidationError

from batches.call_pages import ORDERS
from batches.imports.records import NUMBER, TIMEZONE
from batches.models import CallStatus
from batches.selection import CallSelection
from calling.variables import RESERVED_NAMES
from workspaces.api.fields import StrictCharField, StrictChoiceField
from workspaces.api.strict import PageQuery

STATUS = "callStatus"
ASCENDING, DESCENDING = "asc", "desc"
# What a filter names besides variables, by the field of `CallSelection`.
_COLUMNS = {STATUS: "status", NUMBER: "phone_number", TIMEZONE: "timezone"}
_MOST_NAMES = 20  # of one filter
_not_digits = re.compile(r"[^0-9]")
_has_nul = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000").search  # in JSON of our own making


class CallListQuery(PageQuery):
    """Validated data are the parameters of `batches.call_pages.read_page`."""

    filter = StrictCharField(
        required=False,
        max_length=4000,
        help_text="A JSON object of callStatus, phoneNumber, timezone or any variable; all must be"
        ' equal, types as in JSON: `{"callStatus": "failed", "priority": 1}`.',
    )
    sortBy = StrictChoiceField(list(ORDERS), default="createdAt")
    sortOrder = StrictChoiceField([ASCENDING, DESCENDING], default=DESCENDING)
    search = StrictCharField(
        required=False,
        default="",
        allow_blank=True,
        trim_whitespace=False,
        max_length=200,
        help_text="In phone number and variable values; case-insensitive, literal. A number may be"
        " written in any of the usual ways.",
    )

    def validate_filter(self, text: str) -> dict[str, Any]:
        """Fields of a `CallSelection`."""
        values = _json_object(text)
        names = values.keys()
        variables = {name: values[name] for name in names - _COLUMNS.keys()}
        if unknown := sorted(RESERVED_NAMES & variables.keys()):
            message = f"{unknown[0]}: filter by {', '.join(_COLUMNS)} or a variable."
            raise ValidationError(message, "unknown_filter")
        columns = {_COLUMNS[name]: _column(name, values[name]) for name in names & _COLUMNS.keys()}
        return {**columns, "variables": variables}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {
            "selection": CallSelection(search=attrs["search"], **attrs.get("filter", {})),
            "sort_by": attrs["sortBy"],
            "descending": attrs["sortOrder"] == DESCENDING,
            "page": attrs["page"],
            "limit": attrs["limit"],
        }


def _json_object(text: str) -> dict[str, Any]:
    try:
        values = orjson.loads(text)
        written = orjson.dumps(values)
    except (orjson.JSONDecodeError, TypeError):  # no JSON, or lists in lists in lists …
        values, written = None, b""
    if not isinstance(values, dict):
        raise ValidationError("Must be a JSON object.", "invalid_filter")
    if _has_nul(written):
        raise ValidationError("Must not contain a NUL character.", "invalid_filter")
    if len(values) > _MOST_NAMES:
        raise ValidationError(f"Must have at most {_MOST_NAMES} names.", "invalid_filter")
    return values


def _column(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValidationError(f"{name}: must be a text.", "invalid")
    if name == STATUS and value not in CallStatus.values:
        message = f"{name}: must be one of {', '.join(CallStatus.values)}."
        raise ValidationError(message, "invalid_choice")
    return f"+{_not_digits.sub('', value)}" if name == NUMBER else value

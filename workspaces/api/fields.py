"""Strict input fields: a JSON type is never coerced into another.

DRF turns `"3"` and `true` into 3 and `7` into `"7"`; here each is a 400. NUL is refused by
`CharField`'s own validators, lone surrogates by the parser.
"""

import re
from datetime import UTC, datetime
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.validators import EmailValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.validators import ProhibitSurrogateCharactersValidator

from workspaces.clock import utc_text
from workspaces.errors import PayloadTooLarge
from workspaces.ids import OBJECT_ID_PATTERN, is_object_id
from workspaces.texts import PRINTABLE, is_one_line
from workspaces.timezones import timezone_names

OBJECT_ID_SCHEMA: dict[str, Any] = {"type": "string", "pattern": OBJECT_ID_PATTERN}

_whole_number = re.compile(r"[0-9]{1,9}").fullmatch


class StrictCharField(serializers.CharField):
    default_error_messages = {"invalid": "Must be a string."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # It looks at every character, for what neither the JSON parser nor a query lets through.
        self.validators = [
            validator
            for validator in self.validators
            if not isinstance(validator, ProhibitSurrogateCharactersValidator)
        ]

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        # CharField asks str(data) == "" first, which would answer for other types.
        if data is not serializers.empty and data is not None and not isinstance(data, str):
            self.fail("invalid")
        return super().run_validation(data)


class LineField(StrictCharField):
    """One line of text, trimmed, up to `max_length` characters."""

    default_error_messages = {"control_character": "Must not contain control characters."}

    def to_internal_value(self, data: Any) -> str:
        # Before trimming, which would take a trailing newline for a blank.
        if isinstance(data, str) and not is_one_line(data):
            self.fail("control_character")
        return super().to_internal_value(data)


@extend_schema_field(
    {
        "type": "string",
        "minLength": 1,
        "maxLength": 200,
        "pattern": rf"^{PRINTABLE}*\S{PRINTABLE}*$",
    }
)
class NameField(LineField):
    """One line of text, trimmed, 1 to 200 characters."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=200, **kwargs)


class StrictEmailField(StrictCharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators.append(EmailValidator("Must be an e-mail address.", "invalid_email"))


class StrictIntegerField(serializers.IntegerField):
    default_error_messages = {"invalid": "Must be an integer."}

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data

    def accepts(self, data: Any) -> bool:
        """The whole validation in one look, for lists; what it turns down is validated in full."""
        return (
            type(data) is int
            and (self.min_value is None or self.min_value <= data)
            and (self.max_value is None or data <= self.max_value)
        )


class StrictBooleanField(serializers.BooleanField):
    default_error_messages = {"invalid": "Must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class StrictChoiceField(serializers.ChoiceField):
    default_error_messages = {"invalid_choice": "Must be one of: {choices}."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", choices=", ".join(map(str, self.choices)))
        return data


class BoundedListField(serializers.ListField):
    """A list whose length is checked before its items: DRF validates a million items first."""

    default_error_messages = {
        "not_a_list": "Must be a list.",
        "empty": "Must not be empty.",
        "max_length": "Must have at most {max_length} items.",
    }

    def __init__(self, *, allow_empty: bool = False, **kwargs: Any) -> None:
        kwargs["min_length"] = None if allow_empty else 1
        super().__init__(allow_empty=allow_empty, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, list) and self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)

    def run_child_validation(self, data: Any) -> Any:
        accepts = getattr(self.child, "accepts", None)
        if accepts and all(map(accepts, data)):
            return data
        return super().run_child_validation(data)  # names what is wrong


@extend_schema_field(OBJECT_ID_SCHEMA)
class ObjectIdApiField(serializers.Field[str, Any, str, Any]):
    default_error_messages = {"invalid_id": "Must be an id: 24 lower-case hex digits."}
    accepts = staticmethod(is_object_id)

    def to_internal_value(self, data: Any) -> str:
        if not is_object_id(data):
            self.fail("invalid_id")
        return str(data)

    def to_representation(self, value: str) -> str:
        return value


class TimezoneField(StrictCharField):
    default_error_messages = {"unknown_timezone": "Must be an IANA time zone name."}

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if name not in timezone_names():
            self.fail("unknown_timezone")
        return name


class UtcDateTimeField(serializers.DateTimeField):
    """Out: ISO 8601 UTC with milliseconds and `Z`. In: ISO 8601 with an offset."""

    default_error_messages = {
        "invalid": "Must be an ISO 8601 time with an offset, as in 2025-05-01T12:00:00.000Z."
    }

    def to_internal_value(self, value: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            self.fail("invalid", format="")
        if moment.tzinfo is None:
            self.fail("invalid", format="")
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            self.fail("invalid", format="")

    def to_representation(self, value: datetime) -> str:
        return utc_text(value)


class QueryIntegerField(serializers.IntegerField):
    """An integer of a query string: digits, nothing else."""

    default_error_messages = {"invalid": "Must be an integer."}

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, str) or not _whole_number(data):
            self.fail("invalid")
        return int(data)


@extend_schema_field({"type": "string", "pattern": "^(true|false)$"})
class FormBooleanField(serializers.Field[bool, Any, str, Any]):
    """A boolean of a form, where all is text: `true` or `false`, nothing else."""

    default_error_messages = {"invalid": "Must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if data not in ("true", "false"):
            self.fail("invalid")
        return bool(data == "true")

    def to_representation(self, value: bool) -> str:
        return "true" if value else "false"  # the OpenAPI document shows a default by this


@extend_schema_field({"type": "string", "format": "binary"})
class UploadedFileField(serializers.FileField):
    """A file of a form, perhaps an empty one. One of more than `max_bytes` raises `PayloadTooLarge`."""

    default_error_messages = {"not_a_file": "Must be a file."}

    def __init__(self, *, max_bytes: int, **kwargs: Any) -> None:
        self.max_bytes = max_bytes
        super().__init__(allow_empty_file=True, **kwargs)

    def to_internal_value(self, data: Any) -> UploadedFile:
        if not isinstance(data, UploadedFile):
            self.fail("not_a_file")
        if (data.size or 0) > self.max_bytes:
            raise PayloadTooLarge(f"The file is over {self.max_bytes:,} bytes.")
        return data

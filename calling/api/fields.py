from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from calling.models import PhoneNumber
from calling.numbers import NumberRefused, digits, normalise
from workspaces.api.fields import StrictCharField
from workspaces.models import Workspace

LONGEST_TEXT = 64


@extend_schema_field(
    {
        "type": "string",
        "minLength": 1,
        "maxLength": LONGEST_TEXT,
        "examples": ["12125551234", "+1 (212) 555-1234"],
    }
)
class PhoneNumberField(StrictCharField):
    """A phone number with its country code, as people write it. Valid data is E.164.

    Its country must be one that the caller's workspace calls, unless `any_country`.
    """

    def __init__(self, *, any_country: bool = False, **kwargs: Any) -> None:
        self.any_country = any_country
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if len(text) > LONGEST_TEXT:
            self.fail("max_length", max_length=LONGEST_TEXT)
        try:
            return normalise(text, self.countries())
        except NumberRefused as refused:
            raise serializers.ValidationError(refused.message, refused.code) from refused

    def countries(self) -> frozenset[str]:
        """Whose numbers are taken; none: everybody's."""
        if self.any_country:
            return frozenset()
        caller = self.context["caller"]
        workspace = Workspace.objects.get(id=caller.workspace_id)
        return PhoneNumber.objects.for_workspace(caller.workspace_id).called_countries(workspace)


@extend_schema_field(
    {"type": "string", "pattern": "^[1-9][0-9]{4,14}$", "examples": ["12125551234"]}
)
class DigitsField(serializers.CharField):
    """Out only: an E.164 number as its digits."""

    def to_representation(self, value: str) -> str:
        return digits(value)

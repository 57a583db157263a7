"""Fields of a calling window: hours of the day, and days of the week."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from workspaces.api.fields import BoundedListField, StrictCharField, StrictIntegerField
from workspaces.api.strict import StrictSerializer
from workspaces.clock import CLOCK_TIME_PATTERN, clock_time, minutes_of
from workspaces.models import EVERY_DAY, CallingHour, CallingWindow


@extend_schema_field({"type": "string", "pattern": CLOCK_TIME_PATTERN})
class ClockTimeField(StrictCharField):
    """`HH:MM`, 24-hour, as minutes of the day."""

    default_error_messages = {"invalid_time": "Must be a time as HH:MM, 24-hour."}

    def to_internal_value(self, data: Any) -> Any:
        minutes = minutes_of(data) if isinstance(data, str) else None
        if minutes is None:
            self.fail("invalid_time")
        return minutes


class CallingHourSerializer(StrictSerializer):
    start = ClockTimeField(help_text="From this time on.")
    end = ClockTimeField(help_text="Up to, not including; may be 24:00.")

    def validate(self, attrs: dict[str, int]) -> CallingHour:
        if attrs["start"] >= attrs["end"]:
            raise serializers.ValidationError(
                {"end": [ErrorDetail("Must be later than start.", "not_later")]}
            )
        return CallingHour(**attrs)


@extend_schema_field(
    {
        "oneOf": [
            {"type": "null"},
            {
                "type": "object",
                "properties": {"start": {"type": "string"}, "end": {"type": "string"}},
                "required": ["start", "end"],
            },
        ]
    }
)
class CallingHourField(serializers.Field[Any, Any, Any, Any]):
    """The calling hours of a batch or a workspace as they were given; null: all day."""

    def to_representation(self, window: CallingWindow) -> dict[str, str] | None:
        start, end = window.calling_hour_start, window.calling_hour_end
        if start is None or end is None:
            return None
        return {"start": clock_time(start), "end": clock_time(end)}


@extend_schema_field(
    {
        "type": "array",
        "items": {"type": "integer", "minimum": 0, "maximum": 6},
        "minItems": 1,
        "maxItems": len(EVERY_DAY),
        "uniqueItems": True,
    }
)
class DaysField(BoundedListField):
    child = StrictIntegerField(min_value=0, max_value=6)
    default_error_messages = {"repeated_day": "Must not repeat a day."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=len(EVERY_DAY), **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        days = super().to_internal_value(data)
        if len(set(days)) < len(days):
            self.fail("repeated_day")
        return days

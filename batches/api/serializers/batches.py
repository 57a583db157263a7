"""Shapes of the batch endpoints. Field names are the API's own."""

import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from batches.models import EVERY_DAY, MAX_DELAY, MAX_RETRY, BatchType, CallBatch
from batches.services.batches import BatchSettings, CallingHour
from calling.models import PhoneNumber
from workspaces.api.fields import (
    BoundedListField,
    NameField,
    ObjectIdApiField,
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictIntegerField,
    TimezoneField,
    UtcDateTimeField,
)
from workspaces.api.pagination import PaginationSerializer
from workspaces.api.strict import PageQuery, StrictSerializer

MAX_NUMBERS = 100
CLOCK_TIME_PATTERN = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
_is_clock_time = re.compile(CLOCK_TIME_PATTERN.strip("^$")).fullmatch


@extend_schema_field({"type": "string", "pattern": CLOCK_TIME_PATTERN})
class ClockTimeField(StrictCharField):
    """`HH:MM`, 24-hour, as minutes of the day."""

    default_error_messages = {"invalid_time": "Must be a time as HH:MM, 24-hour."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or not _is_clock_time(data):
            self.fail("invalid_time")
        return int(data[:2]) * 60 + int(data[3:])


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

    def to_internal_value(self, data: Any) -> Any:
        days = super().to_internal_value(data)
        if len(set(days)) < len(days):
            self.fail("repeated_day")
        return days


class CreateBatchSerializer(StrictSerializer):
    """The body of createBatch. Validated data is a `BatchSettings`."""

    batchName = NameField(help_text="1 to 200 characters after trimming.")
    callingNumbers = BoundedListField(
        child=ObjectIdApiField(),
        max_length=MAX_NUMBERS,
        help_text="Ids of active numbers of the workspace, in rotation order; duplicates collapse.",
    )
    retry = StrictIntegerField(
        min_value=0, max_value=MAX_RETRY, default=0, help_text="Extra attempts after a failed one."
    )
    delay = StrictIntegerField(
        min_value=0, max_value=MAX_DELAY, default=60, help_text="Seconds between attempts."
    )
    timezone = TimezoneField(required=False, help_text="IANA name; default: the workspace's.")
    callingHour = CallingHourSerializer(required=False, help_text="Default: all day.")
    allowedDays = DaysField(
        max_length=len(EVERY_DAY),
        required=False,
        help_text="0 = Sunday … 6 = Saturday; default: every day.",
    )
    batchType = StrictChoiceField(
        BatchType.choices, default=BatchType.OUTBOUND, help_text="Stored and returned."
    )
    enableDNC = StrictBooleanField(default=True, help_text="Honour the do-not-call list.")

    def validate_callingNumbers(self, ids: list[str]) -> list[str]:
        """A foreign, an unknown and an inactive number read alike. One query for all of them."""
        known = PhoneNumber.objects.active_ids(self.context["caller"].workspace_id, ids)
        unknown = {
            index: [
                ErrorDetail(
                    f"{id_} is not an active phone number of this workspace.", "unknown_number"
                )
            ]
            for index, id_ in enumerate(ids)
            if id_ not in known
        }
        if unknown:
            raise serializers.ValidationError(unknown)  # type: ignore[arg-type]  # by list index
        return list(dict.fromkeys(ids))

    def validate(self, attrs: dict[str, Any]) -> BatchSettings:
        return BatchSettings(
            name=attrs["batchName"],
            phone_ids=attrs["callingNumbers"],
            retry=attrs["retry"],
            delay=attrs["delay"],
            timezone=attrs.get("timezone", self.context["caller"].workspace_timezone),
            calling_hour=attrs.get("callingHour"),
            allowed_days=attrs.get("allowedDays", EVERY_DAY),
            batch_type=attrs["batchType"],
            enable_dnc=attrs["enableDNC"],
        )


class BatchListQuery(PageQuery):
    search = StrictCharField(
        required=False,
        default="",
        allow_blank=True,
        trim_whitespace=False,
        max_length=200,
        help_text="In batch name and queue status; case-insensitive, literal.",
    )


class BatchSummarySerializer(serializers.ModelSerializer[CallBatch]):
    _id = ObjectIdApiField(source="id")
    batchName = serializers.CharField(source="name")
    totalCalls = serializers.IntegerField(source="counts.total")
    callsPicked = serializers.IntegerField(source="counts.picked")
    callsCompleted = serializers.IntegerField(source="counts.completed")
    queue_status = serializers.CharField(source="status")
    createdAt = UtcDateTimeField(source="created_at")
    updatedAt = UtcDateTimeField(source="updated_at")

    class Meta:
        model = CallBatch
        fields = [
            "_id",
            "batchName",
            "totalCalls",
            "callsPicked",
            "callsCompleted",
            "queue_status",
            "createdAt",
            "updatedAt",
        ]


class BatchListSerializer(serializers.Serializer[Any]):
    batches = BatchSummarySerializer(many=True)
    pagination = PaginationSerializer()

"""Shapes of the batch endpoints. Field names are the API's own."""

import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from batches.models import (
    EVERY_DAY,
    MAX_DELAY,
    MAX_RETRY,
    BatchStatus,
    BatchType,
    CallBatch,
)
from batches.services.batches import BatchSettings, CallingHour, unknown_numbers
from calling.models import PhoneNumber
from workspaces.api.fields import (
    OBJECT_ID_SCHEMA,
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


class CallingNumbersField(BoundedListField):
    """Active numbers of the caller's workspace. Valid data has each once, in this order."""

    child = ObjectIdApiField()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_NUMBERS, **kwargs)

    def to_internal_value(self, data: Any) -> list[str]:
        """One query for all of them."""
        ids: list[str] = super().to_internal_value(data)
        known = PhoneNumber.objects.active_ids(self.context["caller"].workspace_id, ids)
        if unknown := unknown_numbers(ids, known):
            raise serializers.ValidationError(unknown)  # type: ignore[arg-type]  # by list index
        return list(dict.fromkeys(ids))


class CreateBatchSerializer(StrictSerializer):
    """The body of createBatch. Validated data is a `BatchSettings`."""

    batchName = NameField(help_text="1 to 200 characters after trimming.")
    callingNumbers = CallingNumbersField(
        help_text="Ids of active numbers of the workspace, in rotation order; duplicates collapse."
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


class UpdateBatchSerializer(CreateBatchSerializer):
    """Any of the fields of createBatch, none by default. Validated data has those given."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for field in fields.values():
            field.required, field.default = False, serializers.empty
        return fields

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:  # type: ignore[override]
        """`phone_ids` (None: unchanged), and the other `changes` by field of the model."""
        phone_ids = attrs.pop("callingNumbers", None)
        changes = {_COLUMNS[name]: value for name, value in attrs.items() if name in _COLUMNS}
        if hour := attrs.get("callingHour"):
            changes |= {"calling_hour_start": hour.start, "calling_hour_end": hour.end}
        if "allowed_days" in changes:
            changes["allowed_days"] = sorted(changes["allowed_days"])
        return {"phone_ids": phone_ids, "changes": changes}


_COLUMNS = {
    "batchName": "name",
    "retry": "retry",
    "delay": "delay",
    "timezone": "timezone",
    "allowedDays": "allowed_days",
    "batchType": "batch_type",
    "enableDNC": "enable_dnc",
}


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
    """The calling hours of a batch as they were given; null: all day."""

    def to_representation(self, batch: CallBatch) -> dict[str, str] | None:
        if batch.calling_hour_start is None or batch.calling_hour_end is None:
            return None
        minutes = {"start": batch.calling_hour_start, "end": batch.calling_hour_end}
        return {name: f"{value // 60:02}:{value % 60:02}" for name, value in minutes.items()}


class BatchSerializer(serializers.ModelSerializer[CallBatch]):
    """A batch with its settings; it must have its rotation at hand."""

    _id = ObjectIdApiField(source="id")
    batchName = serializers.CharField(source="name")
    queue_status = serializers.ChoiceField(BatchStatus.choices, source="status")
    statusReason = serializers.SerializerMethodField()
    callingNumbers = serializers.SerializerMethodField()
    callingHour = CallingHourField(source="*")
    allowedDays = serializers.ListField(child=serializers.IntegerField(), source="allowed_days")
    batchType = serializers.ChoiceField(BatchType.choices, source="batch_type")
    enableDNC = serializers.BooleanField(source="enable_dnc")
    createdAt = UtcDateTimeField(source="created_at")
    updatedAt = UtcDateTimeField(source="updated_at")

    class Meta:
        model = CallBatch
        fields = [
            "_id",
            "batchName",
            "queue_status",
            "statusReason",
            "callingNumbers",
            "retry",
            "delay",
            "timezone",
            "callingHour",
            "allowedDays",
            "batchType",
            "enableDNC",
            "createdAt",
            "updatedAt",
        ]

    def get_statusReason(self, batch: CallBatch) -> str | None:
        return batch.status_reason or None

    @extend_schema_field({"type": "array", "items": OBJECT_ID_SCHEMA})
    def get_callingNumbers(self, batch: CallBatch) -> list[str]:
        return list(batch.rotation.order_by("position").values_list("phone_id", flat=True))


class SuccessSerializer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    message = serializers.CharField()

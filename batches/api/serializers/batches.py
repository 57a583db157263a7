"""Shapes of the batch endpoints. Field names are the API's own."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from batches.models import (
    EVERY_DAY,
    MAX_DELAY,
    MAX_RETRY,
    BatchStatus,
    BatchType,
    CallBatch,
)
from batches.services.batches import BatchSettings, unknown_numbers
from calling.models import PhoneNumber
from workspaces.api.calling_window import CallingHourField, CallingHourSerializer, DaysField
from workspaces.api.conditional import version_of
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
        required=False, help_text="0 = Sunday … 6 = Saturday; default: every day."
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
            changes |= hour.columns()
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


# What somebody edits of a batch; the rest of its representations changes by itself.
_SETTINGS = (
    *("batchName", "callingNumbers", "retry", "delay", "timezone", "callingHour", "allowedDays"),
    *("batchType", "enableDNC"),
)


def settings_version(data: dict[str, Any]) -> str:
    """The version of a batch for its ETags, of its `data` in batch-details or update-batch."""
    return version_of([data[name] for name in _SETTINGS])


class SuccessSerializer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    message = serializers.CharField()

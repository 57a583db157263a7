"""Shapes of a batch's calls and numbers. Field names are the API's own."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from batches.models import (
    AttemptStatus,
    BatchStatus,
    BatchType,
    CallStatus,
    EventReason,
    PauseReason,
)
from batches.variables import in_order
from calling.api.fields import DigitsField
from workspaces.api.calling_window import CallingHourField
from workspaces.api.fields import ObjectIdApiField, UtcDateTimeField

# Apart, for of one with both the null would be lost on the way into the document.
STATUS_REASON = {"oneOf": [{"type": "string", "enum": PauseReason.values}, {"type": "null"}]}


class SparseSerializer(serializers.Serializer[Any]):
    """Fields that are not required are left out while they have no value."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        values = super().to_representation(instance)
        return {
            name: value
            for name, value in values.items()
            if value not in (None, "") or self.fields[name].required
        }


class PhoneLogSerializer(SparseSerializer):
    """One attempt of a call."""

    requestUUID = serializers.UUIDField(source="request_uuid")
    callStatus = serializers.ChoiceField(AttemptStatus.choices, source="status")
    callDuration = serializers.IntegerField(source="talk_seconds", help_text="Seconds of talk.")
    recordingUrl = serializers.CharField(source="recording_url", required=False)
    transcript = serializers.CharField(required=False)
    createdAt = UtcDateTimeField(source="created_at")
    uuid = serializers.CharField(
        source="session_uuid", required=False, help_text="The reference given with the start."
    )


class CallItemSerializer(SparseSerializer):
    """A call; its variables stand between the time zone and the phone logs, under their own names."""

    # Wants `names` in its context, the batch's order of variables.
    _id = ObjectIdApiField(source="id")
    phoneNumber = DigitsField(source="phone_number")
    timezone = serializers.CharField(required=False, help_text="Only of a call that has its own.")
    phoneLogs = PhoneLogSerializer(source="logs", many=True)
    callStatus = serializers.ChoiceField(CallStatus.choices, source="status")
    createdAt = UtcDateTimeField(source="created_at")

    def to_representation(self, call: Any) -> dict[str, Any]:
        values = super().to_representation(call)
        contact = {name: values.pop(name) for name in _CONTACT if name in values}
        variables = in_order(call.variables_json, self.context["names"])
        return {**contact, **variables, **values}


_CONTACT = ("_id", "phoneNumber", "timezone")


class BatchDetailsSerializer(serializers.Serializer[Any]):
    """A page of calls; then the settings of the batch."""

    batchId = ObjectIdApiField(source="batch.id")
    batchName = serializers.CharField(source="batch.name")
    batchStatus = serializers.ChoiceField(BatchStatus.choices, source="batch.status")
    page = serializers.IntegerField()
    limit = serializers.IntegerField()
    total = serializers.IntegerField()
    totalPages = serializers.IntegerField(source="total_pages")
    data = CallItemSerializer(source="calls", many=True)  # type: ignore[assignment]
    callingNumbers = serializers.ListField(child=ObjectIdApiField(), source="numbers")
    retry = serializers.IntegerField(source="batch.retry")
    delay = serializers.IntegerField(source="batch.delay")
    timezone = serializers.CharField(source="batch.timezone")
    callingHour = CallingHourField(source="batch")
    allowedDays = serializers.ListField(
        child=serializers.IntegerField(), source="batch.allowed_days"
    )
    batchType = serializers.ChoiceField(BatchType.choices, source="batch.batch_type")
    enableDNC = serializers.BooleanField(source="batch.enable_dnc")
    statusReason = serializers.SerializerMethodField()

    @extend_schema_field(STATUS_REASON)
    def get_statusReason(self, page: dict[str, Any]) -> str | None:
        return page["batch"].status_reason or None


class AttemptSerializer(SparseSerializer):
    requestUUID = serializers.UUIDField(source="request_uuid")
    # `from` is no name for an attribute: see `get_fields`.
    callStatus = serializers.ChoiceField(AttemptStatus.choices, source="status")
    callDuration = serializers.IntegerField(source="talk_seconds", help_text="Seconds of talk.")
    hangupCause = serializers.CharField(source="hangup_cause", required=False)
    recordingUrl = serializers.CharField(source="recording_url", required=False)
    transcript = serializers.CharField(required=False)
    uuid = serializers.CharField(
        source="session_uuid", required=False, help_text="The reference given with the start."
    )
    createdAt = UtcDateTimeField(source="created_at")
    answeredAt = UtcDateTimeField(source="answered_at", allow_null=True)
    endedAt = UtcDateTimeField(source="ended_at", allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        first, *others = super().get_fields().items()
        return dict([first, ("from", DigitsField(source="from_number")), *others])


class EventSerializer(serializers.Serializer[Any]):
    to = serializers.ChoiceField(CallStatus.choices, source="to_status")
    reason = serializers.ChoiceField(EventReason.choices)
    requestUUID = serializers.UUIDField(
        source="request_uuid", allow_null=True, help_text="Of the attempt that it is about."
    )
    detail = serializers.CharField(help_text="A word more: the attempt's outcome, or what was off.")
    userId = ObjectIdApiField(source="user_id", allow_null=True)
    createdAt = UtcDateTimeField(source="created_at")

    def get_fields(self) -> dict[str, Any]:
        origin = serializers.ChoiceField(CallStatus.choices, source="from_status")
        return {"from": origin, **super().get_fields()}


class WaitSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(help_text="A stable word.")
    until = UtcDateTimeField(
        allow_null=True, help_text="When this wait ends by itself; null: nobody can know."
    )
    detail = serializers.CharField(help_text="A sentence; its times are the contact's local ones.")


class CallDetailsSerializer(serializers.Serializer[Any]):
    # Wants `names` in its context, the batch's order of variables.
    _id = ObjectIdApiField(source="call.id")
    batchId = ObjectIdApiField(source="call.batch_id")
    phoneNumber = DigitsField(source="call.phone_number")
    timezone = serializers.SerializerMethodField(help_text="The call's own, else the batch's.")
    variables = serializers.SerializerMethodField()
    callStatus = serializers.ChoiceField(CallStatus.choices, source="call.status")
    attemptsMade = serializers.IntegerField(
        source="call.attempts_made", help_text="In this round: adding it again begins another."
    )
    attempts = AttemptSerializer(many=True)
    events = EventSerializer(many=True)
    waitingFor = WaitSerializer(source="wait", allow_null=True)
    createdAt = UtcDateTimeField(source="call.created_at")
    updatedAt = UtcDateTimeField(source="call.updated_at")

    def get_timezone(self, found: dict[str, Any]) -> str:
        return str(found["call"].timezone or found["call"].batch.timezone)

    @extend_schema_field({"type": "object", "additionalProperties": {}})
    def get_variables(self, found: dict[str, Any]) -> dict[str, Any]:
        return in_order(found["call"].variables_json, self.context["names"])


class HourlyAttemptsSerializer(serializers.Serializer[Any]):
    hour = UtcDateTimeField(help_text="Its start.")
    attempts = serializers.IntegerField()
    answered = serializers.IntegerField()


_COUNTS = {status.value: {"type": "integer"} for status in CallStatus}


class BatchStatisticsSerializer(serializers.Serializer[Any]):
    batchId = ObjectIdApiField(source="batch.id")
    batchStatus = serializers.ChoiceField(BatchStatus.choices, source="batch.status")
    statusReason = serializers.SerializerMethodField()
    totalCalls = serializers.IntegerField(source="total_calls")
    calls = serializers.SerializerMethodField(help_text="How many have each status.")
    callsPicked = serializers.IntegerField(
        source="calls_picked", help_text="Answered at least once."
    )
    answerRate = serializers.FloatField(
        source="answer_rate",
        allow_null=True,
        help_text="Answered attempts by ended ones, 0 to 1; null before one has ended.",
    )
    attempts = serializers.IntegerField()
    attemptsPerHour = HourlyAttemptsSerializer(
        source="attempts_per_hour", many=True, help_text="Hours of the last 24 that have attempts."
    )
    projectedFinish = UtcDateTimeField(
        source="projected_finish",
        allow_null=True,
        help_text="At the pace of the last hour; null for a batch that rests.",
    )

    @extend_schema_field(STATUS_REASON)
    def get_statusReason(self, statistics: Any) -> str | None:
        return statistics.batch.status_reason or None

    @extend_schema_field({"type": "object", "properties": _COUNTS, "required": list(_COUNTS)})
    def get_calls(self, statistics: Any) -> dict[str, int]:
        calls: dict[str, int] = statistics.calls
        return calls

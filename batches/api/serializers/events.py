"""The `data` of events, for the OpenAPI document; `batches.services.outbox` writes them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from batches.models import AttemptStatus, BatchStatus, CallStatus, EventReason, PauseReason
from batches.services.outbox import GIVEN_UP
from calling.carriers.base import AnsweredBy
from calling.carriers.registry import CARRIERS
from workspaces.api.fields import ObjectIdApiField, UtcDateTimeField
from workspaces.models import EventType

_UUID = "The reference given with the start."
_COUNTS = {status.value: {"type": "integer"} for status in CallStatus}


@extend_schema_field({"type": "object", "properties": _COUNTS, "required": list(_COUNTS)})
class CountsField(serializers.DictField):
    pass


@extend_schema_field({"type": "string", "enum": PauseReason.values})
class ReasonField(serializers.CharField):
    pass


class BatchCreatedDataSerializer(serializers.Serializer[Any]):
    batchId = ObjectIdApiField()
    batchName = serializers.CharField()
    queue_status = serializers.ChoiceField(BatchStatus.choices)
    userId = ObjectIdApiField(help_text="Whose batch it is.")
    totalCalls = serializers.IntegerField(help_text="Those that came with it, in a file.")


class BatchMovedDataSerializer(serializers.Serializer[Any]):
    batchId = ObjectIdApiField()
    batchName = serializers.CharField()
    queue_status = serializers.ChoiceField(BatchStatus.choices)
    statusReason = ReasonField(required=False, help_text="Only of a batch that the system paused.")
    uuid = serializers.CharField(required=False, help_text=_UUID)
    totalCalls = serializers.IntegerField(required=False, help_text="Not with `batch.started`.")
    calls = CountsField(
        required=False, help_text="How many have each status; not with `batch.started`."
    )
    callsPicked = serializers.IntegerField(
        required=False, help_text="Answered at least once; not with `batch.started`."
    )


class EndedAttemptSerializer(serializers.Serializer[Any]):
    requestUUID = serializers.UUIDField()
    # `from` is no name for an attribute: see `get_fields`.
    callStatus = serializers.ChoiceField(AttemptStatus.choices)
    callDuration = serializers.IntegerField(help_text="Seconds of talk.")
    answeredBy = serializers.ChoiceField([kind.value for kind in AnsweredBy], required=False)
    hangupCause = serializers.CharField(required=False)
    createdAt = UtcDateTimeField()
    answeredAt = UtcDateTimeField(required=False)
    endedAt = UtcDateTimeField(required=False)

    def get_fields(self) -> dict[str, Any]:
        first, *others = super().get_fields().items()
        return dict([first, ("from", serializers.CharField(help_text="Digits.")), *others])


class CallEndedDataSerializer(serializers.Serializer[Any]):
    callId = ObjectIdApiField()
    batchId = ObjectIdApiField()
    batchName = serializers.CharField()
    phoneNumber = serializers.CharField(help_text="Digits.")
    externalId = serializers.CharField(required=False)
    callStatus = serializers.ChoiceField(CallStatus.choices)
    reason = serializers.ChoiceField(EventReason.choices, help_text="Why it has this status.")
    attemptsMade = serializers.IntegerField(help_text="In this round.")
    uuid = serializers.CharField(required=False, help_text=_UUID)
    attempt = EndedAttemptSerializer(
        required=False, help_text="The one that ended it; a call that was skipped has none."
    )


class NumbersListedDataSerializer(serializers.Serializer[Any]):
    """One number, or a file of them: then only `importId`, `added` and `userId`."""

    entryId = ObjectIdApiField(required=False)
    phoneNumber = serializers.CharField(required=False, help_text="Digits.")
    type = serializers.CharField(required=False)
    batchId = ObjectIdApiField(required=False, help_text="The batch that it comes from.")
    requestUUID = serializers.UUIDField(required=False, help_text="The call that it comes from.")
    userId = ObjectIdApiField(
        required=False, help_text="Who listed it; absent: the called person asked for it."
    )
    importId = ObjectIdApiField(required=False)
    added = serializers.IntegerField(
        required=False, help_text="How many numbers of the file were not listed before."
    )


class CarrierPausedDataSerializer(serializers.Serializer[Any]):
    accountId = ObjectIdApiField()
    integration = serializers.ChoiceField(list(CARRIERS))
    reason = serializers.ChoiceField(GIVEN_UP)


EVENT_DATA: dict[EventType, type[serializers.Serializer[Any]]] = {
    EventType.BATCH_CREATED: BatchCreatedDataSerializer,
    EventType.BATCH_STARTED: BatchMovedDataSerializer,
    EventType.BATCH_STOPPED: BatchMovedDataSerializer,
    EventType.BATCH_PAUSED: BatchMovedDataSerializer,
    EventType.BATCH_COMPLETED: BatchMovedDataSerializer,
    EventType.CALL_COMPLETED: CallEndedDataSerializer,
    EventType.CALL_FAILED: CallEndedDataSerializer,
    EventType.CALL_SKIPPED: CallEndedDataSerializer,
    EventType.CALL_UNKNOWN: CallEndedDataSerializer,
    EventType.DNC_ADDED: NumbersListedDataSerializer,
    EventType.CARRIER_PAUSED: CarrierPausedDataSerializer,
}

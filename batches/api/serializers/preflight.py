"""Shapes of batch-preflight. Field names are the API's own."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from batches.models import BatchStatus
from batches.preflight import WAITS
from workspaces.api.fields import ObjectIdApiField, UtcDateTimeField

_WAITING = {name: {"type": "integer"} for name in WAITS}


class ZonePreviewSerializer(serializers.Serializer[Any]):
    timezone = serializers.CharField()
    calls = serializers.IntegerField(help_text="Pending ones.")
    dialNow = serializers.IntegerField(source="dial_now")
    open = serializers.BooleanField(source="is_open", help_text="Whether it may be called now.")
    opensAt = UtcDateTimeField(
        source="opens_at", allow_null=True, help_text="Now, if it is open; null: never."
    )
    closesAt = UtcDateTimeField(
        source="closes_at", allow_null=True, help_text="Null: it is closed, or always open."
    )


class WarningSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField(help_text="A sentence.")


class PreflightSerializer(serializers.Serializer[Any]):
    batchId = ObjectIdApiField(source="batch.id")
    batchStatus = serializers.ChoiceField(BatchStatus.choices, source="batch.status")
    pendingCalls = serializers.IntegerField(source="pending")
    dialNow = serializers.IntegerField(
        source="dial_now",
        help_text="Calls that nothing is in the way of; limits decide how many at a time.",
    )
    waiting = serializers.SerializerMethodField(
        help_text=(
            "The other pending calls, each counted once: a listed number as doNotCall, whatever else it"
            " waits for, the rest by the first thing that is in their way."
        )
    )
    timezones = ZonePreviewSerializer(source="zones", many=True)
    earliest = UtcDateTimeField(
        allow_null=True, help_text="When the first call may start; null: none ever."
    )
    likelyFinish = UtcDateTimeField(
        source="likely_finish",
        allow_null=True,
        help_text=(
            "When the last attempt starts, at the pace that the limits allow (100 a second at most) and"
            " inside the calling hours. Answers and lengths of calls are taken as in the newest attempts"
            " of this batch, else as in those that its numbers made in 7 days, else as one attempt of 30"
            " seconds a call. Other batches and the pauses before retries are left out. Null: nothing to"
            " dial, or not within a year."
        ),
    )
    warnings = WarningSerializer(many=True)

    @extend_schema_field({"type": "object", "properties": _WAITING, "required": list(_WAITING)})
    def get_waiting(self, found: Any) -> dict[str, int]:
        waiting: dict[str, int] = found.waiting
        return waiting

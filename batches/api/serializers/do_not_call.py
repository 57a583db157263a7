"""Shapes of the do-not-call endpoints. Field names are the API's own."""

import re
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from batches.api.serializers.contacts import LARGEST_FILE, RefusedRowSerializer
from batches.models import DoNotCallEntry
from batches.services.do_not_call import Listing
from calling.api.fields import DigitsField, PhoneNumberField
from workspaces.api.fields import (
    FormBooleanField,
    LineField,
    ObjectIdApiField,
    StrictBooleanField,
    StrictCharField,
    UploadedFileField,
    UtcDateTimeField,
)
from workspaces.api.pagination import PaginationSerializer
from workspaces.api.strict import PageQuery, StrictSerializer

_is_uuid = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch


@extend_schema_field({"type": "string", "format": "uuid"})
class RequestUuidField(StrictCharField):
    """The public id of a call attempt."""

    default_error_messages = {"invalid_uuid": "Must be a UUID."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or not _is_uuid(data):
            self.fail("invalid_uuid")
        return UUID(data)


class SwitchDoNotCallSerializer(StrictSerializer):
    enable = StrictBooleanField(help_text="Honour the do-not-call list in every batch.")


class AddNumberSerializer(StrictSerializer):
    """The body of dnc/add. Validated data is a `Listing`."""

    phoneNumber = PhoneNumberField(help_text="With its country code.")
    batchId = ObjectIdApiField(required=False, help_text="The batch that the number comes from.")
    requestUUID = RequestUuidField(
        required=False,
        help_text="A call to this number: its recording and transcript are kept with the entry.",
    )
    type = LineField(max_length=64, required=False, help_text="Why, in your own words.")

    def validate(self, attrs: dict[str, Any]) -> Listing:
        return Listing(
            phone_number=attrs["phoneNumber"],
            type=attrs.get("type", ""),
            batch_id=attrs.get("batchId"),
            request_uuid=attrs.get("requestUUID"),
        )


class DoNotCallListQuery(PageQuery):
    search = StrictCharField(
        required=False,
        default="",
        allow_blank=True,
        trim_whitespace=False,
        max_length=200,
        help_text="In number, type and requestUUID; case-insensitive, literal. A number may be"
        " written in any of the usual ways.",
    )


class DoNotCallEntrySerializer(serializers.ModelSerializer[DoNotCallEntry]):
    """Absent values are left out."""

    _id = ObjectIdApiField(source="id")
    phoneNumber = DigitsField(source="phone_number")
    type = serializers.CharField(required=False)
    orgId = ObjectIdApiField(source="workspace_id", help_text="The workspace.")
    batchId = ObjectIdApiField(source="batch_id", required=False)
    requestUUID = serializers.UUIDField(source="request_uuid", required=False)
    callRecording = serializers.CharField(source="call_recording", required=False)
    transcription = serializers.CharField(required=False)
    createdAt = UtcDateTimeField(source="created_at")

    class Meta:
        model = DoNotCallEntry
        fields = [
            "_id",
            "phoneNumber",
            "type",
            "orgId",
            "batchId",
            "requestUUID",
            "callRecording",
            "transcription",
            "createdAt",
        ]

    def to_representation(self, entry: DoNotCallEntry) -> dict[str, Any]:
        values = super().to_representation(entry)
        return {name: value for name, value in values.items() if value not in (None, "")}


class DoNotCallListSerializer(serializers.Serializer[Any]):
    dncList = DoNotCallEntrySerializer(many=True)
    pagination = PaginationSerializer()


class ImportNumbersSerializer(StrictSerializer):
    """The form of dnc/import."""

    file = UploadedFileField(
        max_bytes=LARGEST_FILE, help_text="CSV or Excel with a column phoneNumber, perhaps type."
    )
    dryRun = FormBooleanField(default=False, help_text="`true`: check the file, list nothing.")


class ImportedNumbersSerializer(serializers.Serializer[Any]):
    importId = ObjectIdApiField()
    added = serializers.IntegerField()
    alreadyListed = serializers.IntegerField(
        help_text="Numbers that were listed before, or come more than once in the file."
    )
    totalInvalid = serializers.IntegerField()
    invalidRows = RefusedRowSerializer(many=True, help_text="The first 1,000.")
    dryRun = serializers.BooleanField(
        required=False, help_text="Only in a dry run: nothing was listed."
    )

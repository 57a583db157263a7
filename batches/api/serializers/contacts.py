"""Shapes of adding contacts: as JSON, and as a file. Field names are the API's own."""

from typing import Any

import orjson
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from batches.api.contact_schema import MOST_RECORDS
from batches.api.serializers.batches import CreateBatchSerializer
from batches.models import BatchType
from workspaces.api.fields import (
    FormBooleanField,
    NameField,
    ObjectIdApiField,
    QueryIntegerField,
    StrictBooleanField,
    StrictChoiceField,
    TimezoneField,
    UploadedFileField,
)
from workspaces.api.strict import StrictSerializer

LARGEST_FILE = 50_000_000  # bytes


class ContactsField(serializers.Field[list[Any], Any, Any, Any]):
    """The list of contacts; each record is checked on its own, for a bad one spoils its chunk only."""

    default_error_messages = {
        "not_a_list": "Must be a list.",
        "empty": "Must not be empty.",
        "max_length": f"Must have at most {MOST_RECORDS:,} items.",
    }

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.fail("not_a_list")
        if not data:
            self.fail("empty")
        if len(data) > MOST_RECORDS:
            self.fail("max_length")
        return data


class AddCallsSerializer(StrictSerializer):
    """Validated data has the records under `records`, and under `field_name` how they were named."""

    batchId = ObjectIdApiField()
    call_data = ContactsField(
        required=False,
        help_text=(
            "Each record has a `phoneNumber`, perhaps a `timezone` and an `externalId`; every other key"
            " is a variable for the agent, and so is `externalId`. Or send it as `callData`; one of the"
            " two is required."
        ),
    )
    callData = ContactsField(required=False, help_text="Another name for `call_data`.")
    startCalling = StrictBooleanField(
        required=False,
        help_text="Start the batch too (as start-calling). Default: the workspace's setting.",
    )
    dryRun = StrictBooleanField(default=False, help_text="Validate, store nothing.")

    exactly_one_of = ("call_data", "callData")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        [field_name] = [name for name in self.exactly_one_of if name in attrs]
        return {**attrs, "field_name": field_name, "records": attrs[field_name]}


class AddedCallsSerializer(serializers.Serializer[Any]):
    added = serializers.IntegerField(help_text="Records stored, new or updated.")
    callIds = serializers.ListField(
        child=ObjectIdApiField(), help_text="One per stored record, in the order of the input."
    )
    dryRun = serializers.BooleanField(required=False)
    valid = serializers.IntegerField(required=False, help_text="Of a dry run.")
    alreadyAdded = serializers.IntegerField(
        required=False,
        help_text="Records left alone: the batch has their `externalId` already. Absent for none.",
    )


class RecordErrorSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="From 0, over the whole request.")
    field = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class FailedChunkSerializer(serializers.Serializer[Any]):
    chunkNum = serializers.IntegerField(help_text="From 1.")
    error = serializers.CharField()
    errors = RecordErrorSerializer(many=True)  # type: ignore[assignment]  # the API's name


class AllRefusedSerializer(serializers.Serializer[Any]):
    errors = FailedChunkSerializer(many=True)  # type: ignore[assignment]  # the API's name


class PartlyAddedCallsSerializer(AddedCallsSerializer):
    failedChunks = FailedChunkSerializer(many=True)


@extend_schema_field({"type": "string", "contentMediaType": "application/json"})
class JsonTextField(serializers.Field[Any, Any, Any, Any]):
    """A value of a form written as JSON."""

    default_error_messages = {"invalid_json": "Must be JSON."}

    def to_internal_value(self, data: Any) -> Any:
        try:
            return orjson.loads(data)
        except (orjson.JSONDecodeError, TypeError):
            self.fail("invalid_json")


class UploadSerializer(StrictSerializer):
    """The form of upload. Validated data has the settings of the batch as a `BatchSettings`."""

    file = UploadedFileField(
        max_bytes=LARGEST_FILE,
        help_text=(
            ".csv (UTF-8; comma, semicolon or tab; up to 1,000,000 rows), .xlsx or .xls (first sheet;"
            " up to 200,000 rows), with a header row and a column phoneNumber."
        ),
    )
    userId = ObjectIdApiField(help_text="Whose batch it becomes: an active member.")
    batchName = NameField(help_text="1 to 200 characters after trimming.")
    callingNumbers = JsonTextField(help_text="As in createBatch, as JSON text.")
    retry = QueryIntegerField(required=False)
    delay = QueryIntegerField(required=False)
    timezone = TimezoneField(required=False)
    callingHour = JsonTextField(required=False, help_text="As in createBatch, as JSON text.")
    allowedDays = JsonTextField(required=False, help_text="As in createBatch, as JSON text.")
    batchType = StrictChoiceField(BatchType.choices, required=False)
    enableDNC = FormBooleanField(required=False)
    type = FormBooleanField(
        default=False, help_text="true: store the valid rows and skip the others."
    )
    dryRun = FormBooleanField(default=False, help_text="Validate, store nothing.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The settings go by the rules of createBatch."""
        serializer = CreateBatchSerializer.of_this_thread()
        serializer._context = self._context
        settings = {name: value for name, value in attrs.items() if name in serializer.fields}
        rest = {name: value for name, value in attrs.items() if name not in settings}
        return {**rest, "settings": serializer.run_validation(settings)}


class UploadedBatchSerializer(serializers.Serializer[Any]):
    _id = ObjectIdApiField()
    batchName = serializers.CharField()
    callingNumbers = serializers.ListField(child=ObjectIdApiField())
    totalCalls = serializers.IntegerField()
    skippedRows = serializers.IntegerField(
        required=False, help_text="Invalid rows that were skipped (with type=true)."
    )


class UploadResultSerializer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    batch = UploadedBatchSerializer()


class RowErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(help_text="The column.", allow_blank=True)
    code = serializers.CharField()
    message = serializers.CharField()


class RefusedRowSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField(help_text="The header is 1.")
    errors = RowErrorSerializer(many=True)  # type: ignore[assignment]  # the API's name


class RefusedUploadSerializer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    message = serializers.CharField()
    invalidRows = RefusedRowSerializer(many=True, help_text="The first 1,000.")
    totalInvalid = serializers.IntegerField()


class CheckedUploadSerializer(serializers.Serializer[Any]):
    """What a dry run answers."""

    success = serializers.BooleanField()
    dryRun = serializers.BooleanField()
    validRows = serializers.IntegerField()
    invalidRows = RefusedRowSerializer(many=True, help_text="The first 1,000.")
    totalInvalid = serializers.IntegerField()

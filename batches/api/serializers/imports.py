"""Shapes of imports. Field names are the API's own."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from batches.models import Import, ImportStatus
from workspaces.api.fields import ObjectIdApiField, UtcDateTimeField
from workspaces.api.pagination import PaginationSerializer
from workspaces.api.strict import PageQuery


class ImportListQuery(PageQuery):
    batchId = ObjectIdApiField(required=False, help_text="Only the imports of this batch.")


class ImportSerializer(serializers.ModelSerializer[Import]):
    _id = ObjectIdApiField(source="id")
    batchId = ObjectIdApiField(source="batch_id", allow_null=True)
    userId = ObjectIdApiField(source="created_by_id")
    fileName = serializers.CharField(source="file_name")
    dryRun = serializers.BooleanField(source="dry_run")
    status = serializers.ChoiceField(ImportStatus.choices)
    progress = serializers.IntegerField(help_text="Per cent read.")
    rowsRead = serializers.IntegerField(source="rows_read", help_text="Without the header.")
    rowsInvalid = serializers.IntegerField(source="rows_invalid")
    rowsDuplicate = serializers.IntegerField(source="rows_duplicate")
    rowsAdded = serializers.IntegerField(source="rows_added")
    rowsUpdated = serializers.IntegerField(source="rows_updated")
    rowsAlreadyAdded = serializers.IntegerField(
        source="rows_known", help_text="Left alone: the batch has their `externalId` already."
    )
    errors = serializers.SerializerMethodField(  # type: ignore[assignment]
        help_text="Of the first 100 refused rows or records; of a file, `…/errors` has all."
    )
    createdAt = UtcDateTimeField(source="created_at")
    updatedAt = UtcDateTimeField(source="updated_at")

    class Meta:
        model = Import
        fields = [
            "_id",
            "batchId",
            "userId",
            "kind",
            "source",
            "fileName",
            "dryRun",
            "status",
            "progress",
            "rowsRead",
            "rowsInvalid",
            "rowsDuplicate",
            "rowsAdded",
            "rowsUpdated",
            "rowsAlreadyAdded",
            "errors",
            "createdAt",
            "updatedAt",
        ]

    @extend_schema_field({"type": "array", "items": {"type": "object"}})
    def get_errors(self, record: Import) -> Any:
        return _in_order(record.errors)


def _in_order(value: Any) -> Any:
    """The keys as everywhere in the API; `jsonb` has its own order."""
    if isinstance(value, list):
        return list(map(_in_order, value))
    if isinstance(value, dict):
        return {name: _in_order(value[name]) for name in _ORDER if name in value}
    return value


_ORDER = ("row", "index", "field", "code", "message", "errors")


class ImportListSerializer(serializers.Serializer[Any]):
    imports = ImportSerializer(many=True)
    pagination = PaginationSerializer()

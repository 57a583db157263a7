from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from batches.api.examples import imports as examples
from batches.api.serializers.imports import (
    ImportListQuery,
    ImportListSerializer,
    ImportSerializer,
)
from batches.api.streams import CSV, download
from batches.exports import refused_rows_as_csv
from batches.models import Import
from workspaces.api.base import ApiViewSet
from workspaces.api.endpoint import endpoint
from workspaces.api.pagination import page_data
from workspaces.permissions import Access
from workspaces.querysets import WorkspaceQuerySet

TAGS = ["Calls"]
NOT_FOUND = "No such import in this workspace."


class ImportViewSet(ApiViewSet):
    @endpoint(
        Access.READ,
        message="Imports fetched successfully",
        query=ImportListQuery,
        result=ImportListSerializer,
        operation="listImports",
        tags=TAGS,
        summary="List imports",
        description=(
            "What became of the contacts and do-not-call numbers that were sent, newest first."
            " A `batchId` that is none of the workspace's batches has no imports."
        ),
        examples=examples.LIST_IMPORTS,
    )
    def list(self, request: Request) -> Response:
        query = self.valid_query()
        imports = self._imports()
        if "batchId" in query:
            imports = imports.filter(batch_id=query["batchId"])
        newest_first = imports.order_by("-created_at", "-id")
        data = page_data("imports", newest_first, imports.count(), query)
        return self.answer(ImportListSerializer(data).data)

    @endpoint(
        Access.READ,
        message="Import fetched successfully",
        result=ImportSerializer,
        errors={404: NOT_FOUND},
        etag=True,
        operation="getImport",
        tags=TAGS,
        summary="One import",
        description="Also while it runs: `progress` and `rowsRead` move with the file.",
        examples=examples.GET_IMPORT,
    )
    def retrieve(self, request: Request, importId: str) -> Response:
        record = get_object_or_404(self._imports(), id=self.path_id("importId"))
        return self.answer(ImportSerializer(record).data)

    @endpoint(
        Access.READ,
        message="The refused rows of the file",
        result={"type": "string"},
        media_type=CSV,
        errors={
            404: NOT_FOUND,
            503: "Another download is running, or the database is away; see `Retry-After`.",
        },
        operation="importErrors",
        tags=TAGS,
        summary="The refused rows of an import",
        description=(
            "The rows as they came, and a last column `_errors`: to be mended and sent again."
            " Kept for a month."
        ),
        examples=examples.IMPORT_ERRORS,
    )
    def errors(self, request: Request, importId: str) -> StreamingHttpResponse:
        record = get_object_or_404(self._imports(), id=self.path_id("importId"))
        return download(
            request,
            refused_rows_as_csv(record),
            media_type=CSV,
            name=f"{record.file_name or 'import'} errors",
            extension="csv",
        )

    def _imports(self) -> WorkspaceQuerySet[Import]:
        return Import.objects.for_workspace(self.caller.workspace_id)

from collections.abc import Callable, Iterator

from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from rest_framework.request import Request

from batches.api.examples import exports as examples
from batches.api.serializers.exports import ExportQuery
from batches.api.streams import CSV, NDJSON, download
from batches.exports import calls_as_csv, calls_as_ndjson
from batches.models import CallBatch
from workspaces.api.base import ApiViewSet
from workspaces.api.endpoint import endpoint
from workspaces.permissions import Access

TAGS = ["Calls"]
TEXT = {"type": "string"}
ERRORS = {
    404: "No such batch in this workspace.",
    503: "Another download is running, or the database is away; see `Retry-After`.",
}
_HOW = (
    " Streamed, oldest call first. A download that an error breaks off ends with a line that says so"
    " and that no parser takes."
)


class ExportViewSet(ApiViewSet):
    @endpoint(
        Access.READ,
        message="Every call of the batch",
        query=ExportQuery,
        result=TEXT,
        media_type=CSV,
        errors=ERRORS,
        operation="exportCsv",
        tags=TAGS,
        summary="Export a batch as CSV",
        description=(
            "A row a call: its state, the outcome of its last attempt, and its variables as columns."
            " A text that a spreadsheet would run as a formula has a `'` before it." + _HOW
        ),
        examples=examples.CSV_EXPORT,
    )
    def csv(self, request: Request) -> StreamingHttpResponse:
        return self._export(request, calls_as_csv, CSV, "csv")

    @endpoint(
        Access.READ,
        message="Every call of the batch",
        query=ExportQuery,
        result=TEXT,
        media_type=NDJSON,
        errors=ERRORS,
        operation="exportNdjson",
        tags=TAGS,
        summary="Export a batch as NDJSON",
        description="A JSON object a line, one for each call, with its last attempt." + _HOW,
        examples=examples.NDJSON_EXPORT,
    )
    def ndjson(self, request: Request) -> StreamingHttpResponse:
        return self._export(request, calls_as_ndjson, NDJSON, "ndjson")

    def _export(
        self,
        request: Request,
        written: Callable[[CallBatch], Iterator[bytes]],
        media_type: str,
        extension: str,
    ) -> StreamingHttpResponse:
        batches = CallBatch.objects.for_workspace(self.caller.workspace_id).living()
        batch = get_object_or_404(batches, id=self.valid_query()["batchId"])
        return download(
            request, written(batch), media_type=media_type, name=batch.name, extension=extension
        )

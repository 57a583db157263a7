from math import ceil
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from batches.api.examples import details as examples
from batches.api.serializers.batches import settings_version
from batches.api.serializers.call_queries import CallListQuery
from batches.api.serializers.details import (
    BatchDetailsSerializer,
    BatchStatisticsSerializer,
    CallDetailsSerializer,
)
from batches.api.serializers.preflight import PreflightSerializer
from batches.call_pages import as_log, read_page
from batches.models import Call, CallBatch
from batches.preflight import preflight
from batches.statistics import statistics_of
from batches.variables import variable_names
from batches.waiting import waiting_for
from workspaces.api.base import ApiViewSet
from workspaces.api.endpoint import endpoint
from workspaces.permissions import Access

TAGS = ["Calls"]


class CallViewSet(ApiViewSet):
    @endpoint(
        Access.READ,
        message="Calls fetched successfully",
        query=CallListQuery,
        result=BatchDetailsSerializer,
        errors={404: "No such batch in this workspace."},
        etag=True,
        operation="batchDetails",
        tags=TAGS,
        summary="A batch and its calls",
        description=(
            "The calls a page at a time, newest first, each with its variables under their own names"
            " and the log of its attempts; then the settings of the batch."
        ),
        examples=examples.BATCH_DETAILS,
    )
    def batch_details(self, request: Request, id: str) -> Response:  # noqa: A002 (the path's name)
        batch_id = self.path_id("id")
        query = self.valid_query()
        batch = self._batch(batch_id)
        page = read_page(batch, **query)
        data = {
            "batch": batch,
            "page": query["page"],
            "limit": query["limit"],
            "total": page.total,
            "total_pages": ceil(page.total / query["limit"]),
            "calls": page.calls,
            "numbers": batch.rotation.order_by("position").values_list("phone_id", flat=True),
        }
        context = {"names": variable_names(batch)}
        shown: Any = BatchDetailsSerializer(data, context=context).data
        return self.answer(shown, version=settings_version(shown))

    @endpoint(
        Access.READ,
        message="Call fetched successfully",
        result=CallDetailsSerializer,
        errors={404: "No such call in this workspace, or its batch was deleted."},
        etag=True,
        operation="callDetails",
        tags=TAGS,
        summary="One call",
        description="With all its attempts, its timeline, and what it waits for.",
        examples=examples.CALL_DETAILS,
    )
    def call_details(self, request: Request, callId: str) -> Response:
        calls = Call.objects.for_workspace(self.caller.workspace_id).of_living_batches()
        found = calls.select_related("batch__session").with_variables_json()
        call = get_object_or_404(found, id=self.path_id("callId"))
        data = {
            "call": call,
            "attempts": as_log(call.attempts.all()),
            "events": call.events.order_by("created_at", "id"),
            "wait": waiting_for(call, call.batch, timezone.now()),
        }
        context = {"names": variable_names(call.batch)}
        return self.answer(CallDetailsSerializer(data, context=context).data)

    @endpoint(
        Access.READ,
        message="Statistics fetched successfully",
        result=BatchStatisticsSerializer,
        errors={404: "No such batch in this workspace."},
        etag=True,
        operation="batchStats",
        tags=TAGS,
        summary="How a batch is doing",
        description="Calls by status, the answer rate, the pace and where it leads.",
        examples=examples.BATCH_STATS,
    )
    def batch_stats(self, request: Request, batchId: str) -> Response:
        batch = self._batch(self.path_id("batchId"))
        statistics = statistics_of(batch, now=timezone.now())
        return self.answer(BatchStatisticsSerializer(statistics).data)

    @endpoint(
        Access.READ,
        message="Preflight fetched successfully",
        result=PreflightSerializer,
        errors={404: "No such batch in this workspace."},
        operation="batchPreflight",
        tags=TAGS,
        summary="What a start would do",
        description=(
            "How many calls would be dialed now, how many wait and for what, in each time zone; when the"
            " first one may start and when the last one likely does; and what looks like a mistake."
        ),
        examples=examples.BATCH_PREFLIGHT,
    )
    def batch_preflight(self, request: Request, batchId: str) -> Response:
        batch = self._batch(self.path_id("batchId"))
        found = preflight(batch, timezone.now())
        return self.answer(PreflightSerializer(found).data)

    def _batch(self, batch_id: str) -> CallBatch:
        batches = CallBatch.objects.for_workspace(self.caller.workspace_id).living()
        return get_object_or_404(batches, id=batch_id)

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from batches.api.examples import dialing as examples
from batches.api.serializers import dialing as serializers
from batches.models import CallBatch
from batches.services.dialing import (
    RETRYABLE,
    Start,
    cancel_calls,
    retry_calls,
    start_batch,
    stop_batch,
)
from workspaces.api.base import ApiViewSet
from workspaces.api.endpoint import MEGABYTE, endpoint
from workspaces.permissions import Access
from workspaces.services.members import active_member

TAGS = ["Dialing"]
UNKNOWN = {404: "There is no such batch, or no such active member."}


class DialingViewSet(ApiViewSet):
    @endpoint(
        Access.STEER,
        message="Calling started",
        body=serializers.StartCallingSerializer,
        result=serializers.BatchStateSerializer,
        max_body=64 * MEGABYTE,
        errors={
            404: "There is no such batch, active member, or agent for the callData.",
            503: "The database is away, or two big imports are running; see `Retry-After`.",
        },
        idempotent=True,
        operation="startCalling",
        tags=TAGS,
        summary="Start calling",
        description=(
            "Makes the batch active; its calls are dialed from then on. Resumes a stopped, paused or"
            " completed batch. An active one is changed only by `callingNumbers` or `callData`. A"
            " batch without a call to make: 400."
        ),
        examples=examples.START,
    )
    def start(self, request: Request) -> Response:
        body = self.valid_body()
        batch = self._batch(body["batchId"])
        active_member(self.caller.workspace_id, body["userId"])
        start = Start(
            user_id=body["userId"],
            phone_ids=body.get("callingNumbers"),
            records=body.get("callData"),
            uuid=body["uuid"],
        )
        start_batch(
            workspace_id=self.caller.workspace_id,
            batch=batch,
            start=start,
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self._done(batch, "started")

    @endpoint(
        Access.STEER,
        message="Calling stopped",
        body=serializers.StopCallingSerializer,
        result=serializers.BatchStateSerializer,
        errors=UNKNOWN,
        operation="stopCalling",
        tags=TAGS,
        summary="Stop calling",
        description=(
            "No new call starts, calls in flight finish; start-calling resumes. A batch that is not"
            " active stays as it is."
        ),
        examples=examples.STOP,
    )
    def stop(self, request: Request) -> Response:
        body = self.valid_body()
        batch = self._batch(body["batchId"])
        active_member(self.caller.workspace_id, body["userId"])
        stop_batch(
            workspace_id=self.caller.workspace_id,
            batch_id=batch.id,
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self._done(batch, "stopped")

    @endpoint(
        Access.STEER,
        message="Calls put back successfully",
        body=serializers.RetryCallsSerializer,
        result=serializers.RetriedCallsSerializer,
        errors={404: "There is no such batch."},
        operation="retryCalls",
        tags=TAGS,
        summary="Retry calls",
        description=(
            "Failed and unknown calls become pending again, with a fresh count of attempts. On an"
            " active or completed batch they are dialed, else they wait for the start."
        ),
    )
    def retry(self, request: Request) -> Response:
        body = self.valid_body()
        retried = retry_calls(
            workspace_id=self.caller.workspace_id,
            batch_id=body["batchId"],
            statuses=body.get("callStatus", RETRYABLE),
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self.answer({"batchId": body["batchId"], "retried": retried})

    @endpoint(
        Access.STEER,
        message="Calls cancelled successfully",
        body=serializers.CancelCallsSerializer,
        result=serializers.CancelledCallsSerializer,
        errors={404: "There is no such batch."},
        operation="cancelCalls",
        tags=TAGS,
        summary="Cancel calls",
        description=(
            "Takes contacts out of a batch, by the ids of their calls or by number. `callIds` of the"
            " answer are the pending calls that were cancelled; calls that are being dialed are hung up"
            " (`hangingUp`), unless they are answered first."
        ),
    )
    def cancel(self, request: Request) -> Response:
        body = self.valid_body()
        cancelled = cancel_calls(
            workspace_id=self.caller.workspace_id,
            batch_id=body["batchId"],
            call_ids=body.get("callIds", ()),
            phone_numbers=body.get("phoneNumbers", ()),
            actor=self.caller.actor,
            now=timezone.now(),
        )
        ids = cancelled.call_ids
        return self.answer(
            {
                "batchId": body["batchId"],
                "cancelled": len(ids),
                "callIds": ids,
                "hangingUp": cancelled.hanging_up,
            }
        )

    def _done(self, batch: CallBatch, status: str) -> Response:
        """As documented, without a message."""
        return self.answer({"batchId": batch.id, "status": status}, message="")

    def _batch(self, batch_id: str) -> CallBatch:
        batches = CallBatch.objects.for_workspace(self.caller.workspace_id).living()
        return get_object_or_404(batches, id=batch_id)

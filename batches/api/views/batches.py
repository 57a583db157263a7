from typing import Any

from django.utils import timezone
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from batches.api.examples import batches as examples
from batches.api.serializers.batches import (
    BatchListQuery,
    BatchListSerializer,
    BatchSerializer,
    CreateBatchSerializer,
    SuccessSerializer,
    UpdateBatchSerializer,
    settings_version,
)
from batches.models import CallBatch
from batches.services import batches as services
from workspaces.api.base import ApiViewSet
from workspaces.api.endpoint import endpoint
from workspaces.api.fields import OBJECT_ID_SCHEMA
from workspaces.api.pagination import page_data
from workspaces.models import Membership
from workspaces.permissions import Access

TAGS = ["Batches"]


class CallBatchViewSet(ApiViewSet):
    @endpoint(
        Access.WRITE,
        message="Batch created successfully",
        body=CreateBatchSerializer,
        result=OBJECT_ID_SCHEMA | {"description": "Id of the batch."},
        status=201,
        bad_credentials=403,
        idempotent=True,
        operation="createBatch",
        tags=TAGS,
        summary="Create Call Batch",
        description=(
            "Create a named outbound batch and assign the phone numbers that will originate the"
            " campaign. The batch stays a draft until it is started."
        ),
        examples=examples.CREATE_BATCH,
    )
    def create(self, request: Request) -> Response:
        settings = self.valid_body()
        batch = services.create_batch(
            workspace_id=self.caller.workspace_id,
            user_id=self.caller.user_id,
            settings=settings,
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self.answer(batch.id)

    @endpoint(
        Access.WRITE,
        message="Batch updated successfully",
        body=UpdateBatchSerializer,
        result=BatchSerializer,
        etag=True,
        operation="updateBatch",
        tags=TAGS,
        summary="Update a batch",
        description=(
            "Any field of createBatch, in any state of the batch; calls made from now on follow. Of the"
            " `ETag`, this one's or that of batch-details, `If-Match` asks about these settings only:"
            " calls come and end meanwhile."
        ),
    )
    def update(self, request: Request, batchId: str) -> Response:
        batch_id = self.path_id("batchId")
        body = self.valid_body()
        batch = services.update_batch(
            workspace_id=self.caller.workspace_id,
            batch_id=batch_id,
            changes=body["changes"],
            phone_ids=body["phone_ids"],
            actor=self.caller.actor,
            now=timezone.now(),
            precondition=self.precondition(_batch, settings_version),
        )
        data = _batch(batch)
        return self.answer(data, version=settings_version(data))

    @endpoint(
        Access.STEER,
        message="Batch deleted",
        result=SuccessSerializer,
        bare=True,
        etag=True,
        operation="deleteBatch",
        tags=TAGS,
        summary="Delete a batch",
        description="Stops dialing first. The batch is gone from every list; the second time: 404.",
    )
    def destroy(self, request: Request, batchId: str) -> Response:
        batch_id = self.path_id("batchId")
        services.delete_batch(
            workspace_id=self.caller.workspace_id,
            batch_id=batch_id,
            actor=self.caller.actor,
            now=timezone.now(),
            precondition=self.precondition(_batch, settings_version),
        )
        return self.answer({"success": True, "message": "Batch deleted"})

    @endpoint(
        Access.READ,
        message="Batches fetched successfully",
        query=BatchListQuery,
        result=BatchListSerializer,
        errors={404: "The user has no batch."},
        operation="listBatches",
        tags=TAGS,
        summary="List a user's batches",
        description="Newest first. An admin or owner may name any member of the workspace.",
        examples=examples.LIST_BATCHES,
    )
    def list(self, request: Request, userId: str) -> Response:
        user_id = self.path_id("userId")
        query = self.valid_query()
        self._check_may_list(user_id)
        batches = CallBatch.objects.of_user(self.caller.workspace_id, user_id)
        existing, total = batches.count_matching(query["search"])
        if not existing:
            raise NotFound("This user has no batch.")
        found = batches.search(query["search"]).newest_first().with_counts()
        data = page_data("batches", found, total, query)
        return self.answer(BatchListSerializer(data).data)

    def _check_may_list(self, user_id: str) -> None:
        """Oneself, or as admin any member; every other id is one and the same 403."""
        if user_id == self.caller.user_id:
            return
        members = Membership.objects.for_workspace(self.caller.workspace_id)
        if not (self.caller.role.leads and members.filter(user_id=user_id).exists()):
            raise PermissionDenied("You may not list the batches of this user.")


def _batch(batch: CallBatch) -> Any:
    return BatchSerializer(batch).data

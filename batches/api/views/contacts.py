from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from batches.api.examples import contacts as examples
from batches.api.serializers import contacts as serializers
from batches.imports.pipeline import SentFile
from batches.services.contacts import AddedContacts, add_contacts
from batches.services.uploads import Upload, Uploaded, upload_batch
from workspaces.api.base import ApiViewSet
from workspaces.api.endpoint import MEGABYTE, endpoint
from workspaces.permissions import Access
from workspaces.services.members import active_member

TAGS = ["Contacts"]
IMPORT_HEADER = "X-Import-Id"  # leads to /api/call/imports/{importId}


class ContactsViewSet(ApiViewSet):
    @endpoint(
        Access.WRITE,
        message="Calls enqueued successfully",
        body=serializers.AddCallsSerializer,
        result=serializers.AddedCallsSerializer,
        alternatives={
            207: serializers.PartlyAddedCallsSerializer,
            400: serializers.AllRefusedSerializer,
        },
        bad_credentials=403,
        max_body=64 * MEGABYTE,
        errors={
            403: "Missing or bad credentials; or a batch that is unknown or another workspace's.",
            404: "The batch was deleted, or no agent is behind its numbers.",
            503: "The database is away, or two big imports are running; see `Retry-After`.",
        },
        idempotent=True,
        operation="addCallsToBatch",
        tags=TAGS,
        summary="Add Calls To Batch",
        description=(
            "Records go in chunks of 1,000, each chunk all or nothing. A number that the batch has"
            " already is updated, and called again when its call had ended. A record whose"
            " `externalId` the batch has already is left alone, so that an import can be repeated."
            " Nothing is dialed before the batch is started."
        ),
        examples=examples.ADD_CALLS,
    )
    def add(self, request: Request) -> Response:
        body = self.valid_body()
        self.check_rights(body)
        result = add_contacts(
            workspace_id=self.caller.workspace_id,
            batch_id=body["batchId"],
            user_id=self.caller.user_id,
            records=body["records"],
            field_name=body["field_name"],
            start=body.get("startCalling"),
            dry_run=body["dryRun"],
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self._added(result, body["dryRun"])

    def check_rights(self, body: Any) -> None:
        starts = self.action == "add" and isinstance(body, Mapping) and body.get("startCalling")
        if starts and not Access.STEER.allows(self.caller):
            raise PermissionDenied("Only an admin or owner starts a batch.")

    def _added(self, result: AddedContacts, dry_run: bool) -> Response:
        headers, failed = {IMPORT_HEADER: result.import_id}, result.failed_chunks
        data: dict[str, Any] = {"added": len(result.call_ids), "callIds": result.call_ids}
        if dry_run:
            data |= {"dryRun": True, "valid": result.valid}
        known = {"alreadyAdded": result.known} if result.known else {}
        if not failed:
            data |= known
            message = "Dry run: nothing was stored" if dry_run else None
            return self.answer(data, message=message, headers=headers)
        sentence = failed[0]["error"]
        if len(failed) > 1:
            sentence += f" … and {len(failed) - 1} more"
        if result.valid:
            status, message, data["failedChunks"] = 207, "Some chunks were refused", failed
            data |= known
        else:
            status, message, data = 400, "Validation failed", {"errors": failed}
        return self.answer(
            data, status=status, message=message, error_message=sentence, headers=headers
        )

    @endpoint(
        Access.WRITE,
        message="Batch created, calls stored",
        body=serializers.UploadSerializer,
        result=serializers.UploadResultSerializer,
        alternatives={
            200: serializers.CheckedUploadSerializer,
            422: serializers.RefusedUploadSerializer,
        },
        status=201,
        bare=True,
        multipart=True,
        max_body=serializers.LARGEST_FILE + MEGABYTE,
        errors={
            404: "The user is unknown; no agent is behind the numbers, or one without a language.",
            503: "The database is away, or two big imports are running; see `Retry-After`.",
        },
        idempotent=True,
        operation="uploadBatch",
        tags=TAGS,
        summary="Upload a file as a batch",
        description=(
            "Batch and calls appear together or not at all. With `type=false` (the default) one"
            " invalid row refuses the file; with `type=true` the valid rows are stored. Of a repeated"
            " number the first row stays. The header `X-Import-Id` names the import, whose refused"
            " rows can be had as a file."
        ),
        examples=examples.UPLOAD,
    )
    def upload(self, request: Request) -> Response:
        form = self.valid_body()
        active_member(self.caller.workspace_id, form["userId"])
        uploaded = upload_batch(
            workspace_id=self.caller.workspace_id,
            upload=Upload(
                file=SentFile(
                    content=form["file"],
                    name=form["file"].name,
                    user_id=form["userId"],
                    dry_run=form["dryRun"],
                ),
                settings=form["settings"],
                keep_valid=form["type"],
            ),
            actor=self.caller.actor,
            clock=timezone.now,
        )
        headers = {IMPORT_HEADER: uploaded.import_id}
        if uploaded.batch is not None:
            return self.answer(_stored(uploaded, form), headers=headers)
        if form["dryRun"] and (form["type"] or not uploaded.invalid):
            return self.answer(_checked(uploaded), status=200, headers=headers)
        return self.answer(_refused(uploaded), status=422, headers=headers)


def _stored(uploaded: Uploaded, form: dict[str, Any]) -> dict[str, Any]:
    batch = uploaded.batch
    assert batch is not None  # noqa: S101 (asked by the caller)
    data = {
        "_id": batch.id,
        "batchName": batch.name,
        "callingNumbers": list(form["settings"].phone_ids),
        "totalCalls": uploaded.total_calls,
    }
    if form["type"]:
        data["skippedRows"] = uploaded.invalid
    return {"success": True, "batch": data}


def _checked(uploaded: Uploaded) -> dict[str, Any]:
    return {
        "success": True,
        "dryRun": True,
        "validRows": uploaded.valid,
        "invalidRows": uploaded.refused,
        "totalInvalid": uploaded.invalid,
    }


def _refused(uploaded: Uploaded) -> dict[str, Any]:
    rows = "row is" if uploaded.invalid == 1 else "rows are"
    return {
        "success": False,
        "message": f"Nothing was stored: {uploaded.invalid:,} {rows} invalid.",
        "invalidRows": uploaded.refused,
        "totalInvalid": uploaded.invalid,
    }

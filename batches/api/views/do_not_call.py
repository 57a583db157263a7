from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from batches.api.examples import do_not_call as examples
from batches.api.serializers.contacts import LARGEST_FILE
from batches.api.serializers.do_not_call import (
    AddNumberSerializer,
    DoNotCallListQuery,
    DoNotCallListSerializer,
    ImportedNumbersSerializer,
    ImportNumbersSerializer,
    SwitchDoNotCallSerializer,
)
from batches.imports.pipeline import SentFile
from batches.models import DoNotCallEntry
from batches.services.do_not_call import delist_number, list_number
from batches.services.do_not_call_import import import_numbers
from workspaces.api.base import ApiViewSet
from workspaces.api.endpoint import MEGABYTE, endpoint
from workspaces.api.pagination import page_data
from workspaces.permissions import Access
from workspaces.services.workspaces import update_workspace

TAGS = ["Do not call"]


class DoNotCallViewSet(ApiViewSet):
    @endpoint(
        Access.STEER,
        message="DNC setting updated successfully",
        body=SwitchDoNotCallSerializer,
        with_data=False,
        operation="switchDoNotCall",
        tags=TAGS,
        summary="Switch the do-not-call list on or off",
        description=(
            "On (the default): listed numbers are skipped in every batch of the workspace. Off: only"
            " in batches that have `enableDNC`."
        ),
        examples=examples.SWITCH,
    )
    def switch(self, request: Request) -> Response:
        update_workspace(
            workspace_id=self.caller.workspace_id,
            changes={"dnc_enabled": self.valid_body()["enable"]},
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self.answer()

    @endpoint(
        Access.WRITE,
        message="Phone number added to DNC successfully",
        body=AddNumberSerializer,
        with_data=False,
        errors={404: "No such call to this number, or no such batch in this workspace."},
        idempotent=True,
        operation="addToDoNotCallList",
        tags=TAGS,
        summary="Add a number",
        description=(
            "Lists a number, on its own or as the outcome of a call (`requestUUID`). The admins and"
            " owners of the workspace get an e-mail. A number that is listed already is a 400."
        ),
        examples=examples.ADD,
    )
    def create(self, request: Request) -> Response:
        list_number(
            workspace_id=self.caller.workspace_id,
            user_id=self.caller.user_id,
            listing=self.valid_body(),
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self.answer()

    @endpoint(
        Access.READ,
        message="DNC list fetched successfully",
        query=DoNotCallListQuery,
        result=DoNotCallListSerializer,
        operation="listDoNotCallEntries",
        tags=TAGS,
        summary="List the numbers",
        description="Newest first, without the deleted ones. Absent values are left out.",
        examples=examples.LIST,
    )
    def list(self, request: Request) -> Response:
        query = self.valid_query()
        entries = DoNotCallEntry.objects.for_workspace(self.caller.workspace_id).living()
        found = entries.search(query["search"])
        data = page_data("dncList", found.newest_first(), found.count(), query)
        return self.answer(DoNotCallListSerializer(data).data)

    @endpoint(
        Access.STEER,
        message="DNC record deleted successfully",
        with_data=False,
        errors={
            403: "Not an entry of this workspace; or valid credentials that may not do this.",
            404: "The entry has been deleted already.",
        },
        operation="deleteDoNotCallEntry",
        tags=TAGS,
        summary="Delete an entry",
        description="The number may be called again, and listed again.",
        examples=examples.DELETE,
    )
    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002 (the path's name)
        delist_number(
            workspace_id=self.caller.workspace_id,
            entry_id=self.path_id("id"),
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self.answer()

    @endpoint(
        Access.WRITE,
        message="DNC file imported successfully",
        body=ImportNumbersSerializer,
        result=ImportedNumbersSerializer,
        multipart=True,
        max_body=LARGEST_FILE + MEGABYTE,
        errors={503: "The database is away, or two imports are running; see `Retry-After`."},
        operation="importDoNotCallList",
        tags=TAGS,
        summary="Import a file of numbers",
        description=(
            "A .csv file (up to 1,000,000 rows) or a .xls or .xlsx file (up to 200,000) with a column"
            " `phoneNumber`, perhaps a column `type`, and others that are ignored. The valid rows are"
            " listed, in one transaction; the invalid ones are reported. Sending a file again is"
            " harmless. The admins and owners of the workspace get one e-mail a file."
        ),
        examples=examples.IMPORT,
    )
    def upload(self, request: Request) -> Response:
        form = self.valid_body()
        imported = import_numbers(
            workspace_id=self.caller.workspace_id,
            file=SentFile(
                content=form["file"],
                name=form["file"].name,
                user_id=self.caller.user_id,
                dry_run=form["dryRun"],
            ),
            actor=self.caller.actor,
            clock=timezone.now,
        )
        data = {
            "importId": imported.import_id,
            "added": imported.added,
            "alreadyListed": imported.already_listed,
            "totalInvalid": imported.invalid,
            "invalidRows": imported.refused,
            **({"dryRun": True} if form["dryRun"] else {}),
        }
        return self.answer(ImportedNumbersSerializer(data).data)

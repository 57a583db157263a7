from django.urls import URLPattern, path

from batches.api.views.batches import CallBatchViewSet
from batches.api.views.carriers import CarrierCallbackViewSet
from batches.api.views.contacts import ContactsViewSet
from batches.api.views.details import CallViewSet
from batches.api.views.dialing import DialingViewSet
from batches.api.views.do_not_call import DoNotCallViewSet
from batches.api.views.exports import ExportViewSet
from batches.api.views.imports import ImportViewSet
from batches.api.views.phones import PhoneDeletionViewSet

urlpatterns: list[URLPattern] = [
    path("call/createBatch", CallBatchViewSet.as_view({"post": "create"}), name="create-batch"),
    path(
        "call/addCallsToBatch", ContactsViewSet.as_view({"post": "add"}), name="add-calls-to-batch"
    ),
    path("call/upload", ContactsViewSet.as_view({"post": "upload"}), name="upload"),
    path("call/start-calling", DialingViewSet.as_view({"post": "start"}), name="start-calling"),
    path("call/stop-calling", DialingViewSet.as_view({"post": "stop"}), name="stop-calling"),
    path("call/retry-calls", DialingViewSet.as_view({"post": "retry"}), name="retry-calls"),
    path("call/cancel-calls", DialingViewSet.as_view({"post": "cancel"}), name="cancel-calls"),
    path(
        "call/update-batch/<str:batchId>",
        CallBatchViewSet.as_view({"patch": "update"}),
        name="update-batch",
    ),
    path(
        "call/delete-batch/<str:batchId>",
        CallBatchViewSet.as_view({"delete": "destroy"}),
        name="delete-batch",
    ),
    path(
        "call/delete-phone/<str:phoneId>",
        PhoneDeletionViewSet.as_view({"delete": "destroy"}),
        name="delete-phone",
    ),
    path("call/batches/<str:userId>", CallBatchViewSet.as_view({"get": "list"}), name="batches"),
    path(
        "call/batch-details/<str:id>",
        CallViewSet.as_view({"get": "batch_details"}),
        name="batch-details",
    ),
    path(
        "call/call-details/<str:callId>",
        CallViewSet.as_view({"get": "call_details"}),
        name="call-details",
    ),
    path(
        "call/batch-stats/<str:batchId>",
        CallViewSet.as_view({"get": "batch_stats"}),
        name="batch-stats",
    ),
    path(
        "call/batch-preflight/<str:batchId>",
        CallViewSet.as_view({"get": "batch_preflight"}),
        name="batch-preflight",
    ),
    path("call/export/csv", ExportViewSet.as_view({"get": "csv"}), name="export-csv"),
    path("call/export/ndjson", ExportViewSet.as_view({"get": "ndjson"}), name="export-ndjson"),
    path("call/imports", ImportViewSet.as_view({"get": "list"}), name="imports"),
    path("call/imports/<str:importId>", ImportViewSet.as_view({"get": "retrieve"}), name="import"),
    path(
        "call/imports/<str:importId>/errors",
        ImportViewSet.as_view({"get": "errors"}),
        name="import-errors",
    ),
    path(
        "carriers/<str:carrier>/callback",
        CarrierCallbackViewSet.as_view({"post": "receive"}),
        name="carrier-callback",
    ),
    path(
        "carriers/<str:carrier>/answer",
        CarrierCallbackViewSet.as_view({"post": "connect"}),
        name="carrier-answer",
    ),
    path(
        "carriers/<str:carrier>/key",
        CarrierCallbackViewSet.as_view({"post": "key"}),
        name="carrier-key",
    ),
    path("dnc/enable-disable", DoNotCallViewSet.as_view({"post": "switch"}), name="dnc-switch"),
    path("dnc/add", DoNotCallViewSet.as_view({"post": "create"}), name="dnc-add"),
    path("dnc/list", DoNotCallViewSet.as_view({"get": "list"}), name="dnc-list"),
    path("dnc/delete/<str:id>", DoNotCallViewSet.as_view({"delete": "destroy"}), name="dnc-delete"),
    path("dnc/import", DoNotCallViewSet.as_view({"post": "upload"}), name="dnc-import"),
]

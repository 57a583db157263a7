from django.urls import URLPattern, path

from batches.api.views.batches import CallBatchViewSet

urlpatterns: list[URLPattern] = [
    path("call/createBatch", CallBatchViewSet.as_view({"post": "create"}), name="create-batch"),
    path("call/batches/<str:userId>", CallBatchViewSet.as_view({"get": "list"}), name="batches"),
]

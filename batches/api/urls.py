from django.urls import path

from batches.api.views import CallBatchViewSet

urlpatterns = [
    path("call/createBatch", CallBatchViewSet.as_view({"post": "create"}), name="create-batch"),
    path("call/batches/<str:userId>", CallBatchViewSet.as_view({"get": "list"}), name="batches"),
]

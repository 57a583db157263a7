from django.urls import path

from workspaces.api.events import EventViewSet
from workspaces.api.views import ApiKeyViewSet, AuthViewSet, MemberViewSet, WorkspaceViewSet
from workspaces.api.webhooks import DeliveryViewSet, WebhookViewSet

urlpatterns = [
    path("events", EventViewSet.as_view({"get": "list"}), name="events"),
    path("auth/login", AuthViewSet.as_view({"post": "login"}), name="login"),
    path("auth/logout", AuthViewSet.as_view({"post": "logout"}), name="logout"),
    path("auth/me", AuthViewSet.as_view({"get": "me"}), name="me"),
    path(
        "workspace",
        WorkspaceViewSet.as_view({"get": "retrieve", "patch": "update"}),
        name="workspace",
    ),
    path(
        "workspace/api-keys",
        ApiKeyViewSet.as_view({"get": "list", "post": "create"}),
        name="api-keys",
    ),
    path(
        "workspace/api-keys/<str:id>", ApiKeyViewSet.as_view({"delete": "destroy"}), name="api-key"
    ),
    path(
        "workspace/members",
        MemberViewSet.as_view({"get": "list", "post": "create"}),
        name="members",
    ),
    path(
        "workspace/members/<str:id>",
        MemberViewSet.as_view({"patch": "update", "delete": "destroy"}),
        name="member",
    ),
    path("webhooks", WebhookViewSet.as_view({"get": "list", "post": "create"}), name="webhooks"),
    path(
        "webhooks/<str:id>",
        WebhookViewSet.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"}),
        name="webhook",
    ),
    path(
        "webhooks/<str:id>/rotate-secret",
        WebhookViewSet.as_view({"post": "rotate"}),
        name="webhook-rotate-secret",
    ),
    path("webhooks/<str:id>/test", WebhookViewSet.as_view({"post": "test"}), name="webhook-test"),
    path(
        "webhooks/<str:id>/replay",
        WebhookViewSet.as_view({"post": "replay"}),
        name="webhook-replay",
    ),
    path(
        "webhooks/<str:id>/deliveries",
        DeliveryViewSet.as_view({"get": "list"}),
        name="webhook-deliveries",
    ),
    path(
        "webhooks/<str:id>/deliveries/<str:deliveryId>",
        DeliveryViewSet.as_view({"get": "retrieve"}),
        name="webhook-delivery",
    ),
    path(
        "webhooks/<str:id>/deliveries/<str:deliveryId>/replay",
        DeliveryViewSet.as_view({"post": "replay"}),
        name="webhook-delivery-replay",
    ),
]

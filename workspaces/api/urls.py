from django.urls import path

from workspaces.api.views import ApiKeyViewSet, AuthViewSet, MemberViewSet, WorkspaceViewSet

urlpatterns = [
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
]

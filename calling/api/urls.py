from django.urls import URLPattern, path

from calling.api.views import AgentViewSet, PhoneViewSet

urlpatterns: list[URLPattern] = [
    path("agents", AgentViewSet.as_view({"get": "list", "post": "create"}), name="agents"),
    path(
        "agents/<str:id>",
        AgentViewSet.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"}),
        name="agent",
    ),
    path("call/add-phone", PhoneViewSet.as_view({"post": "create"}), name="add-phone"),
    path("call/phones", PhoneViewSet.as_view({"get": "list"}), name="phones"),
    path("call/phones/<str:phoneId>", PhoneViewSet.as_view({"get": "retrieve"}), name="phone"),
    path(
        "call/update-phone/<str:phoneId>",
        PhoneViewSet.as_view({"patch": "update"}),
        name="update-phone",
    ),
]

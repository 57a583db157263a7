from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from batches.api.serializers.events import EVENT_DATA
from config.api.views import ApiRedocView, ApiSchemaView, ApiSwaggerView, UnknownPath, redoc_script
from config.health import alive, ready
from workspaces.admin import sign_in as doors
from workspaces.api.event_shapes import describe_events

admin.site.index_title = "Home"
describe_events(EVENT_DATA)

api: list[URLPattern | URLResolver] = [
    path("", include("batches.api.urls")),  # first: the busiest
    path("", include("calling.api.urls")),
    path("", include("workspaces.api.urls")),
    path("schema", ApiSchemaView.as_view(), name="schema"),
    path("docs", ApiSwaggerView.as_view(url_name="schema"), name="docs"),
    path("redoc", ApiRedocView.as_view(url_name="schema"), name="redoc"),
    path("redoc.js", redoc_script, name="redoc-script"),
]

# In front of the admin's own, which would answer any address below it.
admin_doors = [
    path("login/", doors.sign_in),
    path("password_change/", admin.site.admin_view(doors.ChangePassword.as_view())),
    path("password_reset/", doors.AskForReset.as_view(), name="admin_password_reset"),
    path("password_reset/done/", doors.ResetAsked.as_view(), name="password_reset_done"),
    path("reset/<uidb64>/<token>/", doors.SetPassword.as_view(), name="password_reset_confirm"),
    path("invitation/<uidb64>/<token>/", doors.AcceptInvitation.as_view(), name="invitation"),
    path("reset/done/", doors.PasswordIsSet.as_view(), name="password_reset_complete"),
]

urlpatterns = [
    path("api/", include(api)),
    re_path(r"^api(/.*)?$", UnknownPath.as_view()),
    path("admin/", include(admin_doors)),
    path("admin/", admin.site.urls),
    path("healthz", alive, name="healthz"),
    path("readyz", ready, name="readyz"),
    path("", RedirectView.as_view(pattern_name="docs"), name="home"),
]

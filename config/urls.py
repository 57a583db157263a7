from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from config.api.views import ApiRedocView, ApiSchemaView, ApiSwaggerView, UnknownPath, redoc_script
from config.health import alive, ready

admin.site.index_title = "Home"

api: list[URLPattern | URLResolver] = [
    path("", include("batches.api.urls")),  # first: the busiest
    path("", include("calling.api.urls")),
    path("", include("workspaces.api.urls")),
    path("schema", ApiSchemaView.as_view(), name="schema"),
    path("docs", ApiSwaggerView.as_view(url_name="schema"), name="docs"),
    path("redoc", ApiRedocView.as_view(url_name="schema"), name="redoc"),
    path("redoc.js", redoc_script, name="redoc-script"),
]

urlpatterns = [
    path("api/", include(api)),
    re_path(r"^api(/.*)?$", UnknownPath.as_view()),
    path("admin/", admin.site.urls),
    path("healthz", alive, name="healthz"),
    path("readyz", ready, name="readyz"),
    path("", RedirectView.as_view(pattern_name="docs"), name="home"),
]

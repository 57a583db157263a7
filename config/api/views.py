"""The documentation pages, and the answer to every path that is none of ours."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.renderers import EnvelopeRenderer


class UnknownPath(APIView):
    """404 in the envelope, to every method and without credentials."""

    authentication_classes = []
    permission_classes = []
    schema = None

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise NotFound("There is nothing at this path.")


class OnceGenerator(SchemaGenerator):
    """Generates the document once a process: the page is public, the work is not small."""

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        return _schema()


@cache
def _schema() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)


# The ids of the examples (*/api/examples), which are those of the contract.
EXAMPLE_USER_ID = "64e5f12345abcdef12345678"
EXAMPLE_PHONE_ID = "64e5f12345abcdef87654321"
EXAMPLE_BATCH_IDS = ("64e5f12345abcdef98765432", "6806382f98da85ec32fac955")

# Whatever a later release of the pages would like to load. Their own scripts are inline.
_NOTHING_FROM_OUTSIDE = (
    "default-src 'self'; img-src 'self' data:; script-src 'self' 'unsafe-inline';"
    " style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; frame-ancestors 'none'"
)


class _Documentation(APIView):
    http_method_names = ["get", "head"]

    def head(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.get(request, *args, **kwargs)  # type: ignore[attr-defined,no-any-return]

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Errors in the envelope, whatever the page itself is made of."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if getattr(response, "exception", False):
            response.accepted_renderer = EnvelopeRenderer()
            response.accepted_media_type = EnvelopeRenderer.media_type
        response["Content-Security-Policy"] = _NOTHING_FROM_OUTSIDE
        return response


class ApiSchemaView(_Documentation, SpectacularAPIView):
    """The OpenAPI document, as YAML or, when JSON is asked for, as JSON."""

    generator_class = OnceGenerator


class ApiSwaggerView(_Documentation, SpectacularSwaggerView):
    """Swagger UI; beside demo data, with its key filled in and examples that run."""

    template_name = "config/swagger_ui.html"

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        if not getattr(response, "exception", False):
            response.data["demo"] = _demo()
        return super().finalize_response(request, response, *args, **kwargs)


def _demo() -> dict[str, Any] | None:
    """What `demo_docs.js` needs to know of the first demo workspace; None where there is none."""
    if settings.DEMO_FILE is None:
        return None
    try:
        workspace = json.loads(settings.DEMO_FILE.read_text())["workspaces"][0]
        phone, batch = workspace["phoneIds"][0], workspace["batchId"]
        return {
            "scheme": "apiKeyAuth",
            "key": workspace["apiKey"],
            "ids": {
                EXAMPLE_USER_ID: workspace["userId"],
                EXAMPLE_PHONE_ID: phone,
                **dict.fromkeys(EXAMPLE_BATCH_IDS, batch),
            },
            "parameters": {
                "userId": workspace["userId"],
                "batchId": batch,
                "phoneId": phone,
            },
        }
    except (OSError, ValueError, LookupError, TypeError):  # no demo, or one of another release
        return None


class ApiRedocView(_Documentation, SpectacularRedocView):
    """ReDoc, without the fonts and the logo that it would fetch from outside."""

    template_name = "config/redoc.html"

    @staticmethod
    def _redoc_standalone() -> str:
        return reverse("redoc-script")


@require_safe
def redoc_script(request: HttpRequest) -> HttpResponse:
    """ReDoc's own bundle with an empty image in the place of its maker's logo."""
    response = HttpResponse(_redoc_bundle(), content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "max-age=86400"
    return response


@cache
def _redoc_bundle() -> bytes:
    sidecar = files("drf_spectacular_sidecar") / "static" / "drf_spectacular_sidecar"
    bundle = (sidecar / "redoc" / "bundles" / "redoc.standalone.js").read_bytes()
    return bundle.replace(b"https://cdn.redoc.ly/redoc/logo-mini.svg", b"data:,")

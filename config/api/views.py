"""The documentation pages, and the answer to every path that is none of ours."""

from functools import cache
from typing import Any

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
        return response


class ApiSchemaView(_Documentation, SpectacularAPIView):
    """The OpenAPI document, as YAML or, when JSON is asked for, as JSON."""

    generator_class = OnceGenerator


class ApiSwaggerView(_Documentation, SpectacularSwaggerView):
    """Swagger UI."""


class ApiRedocView(_Documentation, SpectacularRedocView):
    """ReDoc, without the fonts that it would fetch from outside."""

    template_name = "config/redoc.html"

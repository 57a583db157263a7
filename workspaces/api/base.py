"""The viewset behind every endpoint under /api."""

from typing import Any

from django.http import HttpRequest, QueryDict
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from workspaces.api.endpoint import JSON, Endpoint
from workspaces.api.responses import ApiResponse
from workspaces.api.strict import StrictSerializer
from workspaces.callers import Caller
from workspaces.errors import PayloadTooLarge, field_error
from workspaces.ids import is_object_id
from workspaces.permissions import Access


class ApiViewSet(ViewSet):
    """Actions marked with `@endpoint`: read the input through it, answer in the envelope."""

    action_map: dict[str, str]

    @property
    def endpoint(self) -> Endpoint | None:
        """The declaration of the action that this request runs; None refuses it."""
        # DRF sets an action of None for a method that the path does not have.
        return getattr(getattr(self, self.action or "", None), "endpoint", None)

    @property
    def declared(self) -> Endpoint:
        endpoint = self.endpoint
        assert endpoint is not None  # noqa: S101 (the permission refused it otherwise)
        return endpoint

    @property
    def caller(self) -> Caller:
        caller = self.request.auth
        assert isinstance(caller, Caller)  # noqa: S101 (no public action asks)
        return caller

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        # DRF sets the action after the authenticators were chosen; ours depend on it.
        self.action = self.action_map.get((request.method or "").lower(), "")
        return super().initialize_request(request, *args, **kwargs)

    def get_authenticators(self) -> list[BaseAuthentication]:
        if self.endpoint is not None and self.endpoint.access is Access.PUBLIC:
            return []
        return super().get_authenticators()

    def get_parsers(self) -> list[BaseParser]:
        if self.endpoint is not None and self.endpoint.multipart:
            return [MultiPartParser()]
        return super().get_parsers()

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        # A stream has one representation; its errors are JSON, whatever `Accept` says.
        streams = self.endpoint is not None and self.endpoint.media_type != JSON
        return super().perform_content_negotiation(request, force=force or streams)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Before authentication: a wrong method is a 405 to everybody.
        if (request.method or "").lower() not in self.action_map:  # DRF calls OPTIONS an action
            raise MethodNotAllowed(request.method or "")
        super().initial(request, *args, **kwargs)
        if _content_length(request._request) > self.declared.max_body:
            raise PayloadTooLarge(f"The body is over {self.declared.max_body:,} bytes.")

    @property
    def allowed_methods(self) -> list[str]:
        return sorted(method.upper() for method in self.action_map)

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: `Allow` belongs to a 405, and one media type varies with nothing."""
        return {}

    def valid_body(self) -> Any:
        """The validated JSON body, or form. Raises `ValidationError`."""
        data: Any = self.request.data  # {} without a body, even where a form is asked for
        return self._valid(self.declared.body, data.dict() if isinstance(data, QueryDict) else data)

    def valid_query(self) -> Any:
        """The validated query parameters. Raises `ValidationError`."""
        return self._valid(self.declared.query, self.request.query_params.dict())

    def _valid(self, serializer_class: type[StrictSerializer] | None, data: Any) -> Any:
        assert serializer_class is not None  # noqa: S101 (the endpoint declares what it reads)
        serializer = serializer_class.of_this_thread()
        serializer._context = {"caller": self.request.auth}
        return serializer.run_validation(data)

    def check_rights(self, body: Any) -> None:
        """What a body (not validated yet) asks of its caller beyond the action's declared access.

        Also asked before an answer is given again. Raises `PermissionDenied`.
        """

    def path_id(self, name: str) -> str:
        """An id of the path. Raises `ValidationError` when it is malformed."""
        value: str = self.kwargs[name]
        if not is_object_id(value):
            raise field_error(name, "Must be an id: 24 lower-case hex digits.", "invalid_id")
        return value

    def answer(
        self,
        data: Any = None,
        *,
        status: int | None = None,
        message: str | None = None,
        error_message: str = "",
        headers: dict[str, str] | None = None,
    ) -> ApiResponse:
        """The declared answer; `status` chooses one of the declared alternatives."""
        declared = self.declared
        return ApiResponse(
            data,
            message=declared.message if message is None else message,
            error_message=error_message,
            status=status or declared.status,
            bare=declared.bare,
            with_data=declared.with_data,
            headers=headers,
        )


def _content_length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0

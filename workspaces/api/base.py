"""The viewset behind every endpoint under /api."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, QueryDict
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from workspaces.api.conditional import is_known, precondition_of, tag_of, version_of
from workspaces.api.endpoint import JSON, Endpoint
from workspaces.api.responses import ApiResponse
from workspaces.api.strict import StrictSerializer
from workspaces.callers import Caller
from workspaces.conditional import Precondition
from workspaces.errors import PayloadTooLarge, field_error
from workspaces.ids import is_object_id
from workspaces.permissions import Access
from workspaces.rate_limits import LIMITER, Standing, check_rate


class ApiViewSet(ViewSet):
    """Actions marked with `@endpoint`: read the input through it, answer in the envelope."""

    action_map: dict[str, str]
    standing: Standing | None = None  # of a caller with limits, after this request

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

    def check_permissions(self, request: Request) -> None:
        """Counts the request first: one that its credential may not make is a request, too."""
        if isinstance(request.auth, Caller):
            self.standing = LIMITER.spend(request.auth, timezone.now())
            if self.standing is not None:
                check_rate(request.auth, self.standing)
        super().check_permissions(request)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.standing is not None:
            for name, value in self.standing.headers().items():
                response[name] = value
        return response

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
        version: str = "",
    ) -> ApiResponse:
        """The declared answer; `status` chooses one of the declared alternatives.

        With the `ETag` of an endpoint that has one; `version`: see `workspaces.api.conditional`.
        """
        declared = self.declared
        if declared.etag and self.request.method != "DELETE":
            tag = tag_of(data, version)
            if self.request.method in ("GET", "HEAD") and is_known(self.request, tag):
                return ApiResponse(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
            headers = {**(headers or {}), "ETag": tag}
        return ApiResponse(
            data,
            message=declared.message if message is None else message,
            error_message=error_message,
            status=status or declared.status,
            bare=declared.bare,
            with_data=declared.with_data,
            headers=headers,
        )

    def precondition(
        self,
        represent: Callable[[Any], Any],
        version: Callable[[Any], str] = version_of,
    ) -> Precondition:
        """What `If-Match` asks for, for a service that locks a row and changes it.

        `represent`: the row as the `data` that the ETag is of; `version`: of such data. Raises
        `ValidationError` (`invalid_etag`).
        """
        return precondition_of(self.request, lambda row: version(represent(row)))


def _content_length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0

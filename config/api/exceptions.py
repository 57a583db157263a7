"""The one place where an error becomes a response under /api."""

import re
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response

from config.api.envelope import TITLES
from workspaces.api.responses import ApiResponse
from workspaces.errors import WHOLE_BODY, PayloadTooLarge, flatten

logger = structlog.get_logger(__name__)

_trailing_index = re.compile(r"\[\d+\]$")
_MOST_ERRORS_LISTED = 100
_RETRY_AFTER_OUTAGE = "5"
# PostgreSQL's words for "not now": connection lost, too many connections, shutting down or starting
# up, and a standby that has not been promoted yet. No code at all: no server was reached.
_OUTAGE_CODES = ("08", "53300", "57P", "25006")


def handle_exception(exception: Exception, context: dict[str, Any]) -> Response:
    """DRF's EXCEPTION_HANDLER: every exception of every view, known or not."""
    exception = _in_drfs_words(exception)
    if isinstance(exception, exceptions.ValidationError):
        return _invalid(exception)
    if isinstance(exception, exceptions.APIException):
        return _known(exception, context)
    if isinstance(exception, DatabaseError | InterfaceError) and is_outage(exception):
        logger.error("database_unavailable", error=str(exception))
        return _error(
            503,
            "The database is away. Try again in a moment.",
            {"Retry-After": _RETRY_AFTER_OUTAGE},
        )
    logger.error("unhandled_exception", exc_info=exception)
    response = _error(500, internal_error_message(context["request"]))
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django would log it again
    return response


def _in_drfs_words(exception: Exception) -> Exception:
    """Django's own exceptions as those of DRF that mean the same."""
    if isinstance(exception, Http404):
        return exceptions.NotFound()
    if isinstance(exception, DjangoPermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(exception, RequestDataTooBig):
        return PayloadTooLarge("A field of the form is too large.")
    if isinstance(exception, SuspiciousOperation):  # more than anybody would send (Django's limits)
        return exceptions.ParseError("The request has too many fields, or too many files.")
    return exception


def internal_error_message(request: Any) -> str:
    request_id = getattr(request, "request_id", "unknown")
    return f"Something went wrong on our side. Tell support the request id {request_id}."


def is_outage(exception: Exception) -> bool:
    """Whether the database cannot be asked now, as against a statement that it refused."""
    code = getattr(exception.__cause__, "sqlstate", None)
    if code is None:
        return isinstance(exception, OperationalError | InterfaceError)
    return str(code).startswith(_OUTAGE_CODES)


def _invalid(exception: exceptions.ValidationError) -> Response:
    errors = list(flatten(exception.detail))
    first = errors[0]
    # "callingNumbers: … is not active", the position is in `data.errors`.
    field = _trailing_index.sub("", first["field"])
    sentence = first["message"] if field == WHOLE_BODY else f"{field}: {first['message']}"
    if len(errors) > 1:
        sentence += f" … and {len(errors) - 1} more"
    data = {"errors": errors[:_MOST_ERRORS_LISTED], **getattr(exception, "extra", {})}
    return _error(400, sentence, data=data, title="Validation failed")


def _known(exception: exceptions.APIException, context: dict[str, Any]) -> Response:
    code, headers = exception.status_code, {}
    if isinstance(exception, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        code = _bad_credentials_code(context)
        if code == status.HTTP_401_UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
    if isinstance(exception, exceptions.MethodNotAllowed):
        headers["Allow"] = ", ".join(context["view"].allowed_methods)
    if (wait := getattr(exception, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait))
    return _error(code, str(exception.detail), headers, _error_data(exception))


def _error_data(exception: exceptions.APIException) -> Any:
    """The one error of an exception that names a field (of the body, or a header)."""
    field = getattr(exception, "field", None)
    if field is None:
        return None
    error = {"field": field, "code": exception.get_codes(), "message": str(exception.detail)}
    return {"errors": [error]}


def _bad_credentials_code(context: dict[str, Any]) -> int:
    endpoint = getattr(context["view"], "endpoint", None)
    return endpoint.bad_credentials if endpoint else status.HTTP_401_UNAUTHORIZED


def _error(
    code: int,
    sentence: str,
    headers: dict[str, str] | None = None,
    data: Any = None,
    title: str = "",
) -> Response:
    title = title or TITLES.get(code, "Error")
    return ApiResponse(
        data, message=title, error_message=sentence, status=code, headers=headers or {}
    )

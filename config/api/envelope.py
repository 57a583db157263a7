"""The envelope: five keys, in the documented order."""

from http import HTTPStatus
from typing import Any

import orjson
from django.http import HttpResponse

# The `message` of an error; a validation has one of its own.
TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    410: "Gone",
    412: "Precondition failed",
    413: "Payload too large",
    415: "Unsupported media type",
    422: "Unprocessable content",
    429: "Too many requests",
    500: "Internal server error",
    503: "Service unavailable",
}


def is_success(code: int) -> bool:
    """Whether all was done: of a request with many parts (207) some were refused."""
    return code < HTTPStatus.BAD_REQUEST and code != HTTPStatus.MULTI_STATUS


def envelope(code: int, *, message: str, error_message: str, data: Any) -> dict[str, Any]:
    return {
        "message": message,
        "status": is_success(code),
        "code": code,
        "errorMessage": error_message,
        "data": data,
    }


def error_response(code: int, error_message: str, **headers: str) -> HttpResponse:
    """An envelope for errors outside DRF's views: no accepted renderer, no request data."""
    body = envelope(code, message=TITLES.get(code, "Error"), error_message=error_message, data=None)
    response = HttpResponse(orjson.dumps(body), content_type="application/json", status=code)
    for name, value in headers.items():
        response[name.replace("_", "-")] = value
    return response

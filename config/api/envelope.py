"""The envelope: five keys, in the documented order."""

from http import HTTPStatus
from typing import Any

import orjson
from django.http import HttpResponse


def envelope(code: int, *, message: str, error_message: str, data: Any) -> dict[str, Any]:
    return {
        "message": message,
        "status": code < HTTPStatus.BAD_REQUEST,
        "code": code,
        "errorMessage": error_message,
        "data": data,
    }


def error_response(code: int, error_message: str, **headers: str) -> HttpResponse:
    """An envelope for errors outside DRF's views: no accepted renderer, no request data."""
    body = envelope(code, message=HTTPStatus(code).phrase, error_message=error_message, data=None)
    response = HttpResponse(orjson.dumps(body), content_type="application/json", status=code)
    for name, value in headers.items():
        response[name.replace("_", "-")] = value
    return response

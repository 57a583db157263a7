"""Errors in the API's own shape: a field path, a stable machine code, a sentence."""

from collections.abc import Iterator
from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException, ErrorDetail, ValidationError

WHOLE_BODY = "body"


class PayloadTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large."
    default_code = "payload_too_large"


def field_error(field: str, message: str, code: str) -> ValidationError:
    return ValidationError({field: [ErrorDetail(message, code)]})


def flatten(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """DRF's nested error detail as `{"field", "code", "message"}` rows, in the order of the fields.

    Paths read as in code: `callingHour.start`, `callingNumbers[0]`.
    """
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from flatten(value, _join(path, key))
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            # A list of details belongs to one field; a list of dicts is one per list item.
            nested = isinstance(value, dict | list)
            if value != {}:
                yield from flatten(value, f"{path}[{index}]" if nested else path)
    else:
        yield {"field": path or WHOLE_BODY, "code": detail.code, "message": str(detail)}


def _join(path: str, key: int | str) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    if key == "non_field_errors":
        return path
    return f"{path}.{key}" if path else key

"""The documented requests and responses of starting and stopping, for the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiExample


def _examples(status: str, **more: Any) -> list[OpenApiExample]:
    ids = {"batchId": "6806382f98da85ec32fac955", "userId": "64e5f12345abcdef12345678"}
    answer = {
        "message": "",
        "status": True,
        "code": 200,
        "errorMessage": "",
        "data": {"batchId": "6806382f98da85ec32fac955", "status": status},
    }
    return [
        OpenApiExample("Request", request_only=True, value=ids | more),
        OpenApiExample(status.capitalize(), response_only=True, status_codes=["200"], value=answer),
    ]


START = _examples("started")
STOP = _examples("stopped")

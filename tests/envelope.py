"""What every answer under /api has in common, checked in one place."""

import re
from typing import Any

from workspaces.api.endpoint import JSON, Endpoint

KEYS = ["message", "status", "code", "errorMessage", "data"]
_is_request_id = re.compile(r"[A-Za-z0-9._-]{1,128}").fullmatch
_is_seconds = re.compile(r"[1-9][0-9]*").fullmatch


def checked(response: Any, code: int | None = None, endpoint: Endpoint | None = None) -> Any:
    """The body of an answer that keeps the common rules; `endpoint` allows its declared exceptions."""
    assert code is None or response.status_code == code, response.content
    assert _is_request_id(response["X-Request-Id"])
    _check_headers(response)
    if response.request["REQUEST_METHOD"] == "HEAD":
        assert b"".join(response) == b""
        return None
    succeeded = response.status_code < 400
    if endpoint and endpoint.media_type != JSON and succeeded:
        assert response["Content-Type"].partition(";")[0] == endpoint.media_type
        return b"".join(response)
    assert response["Content-Type"] == JSON
    body = response.json()
    if endpoint and endpoint.bare and (succeeded or response.status_code == 422):
        return body
    omits_data = endpoint is not None and succeeded and not endpoint.with_data
    assert list(body) == (KEYS[:-1] if omits_data else KEYS)
    assert body["code"] == response.status_code
    in_full = succeeded and response.status_code != 207
    assert body["status"] is in_full
    assert isinstance(body["message"], str)
    assert (body["errorMessage"] == "") is in_full
    if not succeeded:
        assert body["message"]
        _check_error_data(body["data"])
    return body


def _check_headers(response: Any) -> None:
    assert (response.get("WWW-Authenticate") == "Bearer") is (response.status_code == 401)
    assert "Allow" in response or response.status_code != 405
    if response.status_code in (429, 503):
        assert _is_seconds(response["Retry-After"])


def _check_error_data(data: Any) -> None:
    if data is None:
        return
    assert 1 <= len(data["errors"]) <= 100
    if "chunkNum" in data["errors"][0]:  # addCallsToBatch, every chunk invalid
        return
    for error in data["errors"]:
        assert list(error) == ["field", "code", "message"]
        assert all(isinstance(value, str) and value for value in error.values()), error

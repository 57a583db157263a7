from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from rest_framework.renderers import BaseRenderer

from config.api.envelope import envelope


class EnvelopeRenderer(BaseRenderer):
    """Wraps what a view answers into the envelope, and writes it as JSON.

    What to put around the data stands on the response (`workspaces.api.responses.ApiResponse`).
    """

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        response = (renderer_context or {})["response"]
        if response.status_code == HTTPStatus.NOT_MODIFIED:
            return b""
        if getattr(response, "bare", False):
            return orjson.dumps(data)
        body = envelope(
            response.status_code,
            message=getattr(response, "message", ""),
            error_message=getattr(response, "error_message", ""),
            data=data,
        )
        if not getattr(response, "with_data", True):
            del body["data"]
        return orjson.dumps(body)

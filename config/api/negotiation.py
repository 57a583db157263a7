from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

_TAKES_JSON = {
    "",
    "*/*",
    "application/json",
    "application/json, */*",
    "application/json, text/plain, */*",
}


class JsonNegotiation(DefaultContentNegotiation):
    """DRF's negotiation, with the answer at hand for what nearly every API client sends.

    Parsing media types was a tenth of createBatch. Whatever is unusual goes DRF's way.
    """

    def select_parser(self, request: Request, parsers: Any) -> Any:
        if request.content_type == "application/json" == parsers[0].media_type:
            return parsers[0]
        return super().select_parser(request, parsers)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        accept = request.META.get("HTTP_ACCEPT", "")
        if renderers[0].media_type == "application/json" and accept in _TAKES_JSON:
            return renderers[0], "application/json"
        return super().select_renderer(request, renderers, format_suffix)

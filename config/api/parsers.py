from collections.abc import Mapping
from typing import IO, Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser


class StrictJSONParser(BaseParser):
    """JSON as RFC 8259 has it: no NaN, no broken UTF-8, no lone surrogate, at most 1,024 levels.

    Also refused: NUL in any text, which JSON allows and PostgreSQL cannot store.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = stream.read()
        try:
            data = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not valid JSON: {error.msg}.") from error
        # Only this escape can put a NUL into a text; the search is cheaper than a walk.
        if b"\\u0000" in body and _has_nul(data):
            raise ParseError("The body has a text with a NUL character.")
        return data


def _has_nul(data: Any) -> bool:
    pending = [data]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            if "\0" in value:
                return True
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            pending += value.keys()
            pending += value.values()
    return False

"""`ETag`, `If-None-Match` and `If-Match`, as RFC 9110 has them (chapter 13).

A tag is a hash over the `data` of an answer. Where a representation changes without anybody having
edited the thing (a page of a batch's calls), the tag has two parts, `"VERSION.REPRESENTATION"`: the
whole of it tells whether an answer is the same, its version whether the thing is.
"""

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import orjson
from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from workspaces.conditional import Precondition, PreconditionFailed, unconditional
from workspaces.errors import field_error

_TAG = r'(?:W/)?"[!#-~]*"'
MATCH_PATTERN = rf"^\s*(?:\*|{_TAG}(?:\s*,\s*{_TAG})*)\s*$"
IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string", "pattern": MATCH_PATTERN},
    OpenApiParameter.HEADER,
    description=(
        "The `ETag` that you edit, quotes included: if somebody has changed the thing meanwhile,"
        " nothing is changed, and the answer is a 412."
    ),
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    {"type": "string"},
    OpenApiParameter.HEADER,
    description="The `ETag` that you have: if it is the same still, the answer is a 304 without a body.",
)
_is_list = re.compile(MATCH_PATTERN).fullmatch
_tags = re.compile(_TAG).findall


def version_of(data: Any) -> str:
    """The same for the same data."""
    return sha256(orjson.dumps(data)).hexdigest()[:32]


def tag_of(data: Any, version: str = "") -> str:
    """The ETag of an answer; `version`: of the thing, where `data` changes by itself."""
    representation = version_of(data)
    return f'"{version}.{representation}"' if version else f'"{representation}"'


def is_known(request: Request, tag: str) -> bool:
    """Whether the caller has what this tag names (`If-None-Match`), by weak comparison.

    A header that cannot be read costs only the whole answer.
    """
    known = parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))
    return known == ["*"] or tag in [one.removeprefix("W/") for one in known]


def precondition_of(request: Request, version: Callable[[Any], str]) -> Precondition:
    """What `If-Match` asks for; `version` of a row, as the tags of its answers begin.

    A weak tag matches nothing. Raises ValidationError (`invalid_etag`): a condition that cannot be read
    is not passed over.
    """
    text = request.META.get("HTTP_IF_MATCH")
    if text is None:
        return unconditional
    if not _is_list(text):
        message = 'Must be the ETag of an answer, with its double quotes, as in "3f0a9c", or *.'
        raise field_error("If-Match", message, "invalid_etag")
    if text.strip() == "*":
        return unconditional
    versions = {tag.strip('"').partition(".")[0] for tag in _tags(text) if not tag.startswith("W/")}

    def check(row: Any) -> None:
        if version(row) not in versions:
            raise PreconditionFailed

    return check

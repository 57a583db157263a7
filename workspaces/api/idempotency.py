"""`Idempotency-Key`: the same request sent again is answered again, and carried out once.

As the IETF's draft-ietf-httpapi-idempotency-key-header has it.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from hashlib import sha256
from typing import Any, TypeVar, cast

import orjson
from django.core.files.uploadedfile import UploadedFile
from django.db import Error
from django.http import HttpResponse, QueryDict
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from workspaces.errors import WHOLE_BODY, field_error
from workspaces.services.idempotency import (
    HEADER,
    Claim,
    KeptAnswer,
    KeyedRequest,
    claim_request,
    give_up_claim,
    keep_answer,
)
from workspaces.unit_of_work import held_unit

REPLAYED = "Idempotency-Replayed"
LONGEST_KEY = 255
# Visible ASCII; or in double quotes, as the draft has it, with `\"` and `\\` for what these are.
KEY_PATTERN = rf'^([!#-~][!-~]{{0,{LONGEST_KEY - 1}}}|"([!#-\[\]-~]|\\["\\]){{1,{LONGEST_KEY}}}")$'
PARAMETER = OpenApiParameter(
    HEADER,
    {"type": "string", "pattern": KEY_PATTERN},
    OpenApiParameter.HEADER,
    description=(
        "A text of your own, new for each request (a UUID, say): when you send the request again with"
        " it within 24 hours, you get the first answer again, and nothing is done twice."
    ),
)
_META = f"HTTP_{HEADER.upper().replace('-', '_')}"
_is_key = re.compile(KEY_PATTERN).fullmatch
_escaped = re.compile(r'\\(["\\])')

Action = TypeVar("Action", bound=Callable[..., Any])


def answered_once(operation: str, action: Action) -> Action:
    """The action, which for requests with one key is carried out once and answers each alike.

    What it stores goes through `unit_of_work`. Only successes are kept.
    """

    @wraps(action)
    def answered(view: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        text = request.META.get(_META)
        if text is None:
            return action(view, request, *args, **kwargs)
        key = _key_of(text)
        view.check_rights(request.data)
        keyed = KeyedRequest(
            workspace_id=view.caller.workspace_id,
            operation=operation,
            key=key,
            content=_content_of(request.data),
        )
        claimed = claim_request(request=keyed, now=timezone.now())
        if isinstance(claimed, KeptAnswer):
            headers = {**claimed.headers, REPLAYED: "true"}
            return HttpResponse(claimed.body, status=claimed.status_code, headers=headers)
        try:
            return _carried_out(
                claimed, lambda: _rendered(view, request, action(view, request, *args, **kwargs))
            )
        except BaseException:
            with suppress(Error):  # then the claim ends with its time
                give_up_claim(claimed)
            raise

    return cast(Action, answered)


def _key_of(text: str) -> str:
    """The key that a header gives. Raises ValidationError."""
    text = text.strip(" \t")
    if not _is_key(text):
        message = f"Must be 1 to {LONGEST_KEY} visible ASCII characters, perhaps in double quotes."
        raise field_error(HEADER, message, "invalid_idempotency_key")
    return _escaped.sub(r"\1", text[1:-1]) if text.startswith('"') else text


def _content_of(data: Any) -> bytes:
    """A body in one form for all that mean the same. Raises ValidationError."""
    if isinstance(data, QueryDict):
        data = {name: [_value(value) for value in values] for name, values in data.lists()}
    try:
        return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        message = "Has lists or objects too deep inside of each other."
        raise field_error(WHOLE_BODY, message, "too_deep") from error


def _value(value: Any) -> Any:
    """Of a form: a text, or what tells a file."""
    if not isinstance(value, UploadedFile):
        return value
    digest = sha256()
    for chunk in value.chunks():
        digest.update(chunk)
    value.seek(0)
    return {"name": value.name, "sha256": digest.hexdigest()}


def _carried_out(claim: Claim, answer: Callable[[], Response]) -> Response:
    """The answer; a success is stored together with what it tells of."""
    with held_unit() as unit:
        response = answer()
        if response.status_code < 400:
            headers = dict(response.headers)
            kept = KeptAnswer(response.status_code, headers, response.content)
            keep_answer(claim=claim, answer=kept, now=timezone.now())
            return response
        unit.abandon()
    give_up_claim(claim)
    return response


def _rendered(view: Any, request: Any, response: Any) -> Response:
    """As DRF does it after the action: what is kept has to be what is sent, byte for byte."""
    response.accepted_renderer = request.accepted_renderer
    response.accepted_media_type = request.accepted_media_type
    response.renderer_context = view.get_renderer_context()
    response.render()
    return cast(Response, response)

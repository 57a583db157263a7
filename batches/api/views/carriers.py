from collections.abc import Callable
from typing import TypeVar

from django.http import Http404, HttpResponse
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from batches.services.callbacks import Hook, answer_call, asked_url, receive_status, take_key
from calling.carriers.base import Callback, SignatureRefused
from calling.carriers.registry import CARRIERS
from workspaces.api.base import ApiViewSet
from workspaces.api.endpoint import endpoint
from workspaces.errors import field_error
from workspaces.permissions import Access

T = TypeVar("T")
TAGS = ["Carriers"]
XML = "application/xml"
EFFECT_HEADER = "X-Callback-Effect"
LONGEST_BODY = 100_000  # bytes
ERRORS = {
    403: "The signature is missing, wrong, or too old.",
    404: "There is no such carrier.",
}
_FOR_CARRIERS = "For carriers only: signed by them, in a form of their own. "


class CarrierCallbackViewSet(ApiViewSet):
    @endpoint(
        Access.PUBLIC,
        message="Callback received",
        result={"type": "string"},
        media_type=XML,
        errors=ERRORS,
        max_body=LONGEST_BODY,
        operation="carrierCallback",
        tags=TAGS,
        summary="What a carrier says of a call",
        description=(
            f"{_FOR_CARRIERS}Answered with a document that asks for nothing; the header"
            f" `{EFFECT_HEADER}` says what it did: `recorded`, `ignored` (known better already) or"
            " `unknown` (no such call)."
        ),
    )
    def receive(self, request: Request, carrier: str) -> HttpResponse:
        now = timezone.now()
        effect = _understood(
            lambda asked: receive_status(carrier=carrier, callback=asked, now=now),
            _callback(request, Hook.STATUS, carrier),
        )
        # Telnyx does what the answer to a callback says.
        return HttpResponse(
            "<Response/>",
            content_type=f"{XML}; charset=utf-8",
            headers={EFFECT_HEADER: effect.value},
        )

    @endpoint(
        Access.PUBLIC,
        message="What to do with the call",
        result={"type": "string"},
        media_type=XML,
        errors=ERRORS,
        max_body=LONGEST_BODY,
        operation="carrierAnswer",
        tags=TAGS,
        summary="What a carrier is to do with an answered call",
        description=(
            f"{_FOR_CARRIERS}The carrier's own markup. A call that is not known is hung up."
        ),
    )
    def connect(self, request: Request, carrier: str) -> HttpResponse:
        now = timezone.now()
        document = _understood(
            lambda asked: answer_call(carrier=carrier, callback=asked, now=now),
            _callback(request, Hook.ANSWER, carrier),
        )
        return HttpResponse(document, content_type=f"{XML}; charset=utf-8")

    @endpoint(
        Access.PUBLIC,
        message="What to do with the call",
        result={"type": "string"},
        media_type=XML,
        errors=ERRORS,
        max_body=LONGEST_BODY,
        operation="carrierKey",
        tags=TAGS,
        summary="A key that was pressed while a message was spoken",
        description=(
            f"{_FOR_CARRIERS}The agent's opt-out key puts the called number on the do-not-call list"
            " before this is answered."
        ),
    )
    def key(self, request: Request, carrier: str) -> HttpResponse:
        now = timezone.now()
        document = _understood(
            lambda asked: take_key(carrier=carrier, callback=asked, now=now),
            _callback(request, Hook.KEY, carrier),
        )
        return HttpResponse(document, content_type=f"{XML}; charset=utf-8")


def _callback(request: Request, hook: Hook, carrier: str) -> Callback:
    if carrier not in CARRIERS:
        raise Http404
    raw = request._request
    return Callback(
        url=asked_url(hook, carrier, raw.META.get("QUERY_STRING", "")),
        headers={name.lower(): value for name, value in raw.headers.items()},
        body=raw.body,
    )


def _understood(take: Callable[[Callback], T], callback: Callback) -> T:
    try:
        return take(callback)
    except SignatureRefused as error:
        raise PermissionDenied("This is not signed by the carrier.") from error
    except ValueError as error:
        raise field_error("body", "Cannot be read.", "unreadable") from error

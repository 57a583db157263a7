from django.http import Http404
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from batches.api.serializers.carriers import CallbackEffectSerializer
from batches.services.callbacks import callback_url, receive_callback
from calling.carriers.base import Callback, SignatureRefused
from calling.carriers.registry import CARRIERS
from workspaces.api.base import ApiViewSet
from workspaces.api.endpoint import endpoint
from workspaces.errors import field_error
from workspaces.permissions import Access


class CarrierCallbackViewSet(ApiViewSet):
    @endpoint(
        Access.PUBLIC,
        message="Callback received",
        result=CallbackEffectSerializer,
        errors={
            403: "The signature is missing, wrong, or too old.",
            404: "There is no such carrier.",
        },
        operation="carrierCallback",
        tags=["Carriers"],
        summary="What a carrier says of a call",
        description=(
            "For carriers only: signed by them, in a form of their own. About a call that is not"
            " known, or known better already: 200, and nothing changes."
        ),
    )
    def receive(self, request: Request, carrier: str) -> Response:
        if carrier not in CARRIERS:
            raise Http404
        raw = request._request
        query = raw.META.get("QUERY_STRING", "")
        callback = Callback(
            # What the carrier was told, whatever proxies have made of it since.
            url=callback_url(carrier) + (f"?{query}" if query else ""),
            headers={name.lower(): value for name, value in raw.headers.items()},
            body=raw.body,
        )
        try:
            effect = receive_callback(carrier=carrier, callback=callback, now=timezone.now())
        except SignatureRefused as error:
            raise PermissionDenied("This is not signed by the carrier.") from error
        except ValueError as error:
            raise field_error("body", "Cannot be read.", "unreadable") from error
        return self.answer({"effect": effect.value})

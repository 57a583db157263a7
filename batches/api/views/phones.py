from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from batches.api.serializers.phones import DeletedPhoneSerializer
from batches.services.phones import delete_phone
from calling.api.serializers import PhoneSerializer
from workspaces.api.base import ApiViewSet
from workspaces.api.endpoint import endpoint
from workspaces.permissions import Access


class PhoneDeletionViewSet(ApiViewSet):
    """Deleting a number changes batches; everything else about numbers is the calling app's."""

    @endpoint(
        Access.STEER,
        message="Phone number deleted",
        result=DeletedPhoneSerializer,
        bare=True,
        etag=True,
        operation="deletePhone",
        tags=["Phone numbers"],
        summary="Delete a phone number",
        description=(
            "The number leaves every batch's rotation; an active batch left without a number becomes"
            " `paused` (`statusReason` `no_number`)."
        ),
    )
    def destroy(self, request: Request, phoneId: str) -> Response:
        phone_id = self.path_id("phoneId")
        delete_phone(
            workspace_id=self.caller.workspace_id,
            phone_id=phone_id,
            actor=self.caller.actor,
            now=timezone.now(),
            precondition=self.precondition(lambda phone: PhoneSerializer(phone).data),
        )
        return self.answer({"success": True, "deletedId": phone_id})

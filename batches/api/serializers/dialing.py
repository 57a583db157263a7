"""Shapes of starting, stopping, retrying and cancelling. Field names are the API's own."""

from typing import Any

from rest_framework import serializers

from batches.api.serializers.batches import CallingNumbersField
from batches.api.serializers.contacts import ContactsField
from batches.services.dialing import RETRYABLE
from calling.api.fields import PhoneNumberField
from workspaces.api.fields import (
    BoundedListField,
    LineField,
    ObjectIdApiField,
    StrictChoiceField,
)
from workspaces.api.strict import StrictSerializer

MOST_CANCELLED = 10_000


class StartCallingSerializer(StrictSerializer):
    batchId = ObjectIdApiField()
    userId = ObjectIdApiField(help_text="Who starts it: an active member.")
    callingNumbers = CallingNumbersField(required=False, help_text="Replaces the batch's.")
    callData = ContactsField(
        required=False,
        help_text="Added as by addCallsToBatch; only these are dialed now, other pending calls wait.",
    )
    uuid = LineField(
        required=False,
        default="",
        allow_blank=True,  # a generated client sends the default
        max_length=128,
        help_text="Your reference; in the phone logs.",
    )


class StopCallingSerializer(StrictSerializer):
    batchId = ObjectIdApiField()
    userId = ObjectIdApiField(help_text="Who stops it: an active member.")


class BatchStateSerializer(serializers.Serializer[Any]):
    batchId = ObjectIdApiField()
    status = serializers.ChoiceField(["started", "stopped"])


class RetryCallsSerializer(StrictSerializer):
    batchId = ObjectIdApiField()
    callStatus = BoundedListField(
        child=StrictChoiceField([status.value for status in RETRYABLE]),
        max_length=len(RETRYABLE),
        required=False,
        help_text="Default: both.",
    )


class RetriedCallsSerializer(serializers.Serializer[Any]):
    batchId = ObjectIdApiField()
    retried = serializers.IntegerField(help_text="Calls put back to pending.")


class CancelCallsSerializer(StrictSerializer):
    batchId = ObjectIdApiField()
    callIds = BoundedListField(child=ObjectIdApiField(), max_length=MOST_CANCELLED, required=False)
    phoneNumbers = BoundedListField(
        child=PhoneNumberField(any_country=True), max_length=MOST_CANCELLED, required=False
    )

    exactly_one_of = ("callIds", "phoneNumbers")


class CancelledCallsSerializer(serializers.Serializer[Any]):
    batchId = ObjectIdApiField()
    cancelled = serializers.IntegerField()
    callIds = serializers.ListField(child=ObjectIdApiField())
    hangingUp = serializers.ListField(
        child=ObjectIdApiField(), help_text="Calls being dialed, which are being hung up."
    )

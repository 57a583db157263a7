from typing import Any

from rest_framework import serializers

from workspaces.api.fields import ObjectIdApiField


class DeletedPhoneSerializer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    deletedId = ObjectIdApiField()

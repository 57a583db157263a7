"""Shapes of the carriers' callbacks."""

from typing import Any

from rest_framework import serializers

from batches.services.callbacks import Effect


class CallbackEffectSerializer(serializers.Serializer[Any]):
    effect = serializers.ChoiceField([effect.value for effect in Effect])

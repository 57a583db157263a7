"""What events look like, for the OpenAPI document. The project says what their `data` has."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from workspaces.api.fields import ObjectIdApiField, UtcDateTimeField
from workspaces.models import Event, EventType
from workspaces.services.events import payload_of

DataShapes = Mapping[EventType, type[serializers.Serializer[Any]]]

_data: dict[EventType, type[serializers.Serializer[Any]]] = {}


def describe_events(shapes: DataShapes) -> None:
    """Name the serializer of the `data` of each type, once, when the URLs are wired."""
    _data.update(shapes)


def component_of(type_: EventType) -> str:
    """Its name in the document: `BatchCreatedEvent`."""
    return "".join(word.capitalize() for word in type_.value.split(".")) + "Event"


@cache
def _shape_of(type_: EventType) -> type[serializers.Serializer[Any]]:
    class TypeField(serializers.CharField):
        """Its one value: what tells the shapes apart."""

    fields = {
        "id": ObjectIdApiField(help_text="The same in every repetition."),
        "type": extend_schema_field({"type": "string", "const": type_.value})(TypeField)(),
        "timestamp": UtcDateTimeField(help_text="When it happened."),
        "data": _data[type_](),
        "__doc__": f"{type_.label}.",
    }
    return type(f"{component_of(type_)}Serializer", (serializers.Serializer,), fields)


def _shapes() -> dict[str, serializers.Serializer[Any] | type[serializers.Serializer[Any]]]:
    return {type_.value: _shape_of(type_) for type_ in _data}


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="FeedEvent",
        serializers=_shapes,
        resource_type_field_name="type",
        many=True,
    )
)
class EventsField(serializers.Field[Any, Any, Any, Any]):
    """Out only: events, as they are sent to webhooks."""

    def to_representation(self, value: list[Event]) -> list[dict[str, Any]]:
        return [payload_of(event) for event in value]

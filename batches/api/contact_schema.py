"""A contact in the OpenAPI document: one component, so that generated clients have one class for it."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.plumbing import ResolvedComponent

from batches.imports.external_ids import LONGEST_EXTERNAL_ID

MOST_RECORDS = 50_000
_CONTACT = {
    "type": "object",
    "description": "Whom to call. Every other key is a variable for the agent.",
    "properties": {
        "phoneNumber": {
            "type": "string",
            "description": "With its country code.",
            "examples": ["12125551001"],
        },
        "timezone": {
            "type": "string",
            "description": "IANA name; else the batch's.",
            "examples": ["America/New_York"],
        },
        "externalId": {
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST_EXTERNAL_ID,
            "description": "An id of yours. Adding it to a batch again changes nothing.",
            "examples": ["CRM-1001"],
        },
    },
    "required": ["phoneNumber"],
    "additionalProperties": True,
}


class ContactsSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "batches.api.serializers.contacts.ContactsField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        component = ResolvedComponent(  # type: ignore[no-untyped-call]
            name="Contact", type=ResolvedComponent.SCHEMA, object="Contact", schema=_CONTACT
        )
        auto_schema.registry.register_on_missing(component)
        return {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_RECORDS,
            "items": component.ref,
        }

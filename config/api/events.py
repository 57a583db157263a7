"""The events of all apps as webhooks of the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiWebhook

from batches.api.examples.events import EVENT_DATA_EXAMPLES
from batches.api.serializers.events import EVENT_DATA
from workspaces.api.event_shapes import component_of
from workspaces.models import EventType


def _operation(type_: EventType) -> dict[str, Any]:
    component = component_of(type_)
    example = {
        "id": "67def9053495307c718d9e01",
        "type": type_.value,
        "timestamp": "2025-05-15T14:30:48.912Z",
        "data": EVENT_DATA_EXAMPLES[type_],
    }
    return {
        "operationId": f"on{component}",
        "summary": type_.label,
        "description": "Signed by the Standard Webhooks specification. It may come more than once, and"
        " out of order: go by its `id` and `timestamp`.",
        "tags": ["Events"],
        "parameters": [
            {"in": "header", "name": name, "required": True, "schema": {"type": "string"}}
            for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": f"#/components/schemas/{component}"},
                    "example": example,
                }
            },
        },
        "responses": {
            "2XX": {"description": "Received. Anything else, and it is sent again later."},
            "410": {"description": "No longer wanted: the webhook is switched off."},
        },
    }


WEBHOOKS = [OpenApiWebhook(type_.value, {"post": _operation(type_)}) for type_ in EVENT_DATA]

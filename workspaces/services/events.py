"""Events are written here, and published by `workspaces.services.feed`."""

import json
from datetime import datetime
from typing import Any

from workspaces.clock import utc_text
from workspaces.models import Event, EventType


def event_of(
    workspace_id: str, event_type: EventType, data: dict[str, Any], *, now: datetime
) -> Event:
    """The unsaved event of a write, to be stored (`insert_rows`) in the write's own transaction.

    `data` is JSON and what integrators see, so without any secret.
    """
    return Event(
        workspace_id=workspace_id, type=event_type.value, data=data, created_at=now, position=None
    )


def payload_of(event: Event) -> dict[str, Any]:
    """An event as integrators see it, in the feed and as the body of a webhook."""
    return {
        "id": event.id,
        "type": event.type,
        "timestamp": utc_text(event.created_at),
        "data": event.data,
    }


def body_of(event: Event) -> bytes:
    """The payload as the bytes that a webhook sends and signs."""
    return json.dumps(payload_of(event), ensure_ascii=False, separators=(",", ":")).encode()

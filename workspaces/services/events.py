"""Events are written here, and published by `workspaces.services.feed`."""

from datetime import datetime
from typing import Any

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

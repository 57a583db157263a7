"""The feed of a workspace, read by cursor; and the end of what is old in it.

A cursor is a position. Positions have no gaps, so a page knows how far it has looked, whatever it left
out, and what was deleted is all that is at or before one of them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rest_framework import status
from rest_framework.exceptions import APIException

from workspaces.errors import field_error
from workspaces.models import Event, EventFeed, EventType
from workspaces.services.feed import AT_A_TIME, publish
from workspaces.sql import fetch_all, fetch_row

# What a webhook is tested with concerns nobody else.
FEED_TYPES = [type_.value for type_ in EventType if type_ is not EventType.WEBHOOK_TEST]
LOOKED_AT = 10_000  # positions, by one request
MOST_PUBLISHED = 10 * AT_A_TIME  # by a request that asks for the cursor of now
DELETED_AT_A_TIME = 5000

# One statement, so that how far was deleted and what is left are of the same moment.
_PAGE = """
SELECT feed.last_position, feed.deleted_through,
    event.id, event.type, event.data, event.created_at, event.position
FROM workspaces_eventfeed AS feed
LEFT JOIN LATERAL (
    SELECT * FROM workspaces_event
    WHERE workspace_id = feed.workspace_id
        AND position > GREATEST(%s::bigint, feed.deleted_through)
        AND position <= GREATEST(%s::bigint, feed.deleted_through) + %s::bigint
        AND type = ANY(%s::text[])
    ORDER BY position LIMIT %s
) AS event ON true
WHERE feed.workspace_id = %s::bytea
ORDER BY event.position
"""
# Up to the first one that stays: in the order of writing, a few younger ones may stand before older.
_DELETE = """
WITH feed AS (
    SELECT workspace_id, deleted_through FROM workspaces_eventfeed
    WHERE workspace_id = %s::bytea FOR NO KEY UPDATE
), block AS MATERIALIZED (
    SELECT event.id, event.position, event.created_at
    FROM feed JOIN workspaces_event AS event ON event.workspace_id = feed.workspace_id
        AND event.position > feed.deleted_through
    ORDER BY event.position LIMIT %s
), old AS MATERIALIZED (
    SELECT id, position FROM block
    WHERE created_at < %s::timestamptz AND position < COALESCE(
        (SELECT min(position) FROM block WHERE created_at >= %s::timestamptz), position + 1)
), attempts AS (
    DELETE FROM workspaces_webhookattempt AS attempt
    USING old JOIN workspaces_webhookdelivery AS delivery ON delivery.event_id = old.id
    WHERE attempt.delivery_id = delivery.id
), deliveries AS (
    DELETE FROM workspaces_webhookdelivery AS delivery USING old WHERE delivery.event_id = old.id
), gone AS (
    DELETE FROM workspaces_event AS event USING old WHERE event.id = old.id
)
UPDATE workspaces_eventfeed AS moved SET deleted_through = (SELECT max(position) FROM old)
FROM feed WHERE moved.workspace_id = feed.workspace_id AND EXISTS (SELECT FROM old)
RETURNING (SELECT count(*) FROM old)
"""


class EventsMissed(APIException):
    status_code = status.HTTP_410_GONE
    default_code = "events_missed"
    default_detail = (
        "Events after this cursor are gone. Leave `after` out to go on with the oldest one."
    )
    field = "after"


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Events in their order. `cursor`: how far this has looked, for the next page."""

    events: list[Event]
    cursor: int
    has_more: bool


def read_feed(
    workspace_id: str, *, after: int | None, types: Sequence[str], limit: int, now: datetime
) -> FeedPage:
    """The next events after a cursor, or the oldest ones; only of these types, when there are any.

    What was committed before is published first: up to `AT_A_TIME` events, which is more than a page.
    A page looks at `LOOKED_AT` events at most, so it may be empty although there are more.
    Raises EventsMissed, ValidationError (`future_cursor`).
    """
    is_full = publish(workspace_id, now=now, most=AT_A_TIME) >= AT_A_TIME
    rows = fetch_all(
        _PAGE,
        [
            *(after or 0, after or 0, LOOKED_AT, list(types) or FEED_TYPES, limit),
            bytes.fromhex(workspace_id),
        ],
    )
    last, deleted = rows[0][:2] if rows else (0, 0)
    if after is not None and after > last:
        raise field_error("after", "No event has been given this cursor yet.", "future_cursor")
    if after is not None and after < deleted:
        raise EventsMissed
    found = [row[2:] for row in rows if row[2] is not None]
    events = [_event(workspace_id, *row[:4]) for row in found]
    looked = min(max(after or 0, deleted) + LOOKED_AT, last)
    cursor = found[-1][-1] if len(found) == limit else looked
    return FeedPage(events, cursor, has_more=cursor < last or is_full)


def latest_cursor(workspace_id: str, *, now: datetime) -> FeedPage:
    """No events: all that was committed before is behind this cursor, unless nobody has published for
    long; then `has_more`.
    """
    is_full = publish(workspace_id, now=now, most=MOST_PUBLISHED) >= MOST_PUBLISHED
    feed = EventFeed.objects.for_workspace(workspace_id).first()
    return FeedPage([], feed.last_position if feed else 0, has_more=is_full)


def delete_old_events(*, before: datetime) -> int:
    """Delete published events that were written before this time, with their deliveries.

    In blocks of a transaction each. Returns how many.
    """
    deleted = 0
    for workspace_id in EventFeed.objects.values_list("workspace_id", flat=True):
        block = DELETED_AT_A_TIME
        while block == DELETED_AT_A_TIME:
            row = fetch_row(
                _DELETE, [bytes.fromhex(workspace_id), DELETED_AT_A_TIME, before, before]
            )
            block = row[0] if row else 0
            deleted += block
    return deleted


def _event(workspace_id: str, id_: bytes, type_: str, data: str, created_at: datetime) -> Event:
    return Event(
        id=bytes(id_).hex(),
        workspace_id=workspace_id,
        type=type_,
        data=json.loads(data),
        created_at=created_at,
    )

"""From written to published: events get their place in the feed, and webhooks their deliveries.

Only what has been committed is seen here, so positions grow in the order in which a reader can see
them: whoever has read up to one never misses an event before it. Anybody may publish: the worker does
so all the time, a reader of the feed before reading.
"""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from workspaces.ids import new_object_id
from workspaces.models import DeliveryStatus, EventFeed, EventType, WebhookEndpoint
from workspaces.sql import array_literal, execute, fetch_all, fetch_row

AT_A_TIME = 2000  # events of one workspace in one transaction
_TEST = EventType.WEBHOOK_TEST.value  # has its delivery already: for the webhook that it tests

_WORKSPACES = """
SELECT DISTINCT workspace_id FROM workspaces_event WHERE position IS NULL LIMIT 1000
"""
_WAITING = """
SELECT 1 FROM workspaces_event WHERE workspace_id = %s AND position IS NULL LIMIT 1
"""
# The first event makes the row; from then on it is the lock of whoever publishes.
_FEED = """
INSERT INTO workspaces_eventfeed (workspace_id, last_position, deleted_through) VALUES (%s, 0, 0)
ON CONFLICT DO NOTHING
"""
_NUMBER = """
WITH next AS (
    SELECT id, row_number() OVER (ORDER BY created_at, id) AS place FROM (
        SELECT id, created_at FROM workspaces_event
        WHERE workspace_id = %s AND position IS NULL
        ORDER BY created_at, id LIMIT %s
    ) AS waiting
)
UPDATE workspaces_event AS event SET position = %s::bigint + next.place
FROM next WHERE event.id = next.id
RETURNING event.id, event.type
"""
# The lock keeps out whoever deletes the webhook meanwhile.
_DELIVER = f"""
INSERT INTO workspaces_webhookdelivery
    (id, workspace_id, endpoint_id, event_id, status, attempts_made, next_attempt_at, created_at)
SELECT delivery.id, %s, delivery.endpoint_id, delivery.event_id,
    '{DeliveryStatus.PENDING.value}', 0, %s::timestamptz, %s::timestamptz
FROM unnest(%s::bytea[], %s::bytea[], %s::bytea[]) AS delivery (id, endpoint_id, event_id)
JOIN workspaces_webhookendpoint AS endpoint ON endpoint.id = delivery.endpoint_id
FOR KEY SHARE OF endpoint
"""  # noqa: S608 (our own words)


def publish_all(*, now: datetime, enough: Callable[[], bool] = lambda: False) -> int:
    """Publish a block of what is waiting in each workspace, until `enough` says so.

    Returns how many events that were: at 0 nothing is left.
    """
    published = 0
    for (workspace_id,) in fetch_all(_WORKSPACES, []):
        if enough():
            break
        published += publish(bytes(workspace_id).hex(), now=now, most=1)
    return published


def publish(workspace_id: str, *, now: datetime, most: int | None = None) -> int:
    """Publish what is waiting in one workspace, in blocks. Returns how many events that were.

    `most`: no further block when so many are published. Waits for another publisher of the workspace,
    and locks nothing when nothing is waiting.
    """
    published = 0
    while fetch_row(_WAITING, [bytes.fromhex(workspace_id)]) is not None:
        block = _publish_block(workspace_id, now)
        published += block
        if block < AT_A_TIME or (most is not None and published >= most):
            break
    return published


def _publish_block(workspace_id: str, now: datetime) -> int:
    id_ = bytes.fromhex(workspace_id)
    with transaction.atomic():
        execute(_FEED, [id_])
        feed = EventFeed.objects.select_for_update(no_key=True).get(workspace_id=workspace_id)
        events = fetch_all(_NUMBER, [id_, AT_A_TIME, feed.last_position])
        if events:
            feed.last_position += len(events)
            feed.save(update_fields=["last_position"])
            told = [(bytes(id_).hex(), type_) for id_, type_ in events if type_ != _TEST]
            deliver(workspace_id, told, now=now)
    return len(events)


def deliver(
    workspace_id: str,
    events: list[tuple[str, str]],
    *,
    now: datetime,
    endpoint_id: str | None = None,
) -> int:
    """Queue these events (id, type) for the enabled webhooks that want their type, or for one of them.

    Returns how many deliveries that makes.
    """
    endpoints = WebhookEndpoint.objects.for_workspace(workspace_id).filter(disabled_reason="")
    if endpoint_id is not None:
        endpoints = endpoints.filter(id=endpoint_id)
    pairs = [
        (bytes.fromhex(endpoint), bytes.fromhex(event))
        for endpoint, wanted in endpoints.values_list("id", "event_types")
        for event, type_ in events
        if not wanted or type_ in wanted
    ]
    if not pairs:
        return 0
    return execute(
        _DELIVER,
        [
            *(bytes.fromhex(workspace_id), now, now),
            array_literal([bytes.fromhex(new_object_id()) for _ in pairs]),
            array_literal([endpoint for endpoint, _ in pairs]),
            array_literal([event for _, event in pairs]),
        ],
    )

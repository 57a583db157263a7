"""The deliveries as a queue: take what is due, record what came of it, give back what was not sent.

Several processes may do so at a time. Whoever takes a delivery moves its next attempt ahead of their
time-out: when they die, it is due again. Locks: endpoints, then deliveries, each in the order of ids.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from workspaces.models import DisabledReason, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from workspaces.services.events import body_of
from workspaces.services.webhooks import disable
from workspaces.sql import array_literal, execute, fetch_all, insert_rows
from workspaces.webhooks.schedule import LONGEST_REST, failed_for_too_long, next_attempt
from workspaces.webhooks.sending import Answer, Message

LEASE = timedelta(seconds=30)  # twice the time that a receiver has
# At a time, of one process. A receiver that fails gets one, so that waiting for it costs little.
PER_ENDPOINT, PER_FAILING_ENDPOINT, PER_WORKSPACE = 10, 1, 40
GONE, ASKED_TO_REST = 410, {429, 503}

_CLAIM = f"""
WITH busy AS (
    SELECT * FROM unnest(%s::bytea[], %s::bigint[]) AS busy (endpoint_id, sending)
), due AS (
    SELECT delivery.id, delivery.next_attempt_at, endpoint.workspace_id
    FROM workspaces_webhookendpoint AS endpoint
    LEFT JOIN busy ON busy.endpoint_id = endpoint.id
    CROSS JOIN LATERAL (
        SELECT id, next_attempt_at FROM workspaces_webhookdelivery
        WHERE endpoint_id = endpoint.id AND status = 'pending' AND next_attempt_at <= %s
        ORDER BY next_attempt_at
        LIMIT greatest(0, -coalesce(busy.sending, 0)
            + CASE WHEN endpoint.failing_since IS NULL
                THEN {PER_ENDPOINT} ELSE {PER_FAILING_ENDPOINT} END)
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS delivery
    WHERE endpoint.disabled_reason = ''
        AND (endpoint.rests_until IS NULL OR endpoint.rests_until <= %s)
), ranked AS (
    SELECT id, next_attempt_at, workspace_id,
        row_number() OVER (PARTITION BY workspace_id ORDER BY next_attempt_at) AS place
    FROM due
), busy_workspace AS (
    SELECT workspace_id, sum(sending) AS sending
    FROM busy JOIN workspaces_webhookendpoint AS endpoint ON endpoint.id = busy.endpoint_id
    GROUP BY workspace_id
), chosen AS (
    SELECT ranked.id FROM ranked LEFT JOIN busy_workspace USING (workspace_id)
    WHERE place + coalesce(sending, 0) <= {PER_WORKSPACE}
    ORDER BY place, next_attempt_at LIMIT %s
)
UPDATE workspaces_webhookdelivery AS delivery SET next_attempt_at = %s
FROM chosen WHERE delivery.id = chosen.id
RETURNING delivery.id
"""  # noqa: S608 (our own numbers)
_LOCK = """
SELECT id FROM workspaces_webhookdelivery WHERE id = ANY(%s::bytea[])
ORDER BY id FOR NO KEY UPDATE
"""
# A success stands, whoever else has the delivery meanwhile; anything else is said by the lease's owner.
_RECORD = """
UPDATE workspaces_webhookdelivery AS delivery SET
    attempts_made = delivery.attempts_made + 1,
    status = CASE WHEN result.is_success THEN 'succeeded'
        WHEN result.is_mine AND result.next_attempt_at IS NULL THEN 'failed'
        ELSE delivery.status END,
    finished_at = CASE
        WHEN result.is_success OR (result.is_mine AND result.next_attempt_at IS NULL)
        THEN %s ELSE delivery.finished_at END,
    next_attempt_at = CASE WHEN result.is_mine
        THEN coalesce(result.next_attempt_at, delivery.next_attempt_at)
        ELSE delivery.next_attempt_at END
FROM (
    SELECT given.*, held.status = 'pending' AND held.next_attempt_at = given.lease AS is_mine
    FROM unnest(%s::bytea[], %s::timestamptz[], %s::boolean[], %s::timestamptz[])
        AS given (id, lease, is_success, next_attempt_at)
    JOIN workspaces_webhookdelivery AS held ON held.id = given.id
) AS result
WHERE delivery.id = result.id
"""
_RELEASE = """
UPDATE workspaces_webhookdelivery AS delivery SET next_attempt_at = %s
FROM unnest(%s::bytea[], %s::timestamptz[]) AS given (id, lease)
WHERE delivery.id = given.id AND status = 'pending' AND delivery.next_attempt_at = given.lease
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery in hand, until `lease`."""

    id: str
    workspace_id: str
    endpoint_id: str
    attempts_made: int
    lease: datetime
    message: Message


# Called in the transaction that switches an endpoint off.
Tell = Callable[[WebhookEndpoint], None]


def claim(*, room: int, busy: Mapping[str, int], now: datetime) -> list[Claimed]:
    """Take at most `room` due deliveries, workspaces in turn. `busy`: how many each endpoint has."""
    lease = now + LEASE
    found = fetch_all(
        _CLAIM,
        [
            array_literal([bytes.fromhex(endpoint) for endpoint in busy]),
            array_literal(list(busy.values())),
            *(now, now, room, lease),
        ],
    )
    if not found:
        return []
    rows = WebhookDelivery.objects.select_related("event")
    deliveries = list(rows.filter(id__in=[bytes(id_).hex() for (id_,) in found]))
    endpoints = WebhookEndpoint.objects.in_bulk({row.endpoint_id for row in deliveries})
    return [
        _claimed(row, endpoints[row.endpoint_id], lease, now)
        for row in deliveries
        if row.endpoint_id in endpoints
    ]


def record(results: Sequence[tuple[Claimed, Answer]], *, now: datetime, tell: Tell) -> None:
    """Keep each attempt, and what follows from it for the delivery and its endpoint.

    What has been deleted meanwhile is left out. Raises OperationalError while the database is away.
    """
    with transaction.atomic():
        endpoints = _endpoints_to_change(results)
        ids = sorted({bytes.fromhex(claimed.id) for claimed, _ in results})
        living = {bytes(id_).hex() for (id_,) in fetch_all(_LOCK, [array_literal(ids)])}
        results = [result for result in results if result[0].id in living]
        if not results:
            return
        insert_rows(*(_attempt(claimed, answer) for claimed, answer in results))
        for endpoint in endpoints:
            mine = [answer for claimed, answer in results if claimed.endpoint_id == endpoint.id]
            _change(endpoint, mine, now)
        resting = {endpoint.id: endpoint.rests_until for endpoint in endpoints}
        _record_deliveries(results, resting, now)
        for endpoint in endpoints:
            reason = _reason_to_disable(
                endpoint, [a for claimed, a in results if claimed.endpoint_id == endpoint.id], now
            )
            if reason:
                disable(endpoint, reason, now=now)
                tell(endpoint)


def release(claims: Sequence[Claimed], *, now: datetime) -> None:
    """Give back what was not sent, or only perhaps: somebody else sends it at once."""
    leases = [claimed.lease for claimed in claims]
    ids = array_literal([bytes.fromhex(claimed.id) for claimed in claims])
    execute(_RELEASE, [now, ids, leases])


def _claimed(
    row: WebhookDelivery, endpoint: WebhookEndpoint, lease: datetime, now: datetime
) -> Claimed:
    secrets = [endpoint.secret]
    if endpoint.old_secret_ends_at and endpoint.old_secret_ends_at > now:
        secrets.append(endpoint.old_secret)
    message = Message(row.event_id, endpoint.url, body_of(row.event), tuple(secrets))
    return Claimed(row.id, row.workspace_id, row.endpoint_id, row.attempts_made, lease, message)


def _attempt(claimed: Claimed, answer: Answer) -> WebhookAttempt:
    return WebhookAttempt(
        workspace_id=claimed.workspace_id,
        delivery_id=claimed.id,
        url=claimed.message.url,
        started_at=answer.started_at,
        duration_ms=answer.duration_ms,
        status_code=answer.status_code,
        response=answer.response,
        error=answer.error,
    )


def _record_deliveries(
    results: Sequence[tuple[Claimed, Answer]],
    resting: Mapping[str, datetime | None],
    now: datetime,
) -> None:
    retries = []
    for claimed, answer in results:
        retry = next_attempt(claimed.attempts_made + 1, now=now)
        rests_until = resting.get(claimed.endpoint_id)
        if answer.is_success or answer.status_code == GONE:
            retry = None
        elif retry and rests_until:
            retry = max(retry, rests_until)
        retries.append(retry)
    execute(
        _RECORD,
        [
            now,
            array_literal([bytes.fromhex(claimed.id) for claimed, _ in results]),
            [claimed.lease for claimed, _ in results],
            [answer.is_success for _, answer in results],
            retries,
        ],
    )


def _endpoints_to_change(results: Sequence[tuple[Claimed, Answer]]) -> list[WebhookEndpoint]:
    """Locked: those with a failure, and those with a success after failures."""
    involved = {claimed.endpoint_id for claimed, _ in results}
    failed = {claimed.endpoint_id for claimed, answer in results if not answer.is_success}
    rows = WebhookEndpoint.objects.filter(
        Q(id__in=failed) | Q(failing_since__isnull=False), id__in=involved
    )
    locked = rows.select_for_update(no_key=True).order_by("id")
    return list(locked.defer("secret", "old_secret"))


def _change(endpoint: WebhookEndpoint, answers: Sequence[Answer], now: datetime) -> None:
    successes = [answer.started_at for answer in answers if answer.is_success]
    failures = [answer.started_at for answer in answers if not answer.is_success]
    since = None if successes else endpoint.failing_since
    failures = [moment for moment in failures if not successes or moment > max(successes)]
    endpoint.failing_since = min([*failures, since] if since else failures, default=None)
    for answer in answers:
        if answer.retry_after and answer.status_code in ASKED_TO_REST:
            until = now + min(answer.retry_after, LONGEST_REST)
            endpoint.rests_until = max(until, endpoint.rests_until or until)
    endpoint.save(update_fields=["failing_since", "rests_until"])


def _reason_to_disable(
    endpoint: WebhookEndpoint, answers: Sequence[Answer], now: datetime
) -> DisabledReason | None:
    if not endpoint.is_enabled:
        return None
    if any(answer.status_code == GONE for answer in answers):
        return DisabledReason.GONE
    if endpoint.failing_since and failed_for_too_long(endpoint.failing_since, now=now):
        return DisabledReason.FAILING
    return None

"""How webhooks are doing: at the same cost for one that has had a hundred thousand deliveries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from workspaces.sql import array_literal, fetch_all

MOST_COUNTED = 10_000  # deliveries of a status
# A retry ends later than what was queued after it, so the last success is one of the newest.
_FIGURES = f"""
SELECT endpoint.id, waiting.deliveries, waiting.due_at, failed.deliveries, taken.finished_at
FROM unnest(%s::bytea[]) AS endpoint (id)
CROSS JOIN LATERAL (
    SELECT count(*) AS deliveries, min(next_attempt_at) AS due_at FROM (
        SELECT next_attempt_at FROM workspaces_webhookdelivery
        WHERE endpoint_id = endpoint.id AND status = 'pending'
        ORDER BY next_attempt_at LIMIT {MOST_COUNTED + 1}
    ) AS found
) AS waiting
CROSS JOIN LATERAL (
    SELECT count(*) AS deliveries FROM (
        SELECT FROM workspaces_webhookdelivery
        WHERE endpoint_id = endpoint.id AND status = 'failed' LIMIT {MOST_COUNTED + 1}
    ) AS found
) AS failed
CROSS JOIN LATERAL (
    SELECT max(finished_at) AS finished_at FROM (
        SELECT finished_at FROM workspaces_webhookdelivery
        WHERE endpoint_id = endpoint.id AND status = 'succeeded'
        ORDER BY created_at DESC, id DESC LIMIT 100
    ) AS found
) AS taken
"""  # noqa: S608 (our own number)


@dataclass(frozen=True, slots=True)
class Figures:
    """`due_at`: of the delivery whose turn is next. Counts end at one more than `MOST_COUNTED`."""

    waiting: int
    due_at: datetime | None
    failed: int
    succeeded_at: datetime | None

    @property
    def waiting_text(self) -> str:
        return count_in_words(self.waiting)

    @property
    def failed_text(self) -> str:
        return count_in_words(self.failed)


def figures_of(endpoint_ids: Iterable[str]) -> dict[str, Figures]:
    """One statement."""
    ids = array_literal([bytes.fromhex(id_) for id_ in endpoint_ids])
    return {bytes(id_).hex(): Figures(*rest) for id_, *rest in fetch_all(_FIGURES, [ids])}


def count_in_words(count: int) -> str:
    return f"more than {MOST_COUNTED:,}" if count > MOST_COUNTED else f"{count:,}"

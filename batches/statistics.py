"""How a batch is doing, in numbers. Reads its counters and its attempts, never its calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.db.models.functions import TruncHour

from batches.models import BatchStatus, CallBatch, CallStatus
from batches.services.counters import PICKED, counts_of, total_of

_DAY, _HOUR = timedelta(hours=24), timedelta(hours=1)
_FURTHEST_FORECAST = 24 * 366 * 10  # hours: what takes ten years is not being worked on


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatistics:
    """`answer_rate`: answered by ended attempts, 0 to 1, None before one has ended.

    `attempts_per_hour`: hours of the last 24 with attempts, oldest first: `hour` (its start, UTC),
    `attempts`, `answered`.
    """

    batch: CallBatch
    total_calls: int
    calls: dict[str, int]
    calls_picked: int
    answer_rate: float | None
    attempts: int
    attempts_per_hour: Sequence[dict[str, Any]]
    projected_finish: datetime | None


def statistics_of(batch: CallBatch, *, now: datetime) -> BatchStatistics:
    """Three statements; one of them counts all attempts of the batch."""
    counts = counts_of(batch.id)
    answered = Q(answered_at__isnull=False)
    of_all = batch.attempts.aggregate(
        made=Count("id"),
        ended=Count("id", filter=Q(ended_at__isnull=False)),
        answered=Count("id", filter=answered & Q(ended_at__isnull=False)),
        last_hour=Count("id", filter=Q(created_at__gt=now - _HOUR)),
    )
    per_hour = (
        batch.attempts.filter(created_at__gt=now - _DAY)
        .annotate(hour=TruncHour("created_at", tzinfo=UTC))
        .values("hour")
        .annotate(attempts=Count("id"), answered=Count("id", filter=answered))
        .order_by("hour")
    )
    return BatchStatistics(
        batch=batch,
        total_calls=total_of(counts),
        calls={status.value: counts[status] for status in CallStatus},
        calls_picked=counts[PICKED],
        answer_rate=round(of_all["answered"] / of_all["ended"], 4) if of_all["ended"] else None,
        attempts=of_all["made"],
        attempts_per_hour=list(per_hour),
        projected_finish=_projected_finish(
            batch, counts[CallStatus.PENDING], of_all["last_hour"], now
        ),
    )


def _projected_finish(
    batch: CallBatch, pending: int, made_in_last_hour: int, now: datetime
) -> datetime | None:
    """If it goes on like in the last hour, with one attempt a call; None for a batch that rests."""
    if batch.status != BatchStatus.ACTIVE or not made_in_last_hour:
        return None
    hours = pending / made_in_last_hour
    return None if hours > _FURTHEST_FORECAST else now + timedelta(hours=hours)

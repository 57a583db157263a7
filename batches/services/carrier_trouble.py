"""What the answers of carriers mean for whole accounts, and for the batches that call from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError, transaction

from batches.models import BatchStatus, CallBatch, PauseReason
from batches.services.outbox import tell_carrier_paused
from batches.states import move_batch
from calling.services.accounts import note_failure, note_refusal, note_success

# With the rests between them (1, 2, 4 … 60 s) some two minutes without a single success.
FAILURES_TO_PAUSE = 8

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One call request and what the carrier made of it. `error` empty: it took or judged the call.

    `is_refused`: the whole account is. `counts`: it is a failure and not only a wish for fewer requests.
    """

    account_id: str
    asked_at: datetime
    error: str = ""
    is_refused: bool = False
    counts: bool = True
    retry_after: timedelta = timedelta(0)


def note_exchanges(exchanges: Sequence[Exchange], *, now: datetime) -> None:
    """Open, close or leave the breaker of each account; pause the batches of one that is given up."""
    well: dict[str, datetime] = {}
    for one in exchanges:
        if not one.error:
            well[one.account_id] = max(one.asked_at, well.get(one.account_id, one.asked_at))
    if well:
        note_success(well, now=now)
    for one in exchanges:
        try:
            _note(one, now)
        except DatabaseError as error:  # a batch is held, say: the next call tells the same
            log.warning("carrier.not_noted", account=one.account_id, error=type(error).__name__)


def _note(exchange: Exchange, now: datetime) -> None:
    account_id = exchange.account_id
    if exchange.is_refused:
        note_refusal(account_id, exchange.error, now=now)
        _pause(account_id, PauseReason.CARRIER_REFUSED, now)
    elif exchange.error:
        failures = note_failure(
            account_id,
            exchange.error,
            counts=exchange.counts,
            retry_after=exchange.retry_after,
            asked_at=exchange.asked_at,
            now=now,
        )
        if failures >= FAILURES_TO_PAUSE:
            _pause(account_id, PauseReason.CARRIER_FAILING, now)


def _pause(account_id: str, reason: PauseReason, now: datetime) -> None:
    ids = (
        CallBatch.objects.filter(
            rotation__phone__account_id=account_id, status=BatchStatus.ACTIVE, deleted_at=None
        )
        .order_by("id")
        .values_list("id", flat=True)
        .distinct()
    )
    for batch_id in list(ids):
        with transaction.atomic():
            batch = CallBatch.objects.select_for_update(no_key=True).filter(id=batch_id).first()
            if batch and move_batch(batch, BatchStatus.PAUSED, now=now, reason=reason):
                tell_carrier_paused(account_id, reason, now=now)
                log.warning("batch.paused", batch=batch_id, reason=reason.value, account=account_id)

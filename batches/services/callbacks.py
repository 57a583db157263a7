"""What carriers tell us of calls that they were given."""

from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from django.conf import settings
from django.urls import reverse

from batches.models import CallAttempt
from batches.services.outcomes import Heard, record_ignored, record_reports
from calling.carriers.base import Callback
from calling.carriers.registry import CARRIERS

log = structlog.get_logger(__name__)


class Effect(StrEnum):
    """What a callback did."""

    RECORDED = "recorded"
    IGNORED = "ignored"  # late, repeated or out of order: it shows in the call's timeline
    UNKNOWN = "unknown"  # about no call of ours, or one that was put back


def callback_url(carrier: str) -> str:
    """Where the carrier tells us of a call; '' when nobody outside can reach us."""
    base: str = settings.PUBLIC_BASE_URL
    return base.rstrip("/") + reverse("carrier-callback", args=[carrier]) if base else ""


def receive_callback(*, carrier: str, callback: Callback, now: datetime) -> Effect:
    """Record what a carrier says of one call. Raises SignatureRefused, ValueError (unreadable).

    `carrier` is one of the registry's.
    """
    request_uuid, report = CARRIERS[carrier].parse_callback(callback)
    attempt = (
        CallAttempt.objects.filter(request_uuid=request_uuid)
        .values("id", "batch_id", "phone__carrier")
        .first()
    )
    # A carrier speaks of its own calls only; of a number that was deleted nobody knows whose it was.
    if attempt is None or attempt["phone__carrier"] not in (carrier, None):
        log.info("callback.unknown", carrier=carrier)
        return Effect.UNKNOWN
    ignored = record_reports(
        batch_id=attempt["batch_id"],
        reports=[Heard.of(attempt["id"], report)],
        patience=timedelta(seconds=settings.CALLBACK_PATIENCE_SECONDS),
        now=now,
    )
    if ignored:
        record_ignored(ignored, now=now)
        log.info("callback.ignored", carrier=carrier, progress=report.progress.value)
        return Effect.IGNORED
    return Effect.RECORDED

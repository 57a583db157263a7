"""Carriers' requests as they came, kept for a month."""

from datetime import datetime

from batches.models import CallAttempt, CarrierCallback
from calling.carriers.base import Callback

_AT_A_TIME = 5000


def keep_callback(
    attempt: CallAttempt, *, carrier: str, callback: Callback, now: datetime
) -> CarrierCallback:
    """Stored before anybody reads it: what it did (`effect`) is added later."""
    return CarrierCallback.objects.create(
        workspace_id=attempt.workspace_id,
        attempt_id=attempt.id,
        carrier=carrier,
        url=callback.url,
        body=callback.body,
        received_at=now,
    )


def delete_old_callbacks(*, before: datetime) -> int:
    """Forget what was received before. Returns how many."""
    old = CarrierCallback.objects.filter(received_at__lt=before).order_by("received_at")
    deleted = 0
    while ids := list(old.values_list("id", flat=True)[:_AT_A_TIME]):
        deleted += CarrierCallback.objects.filter(id__in=ids).delete()[0]
    return deleted

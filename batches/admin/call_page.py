"""What stands on the page of one call."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from batches.admin.timeline import MOST, Moment, timeline
from batches.models import (
    BatchStatus,
    Call,
    CallAttempt,
    CallEvent,
    CallStatus,
    CarrierCallback,
    DoNotCallEntry,
)
from batches.services.dialing import RETRYABLE
from batches.variables import in_order, variable_names
from batches.waiting import waiting_for
from workspaces.models import AuditEvent

CANCELLABLE = (CallStatus.PENDING, CallStatus.IN_PROGRESS)
_SOON = timedelta(minutes=2)
FAST, SLOW = 3, 15  # seconds between two looks at a call


def page_of(call: Any, *, may_steer: bool, now: datetime) -> dict[str, Any]:
    """`call` with its batch, workspace and session, and `variables_json`."""
    attempts = list(
        CallAttempt.objects.for_workspace(call.workspace_id)
        .filter(call=call)
        .order_by("created_at", "id")[:MOST]
    )
    listings = list(listings_of(call.workspace_id, call.phone_number))
    wait = waiting_for(call, call.batch, now)
    steers = may_steer and call.batch.deleted_at is None
    return {
        "call": call,
        "now": now,
        "zone": call.timezone or call.batch.timezone,
        "viewer": timezone.get_current_timezone_name(),
        "status_text": CallStatus(call.status).label,
        "most_attempts": call.batch.retry + 1,
        "attempts": len(attempts),
        "wait": wait,
        "variables": in_order(call.variables_json, variable_names(call.batch)),
        "moments": _moments(call, attempts, listings),
        "listed": next((entry for entry in listings if entry.deleted_at is None), None),
        "every": _every(call, wait.until if wait else None, now),
        "may_cancel": steers and call.status in CANCELLABLE and not call.is_cancel_requested,
        "may_retry": steers and call.status in RETRYABLE,
        "may_list": may_steer,
    }


def _every(call: Call, until: datetime | None, now: datetime) -> int:
    """How often to look again; 0: nothing changes by itself any more."""
    if call.status == CallStatus.IN_PROGRESS:
        return FAST
    batch = call.batch
    is_dialed = batch.status == BatchStatus.ACTIVE and batch.deleted_at is None
    if call.status != CallStatus.PENDING or not is_dialed:
        return 0
    return FAST if until is not None and until < now + _SOON else SLOW


def listings_of(workspace_id: str, number: str) -> QuerySet[DoNotCallEntry]:
    """The number's entries of the do-not-call list, those that were taken off included.

    Asked for in two halves, because the living and the others have an index each.
    """
    halves = Q(deleted_at=None) | Q(deleted_at__isnull=False)
    entries = DoNotCallEntry.objects.for_workspace(workspace_id)
    found = entries.filter(halves, phone_number=number)
    return found.select_related("created_by").order_by("created_at", "id")[:MOST]


def _moments(
    call: Call, attempts: list[CallAttempt], listings: list[DoNotCallEntry]
) -> list[Moment]:
    events = CallEvent.objects.for_workspace(call.workspace_id).filter(call=call)
    callbacks = CarrierCallback.objects.for_workspace(call.workspace_id).filter(
        attempt__in=[attempt.id for attempt in attempts]
    )
    edits = AuditEvent.objects.for_workspace(call.workspace_id).filter(target_id=call.id)
    return timeline(
        call,
        events=events.select_related("user").order_by("created_at", "id")[:MOST],
        attempts=attempts,
        callbacks=callbacks.order_by("received_at", "id")[:MOST],
        listings=listings,
        edits=edits.select_related("user").order_by("created_at", "id")[:MOST],
    )

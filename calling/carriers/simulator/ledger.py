"""The simulator's books: which calls rang, and which callbacks are due. Plain SQL, no event loop."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Min

from calling.carriers.base import CallProgress, CallReport, CallRequest
from calling.carriers.simulator.script import (
    BUSY_AT_FIRST,
    Plan,
    callbacks,
    report_at,
    script_for,
)
from calling.models import SimulatedCall
from workspaces.sql import array_literal, execute

RETRIES = 5  # of a callback, after 1, 2, 4, 8 and 16 seconds

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How the sending of a call's callback number `number` (from 0) ended."""

    call_id: str
    number: int
    is_delivered: bool


def plan_of(call: SimulatedCall) -> Plan:
    script = script_for(
        to_number=call.to_number,
        request_uuid=call.request_uuid,
        called_before=call.called_before,
    )
    return Plan(
        script=script,
        call_id=call.id,
        rang_at=call.rang_at,
        scale=call.time_scale,
        hung_up_at=call.hung_up_at,
    )


def ring(
    requests: Sequence[CallRequest],
    *,
    time_scale: float,
    now: datetime,
    sandbox_scale: float | None = None,
) -> list[SimulatedCall]:
    """Ring all these numbers at once. A request that is there already rings nobody a second time.

    `sandbox_scale`: the time scale of requests of sandboxes; None: that of the others.

    Returns the calls of these requests, in their order. One that comes after its time has none; that is
    decided by the server, in the statement that stores the others: whoever asks may have been frozen.
    """
    called = _called_before(requests)
    calls = [
        SimulatedCall(
            request_uuid=request.request_uuid,
            from_number=request.from_number,
            to_number=request.to_number,
            callback_url=request.callback_url,
            sandbox=request.sandbox,
            called_before=(request.to_number, request.from_number, request.sandbox) in called,
            time_scale=float(
                time_scale if sandbox_scale is None or not request.sandbox else sandbox_scale
            ),
            rang_at=now,
        )
        for request in requests
    ]
    for call in calls:
        call.next_callback_at = _next_due(call)
    uuids = [request.request_uuid for request in requests]
    execute(_RING, [*_columns(calls), [request.not_after for request in requests]])
    stored = SimulatedCall.objects.in_bulk(uuids, field_name="request_uuid")
    return [stored[uuid] for uuid in uuids if uuid in stored]


# One statement and no transaction around it: nothing of ours comes between the clock and the commit.
_RING = """
    INSERT INTO calling_simulatedcall (
        id, request_uuid, from_number, to_number, callback_url, called_before, time_scale, rang_at,
        next_callback_at, callbacks_sent, callback_failures, sandbox
    )
    SELECT id, request_uuid, from_number, to_number, callback_url, called_before, time_scale, rang_at,
        next_callback_at, 0, 0, sandbox
    FROM unnest(
        %s::bytea[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::boolean[], %s::float8[],
        %s::timestamptz[], %s::timestamptz[], %s::text[], %s::timestamptz[]
    ) AS ring (
        id, request_uuid, from_number, to_number, callback_url, called_before, time_scale, rang_at,
        next_callback_at, sandbox, not_after
    )
    WHERE not_after IS NULL OR not_after > clock_timestamp()
    ON CONFLICT (request_uuid) DO NOTHING
"""


def _columns(calls: Sequence[SimulatedCall]) -> list[object]:
    return [
        array_literal([bytes.fromhex(call.id) for call in calls]),
        [call.request_uuid for call in calls],
        [call.from_number for call in calls],
        [call.to_number for call in calls],
        [call.callback_url for call in calls],
        [call.called_before for call in calls],
        [call.time_scale for call in calls],
        [call.rang_at for call in calls],
        [call.next_callback_at for call in calls],
        [call.sandbox for call in calls],
    ]


def find(request_uuid: UUID) -> SimulatedCall | None:
    return SimulatedCall.objects.filter(request_uuid=request_uuid).first()


def hang_up(request_uuid: UUID, *, now: datetime) -> None:
    """End a call that nobody has answered yet; any other one stays as it is."""
    with transaction.atomic():
        calls = SimulatedCall.objects.select_for_update(no_key=True)
        call = calls.filter(request_uuid=request_uuid).first()
        if call is None or report_at(plan_of(call), now).progress not in _UNANSWERED:
            return
        call.hung_up_at = now
        call.next_callback_at = _next_due(call)
        call.save(update_fields=["hung_up_at", "next_callback_at"])


_UNANSWERED = {CallProgress.QUEUED, CallProgress.RINGING}


def claim_callbacks(*, limit: int, lease: timedelta, now: datetime) -> list[SimulatedCall]:
    """Calls whose next callback is due, the longest due first; until the lease is over nobody else's."""
    with transaction.atomic():
        due = SimulatedCall.objects.filter(next_callback_at__lte=now).order_by("next_callback_at")
        calls = list(due.select_for_update(skip_locked=True, no_key=True)[:limit])
        ids = [call.id for call in calls]
        SimulatedCall.objects.filter(id__in=ids).update(next_callback_at=now + lease)
    return calls


def next_callback(call: SimulatedCall) -> CallReport | None:
    """What has to be reported next; None: all is told, or nobody wants to hear it."""
    return following[0][1] if (following := _following(call)) else None


def when_next_is_due() -> datetime | None:
    due = SimulatedCall.objects.filter(next_callback_at__isnull=False)
    first: datetime | None = due.aggregate(first=Min("next_callback_at"))["first"]
    return first


def record_deliveries(deliveries: Iterable[Delivery], *, now: datetime) -> None:
    """Go on to the next callback of each call, or try the same one again later.

    A delivery that somebody else recorded after the lease ran out changes nothing.
    """
    by_call = {delivery.call_id: delivery for delivery in deliveries}
    if not by_call:
        return
    with transaction.atomic():
        locked = SimulatedCall.objects.select_for_update(no_key=True).order_by("id")
        calls = [
            call
            for call in locked.filter(id__in=list(by_call))
            if call.callbacks_sent == by_call[call.id].number
        ]
        for call in calls:
            _advance(call, by_call[call.id].is_delivered, now)
        execute(
            _RECORD,
            [
                array_literal([bytes.fromhex(call.id) for call in calls]),
                array_literal([call.callbacks_sent for call in calls]),
                array_literal([call.callback_failures for call in calls]),
                array_literal([call.next_callback_at for call in calls]),
            ],
        )


# `bulk_update` takes ten times as long.
_RECORD = """
    UPDATE calling_simulatedcall AS call
    SET callbacks_sent = new.sent, callback_failures = new.failures, next_callback_at = new.due
    FROM unnest(%s::bytea[], %s::smallint[], %s::smallint[], %s::timestamptz[])
        AS new (id, sent, failures, due)
    WHERE call.id = new.id
"""


def forget_old_calls(*, before: datetime) -> int:
    """Delete what rang before. Returns how many went."""
    deleted, _ = SimulatedCall.objects.filter(rang_at__lt=before).delete()
    return deleted


def _called_before(requests: Iterable[CallRequest]) -> set[tuple[str, str, str]]:
    """(to, from, sandbox) of earlier calls to those numbers where it makes a difference."""
    numbers = {one.to_number for one in requests if one.to_number.endswith(BUSY_AT_FIRST)}
    if not numbers:
        return set()
    earlier = SimulatedCall.objects.filter(to_number__in=numbers).distinct()
    return set(earlier.values_list("to_number", "from_number", "sandbox"))


def _following(call: SimulatedCall) -> Sequence[tuple[datetime, CallReport]]:
    return callbacks(plan_of(call))[call.callbacks_sent :] if call.callback_url else []


def _next_due(call: SimulatedCall) -> datetime | None:
    return following[0][0] if (following := _following(call)) else None


def _advance(call: SimulatedCall, is_delivered: bool, now: datetime) -> None:
    if not is_delivered and call.callback_failures < RETRIES:
        wait = timedelta(seconds=2**call.callback_failures * call.time_scale)
        call.callback_failures += 1
        call.next_callback_at = now + wait
        return
    if not is_delivered:
        logger.warning("simulator_callback_given_up", request_uuid=str(call.request_uuid))
    call.callbacks_sent += 1
    call.callback_failures = 0
    call.next_callback_at = _next_due(call)

"""What would happen if a batch were started now: who would be called, who waits, and for what.

Counts calls in one statement; the rest is a few small ones.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Avg, Count, F, Q

from batches.dialer.contacts import SPAN
from batches.dialer.lines import Line, lines_of
from batches.dialer.tenants import DialedBatch, Tenant, as_dialed, in_flight, tenant_of
from batches.forecast import Load, Pace, expected_attempts, likely_finish
from batches.models import AttemptStatus, BatchStatus, CallBatch
from batches.schedule import allowed_until, is_allowed, next_allowed
from calling.models import Carrier, PhoneNumber
from workspaces.sql import fetch_all

USUAL_SECONDS = 30.0  # of a call, before the batch has made any
FASTEST = 100.0  # attempts a second, where nothing limits them

# Every pending call is in one bucket: the first that fits.
_BUCKETS = """
SELECT call.timezone,
    CASE
        WHEN %s::bytea IS NOT NULL AND call.session_id IS DISTINCT FROM %s::bytea
            THEN 'otherSession'
        WHEN %s::boolean AND entry.id IS NOT NULL THEN 'doNotCall'
        WHEN capped.to_number IS NOT NULL THEN 'contactCap'
        WHEN lease.id IS NOT NULL THEN 'contactBusy'
        WHEN call.next_attempt_at > %s THEN 'retryDelay'
        ELSE 'due'
    END AS bucket,
    count(*), min(call.next_attempt_at)
FROM batches_call AS call
LEFT JOIN batches_donotcallentry AS entry
    ON entry.workspace_id = %s AND entry.phone_number = call.phone_number
        AND entry.deleted_at IS NULL
LEFT JOIN batches_lease AS lease
    ON lease.workspace_id = %s AND lease.to_number = call.phone_number
LEFT JOIN (
    SELECT to_number FROM batches_callattempt
    WHERE %s::int > 0 AND workspace_id = %s AND created_at > %s
    GROUP BY to_number HAVING count(*) >= %s::int
) AS capped ON capped.to_number = call.phone_number
WHERE call.batch_id = %s AND call.status = 'pending'
GROUP BY call.timezone, bucket
"""
WAITS = [
    *("window", "doNotCall", "retryDelay", "contactCap", "contactBusy"),
    *("numberCap", "noNumber", "otherSession"),
]


@dataclass(frozen=True, slots=True)
class ZonePreview:
    """The pending calls of one time zone. `opens_at`, `closes_at`: None for never, or always open."""

    timezone: str
    calls: int
    dial_now: int
    is_open: bool
    opens_at: datetime | None
    closes_at: datetime | None


@dataclass(frozen=True, slots=True)
class Caution:
    """Something that is allowed and looks like a mistake."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """`dial_now` and the numbers in `waiting` make up `pending`."""

    batch: CallBatch
    pending: int
    dial_now: int
    waiting: dict[str, int]
    zones: Sequence[ZonePreview]
    earliest: datetime | None
    likely_finish: datetime | None
    warnings: Sequence[Caution]


@dataclass(slots=True)
class _Bucket:
    """Calls of one zone, and when the first of those that wait for their time is due."""

    numbers: Counter[str] = field(default_factory=Counter)
    due: datetime | None = None

    @property
    def dialable(self) -> int:
        return self.numbers.total() - self.numbers["doNotCall"] - self.numbers["otherSession"]


def preflight(batch: CallBatch, now: datetime) -> Preflight:
    """As it is, for a batch that is being dialed; as if started now, for any other."""
    tenant = tenant_of(batch.workspace_id)
    dialed = as_dialed(tenant, batch.id)
    lines = list(lines_of(tenant, dialed.numbers, in_flight(tenant), now, lock=False).values())
    buckets = _buckets(batch, tenant, dialed, now)
    zones, waiting = [], Counter[str]()
    for zone, bucket in sorted(buckets.items()):
        place = _where_due_calls_are(zone, dialed, lines, now)
        bucket.numbers[place] += bucket.numbers.pop("due", 0)
        waiting.update(bucket.numbers)
        zones.append(_zone(zone, bucket, dialed, now))
    dial_now = waiting.pop("now", 0)
    return Preflight(
        batch=batch,
        pending=dial_now + waiting.total(),
        dial_now=dial_now,
        waiting={name: waiting[name] for name in WAITS},
        zones=zones,
        earliest=_earliest(buckets, dialed, lines, now),
        likely_finish=_finish(batch, tenant, dialed, lines, buckets, now),
        warnings=_warnings(batch, tenant, dialed),
    )


def _buckets(
    batch: CallBatch, tenant: Tenant, dialed: DialedBatch, now: datetime
) -> dict[str, _Bucket]:
    """By time zone. A start without callData would dial all: others wait only in an active batch."""
    only = batch.status == BatchStatus.ACTIVE and dialed.only_session
    session, cap = dialed.session_id if only else None, tenant.contact_daily_cap
    rows = fetch_all(
        _BUCKETS,
        [
            *(session, session, dialed.honours_dnc, now, tenant.id, tenant.id),
            *(cap, tenant.id, now - SPAN, cap, dialed.id),
        ],
    )
    found: dict[str, _Bucket] = {}
    for timezone, name, number, due in rows:
        bucket = found.setdefault(timezone or batch.timezone, _Bucket())
        bucket.numbers[name] += number
        if name in ("due", "retryDelay"):
            bucket.due = min(due, bucket.due or due)
    return found


def _where_due_calls_are(
    zone: str, dialed: DialedBatch, lines: Sequence[Line], now: datetime
) -> str:
    if not lines:
        return "noNumber"
    if not is_allowed(now, zone, dialed.window):
        return "window"
    return "numberCap" if all(line.left_today < 1 for line in lines) else "now"


def _zone(zone: str, bucket: _Bucket, dialed: DialedBatch, now: datetime) -> ZonePreview:
    is_open = is_allowed(now, zone, dialed.window)
    return ZonePreview(
        timezone=zone,
        calls=bucket.numbers.total(),
        dial_now=bucket.numbers["now"],
        is_open=is_open,
        opens_at=next_allowed(now, zone, dialed.window),
        closes_at=allowed_until(now, zone, dialed.window) if is_open else None,
    )


def _earliest(
    buckets: dict[str, _Bucket], dialed: DialedBatch, lines: Sequence[Line], now: datetime
) -> datetime | None:
    """When the first call may start."""
    if not lines:
        return None
    free_at = now
    if all(line.left_today < 1 for line in lines):
        free_at = min(line.day_ends for line in lines)
    moments = [
        next_allowed(max(bucket.due, free_at), zone, dialed.window)
        for zone, bucket in buckets.items()
        if bucket.due is not None
    ]
    return min((moment for moment in moments if moment is not None), default=None)


def _finish(
    batch: CallBatch,
    tenant: Tenant,
    dialed: DialedBatch,
    lines: Sequence[Line],
    buckets: dict[str, _Bucket],
    now: datetime,
) -> datetime | None:
    loads = {zone: bucket.dialable for zone, bucket in buckets.items() if bucket.dialable}
    if not (loads and lines):
        return None
    missed, seconds = _so_far(batch)
    attempts = expected_attempts(missed, batch.retry)
    capped = [line.left_today for line in lines]
    is_capped = not any(math.isinf(left) for left in capped)
    pace = Pace(
        per_second=_per_second(tenant, lines, seconds),
        per_day=_caps(tenant, dialed) if is_capped else None,
        today=sum(capped),
        day_ends=tenant.day_ends(now),
    )
    work = [Load(zone, calls * attempts) for zone, calls in loads.items()]
    return likely_finish(work, dialed.window, pace, now)


def _so_far(batch: CallBatch) -> tuple[float, float]:
    """Of the batch's own attempts: the share that was missed, and seconds each took."""
    ended = batch.attempts.filter(ended_at__isnull=False)
    found = ended.aggregate(
        all=Count("id"),
        answered=Count("id", filter=Q(status=AttemptStatus.COMPLETED)),
        took=Avg(F("ended_at") - F("created_at")),
    )
    if not found["all"]:
        return 0.0, USUAL_SECONDS
    took = found["took"].total_seconds() if found["took"] else USUAL_SECONDS
    return 1 - found["answered"] / found["all"], max(1.0, took)


def _per_second(tenant: Tenant, lines: Sequence[Line], seconds: float) -> float:
    """What the limits allow, those of accounts and numbers as if nothing else used them now."""
    phones = PhoneNumber.objects.for_workspace(tenant.id.hex()).filter(
        id__in=[line.phone_id.hex() for line in lines]
    )
    accounts: dict[str | None, float] = {}
    limits: dict[str | None, float] = {}
    for phone in phones.select_related("account").defer("account__credentials"):
        of_number = phone.concurrency_limit / seconds if phone.concurrency_limit else math.inf
        accounts[phone.account_id] = accounts.get(phone.account_id, 0.0) + of_number
        account = phone.account
        limits[phone.account_id] = min(
            account.calls_per_second or math.inf if account else math.inf,
            account.concurrency_limit / seconds
            if account and account.concurrency_limit
            else math.inf,
        )
    together = sum(min(rate, limits[id_]) for id_, rate in accounts.items())
    limit = tenant.concurrency_limit
    return min(FASTEST, together, limit / seconds if limit else math.inf)


def _caps(tenant: Tenant, dialed: DialedBatch) -> float:
    phones = PhoneNumber.objects.for_workspace(tenant.id.hex()).filter(
        id__in=[id_.hex() for id_ in dialed.numbers]
    )
    return float(sum(phones.values_list("daily_cap", flat=True)))


def _warnings(batch: CallBatch, tenant: Tenant, dialed: DialedBatch) -> list[Caution]:
    carriers = set(
        PhoneNumber.objects.for_workspace(batch.workspace_id)
        .filter(rotations__batch=batch, is_active=True)
        .values_list("carrier", flat=True)
    )
    checks = [
        ("no_number", not dialed.numbers, "None of the batch's calling numbers is active."),
        (
            "window_never_opens",
            dialed.window is None,
            "The hours and days of the batch and those of the workspace have nothing in common.",
        ),
        (
            "no_calling_hours",
            dialed.window is not None and dialed.window.is_always,
            "No calling hours are set: people are called at any time of day and night.",
        ),
        (
            "no_workspace_window",
            tenant.window.is_always and bool(carriers - {Carrier.SIMULATOR.value}),
            "Real phones ring, and the workspace has no calling window that holds for every batch.",
        ),
        (
            "dnc_off",
            not dialed.honours_dnc,
            "The do-not-call list is not honoured: neither the workspace nor the batch asks for it.",
        ),
    ]
    return [Caution(code, message) for code, applies, message in checks if applies]

"""What would happen if a batch were started now: who would be called, who waits, and for what.

Counts calls in one statement; the rest is a few small ones. A listed number is told as listed whatever
else it waits for: before a start people ask how many are never called.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from batches.dialer.claim import BUSY_AGAIN
from batches.dialer.contacts import SPAN
from batches.dialer.lines import Line, lines_of
from batches.dialer.tenants import DialedBatch, Tenant, as_dialed, in_flight, tenant_of
from batches.forecast import Load, Pace, expected_attempts, likely_finish
from batches.models import AttemptStatus, BatchStatus, CallBatch
from batches.schedule import DAY_MINUTES, Window, allowed_until, is_allowed, next_allowed
from calling.carriers.registry import CARRIERS
from calling.models import PhoneNumber
from workspaces.sql import array_literal, fetch_all

USUAL_SECONDS = 30.0  # of a call, before the batch has made any
LATELY = timedelta(days=7)  # before a batch has attempts, those of its numbers are asked
FASTEST = 100.0  # attempts a second, where nothing limits them

# Attempts that are tried again. Neither `unknown` nor what was called off is.
_MISSED = [
    status.value for status in (AttemptStatus.BUSY, AttemptStatus.NO_ANSWER, AttemptStatus.FAILED)
]

# Every pending call is in one bucket: the first that fits. `ready`: when it can be its turn, leaving
# the window aside. A probe of an index for each call, as in the claim: joins took minutes in a batch
# of a million just imported, of which the planner knew nothing yet. OFFSET 0 keeps each from being
# asked twice.
_BUCKETS = """
SELECT timezone,
    CASE
        WHEN is_listed THEN 'doNotCall'
        WHEN %s::bytea IS NOT NULL AND session_id IS DISTINCT FROM %s::bytea THEN 'otherSession'
        WHEN capped_until IS NOT NULL THEN 'contactCap'
        WHEN is_busy THEN 'contactBusy'
        WHEN next_attempt_at > %s THEN 'retryDelay'
        ELSE 'due'
    END AS bucket,
    count(*), min(ready), max(ready)
FROM (
    SELECT *, GREATEST(next_attempt_at, capped_until, CASE WHEN is_busy THEN %s::timestamptz END)
        AS ready
    FROM (
        SELECT call.timezone, call.session_id, call.next_attempt_at,
            %s::boolean AND EXISTS (
                SELECT FROM batches_donotcallentry AS entry
                WHERE entry.workspace_id = %s AND entry.phone_number = call.phone_number
                    AND entry.deleted_at IS NULL
            ) AS is_listed,
            EXISTS (
                SELECT FROM batches_lease AS lease
                WHERE lease.workspace_id = %s AND lease.to_number = call.phone_number
            ) AS is_busy,
            CASE WHEN %s::int > 0 THEN (
                SELECT created_at + %s FROM batches_callattempt AS attempt
                WHERE attempt.workspace_id = %s AND attempt.to_number = call.phone_number
                    AND attempt.created_at > %s
                ORDER BY attempt.created_at DESC OFFSET %s LIMIT 1
            ) END AS capped_until
        FROM batches_call AS call
        WHERE call.batch_id = %s AND call.status = 'pending' OFFSET 0
    ) AS asked
) AS call
GROUP BY timezone, bucket
"""
_OUTCOMES = """
SELECT count(*), count(*) FILTER (WHERE status = ANY(%s::text[])),
    avg(extract(epoch FROM ended_at - created_at))::float
"""
# Both read the end of an index, whatever the history.
_OF_BATCH = f"""{_OUTCOMES} FROM (
    SELECT status, created_at, ended_at FROM batches_callattempt
    WHERE batch_id = %s AND ended_at IS NOT NULL ORDER BY created_at DESC LIMIT 1000
) AS recent
"""  # noqa: S608 (our own words)
_OF_NUMBERS = f"""{_OUTCOMES} FROM unnest(%s::bytea[]) AS number CROSS JOIN LATERAL (
    SELECT status, created_at, ended_at FROM batches_callattempt
    WHERE workspace_id = %s AND phone_id = number AND created_at > %s AND ended_at IS NOT NULL
    ORDER BY created_at DESC LIMIT 100
) AS recent
"""  # noqa: S608 (our own words)
WAITS = [
    *("window", "doNotCall", "retryDelay", "contactCap", "contactBusy"),
    *("numberCap", "noNumber", "otherSession", "killSwitch"),
]
_NOT_DIALED = {"doNotCall", "otherSession"}


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
    """Calls of one zone; when it can be the turn of the first and of the last that are to be dialed."""

    numbers: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None

    @property
    def dialable(self) -> int:
        return sum(number for name, number in self.numbers.items() if name not in _NOT_DIALED)

    def add(self, name: str, number: int, first: datetime, last: datetime) -> None:
        self.numbers[name] += number
        if name not in _NOT_DIALED:
            self.first, self.last = min(first, self.first or first), max(last, self.last or last)


def preflight(batch: CallBatch, now: datetime) -> Preflight:
    """As it is, for a batch that is being dialed; as if started now, for any other."""
    tenant = tenant_of(batch.workspace_id)
    dialed = as_dialed(tenant, batch.id)
    active = lines_of(tenant, dialed.numbers, in_flight(tenant), now, lock=False).values()
    lines = [line for line in active if not (tenant.kill_reason or line.kill_reason)]
    without_line = "killSwitch" if active else "noNumber"
    buckets = _buckets(batch, tenant, dialed, now)
    zones, waiting = [], Counter[str]()
    for zone, bucket in sorted(buckets.items()):
        place = _where_due_calls_are(zone, dialed, lines, now) if lines else without_line
        bucket.numbers[place] += bucket.numbers.pop("due", 0)
        waiting.update(bucket.numbers)
        zones.append(_zone(zone, bucket, dialed, now))
    dial_now = waiting.pop("now", 0)
    phones, usable = _phones(tenant, dialed), {line.phone_id.hex() for line in lines}
    callers = [phone for phone in phones if phone.id in usable]
    return Preflight(
        batch=batch,
        pending=dial_now + waiting.total(),
        dial_now=dial_now,
        waiting={name: waiting[name] for name in WAITS},
        zones=zones,
        earliest=_earliest(buckets, dialed, lines, now),
        likely_finish=_finish(batch, tenant, dialed, lines, callers, buckets, now),
        warnings=_warnings(tenant, dialed, phones),
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
            *(session, session, now, now + BUSY_AGAIN, dialed.honours_dnc, tenant.id, tenant.id),
            *(cap, SPAN, tenant.id, now - SPAN, max(cap, 1) - 1, dialed.id),
        ],
    )
    found: dict[str, _Bucket] = {}
    for timezone, *counted in rows:
        found.setdefault(timezone or batch.timezone, _Bucket()).add(*counted)
    return found


def _where_due_calls_are(
    zone: str, dialed: DialedBatch, lines: Sequence[Line], now: datetime
) -> str:
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
        next_allowed(max(bucket.first, free_at), zone, dialed.window)
        for zone, bucket in buckets.items()
        if bucket.first is not None
    ]
    return min((moment for moment in moments if moment is not None), default=None)


def _finish(
    batch: CallBatch,
    tenant: Tenant,
    dialed: DialedBatch,
    lines: Sequence[Line],
    phones: Sequence[PhoneNumber],
    buckets: dict[str, _Bucket],
    now: datetime,
) -> datetime | None:
    loads = {zone: bucket.dialable for zone, bucket in buckets.items() if bucket.dialable}
    if not (loads and lines):
        return None
    missed, seconds = _so_far(tenant, dialed, now)
    attempts = expected_attempts(missed, batch.retry)
    capped = [line.left_today for line in lines]
    is_capped = not any(math.isinf(left) for left in capped)
    pace = Pace(
        per_second=_per_second(tenant, phones, seconds),
        per_day=float(sum(phone.daily_cap for phone in phones)) if is_capped else None,
        today=sum(max(0.0, left) for left in capped),
        day_ends=tenant.day_ends(now),
    )
    work = [Load(zone, calls * attempts) for zone, calls in loads.items()]
    finish = likely_finish(work, dialed.window, pace, now)
    if finish is None:
        return None
    # The pace alone would have calls made that are still waiting for their time.
    last = [
        next_allowed(max(bucket.last, now), zone, dialed.window) or finish
        for zone, bucket in buckets.items()
        if bucket.last is not None
    ]
    return max(finish, *last)


def _so_far(tenant: Tenant, dialed: DialedBatch, now: datetime) -> tuple[float, float]:
    """The share of attempts that were missed, and the seconds each took: of the newest of the batch,
    else of those that its numbers made lately."""
    [(made, missed, seconds)] = fetch_all(_OF_BATCH, [_MISSED, dialed.id])
    if not made:
        numbers = array_literal(list(dialed.numbers))
        [(made, missed, seconds)] = fetch_all(
            _OF_NUMBERS, [_MISSED, numbers, tenant.id, now - LATELY]
        )
    if not made:
        return 0.0, USUAL_SECONDS
    return missed / made, max(1.0, seconds)


def _phones(tenant: Tenant, dialed: DialedBatch) -> list[PhoneNumber]:
    phones = PhoneNumber.objects.for_workspace(tenant.id.hex()).filter(
        id__in=[id_.hex() for id_ in dialed.numbers]
    )
    return list(phones.select_related("account").defer("account__credentials"))


def _per_second(tenant: Tenant, phones: Sequence[PhoneNumber], seconds: float) -> float:
    """What the limits allow, those of accounts and numbers as if nothing else used them now."""
    accounts: dict[str | None, float] = {}
    limits: dict[str | None, float] = {}
    for phone in phones:
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


def _warnings(tenant: Tenant, dialed: DialedBatch, phones: Sequence[PhoneNumber]) -> list[Caution]:
    rings_people = any(CARRIERS[phone.carrier].asks_back for phone in phones)
    checks = [
        *_of_numbers(tenant, dialed, phones),
        (
            "window_never_opens",
            dialed.window is None,
            "The hours and days of the batch and those of the workspace have nothing in common.",
        ),
        (
            "no_calling_hours",
            dialed.window is not None and _is_all_day(dialed.window),
            "No calling hours are set: people are called at any time of day and night.",
        ),
        (
            "no_workspace_window",
            rings_people and _is_all_day(tenant.window),
            "Real phones ring, and the workspace has no calling hours that hold for every batch.",
        ),
        (
            "dnc_off",
            not dialed.honours_dnc,
            "The do-not-call list is not honoured: neither the workspace nor the batch asks for it.",
        ),
    ]
    return [Caution(code, message) for code, applies, message in checks if applies]


def _of_numbers(
    tenant: Tenant, dialed: DialedBatch, phones: Sequence[PhoneNumber]
) -> list[tuple[str, bool, str]]:
    speechless = [phone for phone in phones if phone.agent_id is None]
    failing = [phone.account for phone in phones if phone.account and phone.account.failures]
    off = _switched_off(tenant, phones)
    return [
        ("no_number", not dialed.numbers, "None of the batch's calling numbers is active."),
        (
            "no_agent",
            bool(speechless),
            "A calling number has no agent: nobody speaks when its calls are answered, and no real"
            " phone is called from it.",
        ),
        ("kill_switch", bool(off), "Calling is switched off: " + "; ".join(off)),
        (
            "carrier_failing",
            bool(failing),
            "A carrier account has failed: "
            + "; ".join(sorted({account.last_error for account in failing})),
        ),
    ]


def _switched_off(tenant: Tenant, phones: Sequence[PhoneNumber]) -> list[str]:
    """What is, with the reason given."""
    of_workspace = [f"the workspace ({tenant.kill_reason})"] if tenant.kill_reason else []
    return of_workspace + [
        f"the number {phone.number.removeprefix('+')} ({reason})"
        for phone in phones
        if (reason := phone.kill_reason or (phone.account.kill_reason if phone.account else ""))
    ]


def _is_all_day(window: Window) -> bool:
    """Whether nights are in it, on whatever days."""
    return window.start == 0 and window.end == DAY_MINUTES

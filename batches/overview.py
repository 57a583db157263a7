"""How it stands right now: what is running, what needs a hand. For the front page of the back office.

Each function is one statement, or two, and reads counters and small or partial indexes: the page costs
the same with a million calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Max, Q, QuerySet, Sum, Value, Window
from django.db.models.functions import Coalesce

from batches.models import (
    BatchStatus,
    CallBatch,
    CallCounter,
    Import,
    ImportSource,
    ImportStatus,
    Lease,
)
from calling.carriers.registry import CARRIERS
from calling.models import CarrierAccount, PhoneNumber
from workspaces.back_office.reach import Reach
from workspaces.models import ApiKey, DisabledReason, WebhookEndpoint, Workspace

MOST = 20  # running batches shown
MOST_OF_A_KIND = 5  # of what needs a hand
EXPIRING = timedelta(days=14)  # API keys, before and after
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Running:
    """An active batch. `next_dial_at`: before it no call of its workspace is due."""

    batch: CallBatch
    total: int
    pending: int
    in_flight: int
    picked: int
    next_dial_at: datetime | None

    @property
    def done(self) -> int:
        return self.total - self.pending - self.in_flight


@dataclass(frozen=True, slots=True)
class Found:
    """The first rows of some kind, and how many there are."""

    rows: Sequence[Any]
    total: int


def running_batches(reach: Reach) -> tuple[list[Running], int]:
    """The batches started last, and how many are active. Two statements."""
    active = reach.narrow(CallBatch.objects.living(), "workspace").filter(status=BatchStatus.ACTIVE)
    found = _first(
        active.select_related("workspace")
        .annotate(next_dial_at=F("workspace__dialschedule__next_dial_at"))
        .order_by("-session_id", "-id"),
        MOST,
    )
    statuses = [name for name in _COUNTED if name != "picked"]
    sums = {
        row["batch_id"]: row
        for row in CallCounter.objects.filter(batch__in=[batch.id for batch in found.rows])
        .values("batch_id")
        .annotate(**{f"sum_{name}": Sum(name) for name in _COUNTED})
    }
    rows = []
    for batch in found.rows:
        counts = sums.get(batch.id, {})
        counted = {name: counts.get(f"sum_{name}") or 0 for name in _COUNTED}
        rows.append(
            Running(
                batch=batch,
                total=sum(counted[name] for name in statuses),
                pending=counted["pending"],
                in_flight=counted["in_progress"],
                picked=counted["picked"],
                next_dial_at=batch.next_dial_at,
            )
        )
    return rows, found.total


_COUNTED = (
    *("pending", "in_progress", "completed", "failed", "skipped", "unknown", "cancelled"),
    "picked",
)


def calls_in_flight(reach: Reach) -> int:
    return reach.narrow(Lease.objects.all(), "workspace").count()


def paused_batches(reach: Reach) -> Found:
    paused = reach.narrow(CallBatch.objects.living(), "workspace").filter(status=BatchStatus.PAUSED)
    return _first(paused.select_related("workspace").order_by("-updated_at", "-id"))


def batches_with_unknown_calls(reach: Reach) -> Found:
    """`rows`: dicts of `batch_id`, `name`, `in_workspace`, `calls`; `total`: calls of all batches."""
    slots = reach.narrow(CallCounter.objects.all(), "workspace")
    found = list(
        slots.exclude(unknown=0)
        .filter(batch__deleted_at=None)
        .values("batch_id")
        .annotate(
            calls=Sum("unknown"), name=Max("batch__name"), in_workspace=Max("workspace__name")
        )
        .filter(calls__gt=0)
        .order_by("-calls", "batch_id")
    )
    return Found(found[:MOST_OF_A_KIND], sum(row["calls"] for row in found))


def carrier_trouble(reach: Reach, now: datetime) -> Found:
    """Accounts that are failing, resting or refused."""
    accounts = reach.narrow(CarrierAccount.objects.all(), "workspace")
    troubled = accounts.filter(Q(failures__gt=0) | Q(resting_until__gt=now) | ~Q(last_error=""))
    newest_first = troubled.order_by("-last_error_at", "-id")
    return _first(newest_first.select_related("workspace").defer("credentials"))


def kill_switches(reach: Reach) -> Found:
    """Those that are thrown, newest first, as dicts: `kind`, `id`, `called`, `of_workspace` (its name),
    `killed_at`, `kill_reason`."""
    kinds: list[tuple[QuerySet[Any], str, str, str]] = [
        (Workspace.objects.all(), "pk", "name", "name"),
        (PhoneNumber.objects.all(), "workspace", "number", "workspace__name"),
        (CarrierAccount.objects.all(), "workspace", "carrier", "workspace__name"),
    ]
    thrown = [
        reach.narrow(rows, path)
        .exclude(killed_at=None)
        .annotate(
            kind=Value(str(rows.model._meta.model_name)), called=F(label), of_workspace=F(name)
        )
        .values("kind", "id", "called", "of_workspace", "killed_at", "kill_reason")
        for rows, path, label, name in kinds
    ]
    found = list(thrown[0].union(*thrown[1:], all=True).order_by("-killed_at"))
    return Found(found[:MOST_OF_A_KIND], len(found))


def expiring_keys(reach: Reach, now: datetime) -> Found:
    keys = reach.narrow(ApiKey.objects.all(), "workspace").filter(
        revoked_at=None, expires_at__range=(now - EXPIRING, now + EXPIRING)
    )
    return _first(keys.select_related("workspace").order_by("expires_at", "id"))


def failing_webhooks(reach: Reach) -> Found:
    """Those that fail, and those that were switched off for it, which nobody has seen to yet."""
    endpoints = reach.narrow(WebhookEndpoint.objects.all(), "workspace")
    troubled = endpoints.filter(
        Q(disabled_reason="", failing_since__isnull=False)
        | Q(disabled_reason__in=[DisabledReason.GONE, DisabledReason.FAILING])
    )
    newest_first = troubled.order_by(Coalesce("disabled_at", "failing_since").desc(), "-id")
    return _first(newest_first.select_related("workspace").defer("secret", "old_secret"))


def imports_in_vain(reach: Reach, now: datetime) -> Found:
    """Files of the last week of which nothing was stored."""
    imports = reach.narrow(Import.objects.all(), "workspace").filter(
        ~Q(source=ImportSource.JSON),
        status__in=[ImportStatus.FAILED, ImportStatus.REFUSED],
        created_at__gt=now - _WEEK,
    )
    return _first(imports.select_related("workspace", "created_by").order_by("-created_at", "-id"))


def numbers_without_agent(reach: Reach) -> Found:
    """Active ones of real carriers: what is called from them would answer with silence."""
    real = [name for name, carrier in CARRIERS.items() if carrier.asks_back]
    phones = reach.narrow(PhoneNumber.objects.all(), "workspace").filter(
        agent=None, is_active=True, carrier__in=real
    )
    return _first(phones.select_related("workspace").order_by("number", "id"))


@dataclass(frozen=True, slots=True)
class Setup:
    """What there is to begin with."""

    has_number: bool
    has_key: bool
    has_batch: bool


def setup_of(reach: Reach) -> Setup:
    """One statement where there is a batch, three before."""
    if reach.narrow(CallBatch.objects.living(), "workspace").exists():
        return Setup(True, True, True)
    return Setup(
        reach.narrow(PhoneNumber.objects.all(), "workspace").exists(),
        reach.narrow(ApiKey.objects.filter(revoked_at=None), "workspace").exists(),
        False,
    )


def _first(rows: QuerySet[Any], most: int = MOST_OF_A_KIND) -> Found:
    """Rows and their number in one statement: for what is never many."""
    found = list(rows.annotate(total_rows=Window(Count("*")))[:most])
    return Found(found, found[0].total_rows if found else 0)

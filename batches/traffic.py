"""How many calls were placed and answered today, hour by hour.

An hour that is over is counted once and remembered by the process; from then on only the last one or two
are read. They are found by the attempts' ids, which begin with the time: an index on `created_at` would
cost every dialed call.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.cache import cache

from workspaces.back_office.reach import Reach
from workspaces.sql import fetch_all

_HOUR = timedelta(hours=1)
_QUARTER = 900  # seconds: every time zone begins its hours at one
_SETTLED = timedelta(minutes=30)  # by then it is known of every call whether it was answered
_SLACK = timedelta(minutes=2)  # between the clock of an id and `created_at`
_KEPT = 26 * 60 * 60  # seconds
_PLACED = f"""
SELECT workspace.id, workspace.sandbox_of_id IS NOT NULL, quarter, placed, answered, settled
FROM (
    SELECT workspace_id, floor(date_part('epoch', created_at) / {_QUARTER})::bigint AS quarter,
        count(*) AS placed, count(answered_at) AS answered,
        count(COALESCE(answered_at, ended_at)) AS settled
    FROM batches_callattempt
    WHERE id >= %s AND created_at >= %s
    GROUP BY 1, 2
) AS counted JOIN workspaces_workspace AS workspace ON workspace.id = counted.workspace_id
"""  # noqa: S608 (our own number)

# Of quarters of an hour since 1970, by workspace, and whether it is a sandbox: placed, answered,
# settled.
Quarters = dict[int, list[tuple[str, bool, int, int, int]]]


@dataclass(frozen=True, slots=True)
class Hour:
    """`start` in the zone that was asked for. `settled`: of the placed ones, whose fate is known."""

    start: datetime
    placed: int
    answered: int
    settled: int


def calls_today(reach: Reach, now: datetime) -> list[Hour]:
    """The hours of the day of `now`, in the zone of `now`, those to come included. One statement."""
    midnight = datetime.combine(now.date(), datetime.min.time(), now.tzinfo)
    next_day = datetime.combine(
        now.date() + timedelta(days=1), datetime.min.time(), now.tzinfo
    ).astimezone(UTC)
    quarters = _quarters(midnight.astimezone(UTC), now.astimezone(UTC))
    hours, at = [], midnight.astimezone(UTC)
    while at < next_day:
        first = int(at.timestamp()) // _QUARTER
        sums: Counter[int] = Counter()
        for quarter in range(first, first + 4):
            for workspace_id, is_sandbox, *numbers in quarters.get(quarter, ()):
                if is_sandbox == reach.is_sandbox and reach.sees(workspace_id):
                    sums.update(dict(enumerate(numbers)))
        hours.append(Hour(at.astimezone(now.tzinfo), sums[0], sums[1], sums[2]))
        at += _HOUR
    return hours


def _quarters(since: datetime, now: datetime) -> Quarters:
    """Of all workspaces, from the whole hour (UTC) of `since` on."""
    first = since.replace(minute=0, second=0, microsecond=0)
    whole = [first + number * _HOUR for number in range(int((now - first) / _HOUR) + 1)]
    over = [hour for hour in whole if hour + _HOUR + _SETTLED <= now]
    remembered: dict[str, Quarters] = cache.get_many([_key(hour) for hour in over])
    unread = [hour for hour in whole if _key(hour) not in remembered]
    read = _read(unread[0])
    for hour in over:
        if _key(hour) not in remembered:
            cache.set(_key(hour), _of_hour(read, hour), _KEPT)
    return {**read, **{key: value for part in remembered.values() for key, value in part.items()}}


def _read(since: datetime) -> Quarters:
    first_id = f"{int((since - _SLACK).timestamp()):08x}".ljust(24, "0")
    quarters: Quarters = {}
    rows: Sequence[tuple[Any, ...]] = fetch_all(_PLACED, [bytes.fromhex(first_id), since])
    for workspace_id, is_sandbox, quarter, placed, answered, settled in rows:
        quarters.setdefault(quarter, []).append(
            (bytes(workspace_id).hex(), is_sandbox, placed, answered, settled)
        )
    return quarters


def _of_hour(quarters: Quarters, hour: datetime) -> Quarters:
    first = int(hour.timestamp()) // _QUARTER
    return {
        quarter: quarters[quarter] for quarter in range(first, first + 4) if quarter in quarters
    }


def _key(hour: datetime) -> str:
    return f"calls-placed-{int(hour.timestamp())}"

"""What the pending calls of a batch wait for, in groups: for people who watch it.

At a cost that does not grow with the batch: the ends of `call_due`, each read up to a cap. What concerns
one contact alone (its cap, another batch that is calling it) is told on the call's own page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from batches.dialer.lanes import Lane, lanes_of
from batches.dialer.lines import Line, lines_of
from batches.dialer.tenants import DialedBatch, InFlight, Tenant, as_dialed, in_flight, tenant_of
from batches.models import CallBatch
from batches.schedule import is_allowed, next_allowed
from workspaces.sql import fetch_all

MOST_COUNTED = 10_000  # calls of one group; more are told as so many or more
MOST_ZONES = 40  # told one by one
_COUNTS_OF = """
SELECT lane.number,
    (SELECT count(*) FROM (
        SELECT FROM batches_call AS call
        WHERE call.{key} = %s::bytea AND call.status = 'pending' AND call.timezone = lane.timezone
            AND call.next_attempt_at <= %s::timestamptz LIMIT %s::int
    ) AS due),
    (SELECT count(*) FROM (
        SELECT FROM batches_call AS call
        WHERE call.{key} = %s::bytea AND call.status = 'pending' AND call.timezone = lane.timezone
            AND call.next_attempt_at > %s::timestamptz LIMIT %s::int
    ) AS later),
    (SELECT min(call.next_attempt_at) FROM batches_call AS call
    WHERE call.{key} = %s::bytea AND call.status = 'pending' AND call.timezone = lane.timezone
        AND call.next_attempt_at > %s::timestamptz)
FROM unnest(%s::text[]) WITH ORDINALITY AS lane (timezone, number) ORDER BY lane.number
"""
_COUNTS = _COUNTS_OF.format(key="batch_id")
_COUNTS_OF_SESSION = _COUNTS_OF.format(key="session_id")


@dataclass(frozen=True, slots=True)
class Group:
    """So many calls of one time zone (of `MOST_COUNTED` or more if `is_capped`) wait for one thing.

    `reason`: window, next_attempt, lines, workspace_limit, never; none: they are next in turn. `until`:
    when the first of them may go; None when nobody knows.
    """

    calls: int
    timezone: str
    reason: str
    until: datetime | None

    @property
    def is_capped(self) -> bool:
        return self.calls >= MOST_COUNTED


@dataclass(frozen=True, slots=True)
class Backlog:
    """`groups`: the pending calls, by time zone; `more_zones`: how many time zones are left out."""

    tenant: Tenant
    dialed: DialedBatch
    lines: dict[str, Line]
    flying: InFlight
    groups: Sequence[Group]
    more_zones: int

    @property
    def in_flight(self) -> int:
        return self.flying.of_batch.get(self.dialed.id, 0)

    def in_flight_from(self, phone_id: str) -> int:
        """Over all batches: so count the limits."""
        return self.flying.of_phone.get(bytes.fromhex(phone_id), 0)


def backlog_of(batch: CallBatch, now: datetime) -> Backlog:
    """As the dialer would see it, whatever the status of the batch. At most ten statements."""
    tenant = tenant_of(batch.workspace_id)
    dialed = as_dialed(tenant, batch.id)
    flying = in_flight(tenant)
    lines = lines_of(tenant, dialed.numbers, flying, now, lock=False)
    lanes = lanes_of([dialed])
    shown = lanes[:MOST_ZONES]
    groups = [
        group
        for lane, counted in zip(shown, _counts(dialed, shown, now), strict=True)
        for group in _groups(lane, *counted, _obstacle(tenant, lines, flying, now), now)
    ]
    return Backlog(
        tenant,
        dialed,
        {id_.hex(): line for id_, line in lines.items()},
        flying,
        groups,
        len(lanes) - len(shown),
    )


def _counts(
    dialed: DialedBatch, lanes: Sequence[Lane], now: datetime
) -> list[tuple[int, int, datetime | None]]:
    """For each lane: calls that are due, that are due later, and when the first of these is."""
    if not lanes:
        return []
    statement = _COUNTS_OF_SESSION if dialed.only_session else _COUNTS
    key = dialed.session_id if dialed.only_session else dialed.id
    zones = [lane.timezone for lane in lanes]
    rows = fetch_all(statement, [*(key, now, MOST_COUNTED) * 2, key, now, zones])
    return [(due, later, first) for _, due, later, first in rows]


def _obstacle(
    tenant: Tenant, lines: dict[bytes, Line], flying: InFlight, now: datetime
) -> tuple[str, datetime | None]:
    """What is in the way of every call of the batch alike, and until when; no reason: nothing is."""
    if not lines:
        return "lines", None
    if all(line.blocked_by for line in lines.values()):
        ends = [line.free_at for line in lines.values() if line.free_at]
        return "lines", min(ends, default=None)
    if tenant.concurrency_limit and flying.total >= tenant.concurrency_limit:
        return "workspace_limit", None
    return "", now


def _groups(
    lane: Lane,
    due: int,
    later: int,
    first: datetime | None,
    obstacle: tuple[str, datetime | None],
    now: datetime,
) -> list[Group]:
    zone, window = lane.timezone or lane.batch.timezone, lane.batch.window
    if window is None:
        return [Group(min(due + later, MOST_COUNTED), zone, "never", None)]
    groups = []
    if due and is_allowed(now, zone, window):
        groups.append(Group(due, zone, *obstacle))
    elif due:
        groups.append(Group(due, zone, "window", next_allowed(now, zone, window)))
    if later and first:
        groups.append(Group(later, zone, "next_attempt", next_allowed(first, zone, window)))
    return groups

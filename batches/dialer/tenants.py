"""What decides about the calls of one workspace, as it stands at this moment.

Read by the claim, which acts on it, and by the previews (`waitingFor`, batch-preflight), which tell
what it would do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from batches.schedule import Window
from workspaces.sql import array_literal, fetch_all, fetch_row

# A sandbox is suspended with its live workspace. Of a row `workspace`.
IS_OPEN = """(workspace.is_active AND (
        workspace.sandbox_of_id IS NULL
        OR (SELECT live.is_active FROM workspaces_workspace AS live
            WHERE live.id = workspace.sandbox_of_id)
    ))"""
_COLUMNS = f"""
    workspace.id, workspace.timezone, {IS_OPEN}, workspace.sandbox_of_id IS NOT NULL,
    workspace.kill_reason, workspace.dnc_enabled,
    workspace.concurrency_limit, workspace.contact_daily_cap,
    workspace.calling_hour_start, workspace.calling_hour_end, workspace.allowed_days
"""
_DUE = f"""
SELECT {_COLUMNS} FROM workspaces_dialschedule AS schedule
JOIN workspaces_workspace AS workspace ON workspace.id = schedule.workspace_id
WHERE schedule.next_dial_at <= %s
ORDER BY schedule.next_dial_at LIMIT 1 FOR NO KEY UPDATE OF schedule SKIP LOCKED
"""  # noqa: S608 (our own columns)
_ONE = f"SELECT {_COLUMNS} FROM workspaces_workspace AS workspace WHERE id = %s"  # noqa: S608
_BATCHES = """
SELECT batch.id, batch.timezone, batch.enable_dnc,
    batch.calling_hour_start, batch.calling_hour_end, batch.allowed_days,
    batch.session_id, COALESCE(session.only_its_calls, false),
    cursor.position, cursor.claimed_at,
    ARRAY(
        SELECT rotation.phone_id FROM batches_batchnumber AS rotation
        JOIN calling_phonenumber AS phone ON phone.id = rotation.phone_id AND phone.is_active
        WHERE rotation.batch_id = batch.id ORDER BY rotation.position
    ),
    ARRAY(
        SELECT rotation.position FROM batches_batchnumber AS rotation
        JOIN calling_phonenumber AS phone ON phone.id = rotation.phone_id AND phone.is_active
        WHERE rotation.batch_id = batch.id ORDER BY rotation.position
    )
FROM batches_callbatch AS batch
LEFT JOIN batches_dialingsession AS session ON session.id = batch.session_id
LEFT JOIN batches_rotationcursor AS cursor ON cursor.batch_id = batch.id
WHERE batch.workspace_id = %s AND {which}
"""
_DIALED_BATCHES = _BATCHES.format(which="batch.status = 'active' AND batch.deleted_at IS NULL")
_ONE_BATCH = _BATCHES.format(which="batch.id = %s")
_IN_FLIGHT = """
SELECT batch_id, phone_id, count(*) FROM batches_lease WHERE workspace_id = %s GROUP BY 1, 2
"""
_CALLED_FROM = """
SELECT phone_id, count(*) FROM batches_callattempt
WHERE workspace_id = %s AND phone_id = ANY(%s::bytea[]) AND created_at >= %s GROUP BY phone_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A workspace's rules. `window` None: no hour of any day is left.

    `kill_reason` empty: its kill switch is not thrown. `is_sandbox`: it rings nobody, whatever its rows
    say.
    """

    id: bytes
    timezone: str
    is_active: bool
    is_sandbox: bool
    kill_reason: str
    dnc_enabled: bool
    concurrency_limit: int
    contact_daily_cap: int
    window: Window

    def day_began(self, now: datetime) -> datetime:
        """The last midnight of the workspace's own calendar: daily caps count from there."""
        return self._midnight(now, 0)

    def day_ends(self, now: datetime) -> datetime:
        return self._midnight(now, 1)

    def _midnight(self, now: datetime, days: int) -> datetime:
        zone = ZoneInfo(self.timezone)
        day = now.astimezone(zone).date() + timedelta(days=days)
        return datetime.combine(day, time(), zone).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DialedBatch:
    """What the dialer knows of a batch. `session_id`: its last start, whose calls alone are dialed if
    it was for some calls only (`only_session`).

    `numbers`: the active ones of its rotation, position by id, in their order. `window` None: what the
    workspace allows and what the batch allows have nothing in common.
    """

    id: bytes
    timezone: str
    honours_dnc: bool
    window: Window | None
    session_id: bytes | None
    only_session: bool
    numbers: dict[bytes, int]
    cursor: int
    claimed_at: datetime | None


@dataclass(slots=True)
class InFlight:
    """Attempts under way in a workspace."""

    total: int
    of_batch: dict[bytes, int]
    of_phone: dict[bytes, int]


def lock_due_tenant(now: datetime) -> Tenant | None:
    """The workspace that has been due for longest, its schedule locked until the transaction ends.

    None when none is due, or others hold those that are.
    """
    row = fetch_row(_DUE, [now])
    return _tenant(row) if row else None


def tenant_of(workspace_id: str) -> Tenant:
    row = fetch_row(_ONE, [bytes.fromhex(workspace_id)])
    assert row is not None  # noqa: S101 (the caller has read something of this workspace)
    return _tenant(row)


def dialed_batches(tenant: Tenant) -> list[DialedBatch]:
    """All that are being dialed."""
    return [_batch(tenant, row) for row in fetch_all(_DIALED_BATCHES, [tenant.id])]


def as_dialed(tenant: Tenant, batch_id: str) -> DialedBatch:
    """One batch as the dialer would see it, whatever its status."""
    row = fetch_row(_ONE_BATCH, [tenant.id, bytes.fromhex(batch_id)])
    assert row is not None  # noqa: S101 (the caller has read it)
    return _batch(tenant, row)


def in_flight(tenant: Tenant) -> InFlight:
    found = InFlight(0, {}, {})
    for batch_id, phone_id, number in fetch_all(_IN_FLIGHT, [tenant.id]):
        found.total += number
        for counts, key in ((found.of_batch, batch_id), (found.of_phone, phone_id)):
            counts[bytes(key)] = counts.get(bytes(key), 0) + number
    return found


def called_today(tenant: Tenant, phones: Sequence[bytes], now: datetime) -> dict[bytes, int]:
    """How many attempts each of these numbers has made since midnight."""
    if not phones:
        return {}
    params = [tenant.id, array_literal(list(phones)), tenant.day_began(now)]
    return {bytes(phone): number for phone, number in fetch_all(_CALLED_FROM, params)}


def window_of(start: int | None, end: int | None, days: Sequence[int]) -> Window:
    if start is None or end is None:
        return Window(days=frozenset(days))
    return Window(start, end, frozenset(days))


def _tenant(row: tuple[Any, ...]) -> Tenant:
    id_, timezone, is_active, is_sandbox, kill_reason, dnc_enabled, *limits = row
    concurrency_limit, contact_daily_cap, *window = limits
    return Tenant(
        id=bytes(id_),
        timezone=timezone,
        is_active=is_active,
        is_sandbox=is_sandbox,
        kill_reason=kill_reason,
        dnc_enabled=dnc_enabled,
        concurrency_limit=concurrency_limit,
        contact_daily_cap=contact_daily_cap,
        window=window_of(*window),
    )


def _batch(tenant: Tenant, row: tuple[Any, ...]) -> DialedBatch:
    id_, timezone, enable_dnc, start, end, days, session_id, only_session, *rest = row
    position, claimed_at, phones, positions = rest
    return DialedBatch(
        id=bytes(id_),
        timezone=timezone,
        honours_dnc=enable_dnc or tenant.dnc_enabled,
        window=window_of(start, end, days).narrowed_by(tenant.window),
        session_id=None if session_id is None else bytes(session_id),
        only_session=only_session,
        numbers=dict(zip(map(bytes, phones), positions, strict=True)),
        cursor=-1 if position is None else position,
        claimed_at=claimed_at,
    )

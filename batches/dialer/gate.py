"""The last look before a carrier is asked: is it still right to place these calls?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from batches.dialer.tenants import IS_OPEN, window_of
from batches.models import CallStatus, EventReason
from batches.schedule import is_allowed
from batches.services.returns import Return
from workspaces.sql import array_literal, fetch_all, fetch_row

# Of the workspace, the number or its account.
_IS_SWITCHED_OFF = "COALESCE(workspace.killed_at, phone.killed_at, account.killed_at) IS NOT NULL"
_LOOK = f"""
SELECT lease.id, lease.batch_id, {_IS_SWITCHED_OFF},
    batch.status = 'active' AND batch.deleted_at IS NULL, {IS_OPEN},
    COALESCE(phone.is_active, false), call.is_cancel_requested,
    (workspace.dnc_enabled OR batch.enable_dnc) AND EXISTS (
        SELECT FROM batches_donotcallentry AS entry
        WHERE entry.workspace_id = lease.workspace_id AND entry.phone_number = lease.to_number
            AND entry.deleted_at IS NULL
    ),
    account.resting_until IS NOT NULL AND account.resting_until > %s,
    COALESCE(NULLIF(call.timezone, ''), batch.timezone),
    batch.calling_hour_start, batch.calling_hour_end, batch.allowed_days,
    workspace.calling_hour_start, workspace.calling_hour_end, workspace.allowed_days
FROM batches_lease AS lease
JOIN batches_call AS call ON call.id = lease.call_id
JOIN batches_callbatch AS batch ON batch.id = lease.batch_id
JOIN workspaces_workspace AS workspace ON workspace.id = lease.workspace_id
LEFT JOIN calling_phonenumber AS phone ON phone.id = lease.phone_id
LEFT JOIN calling_carrieraccount AS account ON account.id = phone.account_id
WHERE lease.id = ANY(%s::bytea[]) AND lease.sent_at IS NULL AND lease.look_at > %s
"""  # noqa: S608 (our own words)
# The lease is ours until `look_at`; after that somebody else may have put the call back. The switch is
# read by the statement that sends, because it may have been thrown since the look.
_SEND = f"""
WITH ours AS (
    SELECT lease.id, {_IS_SWITCHED_OFF} AS is_off, {IS_OPEN} AS is_open
    FROM batches_lease AS lease
    JOIN workspaces_workspace AS workspace ON workspace.id = lease.workspace_id
    LEFT JOIN calling_phonenumber AS phone ON phone.id = lease.phone_id
    LEFT JOIN calling_carrieraccount AS account ON account.id = phone.account_id
    WHERE lease.id = ANY(%s::bytea[]) AND lease.sent_at IS NULL AND lease.look_at > %s
), sent AS (
    UPDATE batches_lease AS lease SET sent_at = %s FROM ours
    WHERE lease.id = ours.id AND ours.is_open AND NOT ours.is_off
        AND lease.sent_at IS NULL AND lease.look_at > %s
    RETURNING lease.id
)
SELECT ours.id, sent.id IS NOT NULL, ours.is_off, ours.is_open FROM ours LEFT JOIN sent USING (id)
"""  # noqa: S608 (our own words)

_OFF = f"""
SELECT lease.id FROM batches_lease AS lease
JOIN workspaces_workspace AS workspace ON workspace.id = lease.workspace_id
LEFT JOIN calling_phonenumber AS phone ON phone.id = lease.phone_id
LEFT JOIN calling_carrieraccount AS account ON account.id = phone.account_id
WHERE lease.id = %s AND {_IS_SWITCHED_OFF}
"""  # noqa: S608 (our own words)


@dataclass(slots=True)
class Passed:
    """`sent`: attempts to be placed now. `refused`: by batch, the others and why.

    An attempt in neither is no longer ours. What was thrown before `looked_at` was seen, all of it.
    """

    looked_at: datetime
    sent: set[bytes] = field(default_factory=set)
    refused: dict[str, dict[str, Return]] = field(default_factory=dict)


def pass_gate(attempt_ids: Sequence[bytes], *, now: datetime) -> Passed:
    """Look again at claimed attempts, and mark as sent those that may be placed at once."""
    passed = Passed(looked_at=now)
    good: dict[bytes, bytes] = {}  # and their batches
    for id_, batch_id, *facts in fetch_all(_LOOK, [now, array_literal(list(attempt_ids)), now]):
        refusal = _refusal(facts, now)
        if refusal is None:
            good[bytes(id_)] = bytes(batch_id)
        else:
            _refuse(passed, bytes(batch_id), bytes(id_), refusal)
    if not good:
        return passed
    for row in fetch_all(_SEND, [array_literal(list(good)), now, now, now]):
        id_, is_sent, is_off, is_open = bytes(row[0]), *row[1:]
        if is_sent:
            passed.sent.add(id_)
        elif is_off:
            _refuse(passed, good[id_], id_, not_dialed("kill_switch"))
        elif not is_open:
            _refuse(passed, good[id_], id_, not_dialed("workspace_suspended"))
    return passed


def is_switched_off(attempt_id: bytes) -> bool:
    """Whether a kill switch was thrown since this attempt has passed, for one that had to wait."""
    return fetch_row(_OFF, [attempt_id]) is not None


def _refuse(passed: Passed, batch_id: bytes, id_: bytes, why: Return) -> None:
    passed.refused.setdefault(batch_id.hex(), {})[id_.hex()] = why


def not_dialed(detail: str) -> Return:
    """Back in the queue, as if nothing had been."""
    return Return(CallStatus.PENDING, EventReason.NOT_DIALED, detail)


def _refusal(facts: Sequence[object], now: datetime) -> Return | None:
    is_off, is_dialed, is_open, has_number, is_cancelled, is_listed, is_resting, *rest = facts
    timezone, *hours = rest
    if is_listed:
        return Return(CallStatus.SKIPPED, EventReason.DO_NOT_CALL)
    if is_cancelled:
        return Return(CallStatus.CANCELLED, EventReason.CANCEL_REQUESTED)
    if is_off:  # before the batch, which is paused for it
        return not_dialed("kill_switch")
    if not is_dialed:
        return not_dialed("batch_not_active")
    if not is_open:
        return not_dialed("workspace_suspended")
    if not has_number:
        return not_dialed("number_inactive")
    if is_resting:
        return not_dialed("carrier_resting")
    window = window_of(*hours[:3]).narrowed_by(window_of(*hours[3:]))  # type: ignore[arg-type]
    return None if is_allowed(now, str(timezone), window) else not_dialed("window_closed")

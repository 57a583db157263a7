"""Looking after attempts whose holder is late, whose callback is missing, or which nobody is sure of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from batches.models import CallStatus, EventReason
from batches.services.returns import Return
from calling.carriers.base import Credentials
from calling.models import CarrierAccount
from calling.services.accounts import credentials_of
from workspaces.encryption import DecryptionFailed
from workspaces.sql import array_literal, execute, fetch_all

log = structlog.get_logger(__name__)

# Whoever takes a look keeps others away for a while; when it dies, the next one takes it.
_TAKE = """
WITH due AS (
    SELECT id FROM batches_lease WHERE look_at <= %s
    ORDER BY look_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
), taken AS (
    UPDATE batches_lease AS lease SET look_at = %s FROM due WHERE lease.id = due.id
    RETURNING lease.*
)
SELECT taken.id, taken.batch_id, taken.sent_at, taken.looks, taken.unsure_since,
    attempt.request_uuid, attempt.carrier_call_id, call.is_cancel_requested,
    phone.carrier, phone.account_id
FROM taken
JOIN batches_callattempt AS attempt ON attempt.id = taken.id
JOIN batches_call AS call ON call.id = taken.call_id
LEFT JOIN calling_phonenumber AS phone ON phone.id = taken.phone_id
"""
_POSTPONE = """
UPDATE batches_lease AS lease
SET look_at = later.look_at, looks = later.looks, unsure_since = later.unsure_since
FROM unnest(%s::bytea[], %s::timestamptz[], %s::int[], %s::timestamptz[])
    AS later (id, look_at, looks, unsure_since)
WHERE lease.id = later.id
"""
# A call that was taken out while it was being placed is still to be hung up at once.
_ACCEPT = """
WITH accepted AS (
    SELECT * FROM unnest(%s::bytea[], %s::text[]) AS accepted (id, carrier_call_id)
), named AS (
    UPDATE batches_callattempt AS attempt SET carrier_call_id = accepted.carrier_call_id
    FROM accepted
    WHERE attempt.id = accepted.id AND accepted.carrier_call_id NOT IN ('', attempt.carrier_call_id)
)
UPDATE batches_lease AS lease SET
    look_at = CASE WHEN call.is_cancel_requested THEN LEAST(lease.look_at, expected.at)
        ELSE GREATEST(lease.look_at, expected.at) END,
    looks = 0, unsure_since = NULL
FROM accepted, batches_call AS call, (SELECT %s::timestamptz AS at) AS expected
WHERE lease.id = accepted.id AND call.id = lease.call_id
"""
_DOUBT = """
UPDATE batches_lease SET look_at = %s, looks = 0, unsure_since = %s WHERE id = ANY(%s::bytea[])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """An attempt to look after. `carrier` None: its number is gone, nobody can be asked."""

    attempt_id: bytes
    batch_id: bytes
    sent_at: datetime | None
    looks: int
    unsure_since: datetime | None
    request_uuid: UUID
    carrier_call_id: str
    is_cancel_requested: bool
    carrier: str | None
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class Later:
    """Look again then."""

    look_at: datetime
    looks: int
    unsure_since: datetime | None


class Unknown:
    """Nobody can tell, and nobody will."""


NEVER_PLACED = Return(CallStatus.PENDING, EventReason.NEVER_PLACED)


def take_due_looks(*, now: datetime, most: int, lease: timedelta) -> list[Look]:
    """The attempts that have to be looked after now, ours for so long."""
    rows = fetch_all(_TAKE, [now, most, now + lease])
    accounts = _credentials({bytes(row[-1]).hex() for row in rows if row[-1] is not None})
    looks = []
    for id_, batch_id, sent_at, number, unsure, uuid, call_id, cancel, carrier, account_id in rows:
        credentials = accounts.get(bytes(account_id).hex()) if account_id is not None else None
        looks.append(
            Look(
                attempt_id=bytes(id_),
                batch_id=bytes(batch_id),
                sent_at=sent_at,
                looks=number,
                unsure_since=unsure,
                request_uuid=uuid,
                carrier_call_id=call_id,
                is_cancel_requested=cancel,
                carrier=carrier,
                credentials=credentials or Credentials("", ""),
            )
        )
    return looks


def _credentials(account_ids: Iterable[str]) -> dict[str, Credentials]:
    """Of these accounts. One that no key opens is left out: looks at others must not wait for it."""
    found = {}
    for id_ in account_ids:
        try:
            account = CarrierAccount.objects.filter(id=id_).first()
        except DecryptionFailed:
            log.error("dialer.unreadable_credentials", account=id_)
            continue
        if account is not None:
            found[id_] = credentials_of(account)
    return found


def when_unsure(
    look: Look, *, is_unplaced: bool, delays: Sequence[int | float], now: datetime
) -> Later | Return | Unknown:
    """What to do after a look that told no outcome. Pure.

    `is_unplaced`: the carrier is certain that it has no such call. It is believed when it has had the
    time of the last look to notice one; until then it may have been asked too early.
    """
    since = look.unsure_since or now
    longest = timedelta(seconds=delays[-1])
    if is_unplaced and not look.carrier_call_id and now >= (look.sent_at or now) + longest:
        return NEVER_PLACED
    looks = look.looks + 1
    if looks < len(delays):
        return Later(max(now, since + timedelta(seconds=delays[looks])), looks, since)
    return Unknown()


def postpone(later: dict[bytes, Later]) -> None:
    """Look at these attempts again, each at its time."""
    times = list(later.values())
    execute(
        _POSTPONE,
        [
            array_literal(list(later)),
            [one.look_at for one in times],
            array_literal([one.looks for one in times]),
            [one.unsure_since for one in times],
        ],
    )


def note_accepted(carrier_call_ids: dict[bytes, str], *, look_at: datetime) -> None:
    """The carrier took these attempts, under these ids of its own; callbacks are to tell the rest."""
    execute(
        _ACCEPT,
        [array_literal(list(carrier_call_ids)), list(carrier_call_ids.values()), look_at],
    )


def note_unsure(attempt_ids: Sequence[bytes], *, now: datetime) -> None:
    """Nobody knows whether these rang: they are to be looked up at once."""
    execute(_DOUBT, [now, now, array_literal(list(attempt_ids))])

"""The pace of carrier accounts: one row an account, whoever uses it.

Whoever reserves holds the rows until the transaction ends, so what is counted under them (the calls
at a time of an account) holds as well. Rows are locked in the order of their digest.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from workspaces.ids import new_object_id
from workspaces.sql import array_literal, execute, fetch_all

HORIZON = timedelta(seconds=5)  # how far ahead call starts are reserved

_LOCK = """
WITH wanted AS (
    SELECT * FROM unnest(%s::bytea[], %s::bytea[]) AS wanted (id, digest)
), made AS (
    INSERT INTO calling_carrierlimiter (id, digest, next_slot_at)
    SELECT id, digest, %s::timestamptz FROM wanted ON CONFLICT (digest) DO NOTHING
)
SELECT digest, next_slot_at FROM calling_carrierlimiter
WHERE digest = ANY(%s::bytea[]) ORDER BY digest FOR NO KEY UPDATE
"""
_READ = "SELECT digest, next_slot_at FROM calling_carrierlimiter WHERE digest = ANY(%s::bytea[])"
_KEEP = """
UPDATE calling_carrierlimiter AS limiter SET next_slot_at = kept.next_slot_at
FROM unnest(%s::bytea[], %s::timestamptz[]) AS kept (digest, next_slot_at)
WHERE limiter.digest = kept.digest
"""


@dataclass(slots=True)
class Pace:
    """Call starts of one account, `interval` apart, from `next_slot_at` on."""

    digest: bytes
    interval: timedelta
    next_slot_at: datetime
    until: datetime

    @classmethod
    def of(cls, digest: bytes, per_second: int, next_slot_at: datetime, now: datetime) -> "Pace":
        interval = timedelta(seconds=1) / per_second
        return cls(digest, interval, max(next_slot_at, now), now + HORIZON)

    @property
    def has_slot(self) -> bool:
        return self.next_slot_at < self.until

    @property
    def has_slot_at(self) -> datetime:
        """When a reservation can be made (again)."""
        return self.next_slot_at - HORIZON

    def take(self) -> datetime:
        """Reserve the next slot: the moment for the call to start."""
        slot = self.next_slot_at
        self.next_slot_at += self.interval
        return slot


def lock_limiters(digests: Collection[bytes], now: datetime) -> dict[bytes, datetime]:
    """The first free slot of each account, locked until the transaction ends."""
    found: dict[bytes, datetime] = {}
    wanted = sorted(digests)
    while len(found) < len(wanted):  # a row just made is seen by the next statement only
        ids = [bytes.fromhex(new_object_id()) for _ in wanted]
        names = array_literal(wanted)
        rows = fetch_all(_LOCK, [array_literal(ids), names, now, names])
        found = {bytes(digest): slot for digest, slot in rows}
    return found


def free_slots(digests: Collection[bytes]) -> dict[bytes, datetime]:
    """The first free slot of each account that ever had one reserved; nothing is held."""
    rows = fetch_all(_READ, [array_literal(sorted(digests))])
    return {bytes(digest): slot for digest, slot in rows}


def keep_paces(paces: Collection[Pace]) -> None:
    """Store what was reserved. The caller holds the rows."""
    ordered = sorted(paces, key=lambda pace: pace.digest)
    digests = array_literal([pace.digest for pace in ordered])
    execute(_KEEP, [digests, [pace.next_slot_at for pace in ordered]])

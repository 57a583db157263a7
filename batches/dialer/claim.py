"""Step one of dialing: choose what to dial, in one short transaction.

Whoever holds the lock of a workspace's `DialSchedule` is the only one who claims its calls, so what is
counted here stays true until the claim is stored. Nothing here waits for the lock of a batch.
"""

import heapq
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from uuid import uuid4

from django.db import transaction

from batches.dialer.contacts import capped_contacts
from batches.dialer.lanes import Candidate, Lane, lanes_of, lock_due
from batches.dialer.lines import Line, keep_reserved, lines_of, next_line
from batches.dialer.store import Claimed, store_claim
from batches.dialer.tenants import (
    DialedBatch,
    InFlight,
    Tenant,
    dialed_batches,
    in_flight,
    lock_due_tenant,
)
from workspaces.ids import new_object_id
from workspaces.sql import AWAY, execute, fetch_row

LOOK_EVERY = timedelta(
    seconds=60
)  # at a workspace with an active batch, in case a wake-up was lost
BUSY_AGAIN = timedelta(seconds=15)  # the contact is being called by another batch
LINE_AGAIN = timedelta(seconds=5)  # the contact's number has as many calls as it may
LOCKED_AGAIN = timedelta(seconds=1)  # somebody else is working on the calls
DEFERRED_AGAIN = timedelta(seconds=0.1)  # nothing but calls that have to wait: let others go first

_NEXT_DUE = "SELECT min(next_dial_at) FROM workspaces_dialschedule"
_SLEEP = "UPDATE workspaces_dialschedule SET next_dial_at = %s WHERE workspace_id = %s"


@dataclass(slots=True)
class Claim:
    """What came of looking at one workspace.

    The rest, by batch, is for whoever holds no lock yet: `listed` calls are to be skipped, batches
    `without_number`, or with none that is not switched off, paused, and those that are `idle`, with
    nothing pending or in flight, completed.
    """

    workspace_id: str
    calls: list[Claimed] = field(default_factory=list)
    listed: dict[bytes, list[bytes]] = field(default_factory=dict)
    deferred: dict[bytes, datetime] = field(default_factory=dict)
    without_number: list[bytes] = field(default_factory=list)
    idle: list[bytes] = field(default_factory=list)

    @property
    def got_somewhere(self) -> bool:
        return bool(self.calls or self.listed)


@dataclass(slots=True)
class Turn:
    """A batch in the queue of a claim: the one with the fewest calls in flight goes first."""

    batch: DialedBatch
    candidates: deque[Candidate]
    cursor: int
    key: tuple[int, float, bytes]

    def __lt__(self, other: "Turn") -> bool:
        return self.key < other.key


class ClaimFailed(Exception):
    """Something of this workspace cannot be worked with; the others must not wait for it."""

    def __init__(self, workspace_id: str) -> None:
        super().__init__(workspace_id)
        self.workspace_id = workspace_id


def claim_calls(*, now: datetime, most: int, lease: timedelta) -> Claim | None:
    """Claim up to `most` calls of the workspace that has been due for longest; None when none is.

    Each claimed call has its attempt and a lease of so long after the moment when it may start.
    Raises ClaimFailed; the database being away comes as it is.
    """
    with transaction.atomic():
        tenant = lock_due_tenant(now)
        if tenant is None:
            return None
        try:
            return _claim(tenant, now, most, lease)
        except AWAY:
            raise
        except Exception as error:
            raise ClaimFailed(tenant.id.hex()) from error


def postpone_workspace(workspace_id: str, *, now: datetime) -> None:
    execute(_SLEEP, [now + LOOK_EVERY, bytes.fromhex(workspace_id)])


def next_due() -> datetime | None:
    """When the next workspace has to be looked at; None: when one is woken."""
    row = fetch_row(_NEXT_DUE, [])
    return row[0] if row else None


def _claim(tenant: Tenant, now: datetime, most: int, lease: timedelta) -> Claim:
    batches = dialed_batches(tenant) if tenant.is_active else []
    claim, next_at = Claim(tenant.id.hex()), None
    if tenant.kill_reason:
        # Whatever has made these active since the switch was thrown, or kept them from being paused.
        claim.without_number = [batch.id for batch in batches]
        next_at = now + LOOK_EVERY if batches else None
    elif batches:
        next_at = _Chooser(tenant, batches, claim, now).choose(most)
        store_claim(claim.calls, claim.deferred, now=now, lease=lease)
    execute(_SLEEP, [next_at, tenant.id])
    return claim


def shares(ready: Sequence[Lane], room: int) -> dict[int, list[Lane]]:
    """How many calls to look at in each lane: the lanes by that number.

    Twice an even share of each batch, divided over its lanes: one that has few lets others have more,
    and a claim is followed by another while there is something to do. In powers of two, so that many
    lanes are few statements.
    """
    lanes = Counter(lane.batch.id for lane in ready)
    of_batch = 2 * room / len(lanes)
    found: dict[int, list[Lane]] = {}
    for lane in ready:
        share = 1 << (ceil(of_batch / lanes[lane.batch.id]) - 1).bit_length()
        found.setdefault(min(share, room), []).append(lane)
    return found


class _Chooser:
    """One look at one workspace."""

    def __init__(
        self, tenant: Tenant, batches: Sequence[DialedBatch], claim: Claim, now: datetime
    ) -> None:
        self.tenant, self.batches, self.claim, self.now = tenant, batches, claim, now
        self.lanes = lanes_of(batches)
        self.flying: InFlight = in_flight(tenant)
        self.later: list[datetime | None] = [now + LOOK_EVERY]
        self.taken: set[str] = set()
        numbers = {id_ for batch in batches for id_ in batch.numbers}
        self.lines = lines_of(tenant, numbers, self.flying, now, lock=True)

    def choose(self, most: int) -> datetime:
        """Fill the claim; returns when to look again."""
        self._notice_batches()
        limit = self.tenant.concurrency_limit
        room = min(most, limit - self.flying.total) if limit else most
        ready = [lane for lane in self.lanes if self._can_start(lane)]
        if ready and room > 0:
            candidates = [
                one
                for share, lanes in shares(ready, room).items()
                for one in lock_due(lanes, self.now, share)
            ]
            self._fill(candidates, room)
            keep_reserved(self.lines.values())
            if not self.claim.got_somewhere:
                self.later.append(self.now + (DEFERRED_AGAIN if candidates else LOCKED_AGAIN))
        is_full = limit and self.flying.total + len(self.claim.calls) >= limit
        if self.claim.got_somewhere and not is_full:
            return self.now
        return min(moment for moment in self.later if moment is not None)

    def _notice_batches(self) -> None:
        waiting = {lane.batch.id for lane in self.lanes}
        for batch in self.batches:
            lines = [self.lines[id_] for id_ in batch.numbers if id_ in self.lines]
            if all(line.kill_reason for line in lines):  # or there is none
                self.claim.without_number.append(batch.id)
            elif batch.id not in waiting and not self.flying.of_batch.get(batch.id):
                self.claim.idle.append(batch.id)

    def _can_start(self, lane: Lane) -> bool:
        """Whether a call of the lane can be dialed now; if not, remember when that changes."""
        lines = [self.lines[id_] for id_ in lane.batch.numbers if id_ in self.lines]
        if not lines:
            return False
        if not lane.is_ready(self.now):
            self.later.append(lane.ready_at(self.now))
            return False
        if all(line.blocked_by for line in lines):
            self.later += [line.free_at for line in lines]
            return False
        return True

    def _fill(self, candidates: Sequence[Candidate], room: int) -> None:
        """Take from the batches in turn, up to so many calls."""
        # A contact that was called often enough is not asked for its turn.
        capped = capped_contacts(self.tenant, [one.phone_number for one in candidates], self.now)
        queue = self._turns(candidates)
        while queue and room > 0:
            turn = heapq.heappop(queue)
            one = turn.candidates.popleft()
            if one.is_listed and turn.batch.honours_dnc:
                self.claim.listed.setdefault(one.batch_id, []).append(one.id)
            elif one.is_in_flight or one.phone_number in self.taken:
                self.claim.deferred[one.id] = self.now + BUSY_AGAIN
            elif one.phone_number in capped:
                self.claim.deferred[one.id] = capped[one.phone_number]
            elif (line := self._line_for(one, turn)) is None:
                continue  # none of its numbers can place a call now
            elif line.blocked_by:
                self.claim.deferred[one.id] = line.free_at or self.now + LINE_AGAIN
            else:
                self._take(one, turn, line)
                room -= 1
            if turn.candidates:
                heapq.heappush(queue, turn)

    def _turns(self, candidates: Sequence[Candidate]) -> list[Turn]:
        queues: dict[bytes, deque[Candidate]] = {}
        for one in candidates:
            queues.setdefault(one.batch_id, deque()).append(one)
        by_id = {batch.id: batch for batch in self.batches}
        turns = []
        for id_, queue in queues.items():
            batch = by_id[id_]
            last = batch.claimed_at.timestamp() if batch.claimed_at else 0.0
            key = (self.flying.of_batch.get(id_, 0), last, id_)
            turns.append(Turn(batch, queue, batch.cursor, key))
        heapq.heapify(turns)
        return turns

    def _line_for(self, one: Candidate, turn: Turn) -> Line | None:
        """The contact's own number while it can be called from, whether free or not; else the next."""
        if one.caller is not None and one.caller in turn.batch.numbers:
            own = self.lines.get(one.caller)
            if own is None or own.keeps_its_contacts:
                return own
        return next_line(turn.batch, self.lines, turn.cursor)

    def _take(self, one: Candidate, turn: Turn, line: Line) -> None:
        if line.phone_id != one.caller:
            turn.cursor = turn.batch.numbers[line.phone_id]
        place_at = line.take(self.now)
        self.taken.add(one.phone_number)
        in_hand, last, id_ = turn.key
        turn.key = (in_hand + 1, last, id_)
        pace = line.account.pace
        self.claim.calls.append(
            Claimed(
                attempt_id=bytes.fromhex(new_object_id()),
                request_uuid=uuid4(),
                workspace_id=self.tenant.id,
                batch_id=one.batch_id,
                call_id=one.id,
                session_id=turn.batch.session_id,
                phone_id=line.phone_id,
                from_number=line.number,
                to_number=one.phone_number,
                carrier=line.carrier,
                account_id=line.account.id,
                credentials=line.account.credentials,
                detection=line.detection,
                records=line.records,
                place_at=place_at,
                pace=(pace.digest, pace.interval) if pace else None,
                cursor=turn.cursor,
                is_sandbox=self.tenant.is_sandbox,
            )
        )

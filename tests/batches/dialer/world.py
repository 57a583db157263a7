"""A world in which the dialer's steps run by a clock of the test's own, and a judge who remembers.

Batches, contacts, limits, hours, faults and people's interventions are drawn from a seed. The judge
keeps books of its own and looks at nothing that the dialer computes: see `judge.py`.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from batches.dialer.claim import Claim, claim_calls, next_due
from batches.dialer.gate import not_dialed, pass_gate
from batches.dialer.looks import Later, Look, postpone, take_due_looks, when_unsure
from batches.dialer.placing import Result
from batches.dialer.records import record_results
from batches.dialer.store import Claimed
from batches.dialer.timing import Timing
from batches.models import Call, CallBatch, CallStatus, DoNotCallEntry, Lease
from batches.services.batches import update_batch
from batches.services.dialing import Start, cancel_calls, retry_calls, start_batch, stop_batch
from batches.services.kill_switches import Target, engage, release
from batches.services.returns import close_if_idle, skip_listed
from batches.services.sessions import obstacle_of
from calling.carriers.base import CallProgress, CallReport
from calling.models import CarrierAccount, PhoneNumber
from tests.batches.dialer.judge import Judge
from tests.batches.dialer.settlers import Settled, settle, window
from workspaces.callers import Actor
from workspaces.services.dialing import wake

LEASE = timedelta(seconds=20)
PATIENCE = timedelta(seconds=60)
ZONES = [
    *("America/New_York", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"),
    *("America/St_Johns", "Africa/Casablanca", "Pacific/Kiritimati", "America/Santiago", "UTC"),
]
# Clocks change somewhere in the hours after these, or the calendar has something to trip over.
INSTANTS = [
    *(datetime(2026, 3, 8, 5, tzinfo=UTC), datetime(2026, 11, 1, 3, tzinfo=UTC)),
    *(datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC)),
    *(datetime(2026, 4, 4, 12, tzinfo=UTC), datetime(2028, 2, 28, 20, tzinfo=UTC)),
    *(datetime(2026, 12, 31, 9, tzinfo=UTC), datetime(2026, 6, 17, 10, tzinfo=UTC)),
]
OUTCOMES = [
    *(CallProgress.COMPLETED, CallProgress.COMPLETED, CallProgress.BUSY),
    *(CallProgress.NO_ANSWER, CallProgress.FAILED, CallProgress.CANCELED),
]
TIMING = Timing(
    lease=LEASE, patience=PATIENCE, place_within=10, look_up_after=[0, 5, 15, 30], stop_within=1
)


@dataclass(slots=True)
class Flight:
    """An attempt that was claimed, and what its carrier makes of it once it rings."""

    claimed: Claimed
    outcome: CallProgress
    permanent: bool
    reaches_carrier: bool
    reports: bool  # else only a look-up tells
    is_lost: bool  # not even that
    sent: bool = False
    ends_at: datetime | None = None

    def report(self, now: datetime) -> CallReport:
        assert self.ends_at is not None
        if now < self.ends_at:
            return CallReport(progress=CallProgress.RINGING, at=now, carrier_call_id="c")
        answered = self.ends_at if self.outcome is CallProgress.COMPLETED else None
        return CallReport(
            progress=self.outcome,
            at=self.ends_at,
            permanent=self.permanent,
            answered_at=answered,
            carrier_call_id="c",
        )


class World:
    def __init__(self, seed: int, *, is_busy: bool) -> None:
        self.rng = random.Random(seed)  # noqa: S311 (to be repeatable)
        self.most = 200 if is_busy else 40  # calls in a claim
        self.now = self.rng.choice(INSTANTS) + timedelta(seconds=self.rng.uniform(0, 86_400))
        self.settled: list[Settled] = [
            settle(self.rng, ZONES, self.now, is_busy=is_busy)
            for _ in range(self.rng.choice([1, 1, 2]))
        ]
        self.judge = Judge()
        self.flights: dict[bytes, Flight] = {}
        for one in self.settled:
            for batch in one.batches:
                self._start(one, batch)

    # --- Steps ------------------------------------------------------------------------------------

    def run(self, steps: int) -> None:
        """So many events, people's interventions among them."""
        actions = [self._claim, self._gate, self._report, self._look, self._intervene, self._crash]
        for _ in range(steps):
            [action] = self.rng.choices(actions, weights=[8, 8, 8, 4, 2, 1])
            action()
            self._advance()

    def run_out(self, most: int) -> None:
        """Nobody intervenes any more: everything comes to an end."""
        for one in self.settled:
            for target in self._switches(one):
                release(target=target, actor=Actor(), now=self.now, resume=True)
            for batch in CallBatch.objects.filter(workspace_id=one.workspace.id):
                self._start(one, batch)
        stride = timedelta(seconds=1)
        for _ in range(most):
            self._claim()
            self._gate()
            self._report()
            self._look()
            if not self.flights and next_due() is None:
                return
            if self.flights:
                stride, began = timedelta(seconds=1), self.now
                self._jump()
                self.now = max(self.now, began + stride)
            else:  # past the looks of every minute, but never past a window
                stride = min(stride * 2, timedelta(hours=1))
                self.now += stride
        left = list(Call.objects.filter(batch__status="active").values("status", "attempts_made"))
        raise AssertionError(f"not at an end: {left[:20]}, {len(self.flights)} in flight")

    def _advance(self) -> None:
        if self.rng.random() < 0.7:
            self.now += timedelta(seconds=self.rng.choice([0, 0.1, 1, 5, 30, 120]))
        elif self.rng.random() < 0.8:
            self._jump()
        else:
            self.now += timedelta(hours=self.rng.uniform(0, 30))

    def _jump(self) -> None:
        """To the next moment at which something is due."""
        moments = [flight.claimed.place_at for flight in self.flights.values() if not flight.sent]
        moments += [flight.ends_at for flight in self.flights.values() if flight.ends_at]
        moments += Lease.objects.values_list("look_at", flat=True)
        if (due := next_due()) is not None:
            moments.append(due)
        later = [moment for moment in moments if moment > self.now]
        self.now = min(later) if later else self.now + timedelta(minutes=1)

    def _claim(self) -> None:
        claim = claim_calls(now=self.now, most=self.rng.randint(1, self.most), lease=LEASE)
        if claim is None:
            return
        self._settle_claim(claim)
        for claimed in claim.calls:
            outcome = self.rng.choice(OUTCOMES)
            self.flights[claimed.attempt_id] = Flight(
                claimed=claimed,
                outcome=outcome,
                permanent=outcome is CallProgress.FAILED and self.rng.random() < 0.3,
                reaches_carrier=self.rng.random() < 0.95,
                reports=self.rng.random() < 0.8,
                is_lost=self.rng.random() < 0.03,
            )
        self.judge.claimed(claim.calls, self.now)

    def _settle_claim(self, claim: Claim) -> None:
        for batch_id, ids in claim.listed.items():
            skip_listed(batch_id=batch_id.hex(), call_ids=[id_.hex() for id_ in ids], now=self.now)
        for batch_id in [*claim.without_number, *claim.idle]:
            close_if_idle(batch_id=batch_id.hex(), now=self.now)

    def _gate(self) -> None:
        ready = [
            flight
            for flight in self.flights.values()
            if not flight.sent and flight.claimed.place_at <= self.now
        ]
        if not ready:
            return
        ids = [flight.claimed.attempt_id for flight in ready]
        passed = pass_gate(ids, now=self.now)
        for batch_id, refused in passed.refused.items():
            self._record([Result(id_, batch_id, why) for id_, why in refused.items()])
        for flight in ready:
            flight.sent = flight.claimed.attempt_id in passed.sent
            if not flight.sent:
                self.flights.pop(flight.claimed.attempt_id, None)
        self._ring([flight for flight in ready if flight.sent])

    def _ring(self, flights: list[Flight]) -> None:
        ringing = [flight for flight in flights if flight.reaches_carrier]
        self.judge.rings([flight.claimed for flight in ringing], self.now)
        for flight in ringing:
            flight.ends_at = self.now + timedelta(seconds=self.rng.uniform(1, 300))
        unsure = [one for one in flights if one.is_lost or not one.reaches_carrier]
        self._record([Result.of(flight.claimed, None) for flight in unsure])

    def _report(self) -> None:
        over = [
            flight
            for flight in self.flights.values()
            if flight.reports and not flight.is_lost and flight.ends_at and self.rng.random() < 0.8
        ]
        self.rng.shuffle(over)
        self._record([Result.of(flight.claimed, flight.report(self.now)) for flight in over])

    def _look(self) -> None:
        looks = take_due_looks(now=self.now, most=100, lease=LEASE)
        found = [(look.attempt_id, self._look_after(look)) for look in looks]
        later = {id_: then for id_, then in found if isinstance(then, Later)}
        if later:
            postpone(later)
        self._record([then for _, then in found if isinstance(then, Result)])

    def _look_after(self, look: Look) -> Result | Later:
        ids = look.attempt_id.hex(), look.batch_id.hex()
        flight = self.flights.get(look.attempt_id)
        if look.sent_at is None:
            return Result(*ids, not_dialed("dialer_lost"))
        assert flight is not None
        if flight.ends_at and not flight.is_lost:
            if look.is_cancel_requested and self.now < flight.ends_at:  # it is hung up
                flight.ends_at, flight.outcome = self.now, CallProgress.CANCELED
            return Result(*ids, flight.report(self.now))
        then = when_unsure(
            look,
            is_unplaced=not flight.is_lost,
            delays=TIMING.look_up_after,
            now=self.now,
        )
        return then if isinstance(then, Later) else Result(*ids, then)

    def _record(self, results: list[Result]) -> None:
        if not results:
            return
        assert record_results(results, TIMING, now=self.now) == []
        gone = {bytes.fromhex(one.attempt_id) for one in results}
        kept = {bytes.fromhex(id_) for id_ in Lease.objects.values_list("id", flat=True)}
        for id_ in gone - kept:
            flight = self.flights.pop(id_, None)
            hung_up_at = flight.ends_at if flight and flight.ends_at else self.now
            self.judge.ended(id_, min(hung_up_at, self.now))

    def _crash(self) -> None:
        """A dialer dies with what it had claimed and not sent; and one comes back too late."""
        self.flights = {
            id_: flight
            for id_, flight in self.flights.items()
            if flight.sent or self.rng.random() < 0.5
        }

    # --- People -----------------------------------------------------------------------------------

    def _intervene(self) -> None:
        """Preferably with what has been claimed and not placed yet: there it is hardest to obey."""
        one = self.rng.choice(self.settled)
        unsent = [flight.claimed for flight in self.flights.values() if not flight.sent]
        unsent = [two for two in unsent if two.workspace_id.hex() == one.workspace.id]
        target = self.rng.choice(unsent) if unsent else None
        batch_id = target.batch_id.hex() if target else self.rng.choice(one.batches).id
        batch = CallBatch.objects.get(id=batch_id)
        number = target.to_number if target else self.rng.choice(one.contacts)
        action = self.rng.choice(
            [
                *("stop", *["start"] * 3, "list", "list", "hours", "toggle", "retry", "cancel"),
                *["switch"] * 3,
            ]
        )
        if action == "list":
            self._list(one, number)
        else:
            getattr(self, f"_{action}")(one, batch)

    def _start(self, one: Settled, batch: CallBatch) -> None:
        unfinished = [CallStatus.PENDING, CallStatus.IN_PROGRESS]
        if obstacle_of(batch) is None and batch.calls.filter(status__in=unfinished).exists():
            start_batch(
                workspace_id=one.workspace.id,
                batch=batch,
                start=Start(user_id=one.user.id),
                actor=Actor(user_id=one.user.id),
                now=self.now,
            )

    def _stop(self, one: Settled, batch: CallBatch) -> None:
        stop_batch(workspace_id=one.workspace.id, batch_id=batch.id, actor=Actor(), now=self.now)

    def _list(self, one: Settled, number: str) -> None:
        entries = DoNotCallEntry.objects.for_workspace(one.workspace.id)
        if not entries.filter(phone_number=number, deleted_at=None).exists():
            entries.create(workspace=one.workspace, phone_number=number, created_at=self.now)

    def _hours(self, one: Settled, batch: CallBatch) -> None:
        all_day = {"calling_hour_start": 0, "calling_hour_end": 1440, "allowed_days": [*range(7)]}
        update_batch(
            workspace_id=one.workspace.id,
            batch_id=batch.id,
            changes=window(self.rng) if self.rng.random() < 0.4 else all_day,
            phone_ids=None,
            actor=Actor(),
            now=self.now,
        )

    def _toggle(self, one: Settled, batch: CallBatch) -> None:
        phone = self.rng.choice(one.phones)
        PhoneNumber.objects.filter(id=phone.id).update(is_active=self.rng.random() < 0.85)
        wake(one.workspace.id, self.now)

    def _switch(self, one: Settled, batch: CallBatch) -> None:
        """Between a claim and the gate, preferably of what was claimed."""
        self._claim()
        targets = self._switches(one)
        callers = {flight.claimed.phone_id.hex() for flight in self.flights.values()}
        target = self.rng.choice([each for each in targets if each.id in callers] * 2 + targets)
        target.refresh_from_db()
        if target.is_killed:
            resume = self.rng.random() < 0.7
            release(target=target, actor=Actor(), now=self.now, resume=resume)
        else:
            engage(target=target, reason="Complaints.", actor=Actor(), now=self.now)
        self._gate()

    def _switches(self, one: Settled) -> list[Target]:
        accounts = CarrierAccount.objects.for_workspace(one.workspace.id)
        return [one.workspace, *one.phones, *accounts]

    def _retry(self, one: Settled, batch: CallBatch) -> None:
        retryable = [CallStatus.FAILED, CallStatus.UNKNOWN]
        calls = list(batch.calls.filter(status__in=retryable, updated_at__lte=self.now))
        retry_calls(
            workspace_id=one.workspace.id,
            batch_id=batch.id,
            statuses=retryable,
            actor=Actor(),
            now=self.now,
        )
        self.judge.new_round([bytes.fromhex(call.id) for call in calls])

    def _cancel(self, one: Settled, batch: CallBatch) -> None:
        calls = batch.calls.filter(status__in=[CallStatus.PENDING, CallStatus.IN_PROGRESS])
        ids = list(calls.values_list("id", flat=True)[:2])
        cancel_calls(
            workspace_id=one.workspace.id,
            batch_id=batch.id,
            call_ids=ids,
            actor=Actor(),
            now=self.now,
        )

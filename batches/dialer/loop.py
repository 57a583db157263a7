"""The dialer's process: claim → gate → place → record, and looking after what got lost on the way.

One asyncio loop talks to the carriers; four threads, each with a connection, talk to the database.
Nothing that is only known here is needed by others: a process may die at any point, and what it had in
hand is found by its leases.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import structlog
from django.utils import timezone

from batches.dialer import steps
from batches.dialer.claim import Claim
from batches.dialer.database import Backoff, listen
from batches.dialer.gate import not_dialed
from batches.dialer.looking import look_after
from batches.dialer.looks import Later, postpone
from batches.dialer.placing import Placer, Result
from batches.dialer.store import Claimed
from batches.dialer.timing import Timing
from calling.carriers.http import open_connections
from workspaces.database_thread import DatabaseThread
from workspaces.sql import AWAY

CLAIM_SIZE = 200  # calls in one claim
CAPACITY = 600  # calls claimed and not recorded yet
AT_A_TIME = 300  # calls at the gate, or results recorded, in one go
LOOK_EVERY = 1.0  # seconds between looks for leases that have run out
ROOM_AGAIN = 1.0  # seconds between looks for room, if no result makes some
LOCK_TIMEOUT = "2s"
TO_RECORD = 1.0  # of the time to stop, seconds that are kept for recording
TO_CLOSE = 0.2  # seconds for each connection

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Dialer:
    """Dials until told to stop, then finishes what it has in hand."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._placer = Placer(timing, self._look_at_switches)
        names = ("claim", "gate", "record", "look")
        self._threads = {name: DatabaseThread(name, lock_timeout=LOCK_TIMEOUT) for name in names}
        self._is_stopping = False
        self._may_be_due, self._look_now = asyncio.Event(), asyncio.Event()
        self._at_gate: asyncio.Queue[Claimed | None] = asyncio.Queue()
        self._results: asyncio.Queue[Result | None] = asyncio.Queue()
        self._placing: set[asyncio.Task[None]] = set()
        self._waiting: dict[bytes, tuple[asyncio.TimerHandle, Claimed]] = {}
        self._in_hand: set[str] = set()

    async def run(self, stop: asyncio.Event) -> bool:
        """Until `stop` is set; then at most `stop_within` seconds.

        False: the database did not answer in that time, and threads still wait for it.
        """
        async with open_connections():
            return await self._run(stop)

    async def _run(self, stop: asyncio.Event) -> bool:
        listening = asyncio.create_task(listen(self._wake))
        recording = asyncio.create_task(self._record())
        gate = asyncio.create_task(self._pass_gate())
        seekers = [asyncio.create_task(step) for step in (self._claim(), self._look())]
        stopping = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait(
                [stopping, listening, recording, gate, *seekers],
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done - {stopping}:
                task.result()  # no step ends before the stop but by a fault of ours
        finally:
            stopping.cancel()
            listening.cancel()
            await self._finish(seekers, gate, recording)
        return all(thread.close(TO_CLOSE) for thread in self._threads.values())

    def _wake(self) -> None:
        self._may_be_due.set()
        self._look_now.set()

    # --- Claim ------------------------------------------------------------------------------------

    async def _claim(self) -> None:
        while not self._is_stopping:
            room = CAPACITY - len(self._in_hand)
            if room <= 0:
                await _wait(self._may_be_due, ROOM_AGAIN)
                continue
            found = await self._persist(
                "claim", steps.look_for_work, self._timing, min(room, CLAIM_SIZE)
            )
            if isinstance(found, Claim):
                self._take(found.calls)
            else:
                await _wait(self._may_be_due, found)

    def _take(self, calls: Sequence[Claimed]) -> None:
        loop, now = asyncio.get_running_loop(), timezone.now()
        for call in calls:
            self._in_hand.add(call.attempt_id.hex())
            delay = (call.place_at - now).total_seconds()
            if delay <= 0:
                self._at_gate.put_nowait(call)
            else:
                handle = loop.call_later(delay, self._its_time, call)
                self._waiting[call.attempt_id] = handle, call

    def _its_time(self, call: Claimed) -> None:
        del self._waiting[call.attempt_id]
        self._at_gate.put_nowait(call)

    # --- Gate and place ---------------------------------------------------------------------------

    async def _pass_gate(self) -> None:
        """Until it is given None."""
        is_last = False
        while not is_last:
            given = await _some_of(self._at_gate)
            is_last = None in given
            calls = {call.attempt_id: call for call in given if call is not None}
            if self._is_stopping:
                self._put_back(calls.values())
            elif calls:
                await self._let_pass(calls)

    async def _let_pass(self, calls: dict[bytes, Claimed]) -> None:
        passed = await self._persist("gate", steps.look_again, list(calls))
        for batch_id, refused in passed.refused.items():
            for attempt_id, refusal in refused.items():
                self._results.put_nowait(Result(attempt_id, batch_id, refusal))
                del calls[bytes.fromhex(attempt_id)]
        for call in calls.values():
            if call.attempt_id in passed.sent:
                task = asyncio.create_task(self._place(call, passed.looked_at))
                self._placing.add(task)
                task.add_done_callback(self._placing.discard)
            else:  # its lease has run out: it is somebody else's
                self._in_hand.discard(call.attempt_id.hex())

    async def _look_at_switches(self, attempt_id: bytes) -> datetime | None:
        return await self._persist("gate", steps.look_at_switches, attempt_id)

    async def _place(self, call: Claimed, looked_at: datetime) -> None:
        result = await self._placer.place(call, looked_at)
        if result is None:
            self._in_hand.discard(call.attempt_id.hex())
        else:
            self._results.put_nowait(result)

    # --- Record -----------------------------------------------------------------------------------

    async def _record(self) -> None:
        """Until it is given None, and everything before that is recorded."""
        left: list[Result] = []
        is_last = False
        while left or not is_last:
            new = [] if left and self._results.empty() else await _some_of(self._results)
            is_last = is_last or None in new
            results = left + [one for one in new if one is not None]
            if not results:
                continue
            left = await self._persist("record", steps.record, results, self._timing)
            self._in_hand -= {one.attempt_id for one in results}
            self._in_hand |= {one.attempt_id for one in left}
            self._may_be_due.set()
            if any(one.outcome is None for one in results):
                self._look_now.set()

    # --- Look after -------------------------------------------------------------------------------

    async def _look(self) -> None:
        while not self._is_stopping:
            looks = await self._persist("look", steps.take_looks, self._timing)
            found = await asyncio.gather(*(look_after(look, self._timing) for look in looks))
            later = {}
            for look, then in zip(looks, found, strict=True):
                if isinstance(then, Later):
                    later[look.attempt_id] = then
                else:
                    self._results.put_nowait(then)
            if later:
                await self._persist("look", postpone, later)
            if len(looks) < steps.LOOKS_AT_A_TIME:
                await _wait(self._look_now, LOOK_EVERY)

    # --- Stop -------------------------------------------------------------------------------------

    async def _finish(
        self,
        seekers: list[asyncio.Task[None]],
        gate: asyncio.Task[None],
        recording: asyncio.Task[None],
    ) -> None:
        """Put back what is not at a carrier yet, wait for what is, record it all."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timing.stop_within
        self._is_stopping = True
        self._wake()
        await _end(seekers, deadline - TO_RECORD - loop.time())
        for handle, _ in self._waiting.values():
            handle.cancel()
        self._put_back(call for _, call in self._waiting.values())
        self._at_gate.put_nowait(None)
        await _end([gate], deadline - TO_RECORD - loop.time())
        await _end(self._placing, deadline - TO_RECORD - loop.time())
        self._results.put_nowait(None)
        await _end([recording], max(TO_RECORD, deadline - loop.time()))
        log.info("dialer.stopped", unrecorded=len(self._in_hand))

    def _put_back(self, calls: Any) -> None:
        for call in calls:
            self._results.put_nowait(Result.of(call, not_dialed("dialer_stopping")))

    async def _persist(self, thread: str, work: Callable[..., T], *arguments: Any) -> T:
        """Do it in this thread; while the database is away, again and again."""
        backoff = Backoff()
        while True:
            try:
                return await self._threads[thread].run(work, *arguments)
            except AWAY as error:
                log.warning("dialer.database_away", step=thread, error=type(error).__name__)
                await backoff.pause()


async def _end(tasks: Any, seconds: float) -> None:
    """Wait for tasks to end by themselves, for so long; then cancel them, and wait for that."""
    left = list(tasks)
    if left:
        _, left = await asyncio.wait(left, timeout=max(0.0, seconds))  # type: ignore[assignment]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Until the event, or so long."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
    event.clear()


async def _some_of(queue: asyncio.Queue[T]) -> list[T]:
    """At least one; of those that are there, not too many at a time."""
    found = [await queue.get()]
    while len(found) < AT_A_TIME and not queue.empty():
        found.append(queue.get_nowait())
    return found

"""The simulator's own callbacks: posted from the ledger by any number of processes."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

import httpx
import structlog
from django.db import Error as DatabaseError
from django.utils import timezone

from calling.carriers.base import CallReport
from calling.carriers.simulator import ledger, wire
from calling.carriers.simulator.adapter import Simulator
from calling.carriers.simulator.ledger import Delivery
from calling.models import SimulatedCall

CLAIMED_AT_ONCE = 50
POSTED_AT_ONCE = 8  # httpx takes twice as long for each request over 20 connections
TIMEOUT = 5.0  # seconds for each callback
# After which another sender takes over: long enough for all that are claimed to run into the time-out.
LEASE = timedelta(seconds=60)
LONGEST_SLEEP = 0.5  # seconds: other processes' calls are found by looking
SHORTEST_SLEEP = 0.01  # seconds: calls that come fast are looked after together

logger = structlog.get_logger(__name__)


class CallbackSender:
    """Posts the callbacks that are due, each at least once, those of one call one after the other."""

    def __init__(self, simulator: Simulator, *, lease: timedelta = LEASE) -> None:
        self._simulator = simulator
        self._lease = lease
        self._woken = asyncio.Event()
        self._may_post = asyncio.Semaphore(POSTED_AT_ONCE)
        self._sending: set[asyncio.Task[Delivery]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set, then wait for what is being sent, at most `TIMEOUT`."""
        self._simulator.when_changed = self._woken.set
        stopping = asyncio.create_task(self._wake_when(stop))
        try:
            # Straight to our own server: no proxy of the environment lies between.
            async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as client:
                while not stop.is_set():
                    await self._sleep(until=await self._turn(client))
                await self._finish()
        finally:
            for task in (stopping, *self._sending):
                task.cancel()

    async def _turn(self, client: httpx.AsyncClient) -> datetime | None:
        """Record what has been sent, begin with what is due. Returns when the next one is."""
        done = {task for task in self._sending if task.done()}
        self._sending -= done
        free = CLAIMED_AT_ONCE - len(self._sending)
        try:
            calls, next_due = await self._simulator.database.run(
                _turn, [task.result() for task in done], free, self._lease, timezone.now()
            )
        except DatabaseError as error:
            logger.warning("simulator_ledger_unreachable", error=type(error).__name__)
            self._sending |= done  # recorded the next time
            return None
        for call in calls:
            task = asyncio.create_task(self._send(client, call))
            task.add_done_callback(lambda _: self._woken.set())
            self._sending.add(task)
        return next_due if len(self._sending) < CLAIMED_AT_ONCE else None

    async def _send(self, client: httpx.AsyncClient, call: SimulatedCall) -> Delivery:
        report = ledger.next_callback(call)
        is_delivered = True
        if report:
            async with self._may_post:
                is_delivered = await _post(client, call, report)
        return Delivery(call_id=call.id, number=call.callbacks_sent, is_delivered=is_delivered)

    async def _sleep(self, *, until: datetime | None) -> None:
        await asyncio.sleep(SHORTEST_SLEEP)
        seconds = (until - timezone.now()).total_seconds() if until else LONGEST_SLEEP
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, LONGEST_SLEEP)):
                await self._woken.wait()
        self._woken.clear()

    async def _finish(self) -> None:
        if self._sending:
            await asyncio.wait(self._sending, timeout=TIMEOUT)
        deliveries = [task.result() for task in self._sending if task.done()]
        with suppress(DatabaseError):
            await self._simulator.database.run(
                ledger.record_deliveries, deliveries, now=timezone.now()
            )

    async def _wake_when(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._woken.set()


def _turn(
    deliveries: list[Delivery], limit: int, lease: timedelta, now: datetime
) -> tuple[list[SimulatedCall], datetime | None]:
    """One trip to the database thread."""
    ledger.record_deliveries(deliveries, now=now)
    calls = ledger.claim_callbacks(limit=limit, lease=lease, now=now) if limit else []
    return calls, ledger.when_next_is_due()


async def _post(client: httpx.AsyncClient, call: SimulatedCall, report: CallReport) -> bool:
    body = wire.encode(report)
    headers = wire.signed_headers(call.callback_url, body, now=timezone.now())
    headers["Content-Type"] = "application/json"
    try:
        response = await client.post(call.callback_url, content=body, headers=headers)
    except Exception as error:  # whatever is wrong with one address, the others are served
        logger.info("simulator_callback_failed", error=type(error).__name__)
        return False
    return response.is_success

"""Publishes events and sends webhooks for as long as its worker lives: one pump a process.

A job for each delivery would be far too slow. The queue is the table of deliveries, so pumps of other
processes may run at the same time, and one that is killed loses nothing.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import httpcore
import structlog
from django.db import DatabaseError
from django.utils import timezone

from workspaces.database_thread import DatabaseThread
from workspaces.services.feed import publish_all
from workspaces.sql import AWAY
from workspaces.webhooks.addresses import AddressRefused, Resolver, resolve_host
from workspaces.webhooks.queue import Claimed, Tell, claim, record, release
from workspaces.webhooks.sending import IDLE_SECONDS, Answer, Receiver

AT_A_TIME = 100  # requests
LOOK_EVERY, PUBLISH_EVERY = 1.0, 0.5  # seconds, while there is nothing to do
GATHER = 0.01  # seconds to wait for other answers, to record them in one go
STOP_CHECK_EVERY = 0.1  # seconds
STOP_WITHIN = 0.7  # seconds for answers that are on their way when it is asked to stop
LOCK_TIMEOUT = "2s"

log = structlog.get_logger(__name__)

_running = threading.Lock()
Results = list[tuple[Claimed, Answer]]


def run_pump(*, seconds: float, stopping: Callable[[], bool], tell: Tell) -> bool:
    """Run for so long, or until `stopping`. False, at once: this process has a pump already."""
    if not _running.acquire(blocking=False):
        return False
    try:
        end = monotonic() + seconds
        asyncio.run(Pump(lambda: stopping() or monotonic() > end, tell).run())
    finally:
        _running.release()
    return True


class Pump:
    """`is_over` is asked all the time; `tell` as of `record`."""

    def __init__(
        self, is_over: Callable[[], bool], tell: Tell, resolve: Resolver = resolve_host
    ) -> None:
        self._is_over, self._tell, self._resolve = is_over, tell, resolve
        self._sending: dict[asyncio.Task[None], Claimed] = {}
        self._results: Results = []
        self._receivers: dict[tuple[str, str], Receiver] = {}
        self._wake = asyncio.Event()
        self._tls = httpcore.default_ssl_context()
        self._publisher = DatabaseThread("webhooks-publish", lock_timeout=LOCK_TIMEOUT)
        self._queue = DatabaseThread("webhooks-queue", lock_timeout=LOCK_TIMEOUT)

    async def run(self) -> None:
        publishing = asyncio.create_task(self._publish())
        try:
            while not self._is_over():
                await self._turn()
        finally:
            await self._finish()
            await asyncio.wait([publishing], timeout=STOP_WITHIN)
            for receiver in self._receivers.values():
                await receiver.close()
            for thread in (self._publisher, self._queue):
                thread.close(STOP_WITHIN)

    async def _publish(self) -> None:
        while not self._is_over():
            published = 0
            try:
                now = timezone.now()
                published = await self._publisher.run(publish_all, now=now, enough=self._is_over)
            except AWAY as error:
                log.warning("webhooks.database_away", error=type(error).__name__)
            except Exception:
                log.exception("webhooks.publish_failed")
            if published:
                self._wake.set()
            else:
                await self._pause(asyncio.Event(), PUBLISH_EVERY)

    async def _turn(self) -> None:
        """Record what has come back, send what is due, wait for something to come back."""
        claims: list[Claimed] = []
        self._wake.clear()
        results, self._results = self._results, []
        try:
            self._results += await self._queue.run(self._record, results)
            busy = Counter(claimed.endpoint_id for claimed in self._sending.values())
            if room := AT_A_TIME - len(self._sending):
                claims = await self._queue.run(claim, room=room, busy=busy, now=timezone.now())
        except AWAY as error:
            log.warning("webhooks.database_away", error=type(error).__name__)
            await self._pause(asyncio.Event(), LOOK_EVERY)
        except Exception:  # or each job would end as failed, one every 15 seconds
            log.exception("webhooks.turn_failed")
            await self._pause(asyncio.Event(), LOOK_EVERY)
        for claimed in claims:
            task = asyncio.create_task(self._send(claimed))
            self._sending[task] = claimed
            task.add_done_callback(self._sent)
        await self._close_idle_receivers()
        await self._pause(self._wake, LOOK_EVERY)
        if self._sending:
            await asyncio.sleep(GATHER)

    async def _send(self, claimed: Claimed) -> None:
        now = timezone.now()
        try:
            answer = await self._receiver(claimed).send(claimed.message, now=now)
        except AddressRefused as refused:
            answer = Answer(now, 0, error=f"{refused.message} ({refused.code})")
        except Exception:
            log.exception("webhooks.send_failed", delivery=claimed.id)
            answer = Answer(now, 0, error="It could not be sent.")
        self._results.append((claimed, answer))

    def _sent(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        self._wake.set()

    def _receiver(self, claimed: Claimed) -> Receiver:
        url = claimed.message.url
        key = (claimed.endpoint_id, url)
        if key not in self._receivers:
            self._receivers[key] = Receiver(url, self._tls, self._resolve)
        return self._receivers[key]

    def _record(self, results: Results) -> Results:
        """Returns what has to be tried again. What the others are not to wait for is tried alone."""
        if not results:
            return []
        with suppress(DatabaseError, *AWAY):
            record(results, now=timezone.now(), tell=self._tell)
            return []
        again: Results = []
        for endpoint_id in {claimed.endpoint_id for claimed, _ in results}:
            mine = [result for result in results if result[0].endpoint_id == endpoint_id]
            try:
                record(mine, now=timezone.now(), tell=self._tell)
            except AWAY as error:
                log.warning("webhooks.record_delayed", error=type(error).__name__)
                again += mine
            except DatabaseError:  # its lease runs out: it is sent once more
                log.exception("webhooks.record_failed", endpoint=endpoint_id)
        return again

    async def _finish(self) -> None:
        """Take the answers that come right now, give back the rest."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=STOP_WITHIN)
        unsent = dict(self._sending)
        for task in unsent:
            task.cancel()
        await asyncio.gather(*unsent, return_exceptions=True)
        with suppress(*AWAY):  # then the leases run out
            await self._queue.run(self._record, self._results)
            answered = {claimed.id for claimed, _ in self._results}
            left = [claimed for claimed in unsent.values() if claimed.id not in answered]
            if left:
                await self._queue.run(release, left, now=timezone.now())

    async def _close_idle_receivers(self) -> None:
        busy = {(c.endpoint_id, c.message.url) for c in self._sending.values()}
        idle_since = monotonic() - IDLE_SECONDS
        for key, receiver in list(self._receivers.items()):
            if key not in busy and receiver.used_at < idle_since:
                del self._receivers[key]
                await receiver.close()

    async def _pause(self, wake: asyncio.Event, seconds: float) -> None:
        """Until `wake` is set, the pump is over or so many seconds have gone by."""
        end = monotonic() + seconds
        while not self._is_over() and not wake.is_set() and monotonic() < end:
            with suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), STOP_CHECK_EVERY)

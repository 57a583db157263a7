"""The whole dialer in the process of a test, with a carrier that the test speaks for."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from django.utils import timezone

from batches.dialer.loop import Dialer
from batches.dialer.timing import Timing
from batches.models import Call, CallEvent, CallStatus, Lease
from calling.carriers import answers
from calling.carriers.base import (
    Callback,
    CallExtras,
    CallProgress,
    CallReport,
    CallRequest,
    Credentials,
)
from workspaces.database_thread import DatabaseThread

QUICK = Timing(
    lease=timedelta(seconds=4),
    patience=timedelta(seconds=5),
    place_within=0.5,
    look_up_after=[0, 0.1, 0.2],
    stop_within=4,
)
WITHIN = 15.0  # seconds: the machine may be busy
Answer = Callable[[CallRequest], Awaitable[CallReport]]


def completed() -> CallReport:
    now = timezone.now()
    return CallReport(progress=CallProgress.COMPLETED, at=now, answered_at=now)


async def answer(_: CallRequest) -> CallReport:
    return completed()


class StubCarrier:
    """Notes whom it rings and when, and answers as it is told to."""

    def __init__(self) -> None:
        self.rings: list[tuple[float, str]] = []
        self.answer: Answer = answer
        self.finds: Callable[[], CallReport | None] = completed

    title, calls_per_second, asks_back = "Stub", 0, False

    async def verify_credentials(self, credentials: Credentials, number: str) -> Credentials:
        return credentials

    async def place(self, credentials: Credentials, request: CallRequest) -> CallReport:
        self.rings.append((time.monotonic(), request.to_number))
        return await self.answer(request)

    async def lookup(self, *_: Any) -> CallReport | None:
        return self.finds()

    async def hang_up(self, *_: Any) -> None: ...

    def check_signature(self, callback: Callback, credentials: Credentials) -> None: ...

    def parse_callback(self, callback: Callback) -> CallReport | CallExtras:
        raise ValueError("nobody calls back")

    def pressed_key(self, callback: Callback) -> str:
        return ""

    def render(self, answer: answers.Answer) -> str:
        return ""


class Eyes:
    """What the test sees of the database from inside the loop."""

    def __init__(self) -> None:
        self.thread = DatabaseThread("test")

    async def until(self, is_so: Callable[[], bool], within: float = WITHIN) -> None:
        give_up = time.monotonic() + within
        while not await self.thread.run(is_so):
            assert time.monotonic() < give_up, await self.thread.run(_story)
            await asyncio.sleep(0.02)


def _story() -> str:
    calls = list(Call.objects.values_list("phone_number", "status"))
    events = list(CallEvent.objects.values_list("to_status", "reason", "detail"))
    return f"it never came about: {calls} {list(Lease.objects.values())} {events}"


@asynccontextmanager
async def dialing(timing: Timing = QUICK) -> AsyncIterator[Eyes]:
    """A dialer at work; after the block it has stopped."""
    stop, eyes = asyncio.Event(), Eyes()
    running = asyncio.create_task(Dialer(timing).run(stop))
    try:
        yield eyes
    finally:
        stop.set()
        await running
        await asyncio.to_thread(eyes.thread.close)


def statuses() -> list[str]:
    return sorted(Call.objects.values_list("status", flat=True))


def all_are(status: CallStatus) -> Callable[[], bool]:
    return lambda: set(statuses()) == {status.value} and not Lease.objects.exists()


def end_as(status: CallStatus, timing: Timing = QUICK) -> None:
    """Dial until all calls are like that."""

    async def scenario() -> None:
        async with dialing(timing) as eyes:
            await eyes.until(all_are(status))

    asyncio.run(scenario())

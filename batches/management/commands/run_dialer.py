"""The dialer: places the calls of all active batches. As many processes as wanted."""

import asyncio
import signal
from typing import Any

import structlog
from django.core.management.base import BaseCommand

from batches.dialer.loop import Dialer
from batches.dialer.timing import Timing
from calling.carriers.registry import CARRIERS
from calling.carriers.simulator import SIMULATOR, CallbackSender

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Place the calls of all active batches, until SIGTERM or SIGINT."

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(_run())


async def _run() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # The simulated carrier calls back from here: it has no process of its own.
    sending = asyncio.create_task(CallbackSender(SIMULATOR).run(stop))
    log.info("dialer.started", carriers=list(CARRIERS))
    try:
        await Dialer(Timing.from_settings()).run(stop)
    finally:
        stop.set()
        await sending
        SIMULATOR.close()

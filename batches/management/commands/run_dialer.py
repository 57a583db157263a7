"""The dialer: places the calls of all active batches. As many processes as wanted."""

import asyncio
import logging
import os
import signal
from typing import Any

import structlog
from django.core.management.base import BaseCommand

from batches.dialer.loop import TO_CLOSE, Dialer
from batches.dialer.timing import Timing
from calling.carriers.registry import CARRIERS
from calling.carriers.simulator import SIMULATOR, CallbackSender

TO_SEND = 1.0  # seconds for callbacks that are being sent; they are sent again otherwise

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Place the calls of all active batches, until SIGTERM or SIGINT."

    def handle(self, *args: Any, **options: Any) -> None:
        if not asyncio.run(_run()):
            # The interpreter would wait for threads that wait for the database, perhaps for ever.
            logging.shutdown()
            os._exit(0)


async def _run() -> bool:
    """False: something still waits for the database."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # The simulated carrier calls back from here: it has no process of its own.
    sending = asyncio.create_task(CallbackSender(SIMULATOR).run(stop))
    log.info("dialer.started", carriers=list(CARRIERS))
    try:
        is_closed = await Dialer(Timing.from_settings()).run(stop)
    finally:
        stop.set()
        await asyncio.wait([sending], timeout=TO_SEND)
    return SIMULATOR.close(TO_CLOSE) and is_closed

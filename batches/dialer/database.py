"""While the database is away, and when it has news."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import psycopg
import structlog
from django.db import connection

from workspaces.services.dialing import CHANNEL

FIRST_DELAY, LONGEST_DELAY = 0.2, 5.0  # seconds between tries while the database is away

log = structlog.get_logger(__name__)


class Backoff:
    """Pauses that grow while something keeps failing."""

    def __init__(self) -> None:
        self._delay = 0.0

    def reset(self) -> None:
        self._delay = 0.0

    async def pause(self) -> None:
        self._delay = min(LONGEST_DELAY, max(FIRST_DELAY, self._delay * 2))
        await asyncio.sleep(self._delay)


async def listen(wake: Callable[[], None]) -> None:
    """Call `wake` at each notification, and after each time that some may have been missed. For ever."""
    backoff = Backoff()
    while True:
        with contextlib.suppress(psycopg.OperationalError, OSError):
            async with await psycopg.AsyncConnection.connect(
                **_connection_parameters(), autocommit=True
            ) as listener:
                await listener.execute(f"LISTEN {CHANNEL}")
                wake()
                backoff.reset()
                async for _ in listener.notifies():
                    wake()
        log.warning("dialer.listener_lost")
        await backoff.pause()


def _connection_parameters() -> dict[str, Any]:
    """Django's, without what only its own connections understand."""
    given = connection.get_connection_params()
    return {
        name: value
        for name, value in given.items()
        if name not in {"cursor_factory", "context", "prepare_threshold"}
    }

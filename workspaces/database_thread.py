"""The way from an asyncio loop to the database."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import ParamSpec, TypeVar

from django.db import connection, connections
from psycopg.errors import LockNotAvailable

from workspaces.sql import AWAY

P = ParamSpec("P")
T = TypeVar("T")


class DatabaseThread:
    """A thread with a connection of its own, which is replaced after an error. It works in order.

    `lock_timeout`, as PostgreSQL writes it: how long a statement may wait for somebody else's lock.
    """

    def __init__(self, name: str, *, lock_timeout: str = "0") -> None:
        self._lock_timeout = lock_timeout
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Raises what the work raises. Once begun, it ends, even when the caller no longer waits."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: self._run(work, *args, **kwargs))

    def close(self, seconds: float | None = None) -> bool:
        """Close the connection, after what is waiting. The next use opens another one.

        False: that took longer than so many seconds; the thread is stuck in a statement, and so will be
        the interpreter's end, which waits for it.
        """
        closing = self._executor.submit(connections.close_all)
        return not wait([closing], timeout=seconds).not_done

    def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            if connection.connection is None:
                with connection.cursor() as cursor:
                    cursor.execute(f"SET lock_timeout = '{self._lock_timeout}'")
            return work(*args, **kwargs)
        except AWAY as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                connection.close()  # or every later use would find it broken
            raise

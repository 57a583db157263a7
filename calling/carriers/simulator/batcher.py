"""Writes that travel together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Writes items together that arrived while the ones before them were being written.

    So the number of statements follows the database's pace, not the callers'. One event loop at a time.
    """

    def __init__(
        self, write: Callable[[list[Item]], Awaitable[Sequence[Result]]], *, at_most: int
    ) -> None:
        self._write = write
        self._at_most = at_most
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> Result:
        """Returns what was written of this item. Cancelled while it waits, it is not written."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        return await future

    async def _write_all(self) -> None:
        while self._waiting:
            next_ones = [one for one in self._waiting[: self._at_most] if not one[1].done()]
            del self._waiting[: self._at_most]
            if next_ones:
                await self._write_together(next_ones)

    async def _write_together(self, waiting: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._write([item for item, _ in waiting])
        except Exception as error:
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(waiting, results, strict=True):
            if not future.done():
                future.set_result(result)

"""A receiver of webhooks on 127.0.0.1: keeps what it gets, answers what it is told to.

As a program (`python -m tests.workspaces.webhooks.receiver PORT FILE`) it appends the id of each webhook
to a file before it answers, so that it may be killed at any moment.
"""

import asyncio
import contextlib
import os
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Got:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """`seconds` to wait before it."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


class Receiver:
    def __init__(self, answer: Callable[[Got], Reply], tls: ssl.SSLContext | None = None) -> None:
        self.got: list[Got] = []
        self.connections = 0
        self.port = 0
        self._answer, self._tls = answer, tls

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def serve(self, port: int = 0) -> asyncio.Server:
        server = await asyncio.start_server(self._connected, "127.0.0.1", port, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        ends = (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError)
        with contextlib.suppress(*ends):
            while True:
                await self._answer_one(reader, writer)
        writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        got = Got(first.split()[1], headers, body)
        self.got.append(got)
        reply = self._answer(got)
        if reply.seconds:
            await asyncio.sleep(reply.seconds)
        given = {"content-length": str(len(reply.body)), **reply.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        writer.write(f"HTTP/1.1 {reply.status} Status\r\n{head}\r\n".encode() + reply.body)
        await writer.drain()


@contextmanager
def receiving(
    answer: Callable[[Got], Reply] = lambda got: Reply(), tls: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    """A receiver in a thread of its own, for as long as the block lasts."""
    receiver, started = Receiver(answer, tls), threading.Event()
    loop = asyncio.new_event_loop()

    def run() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(receiver.serve())
        started.set()
        loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(asyncio.sleep(0))  # their connections close in the next round
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(5)
    try:
        yield receiver
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def main(port: int, path: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def keep(got: Got) -> Reply:
        os.write(file, f"{got.headers['webhook-id']}\n".encode())
        return Reply()

    async def serve() -> None:
        await (await Receiver(keep).serve(port)).serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])

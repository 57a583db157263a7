"""A small load generator: keep-alive connections that send one request after the other.

In plain sockets because it shares the machine with what it measures: an HTTP client library would
cost more than the server.
"""

import selectors
import socket
import time
from dataclasses import dataclass, field
from typing import cast


@dataclass
class Load:
    """What a run measured. Latencies in seconds."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    failures: list[bytes] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        return percentile(self.latencies, share)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def run(port: int, request: bytes, *, expected: bytes, connections: int, seconds: float) -> Load:
    """Send `request` over and over for `seconds`; every answer must start with `expected`."""
    selector = selectors.DefaultSelector()
    sent: dict[socket.socket, float] = {}
    for _ in range(connections):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ)
        sent[connection] = time.perf_counter()
        connection.sendall(request)
    load = Load(seconds)
    end = time.perf_counter() + seconds
    while sent:
        for key, _ in selector.select():
            connection = cast(socket.socket, key.fileobj)
            answer = _answer(connection)
            now = time.perf_counter()
            load.latencies.append(now - sent[connection])
            if not answer.startswith(expected):
                load.failures.append(answer)
            if now >= end:
                selector.unregister(connection)
                connection.close()
                del sent[connection]
                continue
            sent[connection] = now
            connection.sendall(request)
    return load


def _answer(connection: socket.socket) -> bytes:
    """One answer with its whole body: the server says how long it is."""
    data = connection.recv(65536)
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _more(connection)
    lower = data[:end].lower()
    start = lower.index(b"content-length:") + len(b"content-length:")
    length = int(lower[start : start + 12].split(b"\r\n")[0])
    while len(data) < end + 4 + length:
        data += _more(connection)
    return data


def _more(connection: socket.socket) -> bytes:
    chunk = connection.recv(65536)
    if not chunk:
        raise ConnectionError("The server closed the connection in the middle of an answer.")
    return chunk

"""A small server that callbacks are posted to, for the simulator's tests."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from calling.carriers.base import Callback, CallReport, Credentials
from calling.carriers.simulator import Simulator


class Receiver:
    """What arrived, in order. `answer` gives the status of the number-th request (from 0)."""

    def __init__(self, port: int, answer: Callable[[int], int]) -> None:
        self.url = f"http://127.0.0.1:{port}/callbacks/token?a=1&call="
        self.answer = answer
        self.callbacks: list[Callback] = []
        self._lock = threading.Lock()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        url = self.url[: self.url.index("/callbacks")] + path
        with self._lock:
            number = len(self.callbacks)
            self.callbacks.append(Callback(url=url, headers=headers, body=body))
        return self.answer(number)

    def reports(self) -> list[tuple[UUID, CallReport]]:
        """Read as the endpoint does, signatures and all."""
        return [_read(one) for one in self.callbacks]

    def told(self, request_uuid: UUID) -> str:
        return " ".join(one.progress for uuid, one in self.reports() if uuid == request_uuid)


def _read(callback: Callback) -> tuple[UUID, CallReport]:
    simulator = Simulator()
    simulator.check_signature(callback, Credentials("", ""))
    report = simulator.parse_callback(callback)
    assert isinstance(report, CallReport)
    return UUID(parse_qs(urlsplit(callback.url).query)["call"][0]), report


@contextmanager
def receiving(answer: Callable[[int], int] = lambda number: 204) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(self.path, headers, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        receiver = Receiver(server.server_port, answer)
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def wait_in_request(seconds: float) -> Callable[[int], int]:
    """The first request is answered late."""

    def answer(number: int) -> int:
        time.sleep(0 if number else seconds)
        return 204

    return answer

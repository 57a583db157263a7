"""What WSGI leaves open about request bodies, closed before Django sees the request.

Three things: a charset that the client names, which Django would believe; a body without a length
(chunked transfer), which Django takes for an empty one; and a body that nobody read (a 413, a 401, an
unknown URL), on which the server would reset the connection before the client has read the answer.
"""

import re
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import IO, Any

_CHUNK = 1 << 16
_SPOOL = 1 << 20
LONGEST_DRAIN = 64 * (1 << 20)  # bytes read and thrown away after the answer is known
_DRAIN_SECONDS = 10.0

StartResponse = Callable[..., Any]
WSGIApplication = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class RequestBody:
    """A WSGI application around the real one."""

    def __init__(self, application: WSGIApplication) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        environ["CONTENT_TYPE"] = _without_charset(environ.get("CONTENT_TYPE", ""))
        source: IO[bytes] = environ["wsgi.input"]
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            environ["wsgi.input"], environ["CONTENT_LENGTH"] = _spool(source)
            response = self.application(environ, start_response)
            _drain(source, LONGEST_DRAIN)
            return response
        if not environ.get("CONTENT_LENGTH", "").strip("0"):
            return self.application(environ, start_response)
        body = _CountingReader(source)
        environ["wsgi.input"] = body
        response = self.application(environ, start_response)
        _drain(source, min(_declared_length(environ) - body.count, LONGEST_DRAIN))
        return response


class _CountingReader:
    """Knows how much of the body was read; Django asks for no more than this of a stream."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source = source
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        data = self.source.read(size)
        self.count += len(data)
        return data

    def readline(self, size: int = -1) -> bytes:
        line = self.source.readline(size)
        self.count += len(line)
        return line


def _without_charset(content_type: str) -> str:
    """The media type, and the boundary of a form: all text is UTF-8 here.

    Django would decode with whatever charset the client names, rot13 included, and the query string
    too, before any of our code runs.
    """
    media_type, semicolon, parameters = content_type.partition(";")
    boundary = _boundary.search(semicolon + parameters)
    return media_type.strip() + (boundary[0] if boundary else "")


_boundary = re.compile(r""";\s*boundary\s*=\s*("[^"]*"|[^;]*)""", re.IGNORECASE)


def _declared_length(environ: dict[str, Any]) -> int:
    try:
        return int(environ["CONTENT_LENGTH"])
    except ValueError:
        return 0


def _spool(source: IO[bytes]) -> tuple[IO[bytes], str]:
    """A chunked body with its length, on disk beyond a megabyte.

    It stops one chunk past the largest body that any endpoint takes: that is a 413 all the same.
    """
    spooled: IO[bytes] = tempfile.SpooledTemporaryFile(_SPOOL)  # noqa: SIM115 (read later)
    length = 0
    while length <= LONGEST_DRAIN and (chunk := source.read(_CHUNK)):
        spooled.write(chunk)
        length += len(chunk)
    spooled.seek(0)
    return spooled, str(length)


def _drain(source: IO[bytes], length: int) -> None:
    deadline = time.monotonic() + _DRAIN_SECONDS
    while length > 0 and time.monotonic() < deadline:
        chunk = source.read(min(_CHUNK, length))
        if not chunk:
            return
        length -= len(chunk)

"""Downloads that are written while they are read."""

import re
import threading
from collections.abc import Iterator
from unicodedata import normalize
from urllib.parse import quote

import structlog
from django.http import HttpRequest, StreamingHttpResponse
from rest_framework.exceptions import APIException
from rest_framework.request import Request

CSV, NDJSON = "text/csv", "application/x-ndjson"
# What a broken download ends with. Its status has long been sent, and the web server ends a stream
# that failed like any other: only the content can tell. An open quote is no CSV, and neither is JSON.
BROKEN_OFF = {
    CSV: b'"THIS FILE IS NOT COMPLETE: an error on our side broke the download off.\r\n',
    NDJSON: b'{"error": "This file is not complete: an error on our side broke the download off.\n',
}
# A client that reads slowly holds a thread of the web server, of which there are few.
MOST_AT_A_TIME = 1
_running: set[int] = set()  # the threads that write one

_LONGEST_NAME = 100  # characters
_no_file_name = re.compile(r'[/\\:*?"<>|\s]+')
_no_old_file_name = re.compile(r"[^A-Za-z0-9._-]+")

logger = structlog.get_logger(__name__)


class DownloadsBusy(APIException):
    """503 with Retry-After."""

    status_code = 503
    default_detail = "Another download is running. Try again in a moment."
    default_code = "downloads_busy"
    wait = 10  # seconds, for Retry-After


def download(
    request: Request | HttpRequest,
    chunks: Iterator[bytes],
    *,
    media_type: str,
    name: str,
    extension: str,
) -> StreamingHttpResponse:
    """A file called after `name`. An error on the way is logged, told in the file and raised.

    Raises DownloadsBusy. HEAD gets the headers alone.
    """
    is_head = request.method == "HEAD"
    return StreamingHttpResponse(
        iter(()) if is_head else _Download(_with_its_end(chunks, BROKEN_OFF[media_type])),
        content_type=f"{media_type}; charset=utf-8",
        headers={
            "Content-Disposition": content_disposition(name, extension),
            "Cache-Control": "no-store",
        },
    )


def content_disposition(name: str, extension: str) -> str:
    """The name in ASCII for everybody, and as it is (RFC 5987) for whoever knows how to read it."""
    printable = "".join(letter if letter.isprintable() else " " for letter in name)
    full = _no_file_name.sub("_", printable)[:_LONGEST_NAME].strip("._ ") or "download"
    plain = normalize("NFKD", full).encode("ascii", "ignore").decode()
    plain = _no_old_file_name.sub("_", plain).strip("._") or "download"
    return (
        f'attachment; filename="{plain}.{extension}"; '
        f"filename*=UTF-8''{quote(full, safe='')}.{extension}"
    )


def _with_its_end(chunks: Iterator[bytes], broken_off: bytes) -> Iterator[bytes]:
    try:
        yield from chunks
    except Exception as error:
        logger.error("download_broke_off", exc_info=error)
        yield broken_off
        raise


class _Download:
    """Chunks that count as running from the first one to their end, an error or `close`."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        # A thread serves one request after the other: what it has begun before has ended.
        self._thread = threading.get_ident()
        if len(_running - {self._thread}) >= MOST_AT_A_TIME:
            raise DownloadsBusy

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        _running.add(self._thread)
        try:
            return next(self._chunks)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """The web server calls it at the end of every response, also of one that nobody reads."""
        _running.discard(self._thread)

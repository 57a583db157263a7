"""HTTP to carriers: one place decides whether a request may have reached them.

A call request that was sent is never sent again, so everything hangs on that: what failed before the
first byte went out is a `CarrierError` that may be tried again, what failed after it `CarrierUnsure`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from weakref import WeakKeyDictionary

import httpx
from django.conf import settings
from django.utils import timezone
from django.utils.http import parse_http_date_safe

from calling.carriers.base import CarrierError, CarrierUnsure

CONNECT_WITHIN = 2.0  # seconds, to be certain about the outcome before the caller's time is over
ANSWER_WITHIN = 30.0  # seconds; whoever calls has less patience, and cancels
# httpx looks through all connections of a client for each request: with 100 of them it manages 50
# requests a second on one core, with 10 each in 20 clients it manages 500.
CLIENTS, CONNECTIONS_EACH = 20, 10
CONNECTIONS = CLIENTS * CONNECTIONS_EACH
LONGEST_ANSWER = 1_000_000  # bytes
# Codes of a `CarrierError` that are no fault of the account; the last two are none of the carrier.
TOO_MANY_REQUESTS, TOO_LATE, NO_CONNECTION_FREE = (
    "too_many_requests",
    "too_late",
    "no_connection_free",
)
OUR_OWN_FAULTS = {TOO_LATE, NO_CONNECTION_FREE}

# A client for each connection that is free. The last one used is taken first: it is still open.
Free = asyncio.LifoQueue[httpx.AsyncClient]
_free: "WeakKeyDictionary[asyncio.AbstractEventLoop, Free]" = WeakKeyDictionary()


@asynccontextmanager
async def open_connections() -> AsyncIterator[None]:
    """Keep connections open for the event loop's requests inside; outside, each has one of its own."""
    loop, free = asyncio.get_running_loop(), Free()
    async with AsyncExitStack() as clients:
        for _ in range(CLIENTS):
            client = await clients.enter_async_context(_client())
            for _ in range(CONNECTIONS_EACH):
                free.put_nowait(client)
        _free[loop] = free
        try:
            yield
        finally:
            del _free[loop]


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer. `body`: its JSON object; empty when it is none."""

    status: int
    body: Mapping[str, Any]
    retry_after: float | None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class CarrierApi:
    """A carrier's HTTP API. `CARRIER_API_URLS` may name another address than the published one."""

    def __init__(self, carrier: str, url: str) -> None:
        self._carrier, self._url = carrier, url

    async def send(
        self, method: str, path: str, *, not_after: datetime | None = None, **arguments: Any
    ) -> Response:
        """Send one request, once; `arguments` as httpx's. Not begun after `not_after`.

        Raises `CarrierError`, not permanent (nothing was sent), and `CarrierUnsure` (no answer).
        """
        base = settings.CARRIER_API_URLS.get(self._carrier, self._url).rstrip("/")
        try:
            async with _connection() as client:
                return await _send(client, method, base + path, not_after, arguments)
        except httpx.PoolTimeout as error:
            message = "The connections to carriers are busy."
            raise CarrierError(message, permanent=False, code=NO_CONNECTION_FREE) from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            message = f"The carrier cannot be reached ({type(error).__name__})."
            raise CarrierError(message, permanent=False, code="carrier_unreachable") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise CarrierUnsure(f"No answer of the carrier ({type(error).__name__}).") from error


def refusal_of(response: Response, message: str = "") -> CarrierError | CarrierUnsure | None:
    """What a status means with every carrier; None where the carrier's own codes have to tell."""
    said = f": {message}" if message else ""
    status = response.status
    if status == 401:
        return CarrierError(
            "The carrier refuses these credentials.",
            permanent=True,
            of_account=True,
            field="authToken",
            code="credentials_refused",
        )
    if status == 429:
        return CarrierError(
            f"The carrier asks for fewer requests{said}",
            permanent=False,
            retry_after=response.retry_after,
            code=TOO_MANY_REQUESTS,
        )
    if status >= 500:
        return CarrierUnsure(f"The carrier answered {status}{said}")
    return None


@asynccontextmanager
async def _connection() -> AsyncIterator[httpx.AsyncClient]:
    free = _free.get(asyncio.get_running_loop())
    if free is None:
        async with _client() as client:
            yield client
        return
    try:
        client = await asyncio.wait_for(free.get(), CONNECT_WITHIN)
    except TimeoutError as error:
        message = f"All {CONNECTIONS} connections to carriers are busy."
        raise CarrierError(message, permanent=False, code=NO_CONNECTION_FREE) from error
    try:
        yield client
    finally:
        free.put_nowait(client)


def _client() -> httpx.AsyncClient:
    # Proxies and certificates of the environment (HTTPS_PROXY, SSL_CERT_FILE) are the operator's.
    limits = httpx.Limits(
        max_connections=CONNECTIONS_EACH, max_keepalive_connections=CONNECTIONS_EACH
    )
    timeout = httpx.Timeout(ANSWER_WITHIN, connect=CONNECT_WITHIN, pool=CONNECT_WITHIN)
    # One customer's cookies must not go along with another's request.
    cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx.AsyncClient(
        limits=limits, timeout=timeout, cookies=cookies, follow_redirects=False
    )


async def _send(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    not_after: datetime | None,
    arguments: dict[str, Any],
) -> Response:
    async def look_at_the_clock(event: str, info: Any) -> None:
        is_beginning = event.endswith("send_request_headers.started")
        if not_after and is_beginning and timezone.now() >= not_after:
            raise CarrierError("It is too late for this call.", permanent=False, code=TOO_LATE)

    extensions = {"trace": look_at_the_clock}
    async with client.stream(method, url, extensions=extensions, **arguments) as response:
        read = bytearray()
        async for chunk in response.aiter_bytes():
            read += chunk
            if len(read) > LONGEST_ANSWER:
                raise CarrierUnsure("The carrier's answer has no end.")
        return Response(response.status_code, _object(bytes(read)), _seconds(response))


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(response: httpx.Response) -> float | None:
    """`Retry-After`: seconds, or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text[:6])
    moment = parse_http_date_safe(text) if text else None
    return None if moment is None else max(0.0, moment - timezone.now().timestamp())

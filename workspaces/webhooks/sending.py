"""A request to a receiver: signed as Standard Webhooks says, to the very address that was checked."""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import httpcore
from django.utils.http import parse_http_date_safe
from standardwebhooks import Webhook

from workspaces.webhooks.addresses import (
    RESOLVE_WITHIN,
    AddressRefused,
    Resolver,
    check_scheme,
    look_up,
    parse_url,
    resolve_host,
    usable_addresses,
)

ANSWER_WITHIN = 15.0  # seconds, for everything from the look-up of the name to the answer
CONNECT_WITHIN = 4.0  # seconds, for each address of a name
MOST_ADDRESSES = 3  # that are tried
IDLE_SECONDS = 5.0  # a connection is kept so long for the next request
LONGEST_READ = 8_000  # bytes
LONGEST_KEPT = 2_000  # characters
LONGEST_ERROR = 200  # characters


@dataclass(frozen=True, slots=True)
class Message:
    """An event on its way: what is sent, where, signed with which secrets."""

    event_id: str
    url: str
    body: bytes
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request. Without a `status_code`, `error` says in words why there is none."""

    started_at: datetime
    duration_ms: int
    status_code: int | None = None
    response: str = ""
    retry_after: timedelta | None = None
    error: str = ""

    @property
    def is_success(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300


def headers_of(message: Message, now: datetime) -> dict[str | bytes, str | bytes]:
    """`webhook-id` is the event's, so duplicates share it; one signature for each secret."""
    body = message.body.decode()
    signatures = [Webhook(secret).sign(message.event_id, now, body) for secret in message.secrets]
    return {
        "content-type": "application/json",
        "user-agent": "Outdial-Webhooks/1",
        "accept-encoding": "identity",
        "webhook-id": message.event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked, whatever their name says a moment later."""

    def __init__(self, scheme: str, resolve: Resolver) -> None:
        self._scheme, self._resolve = scheme, resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises `AddressRefused`, and what the last of the addresses says to a connection."""
        looking_up = asyncio.wrap_future(look_up(host, port, self._resolve))
        try:
            found = await asyncio.wait_for(looking_up, RESOLVE_WITHIN)
        except (OSError, ValueError, TimeoutError):
            found = []
        addresses = usable_addresses(found)
        check_scheme(self._scheme, addresses)
        *others, last = addresses[:MOST_ADDRESSES]
        for address in others:
            try:
                return await self._network.connect_tcp(str(address), port, CONNECT_WITHIN)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._network.connect_tcp(str(last), port, CONNECT_WITHIN)


class Receiver:
    """The connections to one endpoint, which others do not share. `used_at`: monotonic seconds."""

    def __init__(self, url: str, tls: ssl.SSLContext, resolve: Resolver = resolve_host) -> None:
        """Raises `AddressRefused`."""
        target = parse_url(url)
        self.url, self.used_at = url, monotonic()
        self._url = httpcore.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.path
        )
        self._connections = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=CheckedNetwork(target.scheme, resolve),
        )

    async def send(self, message: Message, *, now: datetime) -> Answer:
        """One POST, no redirect followed. A status that has come stands, whatever the body does."""
        began, answered = monotonic(), _Answered()
        error = ""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._post(message, now, answered)
        except AddressRefused as refused:
            error = f"{refused.message} ({refused.code})"
        except TimeoutError:
            error = f"No answer within {ANSWER_WITHIN:.0f} seconds."
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as failure:
            error = f"Could not connect: {failure or 'no answer in time'}."
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as failure:
            error = f"No answer: {failure or type(failure).__name__}"
        self.used_at = monotonic()
        return Answer(
            started_at=now,
            duration_ms=round((self.used_at - began) * 1000),
            status_code=answered.status,
            response=_text(answered.body),
            retry_after=_retry_after(answered.headers, now),
            error="" if answered.status else error[:LONGEST_ERROR],
        )

    async def _post(self, message: Message, now: datetime, answered: "_Answered") -> None:
        headers, body = headers_of(message, now), message.body
        async with self._connections.stream(
            "POST", self._url, headers=headers, content=body
        ) as response:
            answered.status, answered.headers = response.status, response.headers
            async for chunk in response.aiter_stream():
                answered.body += chunk
                if len(answered.body) > LONGEST_READ:
                    break

    async def close(self) -> None:
        await self._connections.aclose()


@dataclass(slots=True)
class _Answered:
    """What has come so far."""

    status: int | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)


def _text(body: bytearray) -> str:
    return body.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")[:LONGEST_KEPT]


def _retry_after(headers: list[tuple[bytes, bytes]], now: datetime) -> timedelta | None:
    """`Retry-After`: seconds, or a date."""
    texts = [value for name, value in headers if name.lower() == b"retry-after"]
    text = texts[0].decode("latin-1").strip() if texts else ""
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=int(text[:9]))
    moment = parse_http_date_safe(text) if text else None
    return None if moment is None else timedelta(seconds=max(0.0, moment - now.timestamp()))

"""Where webhooks may be sent: public addresses, and what the operator allows besides.

Looked at when an address is saved and again when something is sent, where the connection goes to the
very address that was looked at: a name may resolve to another one a moment later.
"""

import re
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from threading import Thread

from django.conf import settings

LONGEST_URL = 2_000  # characters
RESOLVE_WITHIN = 5.0  # seconds

Address = IPv4Address | IPv6Address
# From a host and a port to the texts of its addresses. Raises OSError.
Resolver = Callable[[str, int], Sequence[str]]

_url = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>[/?][!-\[\]-~]*)?",
    re.IGNORECASE,
).fullmatch
_label = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE).fullmatch
# Resolvers take such a last label for (a part of) an IPv4 address: 127.1, 0x7f.1, 2130706433.
_is_number = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE).fullmatch

# What Python takes for global, or did so in an older version.
_NOT_PUBLIC = [
    ip_network("168.63.129.16/32"),  # Azure's own, in every machine there
    ip_network("192.0.0.0/24"),  # of protocols
    ip_network("192.88.99.0/24"),  # relays of 6to4
    ip_network("2001::/23"),  # of protocols
    ip_network("3fff::/20"),  # documentation
]
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


class AddressRefused(Exception):
    """Nothing is sent there: a sentence and a machine code."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.message, self.code = message, code


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a URL. `host`: without the brackets of IPv6; `path`: with the query."""

    scheme: str
    host: str
    port: int
    path: str


def parse_url(url: str) -> Target:
    """Raises `AddressRefused` (`url_too_long`, `url_credentials`, `url_fragment`, `malformed_url`)."""
    if len(url) > LONGEST_URL:
        raise AddressRefused(f"Must have at most {LONGEST_URL:,} characters.", "url_too_long")
    if "#" in url:
        raise AddressRefused("Must have no fragment (#).", "url_fragment")
    if "@" in re.split("[/?]", url.partition("://")[2])[0]:
        raise AddressRefused("Must have no user name or password.", "url_credentials")
    target = _target_of(url)
    if target is None:
        raise AddressRefused(
            "Must be an https:// URL with a host name or an IP address, in ASCII.", "malformed_url"
        )
    return target


def _target_of(url: str) -> Target | None:
    parts = _url(url)
    if parts is None:
        return None
    scheme, host, path = parts["scheme"].lower(), parts["host"].lower(), parts["rest"] or "/"
    port = int(parts["port"] or {"http": 80, "https": 443}[scheme])
    if not (_is_host(host) and 0 < port < 1 << 16):
        return None
    return Target(scheme, host.strip("[]"), port, path if path[0] == "/" else f"/{path}")


def check_url(url: str, resolve: Resolver | None = None) -> None:
    """Look at an address before it is saved. Raises `AddressRefused`, besides the codes of `parse_url`:
    `unresolvable`, `private_address`, `https_required`.
    """
    target = parse_url(url)
    try:
        found = look_up(target.host, target.port, resolve or resolve_host).result(RESOLVE_WITHIN)
    except (OSError, ValueError, TimeoutError):
        found = []
    check_scheme(target.scheme, usable_addresses(found))


def look_up(host: str, port: int, resolve: Resolver) -> Future[Sequence[str]]:
    """Resolve in a thread, which holds up neither an event loop nor the end of the process."""
    future: Future[Sequence[str]] = Future()

    def work() -> None:
        try:
            future.set_result(resolve(host, port))
        except Exception as error:
            future.set_exception(error)

    future.set_running_or_notify_cancel()
    Thread(target=work, name=f"look up {host}", daemon=True).start()
    return future


def resolve_host(host: str, port: int) -> list[str]:
    """The system's resolver. Raises OSError, and ValueError for what can be no name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def usable_addresses(found: Sequence[str]) -> list[Address]:
    """What a name resolved to, when all of it may be reached.

    Raises `AddressRefused` (`unresolvable`, `private_address`).
    """
    addresses = [_unmapped(ip_address(text)) for text in found]
    if not addresses:
        raise AddressRefused("The host has no address.", "unresolvable")
    if not all(_is_allowed(address) or is_public(address) for address in addresses):
        raise AddressRefused("The host's address is not public.", "private_address")
    return addresses


def check_scheme(scheme: str, addresses: Sequence[Address]) -> None:
    """Plain HTTP is for the operator's own networks. Raises `AddressRefused` (`https_required`)."""
    if scheme != "https" and not all(map(_is_allowed, addresses)):
        raise AddressRefused("Must be an https:// URL.", "https_required")


def is_public(address: Address) -> bool:
    """Whether it is on the internet, and so is each address that is hidden in it."""
    if isinstance(address, IPv6Address) and address in _NAT64:
        return is_public(IPv4Address(address.packed[-4:]))
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if any(address in network for network in _NOT_PUBLIC):
        return False
    if isinstance(address, IPv4Address):
        return True
    hidden = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    return address in _GLOBAL_UNICAST and all(is_public(inner) for inner in hidden if inner)


def _unmapped(address: Address) -> Address:
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _is_allowed(address: Address) -> bool:
    return any(address in network for network in settings.WEBHOOK_ALLOWED_NETWORKS)


def _is_host(host: str) -> bool:
    """A name, or an IP address in its one usual spelling; IPv6 in brackets."""
    labels = host.removesuffix(".").split(".")
    try:
        if host.startswith("["):
            return bool(IPv6Address(host.strip("[]")))
        if _is_number(labels[-1]):
            return bool(IPv4Address(host))
    except ValueError:
        return False
    return len(host) <= 253 and all(map(_label, labels))

"""Settings that contradict each other, said at `manage.py check --deploy` and not at night.

The errors among them are said by every command of `manage.py`: a dialer does not start with them.
"""

from collections.abc import Iterable
from itertools import pairwise
from math import isfinite
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks


@checks.register(checks.Tags.security, deploy=True)
def https_behind_a_proxy(**_: Any) -> list[checks.CheckMessage]:
    """Without a trusted proxy every request looks like plain HTTP, and is redirected for ever."""
    if not settings.SECURE_SSL_REDIRECT or settings.TRUSTED_PROXY_COUNT:
        return []
    return [
        checks.Warning(
            "SECURE_SSL_REDIRECT is on and no proxy is trusted: every request will be redirected.",
            hint="Set TRUSTED_PROXY_COUNT to the number of proxies that end TLS in front of the"
            " service, or SECURE_SSL_REDIRECT=false where there is none.",
            id="outdial.W001",
        )
    ]


@checks.register(checks.Tags.compatibility, deploy=True)
def mail_that_arrives(**_: Any) -> list[checks.CheckMessage]:
    """Admins are told by e-mail when a number goes on the do-not-call list."""
    if settings.EMAIL_BACKEND != "django.core.mail.backends.dummy.EmailBackend":
        return []
    return [
        checks.Warning(
            "EMAIL_URL is not set: nobody is mailed.",
            hint="Set EMAIL_URL to a mail server, and DEFAULT_FROM_EMAIL to a sender that it accepts.",
            id="outdial.W002",
        )
    ]


@checks.register(checks.Tags.compatibility, deploy=True)
def carriers_that_call_back(**_: Any) -> list[checks.CheckMessage]:
    """Without callbacks each call is looked up instead, and its end is known late."""
    if settings.PUBLIC_BASE_URL:
        return []
    return [
        checks.Warning(
            "PUBLIC_BASE_URL is not set: carriers cannot tell how a call ended.",
            hint="Set PUBLIC_BASE_URL to the address of the service as carriers reach it:"
            " https://outdial.example",
            id="outdial.W003",
        )
    ]


SHORTEST_LEASE = 2.0  # seconds: half of it is a carrier's time to answer
SHORTEST_STOP = 1.0  # seconds: the dialer keeps so much of it for recording


@checks.register(checks.Tags.compatibility)
def times_of_the_dialer(**_: Any) -> list[checks.CheckMessage]:
    """What the dialer could not work with, or only in another way than it says."""
    return [
        checks.Error(message, hint="The defaults are in .env.example.", id="outdial.E001")
        for message in _wrong_times()
    ]


def _wrong_times() -> Iterable[str]:
    lookups = settings.UNSURE_LOOKUP_SECONDS
    if not _are_lookups(lookups):
        yield (
            "UNSURE_LOOKUP_SECONDS must be numbers of 0 or more, each greater than the one before:"
            f" not {','.join(f'{seconds:g}' for seconds in lookups)!r}."
        )
    least = {
        "DIALER_LEASE_SECONDS": SHORTEST_LEASE,
        "DIALER_STOP_SECONDS": SHORTEST_STOP,
        "CALLBACK_PATIENCE_SECONDS": 0.1,
        "SIMULATOR_TIME_SCALE": 0.0,
        "SANDBOX_TIME_SCALE": 0.0,
    }
    for name, seconds in least.items():
        value = getattr(settings, name)
        if not (isfinite(value) and value >= seconds):
            yield f"{name} must be at least {seconds:g}, not {value:g}."


def _are_lookups(lookups: list[float]) -> bool:
    ascending = all(earlier < later for earlier, later in pairwise(lookups))
    return bool(lookups) and ascending and lookups[0] >= 0 and isfinite(lookups[-1])


@checks.register(checks.Tags.compatibility)
def address_for_callbacks(**_: Any) -> list[checks.CheckMessage]:
    """Carriers are given it with a path behind it."""
    base = settings.PUBLIC_BASE_URL
    if not base or _is_address(base):
        return []
    return [
        checks.Error(
            f"PUBLIC_BASE_URL must read https://host[:port][/path], not {base!r}.",
            hint="It is the address of the service as carriers reach it.",
            id="outdial.E002",
        )
    ]


def _is_address(base: str) -> bool:
    try:
        parts = urlsplit(base)
        port_is_number = parts.port is None or parts.port > 0
    except ValueError:
        return False
    is_plain = not (parts.query or parts.fragment or parts.username or " " in base)
    return (
        parts.scheme in ("http", "https") and bool(parts.hostname) and port_is_number and is_plain
    )

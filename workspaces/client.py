"""What a request says of its sender."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str | None:
    """The caller's address.

    Behind `TRUSTED_PROXY_COUNT` proxies, each of which appends the address it saw to
    X-Forwarded-For, only the last that many entries are to be believed: the caller writes the rest.
    """
    address = request.META.get("REMOTE_ADDR", "")
    count = settings.TRUSTED_PROXY_COUNT
    if count:
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(forwarded) >= count:
            address = forwarded[-count].strip()
    try:
        return str(ip_address(address))
    except ValueError:
        return None


def request_id_of(request: HttpRequest) -> str:
    """The id that config.middleware gave the request; empty where it did not run."""
    return getattr(request, "request_id", "")

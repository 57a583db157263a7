"""Asking a carrier whether it takes the credentials of an account."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from django.conf import settings
from rest_framework.exceptions import APIException

from calling.carriers.base import CarrierError, Credentials
from calling.carriers.registry import CARRIERS
from workspaces.errors import field_error

VERIFY_WITHIN = 15.0  # seconds, for all that a carrier is asked about a number


class CarrierAway(APIException):
    """The carrier could not be asked: nothing was stored, and asking again may help."""

    status_code = 503
    wait = 5  # seconds


def verify(carrier: str, credentials: Credentials, number: str) -> Credentials:
    """What is to be kept of credentials that open an account which owns the number (E.164).

    Raises ValidationError (what the carrier refused, by the API's names), CarrierAway. Must not be
    called inside a transaction: it waits for the carrier.
    """
    adapter = CARRIERS[carrier]
    if adapter.asks_back and not settings.PUBLIC_BASE_URL:
        message = (
            f"{adapter.title} cannot be used here: it needs an address to ask what to do with a call,"
            " and this server has none (PUBLIC_BASE_URL)."
        )
        raise field_error("integration", message, "integration_unavailable")
    try:
        return asyncio.run(_within_time(adapter.verify_credentials(credentials, number)))
    except CarrierError as error:
        if error.permanent:
            field, code = error.field or "integration", error.code or "carrier_refused"
            raise field_error(field, error.message, code) from error
        raise CarrierAway(error.message) from error
    except TimeoutError as error:
        raise CarrierAway(f"{adapter.title} did not answer in time.") from error
    except Exception as error:
        # Its text may quote the request, credentials and all. Where it happened stays in the log.
        fault = RuntimeError(f"{type(error).__name__} in the carrier {carrier}")
        raise fault.with_traceback(error.__traceback__) from None


async def _within_time(asking: Coroutine[Any, Any, Credentials]) -> Credentials:
    async with asyncio.timeout(VERIFY_WITHIN):
        return await asking

"""Asking carriers about attempts that have to be looked after."""

import asyncio

import structlog
from django.utils import timezone

from batches.dialer.gate import not_dialed
from batches.dialer.looks import Later, Look, when_unsure
from batches.dialer.placing import Result
from batches.dialer.timing import Timing
from calling.carriers.base import CallReport
from calling.carriers.registry import CARRIERS

log = structlog.get_logger(__name__)


async def look_after(look: Look, timing: Timing) -> Result | Later:
    """What became of an attempt, as far as it can be told now."""
    attempt_id, batch_id = look.attempt_id.hex(), look.batch_id.hex()
    if look.sent_at is None:  # whoever claimed it did not get to place it
        return Result(attempt_id, batch_id, not_dialed("dialer_lost"))
    # As of now: an answer may be long in coming, and a call may begin to ring meanwhile.
    now = timezone.now()
    found, is_unplaced = await _ask(look, timing.place_within)
    if found is not None:
        return Result(attempt_id, batch_id, found)
    then = when_unsure(look, is_unplaced=is_unplaced, delays=timing.look_up_after, now=now)
    log.warning("dialer.looked_in_vain", attempt=attempt_id, looks=look.looks + 1)
    return then if isinstance(then, Later) else Result(attempt_id, batch_id, then)


async def _ask(look: Look, seconds: float) -> tuple[CallReport | None, bool]:
    """The carrier's report, and without one whether it is certain to have no such call."""
    adapter = CARRIERS.get(look.carrier or "")
    if adapter is None:
        return None, False
    which = (look.credentials, look.request_uuid, look.carrier_call_id)
    if look.is_cancel_requested:
        try:
            async with asyncio.timeout(seconds):
                await adapter.hang_up(*which)
        except Exception as error:  # the look-up tells whether it goes on
            log.warning("dialer.not_hung_up", carrier=look.carrier, error=type(error).__name__)
    try:
        async with asyncio.timeout(seconds):
            found = await adapter.lookup(*which)
    except Exception as error:  # a fault of its own is as good as no answer
        log.warning("dialer.not_looked_up", carrier=look.carrier, error=type(error).__name__)
        return None, False
    return found, found is None

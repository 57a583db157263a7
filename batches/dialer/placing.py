"""Step two of dialing: ask the carrier. No transaction is open here."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.utils import timezone

from batches.dialer.looks import NEVER_PLACED, Unknown
from batches.dialer.store import Claimed
from batches.dialer.timing import Timing
from batches.services.callbacks import callback_url
from batches.services.returns import Return
from calling.carriers.base import (
    CallProgress,
    CallReport,
    CallRequest,
    CarrierError,
    CarrierUnsure,
)
from calling.carriers.registry import CARRIERS

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attempt, to be recorded.

    `outcome`: what the carrier says; why it was not made; or that nobody knows whether it rings: for
    now (None), or for good (`Unknown`).
    """

    attempt_id: str
    batch_id: str
    outcome: CallReport | Return | Unknown | None

    @classmethod
    def of(cls, call: Claimed, outcome: CallReport | Return | None) -> "Result":
        return cls(call.attempt_id.hex(), call.batch_id.hex(), outcome)


class Placer:
    """Places calls, those of one account no faster than its pace although the database was slow."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._next: dict[bytes, datetime] = {}

    async def place(self, call: Claimed) -> Result | None:
        """None: it is too late, somebody else may be looking after the call by now."""
        until = call.place_at + self._timing.lease - timedelta(seconds=self._timing.place_within)
        try:
            is_its_turn = await self._keep_pace(call, until)
        except asyncio.CancelledError:  # we have to stop, and have not asked the carrier
            return Result.of(call, NEVER_PLACED)
        if not is_its_turn or timezone.now() >= until:
            log.warning("dialer.too_late", call=call.call_id.hex())
            return None
        request = CallRequest(
            request_uuid=call.request_uuid,
            from_number=call.from_number,
            to_number=call.to_number,
            callback_url=callback_url(call.carrier),
            not_after=until + timedelta(seconds=self._timing.place_within / 2),
        )
        try:
            async with asyncio.timeout(self._timing.place_within):
                report = await CARRIERS[call.carrier].place(call.credentials, request)
        except CarrierError as error:
            return Result.of(call, failure(error))
        except (CarrierUnsure, TimeoutError) as error:
            log.warning("dialer.unsure", call=call.call_id.hex(), error=type(error).__name__)
            return Result.of(call, None)
        except asyncio.CancelledError:  # we have to stop, the carrier may go on
            return Result.of(call, None)
        except Exception as error:
            # Its text may quote the request. It may have been sent, too.
            log.error("dialer.carrier_fault", carrier=call.carrier, error=type(error).__name__)
            return Result.of(call, None)
        return Result.of(call, report)

    async def _keep_pace(self, call: Claimed, until: datetime) -> bool:
        """Wait for the turn of the call. False: that would be too late.

        Such a call takes no turn: calls that come at the very pace never make up for a delay, so that
        all of them would be too late, for ever.
        """
        if call.pace is None:
            return True
        digest, interval = call.pace
        now = timezone.now()
        at = max(call.place_at, self._next.get(digest, now), now)
        if at >= until:
            return False
        self._next[digest] = at + interval
        if at > now:
            await asyncio.sleep((at - now).total_seconds())
        return True


def failure(error: CarrierError) -> CallReport:
    return CallReport(
        progress=CallProgress.FAILED,
        at=timezone.now(),
        permanent=error.permanent,
        hangup_cause=(error.code or error.message)[:128],
    )

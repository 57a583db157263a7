"""Step two of dialing: ask the carrier. No transaction is open here."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.utils import timezone

from batches.dialer.looks import NEVER_PLACED, Unknown
from batches.dialer.store import Claimed
from batches.dialer.timing import Timing
from batches.models import CallStatus, EventReason
from batches.services.callbacks import Hook, hook_url
from batches.services.carrier_trouble import Exchange
from batches.services.returns import Return
from calling.carriers.base import (
    CallProgress,
    CallReport,
    CallRequest,
    CarrierError,
    CarrierUnsure,
)
from calling.carriers.http import OUR_OWN_FAULTS, TOO_MANY_REQUESTS
from calling.carriers.registry import CARRIERS, SANDBOX_CARRIERS

SHORTEST_PAUSE = 5.0  # seconds, before a call that the carrier did not take is offered again
LONGEST_PAUSE = 3600.0  # seconds: no carrier's Retry-After stops us for longer
UNWATCHED = timedelta(seconds=0.1)  # from a look at the kill switches until the carrier is asked
SWITCHED_OFF = Return(CallStatus.PENDING, EventReason.NEVER_PLACED, "kill_switch")
# The claim takes no such number: the second look, right before the carrier is asked.
IN_SANDBOX = Return(CallStatus.PENDING, EventReason.NEVER_PLACED, "sandbox_simulator_only")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attempt, to be recorded.

    `outcome`: what the carrier says; why it was not made; or that nobody knows whether it rings: for
    now (None), or for good (`Unknown`). `exchange`: with the carrier, if it was asked to place it.
    """

    attempt_id: str
    batch_id: str
    outcome: CallReport | Return | Unknown | None
    exchange: Exchange | None = None

    @classmethod
    def of(
        cls, call: Claimed, outcome: CallReport | Return | None, exchange: Exchange | None = None
    ) -> "Result":
        return cls(call.attempt_id.hex(), call.batch_id.hex(), outcome, exchange)


class Placer:
    """Places calls, those of one account no faster than its pace although the database was slow.

    `look` looks at the kill switches again, for an attempt that had to wait: since when none is thrown,
    or None.
    """

    def __init__(
        self, timing: Timing, look: Callable[[bytes], Awaitable[datetime | None]] | None = None
    ) -> None:
        self._timing, self._look = timing, look
        self._next: dict[bytes, datetime] = {}

    async def place(self, call: Claimed, looked_at: datetime | None = None) -> Result | None:
        """None: it is too late, somebody else may be looking after the call by now.

        `looked_at`: when the gate began to look at the kill switches, if it did.
        """
        until = call.place_at + self._timing.lease - timedelta(seconds=self._timing.place_within)
        try:
            is_its_turn = await self._keep_pace(call, until)
            if is_its_turn and await self._is_switched_off(call, looked_at, until):
                return Result.of(call, SWITCHED_OFF)
        except asyncio.CancelledError:  # we have to stop, and have not asked the carrier
            return Result.of(call, NEVER_PLACED)
        if not is_its_turn or timezone.now() >= until:
            log.warning("dialer.too_late", call=call.call_id.hex())
            return None
        return await self._ask(call, until)

    async def _ask(self, call: Claimed, until: datetime) -> Result:
        if call.is_sandbox and call.carrier not in SANDBOX_CARRIERS:
            log.error("dialer.real_carrier_in_sandbox", call=call.call_id.hex())
            return Result.of(call, IN_SANDBOX)
        request = CallRequest(
            request_uuid=call.request_uuid,
            from_number=call.from_number,
            to_number=call.to_number,
            callback_url=hook_url(Hook.STATUS, call.carrier, call.request_uuid),
            answer_url=hook_url(Hook.ANSWER, call.carrier, call.request_uuid),
            detection=call.detection,
            records=call.records,
            not_after=until + timedelta(seconds=self._timing.place_within / 2),
            sandbox=call.workspace_id.hex() if call.is_sandbox else "",
        )
        asked_at = timezone.now()
        try:
            async with asyncio.timeout(self._timing.place_within):
                report = await CARRIERS[call.carrier].place(call.credentials, request)
        except CarrierError as error:
            return Result.of(call, outcome_of(error), _exchange(call, asked_at, error))
        except (CarrierUnsure, TimeoutError) as error:
            log.warning("dialer.unsure", call=call.call_id.hex(), error=type(error).__name__)
            return Result.of(call, None, _exchange(call, asked_at, error))
        except asyncio.CancelledError:  # we have to stop, the carrier may go on
            return Result.of(call, None)
        except Exception as error:
            # Its text may quote the request. It may have been sent, too.
            log.error("dialer.carrier_fault", carrier=call.carrier, error=type(error).__name__)
            fault = CarrierUnsure(f"A fault of the adapter ({type(error).__name__}).")
            return Result.of(call, None, _exchange(call, asked_at, fault))
        return Result.of(call, report, _exchange(call, asked_at, None))

    async def _is_switched_off(
        self, call: Claimed, looked_at: datetime | None, until: datetime
    ) -> bool:
        """Looks until it has been told in good time: an answer may have been long on its way, too."""
        while self._look is not None and not _is_fresh(looked_at) and timezone.now() < until:
            looked_at = await self._look(call.attempt_id)
            if looked_at is None:
                return True
        return False

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


def _is_fresh(looked_at: datetime | None) -> bool:
    if looked_at is None:
        return False
    return timedelta() <= timezone.now() - looked_at < UNWATCHED  # no less: a clock may be set back


def outcome_of(error: CarrierError) -> CallReport | Return:
    """A number that cannot be called fails; what is no fault of the call leaves it as it was."""
    now = timezone.now()
    if not error.permanent or error.of_account:
        return Return(
            CallStatus.PENDING,
            EventReason.CARRIER_REFUSED,
            error.code[:64],
            not_before=now + timedelta(seconds=_pause(error)),
        )
    return CallReport(
        progress=CallProgress.FAILED,
        at=now,
        permanent=True,
        hangup_cause=error.code or error.message,
    )


def _exchange(call: Claimed, asked_at: datetime, error: Exception | None) -> Exchange | None:
    is_ours = isinstance(error, CarrierError) and error.code in OUR_OWN_FAULTS
    if call.account_id is None or is_ours:
        return None
    account_id = call.account_id.hex()
    if isinstance(error, CarrierError):
        if error.permanent and not error.of_account:  # it judged this call: the account is well
            return Exchange(account_id=account_id, asked_at=asked_at)
        return Exchange(
            account_id=account_id,
            asked_at=asked_at,
            error=error.message,
            is_refused=error.permanent,
            counts=error.code != TOO_MANY_REQUESTS,
            retry_after=timedelta(seconds=_pause(error)),
        )
    if error is None:
        return Exchange(account_id=account_id, asked_at=asked_at)
    said = "No answer in time." if isinstance(error, TimeoutError) else str(error)
    return Exchange(account_id=account_id, asked_at=asked_at, error=said)


def _pause(error: CarrierError) -> float:
    return min(max(SHORTEST_PAUSE, error.retry_after or 0.0), LONGEST_PAUSE)

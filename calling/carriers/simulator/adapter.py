from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.db import Error as DatabaseError
from django.utils import timezone

from calling.carriers.answers import Answer
from calling.carriers.base import (
    Callback,
    CallExtras,
    CallReport,
    CallRequest,
    CarrierError,
    CarrierUnsure,
    Credentials,
)
from calling.carriers.simulator import ledger, wire
from calling.carriers.simulator.batcher import Batcher
from calling.carriers.simulator.script import report_at
from calling.models import SimulatedCall
from workspaces.database_thread import DatabaseThread

REFUSED_TOKEN = "refused"  # noqa: S105 (a word to try a refusal with)
RINGS_A_STATEMENT = 500

T = TypeVar("T")


class Simulator:
    """Owns every number, rings nobody, takes every account but one whose token is `refused`.

    How a call ends is in the called number (`script`). Use from one event loop at a time.
    """

    title = "Simulator"
    calls_per_second = 0
    asks_back = False

    def __init__(self) -> None:
        self.database = DatabaseThread("simulator")
        self.when_changed: Callable[[], None] = _nobody_listens  # of the sender in this process
        self._rings: Batcher[CallRequest, SimulatedCall | None] = Batcher(
            self._ring, at_most=RINGS_A_STATEMENT
        )

    async def verify_credentials(self, credentials: Credentials, number: str) -> Credentials:
        if credentials.auth_token == REFUSED_TOKEN:
            raise CarrierError(
                "The carrier refuses these credentials.",
                permanent=True,
                of_account=True,
                field="authToken",
                code="credentials_refused",
            )
        return credentials

    async def place(self, credentials: Credentials, request: CallRequest) -> CallReport:
        """Idempotent by `request_uuid`: asked again, it rings nobody and says how far the call is."""
        await self.verify_credentials(credentials, request.from_number)
        call = await _or_unsure(self._rings.add(request))
        if call is None:
            raise CarrierUnsure("The carrier was asked too late.")
        self.when_changed()
        plan = ledger.plan_of(call)
        if plan.script.fault:
            raise CarrierUnsure(f"The carrier answered with {plan.script.fault}.")
        return report_at(plan, timezone.now())

    async def lookup(
        self, credentials: Credentials, request_uuid: UUID, carrier_call_id: str
    ) -> CallReport | None:
        call = await _or_unsure(self.database.run(ledger.find, request_uuid))
        if call is None:
            return None
        plan = ledger.plan_of(call)
        if plan.script.is_lost:
            raise CarrierUnsure("The carrier cannot tell what became of the call.")
        return report_at(plan, timezone.now())

    async def hang_up(
        self, credentials: Credentials, request_uuid: UUID, carrier_call_id: str
    ) -> None:
        now = timezone.now()
        await _or_unsure(self.database.run(ledger.hang_up, request_uuid, now=now))
        self.when_changed()

    def check_signature(self, callback: Callback, credentials: Credentials) -> None:
        wire.check_signature(callback, now=timezone.now())

    def parse_callback(self, callback: Callback) -> CallReport | CallExtras:
        return wire.decode(callback.body)

    def pressed_key(self, callback: Callback) -> str:
        return ""  # nobody hears the simulator speak

    def render(self, answer: Answer) -> str:
        return ""

    def close(self, seconds: float | None = None) -> bool:
        """Give the database connection back, as `DatabaseThread.close`."""
        return self.database.close(seconds)

    async def _ring(self, requests: list[CallRequest]) -> Sequence[SimulatedCall | None]:
        calls = await self.database.run(
            ledger.ring,
            requests,
            time_scale=settings.SIMULATOR_TIME_SCALE,
            sandbox_scale=settings.SANDBOX_TIME_SCALE,
            now=timezone.now(),
        )
        by_uuid = {call.request_uuid: call for call in calls}
        return [by_uuid.get(request.request_uuid) for request in requests]


async def _or_unsure(answer: Awaitable[T]) -> T:
    """What cannot be written or read leaves the caller in the dark, as with any carrier."""
    try:
        return await answer
    except DatabaseError as error:
        raise CarrierUnsure("The simulator cannot reach its ledger.") from error


def _nobody_listens() -> None:
    pass

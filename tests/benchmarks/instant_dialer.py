"""The dialer with a carrier that tells the outcome at once: its own process, for the benchmark."""

import asyncio
import os
import signal
from uuid import UUID

import django

os.environ.setdefault("LOG_LEVEL", "ERROR")
django.setup()

from django.utils import timezone  # noqa: E402 (after the set-up)

from batches.dialer.loop import Dialer  # noqa: E402
from batches.dialer.timing import Timing  # noqa: E402
from calling.carriers.base import CallProgress, CallReport, CallRequest, Credentials  # noqa: E402
from calling.carriers.registry import CARRIERS  # noqa: E402
from calling.carriers.simulator import Simulator  # noqa: E402


class InstantCarrier(Simulator):
    """Every call is answered and over while it is being placed."""

    async def place(self, credentials: Credentials, request: CallRequest) -> CallReport:
        now = timezone.now()
        return CallReport(progress=CallProgress.COMPLETED, at=now, answered_at=now, talk_seconds=1)

    async def lookup(
        self, credentials: Credentials, request_uuid: UUID, carrier_call_id: str
    ) -> CallReport | None:
        return None


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await Dialer(Timing.from_settings()).run(stop)


if __name__ == "__main__":
    CARRIERS["simulator"] = InstantCarrier()
    asyncio.run(main())

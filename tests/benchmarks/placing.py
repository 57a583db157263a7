"""Call requests to a carrier that answers after 200 ms: 500 at a time, from one process.

First the adapter alone, then the whole dialer. Beside both stands what the connections allow:
`CONNECTIONS` at a time, five each a second.
"""

import asyncio
import contextlib
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from tests.benchmarks import dialing

from django.conf import settings  # isort: skip (dialing has set everything up)

from batches.models import CallAttempt
from calling.carriers.base import CallRequest, Credentials
from calling.carriers.http import CONNECTIONS, open_connections
from calling.carriers.twilio import TWILIO
from calling.models import CarrierAccount, PhoneNumber
from calling.services.accounts import stored_credentials
from tests.benchmarks.slow_carrier import ANSWER_AFTER

AT_A_TIME, WAVES = 500, 10
SECONDS = 10.0
ACCOUNT = Credentials("AC" + "0" * 32, "token")


def run(rounds: int = 3) -> None:
    """Medians; the memory is that of the process at its highest, after each wave of the first round."""
    print(f"{CONNECTIONS} connections allow {CONNECTIONS / ANSWER_AFTER:,.0f} calls a second")
    with _slow_carrier() as url:
        settings.CARRIER_API_URLS = {"twilio": url}
        rates = []
        for number in range(1, rounds + 1):
            rate, peaks = asyncio.run(_place_in_waves())
            rates.append(rate)
            print(
                f"round {number}: the adapter, {AT_A_TIME} at a time {rate:8,.0f} calls a second;"
                f" peak {peaks[0]:.0f} MB after the first wave, {peaks[-1]:.0f} after the last",
                flush=True,
            )
        print(f"the adapter: {statistics.median(rates):,.0f} calls a second (median)")
        _dial(url)


async def _place_in_waves() -> tuple[float, list[float]]:
    peaks, began = [], time.perf_counter()
    async with open_connections():
        for _ in range(WAVES):
            await asyncio.gather(*(TWILIO.place(ACCOUNT, _request()) for _ in range(AT_A_TIME)))
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
    return AT_A_TIME * WAVES / (time.perf_counter() - began), peaks


def _request() -> CallRequest:
    return CallRequest(
        request_uuid=uuid4(),
        from_number="+12125550100",
        to_number="+13105550101",
        callback_url="https://outdial.example/api/carriers/twilio/callback?call=1",
        answer_url="https://outdial.example/api/carriers/twilio/answer?call=1",
    )


def _dial(url: str) -> None:
    """The same by `run_dialer`, claims, gate and records included; nobody calls back."""
    demo = dialing.prepare()
    CarrierAccount.objects.update(carrier="twilio", credentials=stored_credentials(ACCOUNT))
    PhoneNumber.objects.update(carrier="twilio")
    PhoneNumber.objects.filter(workspace_id=demo["workspaceId"]).update(
        account=CarrierAccount.objects.filter(workspace_id=demo["workspaceId"]).first()
    )
    dialing.batch_of(demo, 100_000)
    env = {
        "CARRIER_API_URLS": f"twilio={url}",
        "PUBLIC_BASE_URL": "https://outdial.example",
        "CALLBACK_PATIENCE_SECONDS": "600",
    }
    with dialing.running("manage.py run_dialer", 1, env) as [process]:
        while not (before := _accepted()):
            time.sleep(0.1)
        memory = [_memory_of(process.pid)]
        began = time.perf_counter()
        time.sleep(SECONDS)
        rate = (_accepted() - before) / (time.perf_counter() - began)
        memory.append(_memory_of(process.pid))
    print(
        f"one dialer: {rate:,.0f} calls a second over {SECONDS:.0f} s;"
        f" {memory[0]:.0f} MB at its beginning, {memory[1]:.0f} at its end"
    )


def _accepted() -> int:
    return CallAttempt.objects.exclude(carrier_call_id="").count()


def _memory_of(pid: int) -> float:
    """Megabytes, as they are now."""
    with Path(f"/proc/{pid}/status").open() as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1000


@contextlib.contextmanager
def _slow_carrier() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.slow_carrier"]
    with subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()

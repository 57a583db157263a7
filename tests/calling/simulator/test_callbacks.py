"""The simulator's own callbacks, posted to a real server."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import override_settings

from calling.carriers.base import CallRequest
from calling.carriers.simulator import CallbackSender, Simulator, ledger
from calling.models import SimulatedCall
from tests.calling.simulator.calls import CREDENTIALS, request
from tests.calling.simulator.receiver import Receiver, receiving, wait_in_request

LEASE = timedelta(seconds=30)


@asynccontextmanager
async def sending(
    simulator: Simulator, lease: timedelta = LEASE
) -> AsyncIterator[asyncio.Task[None]]:
    stop = asyncio.Event()
    sender = asyncio.create_task(CallbackSender(simulator, lease=lease).run(stop))
    await asyncio.sleep(0)
    yield sender
    stop.set()
    with suppress(asyncio.CancelledError):
        await sender


async def until(is_so: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never came about"
        await asyncio.sleep(0.01)


async def place_all(simulator: Simulator, requests: list[CallRequest]) -> None:
    await asyncio.gather(
        *(simulator.place(CREDENTIALS, one) for one in requests), return_exceptions=True
    )


async def all_told(simulator: Simulator) -> None:
    """Until the ledger has nothing left to report."""
    async with asyncio.timeout(10):
        while await simulator.database.run(ledger.when_next_is_due):
            await asyncio.sleep(0.01)


def test_every_call_is_told_in_its_own_way(simulator: Simulator) -> None:
    expected = {
        "01": "ringing busy",
        "02": "ringing no-answer",
        "03": "ringing failed",
        "04": "ringing failed",
        "06": "",
        "07": "completed in-progress ringing completed",
        "08": "",
        "09": "",
        "10": "ringing in-progress completed",
        "34": "ringing in-progress completed",
    }

    async def scenario(receiver: Receiver) -> None:
        async with sending(simulator):
            await place_all(simulator, list(requests.values()))
            await all_told(simulator)

    with receiving() as receiver:
        requests = {digits: request(digits, callback_url=receiver.url) for digits in expected}
        asyncio.run(scenario(receiver))
    told = {digits: receiver.told(one.request_uuid) for digits, one in requests.items()}
    assert told == expected
    failed = [one for _, one in receiver.reports() if one.progress == "failed"]
    assert [one.permanent for one in failed].count(True) == 1


def test_a_callback_says_what_a_look_up_says(simulator: Simulator) -> None:
    async def scenario(receiver: Receiver) -> None:
        async with sending(simulator):
            await simulator.place(CREDENTIALS, one)
            await all_told(simulator)
        found = await simulator.lookup(CREDENTIALS, one.request_uuid, "")
        assert receiver.reports()[-1] == (one.request_uuid, found)

    with receiving() as receiver:
        one = request("34", callback_url=receiver.url)
        asyncio.run(scenario(receiver))
    assert one.to_number[1:].encode() not in b"".join(call.body for call in receiver.callbacks)


@override_settings(SIMULATOR_TIME_SCALE=1)
def test_what_was_hung_up_is_told_as_canceled(simulator: Simulator) -> None:
    async def scenario(receiver: Receiver) -> None:
        async with sending(simulator):
            await simulator.place(CREDENTIALS, one)
            await until(lambda: len(receiver.callbacks) == 1)
            await simulator.hang_up(CREDENTIALS, one.request_uuid, "")
            await all_told(simulator)

    with receiving() as receiver:
        one = request("10", callback_url=receiver.url)
        asyncio.run(scenario(receiver))
    assert receiver.told(one.request_uuid) == "ringing canceled"


def test_a_callback_that_fails_is_sent_again_before_the_next_one(simulator: Simulator) -> None:
    async def scenario() -> None:
        async with sending(simulator):
            await simulator.place(CREDENTIALS, one)
            await all_told(simulator)

    answers = [500, 302, 404, 204, 204]
    with receiving(lambda number: answers[number]) as receiver:
        one = request("01", callback_url=receiver.url)
        asyncio.run(scenario())
    assert receiver.told(one.request_uuid) == "ringing ringing ringing ringing busy"


@override_settings(SIMULATOR_TIME_SCALE=0.001)
def test_an_address_that_cannot_be_reached_is_given_up_and_holds_up_nobody(
    simulator: Simulator,
) -> None:
    async def scenario() -> None:
        async with sending(simulator):
            await place_all(simulator, [*bad, good])
            await all_told(simulator)

    addresses = ["http://127.0.0.1:9/", "http://[", "nonsense", "ftp://a/b", "http://a\n/"]
    bad = [request("01", callback_url=url) for url in addresses]
    with receiving() as receiver:
        good = request("01", callback_url=receiver.url)
        asyncio.run(scenario())
    assert receiver.told(good.request_uuid) == "ringing busy"


def test_another_sender_takes_over_from_one_that_died(simulator: Simulator) -> None:
    async def scenario(receiver: Receiver) -> None:
        async with sending(simulator, lease=timedelta(seconds=0.3)) as sender:
            await simulator.place(CREDENTIALS, one)
            await until(lambda: len(receiver.callbacks) == 1)
            sender.cancel()  # in the middle of a callback, which nobody records
        async with sending(simulator):
            await all_told(simulator)

    with receiving(wait_in_request(0.2)) as receiver:
        one = request("01", callback_url=receiver.url)
        asyncio.run(scenario(receiver))
    assert receiver.told(one.request_uuid) == "ringing ringing busy"


def test_two_senders_share_the_work_and_tell_nothing_twice(simulator: Simulator) -> None:
    other = Simulator()

    async def scenario() -> None:
        async with sending(simulator), sending(other):
            await place_all(simulator, requests)
            await all_told(simulator)

    with receiving() as receiver:
        requests = [request("01", callback_url=receiver.url) for _ in range(30)]
        asyncio.run(scenario())
    other.close()
    assert {receiver.told(one.request_uuid) for one in requests} == {"ringing busy"}


def test_a_stopped_sender_ends_what_it_has_begun(simulator: Simulator) -> None:
    async def scenario(receiver: Receiver) -> None:
        async with sending(simulator):
            await simulator.place(CREDENTIALS, one)
            await until(lambda: len(receiver.callbacks) == 1)

    with receiving(wait_in_request(0.2)) as receiver:
        one = request("01", callback_url=receiver.url)
        asyncio.run(scenario(receiver))
    assert SimulatedCall.objects.get().callbacks_sent == 1


def test_a_sender_outlives_its_database(simulator: Simulator) -> None:
    async def scenario() -> None:
        async with sending(simulator):
            await simulator.place(CREDENTIALS, one)
            await all_told(simulator)

    real, failures = ledger.claim_callbacks, iter([OperationalError("away")])

    def claim(**kwargs: object) -> list[SimulatedCall]:
        if error := next(failures, None):
            raise error
        return real(**kwargs)  # type: ignore[arg-type]

    with receiving() as receiver, pytest.MonkeyPatch.context() as patched:
        patched.setattr(ledger, "claim_callbacks", claim)
        one = request("01", callback_url=receiver.url)
        asyncio.run(scenario())
    assert receiver.told(one.request_uuid) == "ringing busy"

"""The simulator behind the carriers' protocol: asynchronous, with a thread for its ledger."""

import asyncio
from unittest.mock import patch

import pytest
from django.db import connection
from django.test import override_settings

from calling.carriers.base import CallReport, CallRequest, CarrierError, CarrierUnsure, Credentials
from calling.carriers.simulator import Simulator, ledger
from calling.carriers.simulator.batcher import Batcher
from calling.models import SimulatedCall
from tests.calling.simulator.calls import CREDENTIALS, request


async def place(simulator: Simulator, one: CallRequest) -> CallReport:
    return await simulator.place(CREDENTIALS, one)


async def look_up(simulator: Simulator, one: CallRequest) -> CallReport | None:
    return await simulator.lookup(CREDENTIALS, one.request_uuid, "")


async def outcome(simulator: Simulator, one: CallRequest) -> CallReport:
    while True:
        report = await look_up(simulator, one)
        assert report is not None
        if report.progress.is_final:
            return report
        await asyncio.sleep(0.01)


@override_settings(SIMULATOR_TIME_SCALE=100)
def test_a_call_that_was_placed_is_queued(simulator: Simulator) -> None:
    placed = asyncio.run(place(simulator, request()))
    assert placed.progress == "queued"
    assert SimulatedCall.objects.get().id == placed.carrier_call_id


def test_a_look_up_follows_a_call_to_its_end(simulator: Simulator) -> None:
    async def scenario() -> None:
        one = request()
        placed = await place(simulator, one)
        ended = await outcome(simulator, one)
        assert (ended.progress, ended.talk_seconds) == ("completed", 1)
        assert ended.carrier_call_id == placed.carrier_call_id
        again = await place(simulator, one)
        assert again == ended

    asyncio.run(scenario())
    assert SimulatedCall.objects.count() == 1


def test_a_carrier_that_fails_after_it_rang_knows_the_call(simulator: Simulator) -> None:
    async def scenario() -> None:
        one = request("08")
        for _ in range(2):
            with pytest.raises(CarrierUnsure, match="internal error"):
                await place(simulator, one)
        assert (await outcome(simulator, one)).progress == "completed"

    asyncio.run(scenario())
    assert SimulatedCall.objects.count() == 1


def test_nobody_can_tell_what_became_of_a_call_that_timed_out(simulator: Simulator) -> None:
    async def scenario() -> None:
        one = request("09")
        with pytest.raises(CarrierUnsure, match="time-out"):
            await place(simulator, one)
        for _ in range(2):
            with pytest.raises(CarrierUnsure):
                await look_up(simulator, one)

    asyncio.run(scenario())
    assert SimulatedCall.objects.count() == 1  # it may have rung, and it has


def test_a_call_that_was_never_placed_is_known_not_to_have_rung(simulator: Simulator) -> None:
    assert asyncio.run(look_up(simulator, request())) is None


def test_a_refused_account_rings_nobody(simulator: Simulator) -> None:
    with pytest.raises(CarrierError) as caught:
        asyncio.run(simulator.place(Credentials("AC1", "refused"), request()))
    assert caught.value.code == "credentials_refused"
    assert not SimulatedCall.objects.exists()


@override_settings(SIMULATOR_TIME_SCALE=1)
def test_a_ringing_call_is_hung_up(simulator: Simulator) -> None:
    async def scenario() -> None:
        one = request("10")
        await place(simulator, one)
        await simulator.hang_up(CREDENTIALS, one.request_uuid, "")
        report = await look_up(simulator, one)
        assert report is not None
        assert report.progress == "canceled"

    asyncio.run(scenario())


def test_calls_placed_at_once_are_written_together(simulator: Simulator) -> None:
    requests = [request() for _ in range(300)]

    async def scenario() -> list[CallReport]:
        return await asyncio.gather(*(place(simulator, one) for one in requests))

    with patch.object(ledger, "ring", side_effect=ledger.ring) as ring:
        reports = asyncio.run(scenario())
    assert len({report.carrier_call_id for report in reports}) == 300
    assert ring.call_count <= 3
    ids = dict(SimulatedCall.objects.values_list("request_uuid", "id"))
    assert [ids[one.request_uuid] for one in requests] == [one.carrier_call_id for one in reports]


def test_a_lost_database_leaves_the_caller_unsure_and_the_next_call_is_placed(
    simulator: Simulator,
) -> None:
    async def scenario() -> None:
        with pytest.raises(CarrierUnsure, match="ledger"):
            await place(simulator, request())
        await place(simulator, request())

    asyncio.run(look_up(simulator, request()))  # connects
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    asyncio.run(scenario())
    assert SimulatedCall.objects.count() == 1


# --- Writing together -----------------------------------------------------------------------------


class Pen:
    """Writes what it is given when it is told to, and can fail."""

    def __init__(self) -> None:
        self.written: list[list[int]] = []
        self.may_write = asyncio.Event()

    async def write(self, items: list[int]) -> list[str]:
        await self.may_write.wait()
        self.written.append(items)
        if 13 in items:
            raise ValueError("13")
        return [str(item) for item in items]


def test_what_arrives_while_others_are_written_travels_together() -> None:
    async def scenario() -> None:
        pen = Pen()
        batcher = Batcher(pen.write, at_most=3)
        first = asyncio.create_task(batcher.add(1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        others = [asyncio.create_task(batcher.add(number)) for number in range(2, 7)]
        await asyncio.sleep(0)
        pen.may_write.set()
        assert [await task for task in (first, *others)] == list("123456")
        assert pen.written == [[1], [2, 3, 4], [5, 6]]

    asyncio.run(scenario())


def test_whoever_gives_up_in_time_is_not_written_and_disturbs_nobody() -> None:
    async def scenario() -> None:
        pen = Pen()
        batcher = Batcher(pen.write, at_most=3)
        tasks = [asyncio.create_task(batcher.add(1))]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(batcher.add(number)) for number in (2, 3)]
        await asyncio.sleep(0)
        tasks[0].cancel()  # under way: it is written
        tasks[1].cancel()
        await asyncio.sleep(0)
        pen.may_write.set()
        assert await tasks[2] == "3"
        assert pen.written == [[1], [3]]

    asyncio.run(scenario())


def test_a_failure_reaches_all_that_were_written_together_and_none_after_them() -> None:
    async def scenario() -> None:
        pen = Pen()
        pen.may_write.set()
        batcher = Batcher(pen.write, at_most=3)
        both = await asyncio.gather(batcher.add(1), batcher.add(13), return_exceptions=True)
        assert [type(one) for one in both] == [ValueError, ValueError]
        assert await batcher.add(2) == "2"

    asyncio.run(scenario())


def test_it_goes_on_in_another_event_loop() -> None:
    batcher = Batcher(Pen().write, at_most=3)

    async def given_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(batcher.add(1), timeout=0.01)

    async def written() -> None:
        batcher._write = pen.write
        pen.may_write.set()
        assert await batcher.add(2) == "2"

    asyncio.run(given_up())
    pen = Pen()
    asyncio.run(written())
    assert pen.written == [[2]]

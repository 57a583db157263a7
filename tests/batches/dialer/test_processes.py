"""Real processes again, by a stricter judge: every call has to go exactly as its number says.

`test_process_death` asks that nothing is stranded or rung twice. Here a retry that was forgotten, an
attempt that never rang or an outcome that differs from the simulator's books fails, too, and each
test makes sure that what it wants to disturb was really under way.
"""

import signal
import time

import pytest

from tests.batches.dialer.processes import (
    LEASES,
    RINGS,
    SENT,
    UNSENT,
    assert_as_the_ledger_says,
    frozen,
    returned,
    story,
)
from tests.batches.dialer.stage import Stage, judge_end, stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

DIALERS = 3
BETWEEN_KILLS = 1.0
AT_A_TIME = 200  # calls: they do not all ring before the first dialer is killed
LEASE = 2.0  # seconds, as the stage has it


def finish(found: Stage, seconds: float) -> str:
    """Wait for the end and judge it."""
    give_up = time.monotonic() + seconds
    while not (found.is_over() and found.value(LEASES) == 0):
        assert time.monotonic() < give_up, story(found)
        time.sleep(0.1)
    verdict = assert_as_the_ledger_says(found)
    judge_end(found)
    return f"{verdict}, returned: {returned(found)}"


def test_every_call_goes_as_its_number_says_while_dialers_and_the_database_are_killed() -> None:
    with stage(2000, at_a_time=AT_A_TIME) as found:
        for _ in range(DIALERS):
            found.add_dialer()
        began = last_kill = time.monotonic()
        restarts = 0
        while not found.is_over():
            assert time.monotonic() - began < 240, story(found)
            if not restarts and found.value(RINGS) > 800:
                found.stop_database(signal.SIGQUIT)
                found.start_database()
                restarts += 1
            if time.monotonic() - last_kill >= BETWEEN_KILLS:
                last_kill = time.monotonic()
                found.kill_one()
            time.sleep(0.1)
        seconds = time.monotonic() - began
        verdict = finish(found, 20)
        print(f"\n{found.kills} kills in {seconds:.0f} s: {verdict}")
        assert restarts == 1
        assert found.kills >= 5


def test_a_dialer_that_is_asked_to_stop_hands_over_what_waits_and_ends_what_rings() -> None:
    with stage(300, calls_a_second=20) as found:
        found.env["DIALER_STOP_SECONDS"] = "5"
        dialer = found.add_dialer()
        found.until(lambda: found.value(RINGS) > 30, 60)
        found.until(lambda: found.value(UNSENT) > 20 and found.value(SENT) > 0, 20)
        began = time.monotonic()
        dialer.send_signal(signal.SIGTERM)
        assert dialer.wait(30) == 0
        seconds = time.monotonic() - began
        assert seconds < 5 + 1
        found.dialers.remove(dialer)
        assert found.value(UNSENT) == 0, story(found)
        rings = found.value(RINGS)

        started = time.monotonic()
        found.add_dialer()
        found.until(lambda: found.value(RINGS) > rings, 15)
        went_on = time.monotonic() - started
        verdict = finish(found, 60)
        print(f"\nstopped in {seconds:.1f} s, the next rings after {went_on:.1f} s: {verdict}")


def test_a_dialer_outlives_its_database_and_goes_on_within_seconds() -> None:
    with stage(400, calls_a_second=20) as found:
        dialer = found.add_dialer()
        found.until(lambda: found.value(RINGS) > 30, 60)
        found.stop_database(signal.SIGINT)
        time.sleep(8)
        found.start_database()
        rings = found.value(RINGS)
        seconds = found.until(lambda: found.value(RINGS) > rings, 6)
        verdict = finish(found, 90)
        assert dialer.poll() is None
        print(f"\nrings again after {seconds:.1f} s: {verdict}")


@pytest.mark.parametrize("calls_a_second", [20, 0], ids=["waiting", "placing"])
def test_a_dialer_that_was_frozen_beyond_its_leases_rings_nobody_again(calls_a_second: int) -> None:
    """It is frozen with calls that wait for their moment, or in the middle of placing many."""
    with stage(300 if calls_a_second else 1500, calls_a_second=calls_a_second) as found:
        sleeper = found.add_dialer()
        found.until(lambda: found.value(LEASES) > 20, 60)
        freezes = 0
        with frozen(sleeper):
            held = found.value(UNSENT), found.value(SENT)
            other = found.add_dialer()
            time.sleep(LEASE * 3)
            freezes += 1
        while freezes < 4 and not found.is_over():
            time.sleep(0.5)
            with frozen(sleeper):
                time.sleep(LEASE * 2)
                freezes += 1
        verdict = finish(found, 90)
        assert sum(held) > 0
        assert sleeper.poll() is None
        assert other.poll() is None
        print(f"\nfrozen {freezes} times, at first with {held} unsent and sent calls: {verdict}")

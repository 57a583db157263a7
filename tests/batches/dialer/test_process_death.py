"""Dialers that are killed, frozen and stopped, and a database that goes away: real processes.

The judge is the simulator, who keeps books of its own about whom it has rung.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.batches.dialer.stage import judge_end, judge_rings, stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

AT_A_TIME = 200  # calls: those of a batch do not all ring before the first dialer is killed


def test_killed_dialers_and_a_killed_database_strand_nothing_and_ring_nobody_twice() -> None:
    """Three dialers, one of them killed every second; PostgreSQL is killed in the middle."""
    with stage(2000, at_a_time=AT_A_TIME) as found:
        for _ in range(3):
            found.add_dialer()
        began = last_kill = time.monotonic()
        was_restarted = False
        while not found.is_over():
            assert time.monotonic() - began < 240, found.dump()
            if not was_restarted and found.statuses().get("completed", 0) > 600:
                found.stop_database()
                found.start_database()
                was_restarted = True
            if time.monotonic() - last_kill >= 1:
                found.kill_one()
                last_kill = time.monotonic()
            time.sleep(0.1)
        seconds = time.monotonic() - began
        found.until(lambda: found.value("SELECT count(*) FROM batches_lease") == 0, 20)

        judge_end(found)
        rings = judge_rings(found)
        print(f"{found.kills} kills in {seconds:.0f} s, {rings} rings, {found.statuses()}")
        assert was_restarted
        assert found.kills >= 5


def test_a_polite_stop_leaves_nothing_in_hand() -> None:
    """Calls wait for their moment, others ring: what waits goes back, and the next dialer goes on."""
    with stage(300, calls_a_second=40) as found:
        dialer = found.add_dialer()
        found.until(lambda: found.statuses().get("completed", 0) > 20, 60)
        dialer.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert dialer.wait(30) == 0
        assert time.monotonic() - began < 8
        found.dialers.remove(dialer)
        assert found.value("SELECT count(*) FROM batches_lease WHERE sent_at IS NULL") == 0
        done = len(found.rows("SELECT FROM calling_simulatedcall"))

        found.add_dialer()
        found.until(lambda: len(found.rows("SELECT FROM calling_simulatedcall")) > done, 1.5 + 20)
        found.until(found.is_over, 60)
        judge_end(found)
        judge_rings(found)


def test_a_database_that_is_away_stops_nothing_for_good() -> None:
    with stage(400, calls_a_second=40) as found:
        dialer = found.add_dialer()
        found.until(lambda: found.statuses().get("completed", 0) > 20, 60)
        found.stop_database(signal.SIGINT)
        time.sleep(8)
        found.start_database()
        done = len(found.rows("SELECT FROM calling_simulatedcall"))
        found.until(lambda: len(found.rows("SELECT FROM calling_simulatedcall")) > done, 8)
        found.until(found.is_over, 90)
        assert dialer.poll() is None
        found.until(lambda: found.value("SELECT count(*) FROM batches_lease") == 0, 20)
        judge_end(found)
        judge_rings(found)


def test_a_dialer_that_was_frozen_finds_its_calls_taken_over() -> None:
    with stage(600) as found:
        frozen, other = found.add_dialer(), found.add_dialer()
        found.until(lambda: bool(found.value("SELECT count(*) FROM batches_lease")), 60)
        for _ in range(3):
            frozen.send_signal(signal.SIGSTOP)
            time.sleep(4)  # twice its lease
            frozen.send_signal(signal.SIGCONT)
            time.sleep(0.5)
        found.until(found.is_over, 90)
        assert frozen.poll() is None
        assert other.poll() is None
        found.until(lambda: found.value("SELECT count(*) FROM batches_lease") == 0, 20)
        judge_end(found)
        judge_rings(found)


def test_a_dialer_ends_although_its_database_hangs() -> None:
    with stage(200, calls_a_second=40) as found:
        found.env["DIALER_STOP_SECONDS"] = "2"
        dialer = found.add_dialer()
        found.until(lambda: found.statuses().get("completed", 0) > 5, 60)
        backends = Path(f"/proc/{found.server.pid}/task/{found.server.pid}/children").read_text()
        processes = [found.server.pid, *map(int, backends.split())]
        for pid in processes:
            with suppress(ProcessLookupError):  # a connection has just ended
                os.kill(pid, signal.SIGSTOP)
        try:
            dialer.send_signal(signal.SIGTERM)
            assert dialer.wait(10) == 0
        finally:
            for pid in processes:
                with suppress(ProcessLookupError):  # it had ended, unnoticed by its frozen parent
                    os.kill(pid, signal.SIGCONT)

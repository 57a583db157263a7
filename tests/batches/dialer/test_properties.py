"""The dialer's promises, over random worlds: see `world.py` for what happens and `judge.py` for them.

make soak                       a million checked claims and rings
make test ARGS="-k worlds"      some tens of thousands
"""

import os

import pytest

from batches.models import Lease
from batches.services.counters import drifts
from tests.batches.dialer.world import World

BUSY, TIGHT = (1200, 2000) if os.environ.get("SOAK") else (44, 8)


@pytest.mark.parametrize("seed", range(BUSY))
def test_no_promise_is_broken_in_busy_worlds(db: None, seed: int) -> None:
    """No ring outside its window or to a listed number, none too many, too soon or two at once; no
    limit passed."""
    world = World(seed, is_busy=True)
    world.run(100)
    conclude(world)


@pytest.mark.parametrize("seed", range(TIGHT))
def test_no_promise_is_broken_and_nothing_left_in_tight_worlds(db: None, seed: int) -> None:
    """The same, and when nobody intervenes any more everything comes to its end."""
    world = World(seed, is_busy=False)
    world.run(100)
    world.run_out(6000)
    assert not Lease.objects.exists()
    conclude(world)


def conclude(world: World) -> None:
    assert list(drifts()) == []
    print(f"checked {world.judge.checked} claims and rings")

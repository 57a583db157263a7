"""The dialer's promises, over random worlds: see `world.py` for what happens and `judge.py` for them.

make soak                       a million checked claims and rings
make test-slow ARGS="-k worlds"  some tens of thousands
make test ARGS="-k worlds"      a third of them
"""

import os
from typing import Any

import pytest

from batches.models import Lease
from batches.services.counters import drifts
from tests.batches.dialer.world import World

IS_SOAK = bool(os.environ.get("SOAK"))


def worlds(quick: int, thorough: int, soak: int) -> list[Any]:
    """Their seeds; those beyond the quick ones are for the slow suite."""
    if IS_SOAK:
        return list(range(soak))
    more = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(quick, thorough)]
    return [*range(quick), *more]


@pytest.mark.parametrize("seed", worlds(16, 44, 1200))
def test_no_promise_is_broken_in_busy_worlds(db: None, seed: int) -> None:
    """No ring outside its window or to a listed number, none too many, too soon or two at once; no
    limit passed."""
    world = World(seed, is_busy=True)
    world.run(100)
    conclude(world)


@pytest.mark.parametrize("seed", worlds(3, 8, 2000))
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

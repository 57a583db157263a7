"""Which cases of a test belong to the quick suite."""

from collections.abc import Sequence
from typing import Any

import pytest


def slow_but_the_first(cases: Sequence[Any]) -> list[Any]:
    """Cases of which the first is quick enough for every run, and the others are for the slow suite."""
    first, *others = cases
    slow = [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
        for case in others
    ]
    return [first, *slow]

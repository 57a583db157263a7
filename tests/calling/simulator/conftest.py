from collections.abc import Iterator

import pytest
from pytest_django import Settings

from calling.carriers.simulator import Simulator


@pytest.fixture
def simulator(transactional_db: None, settings: Settings) -> Iterator[Simulator]:
    """One that is fifty times as fast. Its thread sees only what is committed."""
    settings.SIMULATOR_TIME_SCALE = 0.02
    one = Simulator()
    yield one
    one.close()

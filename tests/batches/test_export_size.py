"""An export takes the memory of a page, however many calls the batch has."""

import tracemalloc
from collections.abc import Iterator

import pytest

from batches.exports import calls_as_csv, calls_as_ndjson
from tests.batches.test_batch_details_plans import filled
from tests.cast import Person

CALLS = 50_000
MOST_BYTES = 5_000_000

pytestmark = pytest.mark.slow


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def test_the_memory_of_an_export_does_not_follow_its_size(owner: Person, traced: None) -> None:
    batch = filled(owner, CALLS)
    for export in (calls_as_csv, calls_as_ndjson):
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        size = sum(map(len, export(batch)))
        _, peak = tracemalloc.get_traced_memory()
        assert peak - before < MOST_BYTES < size

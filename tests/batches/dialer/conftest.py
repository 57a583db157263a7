import pytest

from calling.carriers.registry import CARRIERS
from tests.batches.dialer.in_process import StubCarrier


@pytest.fixture
def carrier(monkeypatch: pytest.MonkeyPatch) -> StubCarrier:
    stub = StubCarrier()
    monkeypatch.setitem(CARRIERS, "simulator", stub)
    return stub

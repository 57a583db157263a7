"""The pump: from an event to a receiver, and how it stops."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import DataError, OperationalError, connections
from django.utils.timezone import now

from tests import factories
from tests.workspaces.webhooks.receiver import Reply, receiving
from workspaces.models import Event, WebhookDelivery, WebhookEndpoint
from workspaces.webhooks import pump as pumping
from workspaces.webhooks.pump import Pump, run_pump
from workspaces.webhooks.queue import record

pytestmark = pytest.mark.django_db(transaction=True)


def tell(endpoint: WebhookEndpoint) -> None:
    pytest.fail("nobody is switched off here")


@contextmanager
def pump() -> Iterator[Callable[[], None]]:
    """A running pump; call what it yields to stop it and wait for its end."""
    stopped = threading.Event()

    def run() -> None:
        try:
            asyncio.run(Pump(stopped.is_set, tell).run())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(run)

        def stop() -> None:
            stopped.set()
            running.result(10)

        try:
            yield stop
        finally:
            stop()


def until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_hanging_receiver_holds_up_nobody_and_is_left_when_the_pump_stops() -> None:
    with (
        receiving(lambda got: Reply(seconds=60)) as hanging,
        receiving() as quick,
    ):
        slow = factories.WebhookEndpointFactory.create(url=hanging.url)
        other = factories.WebhookEndpointFactory.create(url=quick.url, workspace=slow.workspace)
        for _ in range(30):
            factories.EventFactory(workspace=slow.workspace)
        with pump() as stop:
            until(lambda: len(quick.got) == 30)
            until(lambda: not other.deliveries.exclude(status="succeeded").exists())
            began = time.monotonic()
            stop()
            assert time.monotonic() - began < 1.8  # `make run` waits two seconds
    assert {got.headers["webhook-id"] for got in quick.got} == set(
        Event.objects.values_list("id", flat=True)
    )
    assert len(hanging.got) == 10
    # They were on their way: given back without having counted.
    left = WebhookDelivery.objects.filter(endpoint=slow)
    assert set(left.values_list("status", "attempts_made")) == {("pending", 0)}
    assert left.filter(next_attempt_at__lte=now()).count() == 30


def test_there_is_one_pump_a_process() -> None:
    def run_another() -> bool:
        assert not run_pump(seconds=60, stopping=lambda: False, tell=tell)
        return True

    assert run_pump(seconds=60, stopping=run_another, tell=tell)
    began = time.monotonic()
    assert run_pump(seconds=0.05, stopping=lambda: False, tell=tell)
    assert time.monotonic() - began < 2


@pytest.mark.slow
@pytest.mark.parametrize("receivers", [1, 4])
def test_deliveries_a_second(receivers: int, capsys: pytest.CaptureFixture[str]) -> None:
    """To quick receivers in this process; what it manages is printed, that each comes once is held."""
    with receiving() as quick:
        workspace = factories.WorkspaceFactory.create()
        for _ in range(receivers):
            factories.WebhookEndpointFactory(url=quick.url, workspace=workspace)
        Event.objects.bulk_create(
            factories.EventFactory.build(workspace=workspace) for _ in range(1000)
        )
        began = time.monotonic()
        with pump():
            until(lambda: len(quick.got) >= 1000 * receivers, 120)
            seconds = time.monotonic() - began
            until(lambda: not WebhookDelivery.objects.exclude(status="succeeded").exists())
        times = Counter(got.headers["webhook-id"] for got in quick.got)
    assert set(times.values()) == {receivers}
    with capsys.disabled():
        print(f"{receivers} receivers: {1000 * receivers / seconds:.0f} deliveries a second")


def test_what_cannot_be_recorded_yet_is_kept_and_what_never_can_is_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One endpoint's row is held by somebody, another's answer cannot be stored: others go on."""
    with receiving() as quick:
        endpoints = [factories.WebhookEndpointFactory.create(url=quick.url) for _ in range(3)]
        for endpoint in endpoints:
            factories.EventFactory(workspace=endpoint.workspace)
        trouble = {endpoints[0].id: 2, endpoints[1].id: 1}

        def troubled(results: pumping.Results, **arguments: object) -> None:
            for endpoint_id in {claimed.endpoint_id for claimed, _ in results}:
                if trouble.get(endpoint_id):
                    if len(results) == 1:
                        trouble[endpoint_id] -= 1
                    error = OperationalError if endpoint_id == endpoints[0].id else DataError
                    raise error
            record(results, **arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(pumping, "record", troubled)
        with pump():
            taken = WebhookDelivery.objects.filter(status="succeeded")
            until(lambda: taken.count() == 2)
    assert endpoints[1].deliveries.get().status == "pending"  # its lease will run out
    assert len(quick.got) == 3

"""The exports over a real server: how they end, and what a slow reader costs the others."""

import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from batches.api.streams import BROKEN_OFF
from batches.models import CallBatch
from tests.batches.test_batch_details import batch_of, call_of
from tests.batches.test_export import fill
from tests.cast import Person
from tests.config.server import HOST, granian

CSV, NDJSON = "/api/call/export/csv", "/api/call/export/ndjson"
MORE_THAN_SOCKETS_HOLD = 1500  # calls of 16 KB

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def port(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[int]:
    with django_db_blocker.unblock(), granian() as port:
        yield port


@pytest.fixture
def clients(port: int) -> Iterator[Any]:
    """Makes connections that end with the test."""
    made: list[HTTPConnection] = []

    def connect() -> HTTPConnection:
        made.append(HTTPConnection(HOST, port, timeout=30))
        return made[-1]

    yield connect
    for client in made:
        client.close()


def ask(
    client: HTTPConnection, who: Person, path: str, batch: CallBatch, method: str = "GET"
) -> HTTPResponse:
    headers = {**who.with_key, "X-Request-Id": "export-1"}
    client.request(method, f"{path}?batchId={batch.id}", headers=headers)
    return client.getresponse()


@pytest.mark.parametrize("path", [CSV, NDJSON])
def test_an_export_over_the_wire(owner: Person, clients: Any, path: str) -> None:
    batch = batch_of(owner, ["x"])
    fill(batch, 3000, variables={"x": "x" * 100})
    client = clients()

    response = ask(client, owner, path, batch)

    assert response.status == 200
    assert response.headers["X-Request-Id"] == "export-1"
    assert response.headers["Transfer-Encoding"] == "chunked"
    lines = response.read().splitlines()
    assert len(lines) == 3000 + (path == CSV)
    # The connection takes the next request.
    head = ask(client, owner, path, batch, "HEAD")
    assert (head.status, head.read()) == (200, b"")
    assert head.headers["Content-Type"] == response.headers["Content-Type"]
    assert len(ask(client, owner, path, batch).read().splitlines()) == len(lines)


@pytest.mark.parametrize("path", [CSV, NDJSON])
def test_a_download_that_fails_does_not_look_complete(
    owner: Person, clients: Any, path: str
) -> None:
    """The server ends a stream that raised like any other; the last line tells."""
    batch = batch_of(owner, ["x"])
    fill(batch, 1000, variables={"x": "x" * 1000})
    call_of(batch, variables="no object", id="f" * 24)

    response = ask(clients(), owner, path, batch)

    received = response.read()
    assert len(received) > 500_000
    assert received.endswith(BROKEN_OFF[response.headers.get_content_type()])


def test_who_reads_slowly_stops_neither_the_server_nor_the_database(
    owner: Person, clients: Any
) -> None:
    batch = batch_of(owner, ["x"])
    fill(batch, MORE_THAN_SOCKETS_HOLD, variables={"x": "x" * 16_000})
    slow = ask(clients(), owner, CSV, batch)
    time.sleep(1)  # it fills the sockets, then it waits for its reader

    for _ in range(2):
        assert ask(clients(), owner, "/api/call/imports", batch).status == 200
    refused = ask(clients(), owner, CSV, batch)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "10")
    assert open_transactions() == 0

    assert len(slow.read().splitlines()) == MORE_THAN_SOCKETS_HOLD + 1
    again = ask(clients(), owner, CSV, batch)
    assert len(again.read().splitlines()) == MORE_THAN_SOCKETS_HOLD + 1


def test_who_hangs_up_makes_room_for_the_next(owner: Person, clients: Any) -> None:
    batch = batch_of(owner, ["x"])
    fill(batch, MORE_THAN_SOCKETS_HOLD, variables={"x": "x" * 16_000})
    client = clients()
    ask(client, owner, CSV, batch).close()
    client.close()

    for _ in range(100):
        response = ask(clients(), owner, CSV, batch)
        if response.status == 200:
            break
        time.sleep(0.1)
    assert len(response.read().splitlines()) == MORE_THAN_SOCKETS_HOLD + 1


def open_transactions() -> int:
    """Of all others on this database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            " AND backend_type = 'client backend'"
        )
        return int(cursor.fetchone()[0])

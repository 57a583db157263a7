"""The exports as downloads: who gets them, their headers, how they end."""

import csv
import io
import itertools
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.test.utils import CaptureQueriesContext

from batches.api import streams
from batches.api.streams import BROKEN_OFF, content_disposition
from batches.exports import ROWS_A_PAGE
from tests.batches.test_batch_details import batch_of, call_of
from tests.batches.test_export import fill
from tests.cast import Api, Person
from tests.envelope import checked

CSV, NDJSON = "/api/call/export/csv", "/api/call/export/ndjson"
UNKNOWN_ID = "64e5f12345abcdef87654321"
both = pytest.mark.parametrize("path", [CSV, NDJSON])
MEDIA_TYPES = {CSV: "text/csv", NDJSON: "application/x-ndjson"}


# --- Who and what ---------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("credential", ["with_key", "with_read_key", "with_token"])
def test_whoever_may_read_gets_the_file(
    api: Api, owner: Person, member: Person, path: str, credential: str
) -> None:
    batch = batch_of(owner, name="Spring")
    call_of(batch)
    for who in (owner, member):
        response = api.get(path, getattr(who, credential), batchId=batch.id)
        assert response.status_code == 200
        assert response.streaming
        assert response["Content-Type"] == f"{MEDIA_TYPES[path]}; charset=utf-8"
        assert response["Cache-Control"] == "no-store"
        assert response["X-Request-Id"]
        assert response["Content-Disposition"].startswith('attachment; filename="Spring.')
        assert batch.calls.get().id in b"".join(response).decode()


@both
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "required"),
        ({"batchId": ""}, "invalid_id"),
        ({"batchId": "x"}, "invalid_id"),
        ({"batchId": UNKNOWN_ID.upper()}, "invalid_id"),
    ],
)
def test_the_batch_must_be_named(
    api: Api, owner: Person, path: str, query: dict[str, str], code: str
) -> None:
    body = checked(api.get(path, owner.with_key, **query), 400)
    assert (body["data"]["errors"][0]["field"], body["data"]["errors"][0]["code"]) == (
        "batchId",
        code,
    )


@both
def test_a_deleted_a_foreign_and_an_unknown_batch_read_alike(
    api: Api, owner: Person, stranger: Person, path: str
) -> None:
    deleted = batch_of(owner, deleted_at=datetime(2025, 1, 1, tzinfo=UTC))
    bodies = [
        checked(api.get(path, owner.with_key, batchId=id_), 404)
        for id_ in (deleted.id, batch_of(stranger).id, UNKNOWN_ID)
    ]
    assert all(body == bodies[0] for body in bodies)


@both
@pytest.mark.parametrize("accept", ["text/csv", "application/json", "image/png", "*/*"])
def test_the_file_is_what_it_is_whatever_is_accepted(
    api: Api, owner: Person, path: str, accept: str
) -> None:
    headers = {**owner.with_key, "accept": accept}
    response = api.get(path, headers, batchId=batch_of(owner).id)
    assert response["Content-Type"].startswith(MEDIA_TYPES[path])
    checked(api.get(path, headers, batchId=UNKNOWN_ID), 404)


@both
def test_head_gets_the_headers_and_reads_no_calls(
    api: Api, owner: Person, statements: CaptureQueriesContext, path: str
) -> None:
    batch = batch_of(owner)
    response = api.request("HEAD", f"{path}?batchId={batch.id}", headers=owner.with_key)
    assert b"".join(response) == b""
    assert response["Content-Type"].startswith(MEDIA_TYPES[path])
    assert not [one for one in statements if "FROM batches_call\n" in one["sql"]]
    assert b"".join(api.get(path, owner.with_key, batchId=batch.id)) is not None
    assert [one for one in statements if "FROM batches_call\n" in one["sql"]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Spring", "filename=\"Spring.csv\"; filename*=UTF-8''Spring.csv"),
        ("May 2025", "filename=\"May_2025.csv\"; filename*=UTF-8''May_2025.csv"),
        ("Über alles", "filename=\"Uber_alles.csv\"; filename*=UTF-8''%C3%9Cber_alles.csv"),
        (
            "春",
            "filename=\"download.csv\"; filename*=UTF-8''%E6%98%A5.csv",
        ),
        (
            '../etc/"passwd"\\x',
            "filename=\"etc_passwd_x.csv\"; filename*=UTF-8''etc_passwd_x.csv",
        ),
        ("a;b'c", "filename=\"a_b_c.csv\"; filename*=UTF-8''a%3Bb%27c.csv"),
        ("exe\u202eslx", "filename=\"exe_slx.csv\"; filename*=UTF-8''exe_slx.csv"),
        ("...", "filename=\"download.csv\"; filename*=UTF-8''download.csv"),
        ("x" * 200, f"filename=\"{'x' * 100}.csv\"; filename*=UTF-8''{'x' * 100}.csv"),
    ],
)
def test_the_file_is_named_after_the_batch(name: str, expected: str) -> None:
    assert content_disposition(name, "csv") == f"attachment; {expected}"


# --- Pages ----------------------------------------------------------------------------------------


@both
def test_a_page_is_read_when_it_is_wanted_and_costs_one_statement(
    api: Api, owner: Person, statements: CaptureQueriesContext, path: str
) -> None:
    """The credential and its use, the batch, its names; then the pages."""
    batch = batch_of(owner)
    fill(batch, 2 * ROWS_A_PAGE + 1, variables={"x": "x" * 50})
    before = len(statements)
    chunks = iter(api.get(path, owner.with_key, batchId=batch.id))
    assert len(statements) - before == 3

    first = next(chunks)

    assert 60_000 < len(first) < 70_000
    assert len(statements) - before == 5
    rest = list(chunks)
    assert len(statements) - before == 7
    assert max(map(len, rest)) < 70_000


# --- The end --------------------------------------------------------------------------------------


@both
def test_an_error_on_the_way_is_raised_logged_and_told_in_the_file(
    api: Api, owner: Person, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = batch_of(owner, ["x"])
    call_of(batch, variables={"x": "x" * 70_000}, created_at=datetime(2025, 1, 1, tzinfo=UTC))
    call_of(batch, variables="no object")
    chunks = iter(api.get(path, owner.with_key, batchId=batch.id))

    assert b"xxx" in next(chunks)
    assert next(chunks) == BROKEN_OFF[MEDIA_TYPES[path]]
    with pytest.raises((AttributeError, TypeError)):
        next(chunks)
    assert "download_broke_off" in capsys.readouterr().out
    assert not streams._running


def test_the_ending_of_a_broken_file_is_taken_by_no_parser() -> None:
    text = io.StringIO(BROKEN_OFF["text/csv"].decode(), newline="")
    with pytest.raises(csv.Error, match="unexpected end"):
        list(csv.reader(text, strict=True))
    with pytest.raises(json.JSONDecodeError):
        json.loads(BROKEN_OFF["application/x-ndjson"])


@pytest.fixture
def another_download() -> Iterator[None]:
    """One that another thread has begun and not ended."""
    begun, end = threading.Event(), threading.Event()

    def chunks() -> Iterator[bytes]:
        yield b"first"
        yield b"second"

    def run() -> None:
        running = streams._Download(chunks())
        next(running)
        begun.set()
        end.wait(30)
        running.close()

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait(30)
    yield
    end.set()
    thread.join()


@both
def test_a_second_download_is_told_to_wait(
    api: Api, owner: Person, another_download: None, path: str
) -> None:
    """A slow reader holds a thread of the server: the others are for other requests."""
    batch = batch_of(owner)
    response = api.get(path, owner.with_key, batchId=batch.id)
    assert "download" in checked(response, 503)["errorMessage"]
    assert response["Retry-After"] == "10"
    query = f"{path}?batchId={batch.id}"
    assert api.request("HEAD", query, headers=owner.with_key).status_code == 200
    checked(api.get(path, owner.with_key, batchId=UNKNOWN_ID), 404)


@pytest.mark.parametrize("read", [0, 1, 2, 3])
def test_a_download_counts_until_it_ends_or_is_closed(read: int) -> None:
    running = streams._Download(iter([b"a", b"b"]))
    assert not streams._running
    assert len(list(itertools.islice(running, read))) == min(read, 2)
    assert bool(streams._running) is (read in (1, 2))
    running.close()
    running.close()
    assert not streams._running


def test_a_download_that_was_dropped_does_not_stop_the_next_of_its_thread() -> None:
    dropped = streams._Download(iter([b"a", b"b"]))
    next(dropped)
    assert list(streams._Download(iter([b"c"]))) == [b"c"]
    assert not streams._running

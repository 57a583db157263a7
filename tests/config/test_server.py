"""What only a real server shows: bodies on a socket, kept connections, a database that goes away."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from tests import factories
from tests.cast import Person
from tests.config.server import RawConnection, granian
from workspaces.models import AuditEvent

CREATE, ME = "/api/call/createBatch", "/api/auth/me"
MEGABYTE = 1 << 20
Answer = tuple[int, dict[str, str], bytes]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def port(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[int]:
    with django_db_blocker.unblock(), granian() as port:
        yield port


def ask(port: int, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Answer:
    with RawConnection(port) as client:
        client.request(method, path, with_length(headers, body), body)
        return client.answer()


def with_length(headers: dict[str, str], body: bytes) -> dict[str, str]:
    return {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}


def envelope(answer: Answer, code: int) -> Any:
    status, headers, content = answer
    assert status == code, content
    assert headers["x-request-id"]
    body = json.loads(content)
    assert list(body) == ["message", "status", "code", "errorMessage", "data"]
    assert body["code"] == code
    return body


def chunked(*chunks: bytes) -> bytes:
    sized = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks]
    return b"".join([*sized, b"0\r\n\r\n"])


def request_body(owner: Person) -> bytes:
    phone = factories.PhoneNumberFactory.create(workspace=owner.workspace)
    return json.dumps({"batchName": "Over the wire", "callingNumbers": [phone.id]}).encode()


# --- Bodies ---------------------------------------------------------------------------------------


def test_a_request_over_the_wire(port: int, owner: Person) -> None:
    answer = ask(port, "POST", CREATE, owner.with_key, request_body(owner))
    batch_id = envelope(answer, 201)["data"]
    event = AuditEvent.objects.get(target_id=batch_id)
    assert (event.ip, event.request_id) == ("127.0.0.1", answer[1]["x-request-id"])


@pytest.mark.parametrize(
    ("path", "credential", "code"),
    [(CREATE, True, 413), (CREATE, False, 403), (ME, False, 405), ("/api/nothing", False, 404)],
    ids=["key", "no credentials", "wrong method", "unknown URL"],
)
def test_a_client_that_sends_20_megabytes_sees_the_answer(
    port: int, owner: Person, path: str, credential: bool, code: int
) -> None:
    """And may send its next request on the same connection."""
    headers = owner.with_key if credential else {}
    body = b"x" * (20 * MEGABYTE)
    with RawConnection(port) as client:
        client.request("POST", path, with_length(headers, body), body)
        envelope(client.answer(), code)
        client.request("GET", ME, owner.with_token)
        envelope(client.answer(), 200)


def test_a_body_in_chunks_is_read_as_a_whole(port: int, owner: Person) -> None:
    body = request_body(owner)
    headers = {**owner.with_key, "Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    with RawConnection(port) as client:
        client.request("POST", CREATE, headers)
        client.send(chunked(body[:10], body[10:]))
        envelope(client.answer(), 201)
        client.request("GET", ME, owner.with_token)
        envelope(client.answer(), 200)


@pytest.mark.parametrize("megabytes", [2, 20])
def test_too_many_chunks_are_a_413(port: int, owner: Person, megabytes: int) -> None:
    headers = {**owner.with_key, "Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    with RawConnection(port) as client:
        client.request("POST", CREATE, headers)
        client.send(chunked(*[b"x" * MEGABYTE] * megabytes))
        envelope(client.answer(), 413)
        client.request("GET", ME, owner.with_token)
        envelope(client.answer(), 200)


def test_chunks_without_credentials_are_refused(port: int, owner: Person) -> None:
    with RawConnection(port) as client:
        client.request("POST", CREATE, {"Transfer-Encoding": "chunked"})
        client.send(chunked(b"{}"))
        envelope(client.answer(), 403)


def test_whoever_asks_before_sending_is_told_to_continue(port: int, owner: Person) -> None:
    body = request_body(owner)
    with RawConnection(port) as client:
        client.request(
            "POST", CREATE, with_length({**owner.with_key, "Expect": "100-continue"}, body)
        )
        assert client.answer()[0] == 100
        client.send(body)
        envelope(client.answer(), 201)


def test_a_connection_serves_many_requests(port: int, owner: Person) -> None:
    ids = set()
    with RawConnection(port) as client:
        for number in range(20):
            client.request("GET", ME, {**owner.with_key, "X-Request-Id": f"request-{number}"})
            answer = client.answer()
            envelope(answer, 200)
            ids.add(answer[1]["x-request-id"])
    assert ids == {f"request-{number}" for number in range(20)}


def test_head_has_no_body_on_the_wire(port: int, owner: Person) -> None:
    with RawConnection(port) as client:
        client.request("HEAD", ME, {**owner.with_key, "Connection": "close"})
        client_answer = client._reader.read()
    head, _, body = client_answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert body == b""


@pytest.mark.parametrize("value", ["ключ".encode(), b"\xff\xfe", b"odk_live_\x80"])
def test_a_header_that_is_no_text_is_a_bad_credential(port: int, db: None, value: bytes) -> None:
    with RawConnection(port) as client:
        client.send(
            b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\nx-api-key: %b\r\n\r\n" % (ME.encode(), value)
        )
        envelope(client.answer(), 401)


@pytest.mark.parametrize("charset", ["rot13", "hex", "utf-7", "punycode", "nonsense"])
@pytest.mark.parametrize(
    ("path", "status"), [("/healthz?x=y", 200), ("/api/dnc/list?search=%2B2AA-", 200)]
)
def test_a_charset_that_the_client_names_is_ignored(
    port: int, owner: Person, path: str, status: int, charset: str
) -> None:
    """Django would decode the query string with it, before any code of ours."""
    headers = {**owner.with_key, "Content-Type": f"text/plain; charset={charset}"}
    with RawConnection(port) as connection:
        connection.request("GET", path, headers)
        answered, answer_headers, _ = connection.answer()
    assert answered == status
    assert "x-request-id" in answer_headers


def test_requests_at_once_are_all_answered(port: int, owner: Person) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: ask(port, "GET", ME, owner.with_key), range(64)))
    assert [status for status, _, _ in answers] == [200] * 64
    assert len({headers["x-request-id"] for _, headers, _ in answers}) == 64


def test_of_requests_with_one_key_at_once_one_is_carried_out(port: int, owner: Person) -> None:
    headers, body = {**owner.with_key, "Idempotency-Key": "once"}, request_body(owner)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(port, "POST", CREATE, headers, body), range(32)))
    assert {status for status, _, _ in answers} <= {201, 409}
    assert len({content for status, _, content in answers if status == 201}) == 1
    new = [1 for code, told, _ in answers if code == 201 and "idempotency-replayed" not in told]
    assert len(new) == AuditEvent.objects.filter(action="batch.create").count() == 1


# --- A database that goes away --------------------------------------------------------------------


@pytest.fixture
def outage() -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """Two functions: nobody may use the database; everybody may again."""
    parameters = connection.get_connection_params()
    name = parameters["dbname"]
    place = {
        key: parameters[key] for key in ("host", "port", "user", "password") if parameters.get(key)
    }

    with psycopg.connect(dbname="postgres", autocommit=True, **place) as other:

        def allow(allowed: bool) -> None:
            other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {allowed}')

        def away() -> None:
            connection.close()
            allow(False)
            end_backends(other, name)

        def back() -> None:
            allow(True)

        try:
            yield away, back
        finally:
            back()


def from_outside() -> psycopg.Connection[Any]:
    """A connection to another database of the same server."""
    parameters = connection.get_connection_params()
    place: dict[str, Any] = {
        name: parameters.get(name) for name in ("host", "port", "user", "password")
    }
    return psycopg.connect(dbname="postgres", autocommit=True, **place)


def end_backends(other: psycopg.Connection[Any], name: str) -> None:
    statement = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
    other.execute(statement, [name])


def test_a_database_away_is_a_503_and_back_it_is_used_again(
    port: int, owner: Person, outage: tuple[Callable[[], None], Callable[[], None]]
) -> None:
    away, back = outage
    body = request_body(owner)
    away()
    for method, path, sent in (("GET", ME, b""), ("POST", CREATE, body), ("GET", ME, b"")):
        answer = ask(port, method, path, owner.with_key, sent)
        envelope(answer, 503)
        assert int(answer[1]["retry-after"]) > 0
        assert b"connection" not in answer[2]
    assert ask(port, "GET", "/healthz", {})[0] == 200
    assert ask(port, "GET", "/readyz", {})[0] == 503

    back()
    started = time.monotonic()
    for _ in range(4):  # both threads of the server
        envelope(ask(port, "POST", CREATE, owner.with_key, body), 201)
        envelope(ask(port, "GET", ME, owner.with_token), 200)
    assert time.monotonic() - started < 10
    assert ask(port, "GET", "/readyz", {})[0] == 200


def test_a_database_that_was_restarted_is_not_even_noticed(port: int, owner: Person) -> None:
    """Both kinds of request begin with a statement that is safe to send twice."""
    body = request_body(owner)
    for method, path, sent, code in (("POST", CREATE, body, 201), ("GET", ME, b"", 200)):
        for _ in range(2):
            ask(port, "GET", ME, owner.with_key)
        connection.close()
        with from_outside() as other:
            end_backends(other, connection.settings_dict["NAME"])
        for _ in range(4):
            envelope(ask(port, method, path, owner.with_key, sent), code)

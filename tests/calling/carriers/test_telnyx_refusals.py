"""What Telnyx refuses, and when it cannot be reached."""

import base64
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings

from calling.carriers.base import (
    CarrierError,
)
from calling.carriers.telnyx import FAULTS, TELNYX, Fault, Telnyx
from tests.calling.carriers.recording_server import (
    RecordingServer,
    Reply,
    recording_server,
)
from tests.calling.carriers.telnyx_carrier import (
    ACCOUNT,
    APPLICATION,
    CALL_SID,
    CALLS,
    CREDENTIALS,
    NUMBER,
    OWNED,
    PUBLIC_KEY,
    REQUEST,
    Carrier,
    now_do,
    posts,
    refusal,
    refused,
    remembering,
    unsure,
)


@pytest.fixture
def carrier() -> Carrier:
    return Carrier()


@pytest.fixture
def server(carrier: Carrier, settings: Settings) -> Iterator[RecordingServer]:
    with recording_server(carrier) as server:
        settings.CARRIER_API_URLS = {"telnyx": server.url}
        yield server


# Faults


@pytest.mark.parametrize(
    "reply",
    [Reply(500), Reply(503, refusal("10007")), Reply(408), Reply(302), Reply(breaks_off=True)],
)
def test_what_may_have_rung_is_not_asked_for_again(
    server: RecordingServer, carrier: Carrier, reply: Reply
) -> None:
    carrier.call = reply
    unsure(Telnyx().place(CREDENTIALS, REQUEST))
    assert len(posts(server)) == 1


@pytest.mark.parametrize(
    "reply",
    [Reply(500), Reply(408), Reply(302), Reply(429), Reply(breaks_off=True)],
)
def test_before_the_call_nothing_is_unsure(
    server: RecordingServer, carrier: Carrier, reply: Reply
) -> None:
    carrier.numbers = reply
    error = refused(Telnyx().place(CREDENTIALS, REQUEST))
    assert not error.permanent
    assert posts(server) == []


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(body={"data": []}), "number_not_owned"),
        (Reply(body={"data": [{**OWNED, "connection_id": ""}]}), "number_without_application"),
        (Reply(401), "credentials_refused"),
        (Reply(403), "credentials_refused"),
        (Reply(400, refusal("10015")), ""),
    ],
)
def test_a_number_without_application_is_the_accounts_fault(
    server: RecordingServer, carrier: Carrier, reply: Reply, code: str
) -> None:
    carrier.numbers = reply
    error = refused(Telnyx().place(CREDENTIALS, REQUEST))
    assert (error.permanent, error.of_account, error.code) == (True, True, code)
    assert posts(server) == []


def test_credentials_are_refused(server: RecordingServer, carrier: Carrier) -> None:
    carrier.call = Reply(401, refusal("10009"))
    error = refused(Telnyx().place(CREDENTIALS, REQUEST))
    assert (error.permanent, error.of_account) == (True, True)
    assert (error.field, error.code) == ("authToken", "credentials_refused")


def test_waits_as_long_as_it_is_told(server: RecordingServer, carrier: Carrier) -> None:
    carrier.call = Reply(429, refusal("10011"), {"Retry-After": "7"})
    error = refused(Telnyx().place(CREDENTIALS, REQUEST))
    assert (error.permanent, error.of_account, error.retry_after) == (False, False, 7.0)
    assert error.code == "too_many_requests"


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (422, refusal("10002"), Fault.NUMBER),
        (422, refusal("10016", pointer="/To"), Fault.NUMBER),
        (422, refusal("10016", pointer="/From"), Fault.ACCOUNT),
        (400, refusal("10015", pointer="/to"), Fault.NUMBER),
        (
            403,
            refusal("10010", "Dialed number is not included in whitelisted countries D13"),
            Fault.NUMBER,
        ),
        (403, refusal("10010", "No outbound profile D38"), Fault.ACCOUNT),
        (403, refusal("10010", "User channel limit exceeded D1"), Fault.LATER),
        (403, refusal("10010"), Fault.ACCOUNT),
        (403, refusal("20013"), Fault.ACCOUNT),
        (402, refusal("20100"), Fault.ACCOUNT),
        (404, refusal("10005"), Fault.ACCOUNT),
        (418, refusal("99999"), Fault.ACCOUNT),
        (400, {"errors": ["?"]}, Fault.ACCOUNT),
        (400, {"errors": {}}, Fault.ACCOUNT),
        (400, None, Fault.ACCOUNT),
    ],
)
def test_tells_whose_fault_a_refusal_is(
    server: RecordingServer, carrier: Carrier, status: int, body: Any, fault: Fault
) -> None:
    carrier.call = Reply(status, body, {"Retry-After": "5"})
    error = refused(Telnyx().place(CREDENTIALS, REQUEST))
    assert error.permanent == (fault is not Fault.LATER)
    assert error.of_account == (fault is Fault.ACCOUNT)
    assert error.retry_after == (5.0 if fault is Fault.LATER else None)


@pytest.mark.parametrize("code", FAULTS)
def test_each_code_is_found_where_it_stands(
    server: RecordingServer, carrier: Carrier, code: str
) -> None:
    said = refusal(code) if code.isdecimal() else refusal("10010", f"Refused, {code}")
    carrier.call = Reply(403, said)
    error = refused(Telnyx().place(CREDENTIALS, REQUEST))
    assert error.of_account == (FAULTS[code] is Fault.ACCOUNT)
    assert error.permanent == (FAULTS[code] is not Fault.LATER)


def test_quotes_no_credentials(server: RecordingServer, carrier: Carrier) -> None:
    carrier.call = Reply(403, refusal("10010", f"{CREDENTIALS.auth_token} of {ACCOUNT}"))
    error = refused(Telnyx().place(CREDENTIALS, REQUEST))
    assert "*** of ***" in error.message
    assert ACCOUNT not in error.message


def test_nobody_listens(settings: Settings) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    settings.CARRIER_API_URLS = {"telnyx": f"http://127.0.0.1:{port}"}
    for adapter in (Telnyx(), remembering()):
        assert not refused(adapter.place(CREDENTIALS, REQUEST)).permanent


def test_speaks_no_tls(server: RecordingServer, settings: Settings) -> None:
    settings.CARRIER_API_URLS = {"telnyx": server.url.replace("http:", "https:")}
    for adapter in (Telnyx(), remembering()):
        assert not refused(adapter.place(CREDENTIALS, REQUEST)).permanent
    assert server.requests == []


# Credentials


def test_verifies_and_keeps_the_public_key(server: RecordingServer) -> None:
    given = replace(CREDENTIALS, public_key="")
    assert now_do(TELNYX.verify_credentials(given, NUMBER)) == CREDENTIALS
    paths = [request.path for request in server.requests]
    application = f"/v2/texml_applications/{APPLICATION}"
    assert paths == ["/v2/phone_numbers", application, CALLS, "/v2/public_key"]
    assert {request.method for request in server.requests} == {"GET"}


def test_a_public_key_that_is_given_is_not_asked_for(server: RecordingServer) -> None:
    given = replace(CREDENTIALS, public_key=f" {PUBLIC_KEY}\n")
    assert now_do(TELNYX.verify_credentials(given, NUMBER)) == CREDENTIALS
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "application",
    [
        Reply(404, refusal("10005")),
        Reply(body={"data": {"id": APPLICATION, "voice_method": "get"}}),
    ],
    ids=["a SIP connection", "keys would come unsigned"],
)
def test_a_number_needs_a_texml_application_that_posts(
    server: RecordingServer, carrier: Carrier, application: Reply
) -> None:
    carrier.application = application
    error = refused(TELNYX.verify_credentials(CREDENTIALS, NUMBER))
    assert (error.field, error.code) == ("phoneNumber", "number_without_application")


Break = Callable[[Carrier], None]


def answers(name: str, reply: Reply) -> Break:
    return lambda carrier: setattr(carrier, name, reply)


@pytest.mark.parametrize(
    ("breaks", "field", "code"),
    [
        (answers("numbers", Reply(401)), "authToken", "credentials_refused"),
        (answers("numbers", Reply(403)), "authToken", "credentials_refused"),
        (answers("numbers", Reply(body={"data": []})), "phoneNumber", "number_not_owned"),
        (answers("numbers", Reply(body={"data": None})), "phoneNumber", "number_not_owned"),
        (
            answers("numbers", Reply(body={"data": [{**OWNED, "phone_number": f"{NUMBER}5"}]})),
            "phoneNumber",
            "number_not_owned",
        ),
        (
            answers("numbers", Reply(body={"data": [{**OWNED, "status": "port-pending"}]})),
            "phoneNumber",
            "number_not_owned",
        ),
        (
            answers("numbers", Reply(body={"data": [{**OWNED, "connection_id": None}]})),
            "phoneNumber",
            "number_without_application",
        ),
        *[
            (answers("account", Reply(status)), "accSId", "credentials_refused")
            for status in (401, 403, 404, 422)
        ],
        (answers("public_key", Reply(404)), "publicKey", "required"),
        (answers("public_key", Reply(body={"data": {"public": "?"}})), "publicKey", "required"),
        (answers("public_key", Reply(body={"data": []})), "publicKey", "required"),
    ],
)
def test_says_what_is_wrong(
    server: RecordingServer, carrier: Carrier, breaks: Break, field: str, code: str
) -> None:
    breaks(carrier)
    error = refused(TELNYX.verify_credentials(replace(CREDENTIALS, public_key=""), NUMBER))
    assert (error.permanent, error.of_account) == (True, True)
    assert (error.field, error.code) == (field, code)


@pytest.mark.parametrize("name", ["numbers", "account", "public_key"])
@pytest.mark.parametrize("reply", [Reply(500), Reply(429), Reply(breaks_off=True)])
def test_cannot_be_asked_now(
    server: RecordingServer, carrier: Carrier, name: str, reply: Reply
) -> None:
    setattr(carrier, name, reply)
    error = refused(TELNYX.verify_credentials(replace(CREDENTIALS, public_key=""), NUMBER))
    assert not error.permanent


@pytest.mark.parametrize("key", ["?", "ключ", PUBLIC_KEY[:-4], base64.b64encode(b"1").decode()])
def test_a_malformed_public_key(server: RecordingServer, key: str) -> None:
    error = refused(TELNYX.verify_credentials(replace(CREDENTIALS, public_key=key), NUMBER))
    assert (error.permanent, error.field, error.code) == (True, "publicKey", "invalid")


@pytest.mark.parametrize("account", ["", "..", "a/../b", "a?b", "a b", "a" * 65, "ä", "a\n"])
def test_no_account_id_gets_into_a_path_unchecked(server: RecordingServer, account: str) -> None:
    credentials = replace(CREDENTIALS, account_id=account)
    for work in (
        TELNYX.verify_credentials(credentials, NUMBER),
        Telnyx().place(credentials, REQUEST),
        TELNYX.lookup(credentials, REQUEST.request_uuid, CALL_SID),
        TELNYX.hang_up(credentials, REQUEST.request_uuid, CALL_SID),
    ):
        error = refused(work)
        assert (error.field, error.code) == ("accSId", "credentials_refused")
    assert server.requests == []


@pytest.mark.parametrize("token", ["", "ключ", "a b", "a\r\nX: y"])
def test_no_token_gets_into_a_header_unchecked(server: RecordingServer, token: str) -> None:
    with pytest.raises(CarrierError) as caught:
        now_do(TELNYX.verify_credentials(replace(CREDENTIALS, auth_token=token), NUMBER))
    assert (caught.value.field, caught.value.code) == ("authToken", "credentials_refused")
    assert server.requests == []

"""Placing calls with Plivo, and whether its official client sends the same."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import plivo  # type: ignore[import-untyped]
import plivo.rest.client  # type: ignore[import-untyped]
import pytest
from django.utils import timezone
from pytest_django import Settings

from calling.carriers.base import (
    CallProgress,
    CallReport,
    CallRequest,
    CarrierAdapter,
    CarrierError,
    CarrierUnsure,
    Credentials,
    Detection,
)
from calling.carriers.plivo import PLIVO
from tests.calling.carriers.plivo_server import (
    ACCOUNT,
    AUTH_ID,
    FIRED,
    KEYS,
    LIVE,
    NAME,
    REQUEST,
    TOKEN,
    Carrier,
    a_carrier,
    run,
)
from tests.calling.carriers.recording_server import (
    Reply,
    recording_server,
)


@pytest.fixture
def carrier(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Carrier]:
    with a_carrier(settings) as it:
        for name in ("API_VOICE_BASE_URI", "PLIVO_API_BASE_URI"):
            monkeypatch.setattr(plivo.rest.client, name, f"{it.server.url}/v1/Account")
        yield it


def place(request: CallRequest = REQUEST, keys: Credentials = KEYS) -> CallReport:
    return run(PLIVO.place(keys, request))


def test_it_is_a_carrier() -> None:
    adapter: CarrierAdapter = PLIVO
    assert (adapter.title, adapter.calls_per_second, adapter.asks_back) == ("Plivo", 2, True)


# Placing


def test_a_call_is_placed_as_the_reference_says(carrier: Carrier) -> None:
    report = place(replace(REQUEST, detection=Detection.START, records=True))
    [sent] = carrier.server.requests
    assert (sent.method, sent.path, sent.query) == ("POST", f"{ACCOUNT}Call/", {})
    assert sent.headers["content-type"] == "application/json"
    assert sent.json == {
        "from": "12025550100",
        "to": "14155550123",
        "answer_url": "https://calls.example/answer/7",
        "answer_method": "POST",
        "ring_url": "https://calls.example/status/7",
        "ring_method": "POST",
        "hangup_url": "https://calls.example/status/7",
        "hangup_method": "POST",
        "ring_timeout": 45,
        "machine_detection": "true",
    }
    assert (report.progress, report.carrier_call_id) == (CallProgress.QUEUED, NAME)


@pytest.mark.parametrize("detection", Detection)
def test_the_official_client_sends_the_same(carrier: Carrier, detection: Detection) -> None:
    place(replace(REQUEST, detection=detection))
    plivo.RestClient(AUTH_ID, TOKEN).calls.create(
        from_="12025550100",
        to_="14155550123",
        answer_url=REQUEST.answer_url,
        ring_url=REQUEST.callback_url,
        hangup_url=REQUEST.callback_url,
        ring_timeout=45,
        machine_detection=None if detection is Detection.NONE else "true",
    )
    ours, theirs = carrier.server.requests
    assert (ours.method, ours.path, ours.query) == (theirs.method, theirs.path, theirs.query)
    for header in ("authorization", "content-type"):
        assert ours.headers[header] == theirs.headers[header]
    more = {
        "fallback_method": "POST",
        "machine_detection_time": 5000,
        "machine_detection_method": "POST",
        "error_if_parent_not_found": False,
    }  # Plivo's defaults, which its client repeats
    assert {**ours.json, **more} == theirs.json


def test_the_official_client_asks_at_the_same_places(carrier: Carrier) -> None:
    client = plivo.RestClient(AUTH_ID, TOKEN)
    carrier.answer(Reply(200, {"number": "12025550100", "voice_enabled": True}))
    run(PLIVO.verify_credentials(KEYS, "+12025550100"))
    carrier.answer(Reply(404), Reply(404), Reply(200, LIVE | {"call_status": "queued"}))
    run(PLIVO.lookup(KEYS, uuid4(), NAME))
    run(PLIVO.hang_up(KEYS, uuid4(), NAME))
    ours = list(carrier.server.requests)
    carrier.server.requests.clear()
    carrier.answer(Reply(200, {"call_uuid": NAME}))
    client.account.get()
    client.numbers.get("12025550100")
    client.calls.get(NAME)
    client.live_calls.get(NAME)
    client.queued_calls.get(NAME)
    client.calls.cancel(NAME)
    for mine, theirs in zip(ours, carrier.server.requests, strict=True):
        theirs.query.pop("call_uuid", None)  # which it repeats from the path
        assert (mine.method, mine.path, mine.query) == (theirs.method, theirs.path, theirs.query)
        assert mine.headers["authorization"] == theirs.headers["authorization"]


def test_nobody_is_told_without_a_callback_url(carrier: Carrier) -> None:
    place(replace(REQUEST, callback_url=""))
    assert set(carrier.server.requests[0].json) == {
        *("from", "to", "answer_url", "answer_method", "ring_timeout")
    }


def test_a_call_is_not_placed_too_late(carrier: Carrier) -> None:
    with pytest.raises(CarrierError) as refused:
        place(replace(REQUEST, not_after=timezone.now() - timedelta(seconds=1)))
    assert not refused.value.permanent
    assert carrier.paths == []


@pytest.mark.parametrize(
    ("status", "said", "code", "of_account"),
    [
        (400, "to number is invalid", "destination_refused", False),
        (400, "14155550123 is not a valid phone number", "destination_refused", False),
        (400, "source and destination cannot be the same", "destination_refused", False),
        (403, "Geo permission is not enabled for +1415 in account", "destination_refused", False),
        (403, "Destination country barred", "destination_refused", False),
        (403, "this number is blocked", "destination_refused", False),
        (402, "", "out_of_credit", True),
        (400, "Your account has insufficient credits", "out_of_credit", True),
        (403, "from number 12025550100 cannot place calls", "account_refused", True),
        (403, "Voice capability is currently disabled for this account", "account_refused", True),
        (403, "", "account_refused", True),
        (404, "not found", "account_refused", True),
        (405, "HTTP method not allowed", "account_refused", True),
        (422, "something new", "account_refused", True),
    ],
)
def test_refusals(carrier: Carrier, status: int, said: str, code: str, of_account: bool) -> None:
    carrier.answer(Reply(status, {"api_id": "1", "error": said}))
    with pytest.raises(CarrierError) as refused:
        place()
    error = refused.value
    assert (error.permanent, error.of_account, error.code) == (True, of_account, code)
    assert said in error.message
    assert len(carrier.paths) == 1


def test_faults(carrier: Carrier) -> None:
    carrier.answer(Reply(401, {"error": f"no such {AUTH_ID}:{TOKEN}"}))
    with pytest.raises(CarrierError) as refused:
        place()
    error = refused.value
    assert (error.permanent, error.of_account, error.code) == (True, True, "credentials_refused")
    carrier.answer(Reply(429, {"error": "slow down"}, {"Retry-After": "7"}))
    with pytest.raises(CarrierError) as refused:
        place()
    assert (refused.value.permanent, refused.value.retry_after) == (False, 7)
    carrier.answer(Reply(403, {"error": f"no such {AUTH_ID}:{TOKEN}"}))
    with pytest.raises(CarrierError) as refused:
        place()
    assert AUTH_ID not in refused.value.message
    assert TOKEN not in refused.value.message


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, {"error": "server error"}),
        Reply(503),
        Reply(302, headers={"Location": "/elsewhere"}),
        Reply(408),
        Reply(breaks_off=True),
        Reply(200, {"message": "call fired"}),
        Reply(201, {"message": "call fired", "request_uuid": "../../"}),
        Reply(201, [NAME]),
    ],
)
def test_what_may_have_rung_is_unsure_and_not_sent_again(carrier: Carrier, reply: Reply) -> None:
    carrier.answer(reply)
    with pytest.raises(CarrierUnsure):
        place()
    assert len(carrier.paths) == 1


def test_a_closed_port_has_rung_nobody(settings: Settings) -> None:
    with recording_server(lambda request: FIRED) as server:
        settings.CARRIER_API_URLS = {"plivo": server.url}
    with pytest.raises(CarrierError) as refused:
        place()
    assert not refused.value.permanent


@pytest.mark.parametrize(
    "bad", ["", "MA1", "XX2025RK4E639VJFZAGV", "MA/../Call/VJFZAGVAAA", "Ma" * 10]
)
def test_a_strange_auth_id_gets_into_no_path(carrier: Carrier, bad: str) -> None:
    keys = Credentials(bad, TOKEN)
    for it in (
        PLIVO.place(keys, REQUEST),
        PLIVO.verify_credentials(keys, "+12025550100"),
        PLIVO.lookup(keys, uuid4(), NAME),
        PLIVO.hang_up(keys, uuid4(), NAME),
    ):
        with pytest.raises(CarrierError) as refused:
            run(it)
        error = refused.value
        assert (error.permanent, error.field, error.code) == (True, "accSId", "credentials_refused")
    assert carrier.paths == []


# Verifying


def test_good_credentials_are_kept(carrier: Carrier) -> None:
    carrier.answer(Reply(200, {}), Reply(200, {"number": "12025550100", "voice_enabled": True}))
    assert run(PLIVO.verify_credentials(KEYS, "+12025550100")) is KEYS
    assert carrier.paths == [f"GET {ACCOUNT}", f"GET {ACCOUNT}Number/12025550100/"]


@pytest.mark.parametrize(
    ("replies", "field", "code", "permanent"),
    [
        ([Reply(401)], "authToken", "credentials_refused", True),
        ([Reply(404)], "accSId", "credentials_refused", True),
        ([Reply(403)], "accSId", "credentials_refused", True),
        ([Reply(200), Reply(404)], "phoneNumber", "number_not_owned", True),
        (
            [Reply(200), Reply(200, {"voice_enabled": False})],
            "phoneNumber",
            "number_without_voice",
            True,
        ),
        ([Reply(429)], "", "too_many_requests", False),
        ([Reply(500)], "", "carrier_unreachable", False),
        ([Reply(200), Reply(breaks_off=True)], "", "carrier_unreachable", False),
    ],
)
def test_verifying_fails(
    carrier: Carrier, replies: list[Reply], field: str, code: str, permanent: bool
) -> None:
    carrier.answer(*replies)
    with pytest.raises(CarrierError) as refused:
        run(PLIVO.verify_credentials(KEYS, "+12025550100"))
    error = refused.value
    assert (error.field, error.code, error.permanent) == (field, code, permanent)

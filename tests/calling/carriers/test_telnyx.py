"""Calls through Telnyx, held against the published reference and the official client."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
import telnyx
from django.utils import timezone
from pytest_django import Settings
from telnyx._utils import transform
from telnyx.types.texml.accounts.call_calls_params import BodyWithURL

from calling.carriers.base import (
    AnsweredBy,
    CallProgress,
    CallReport,
    Detection,
)
from calling.carriers.telnyx import REMEMBERED, TELNYX, Telnyx
from tests.calling.carriers.recording_server import (
    RecordingServer,
    Reply,
    recording_server,
)
from tests.calling.carriers.telnyx_carrier import (
    ACCOUNT,
    APPLICATION,
    CALL_SID,
    CALLED,
    CALLS,
    CREDENTIALS,
    NUMBER,
    OWNED,
    REQUEST,
    RESOURCE,
    Carrier,
    now_do,
    posts,
    refusal,
    refused,
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


@pytest.fixture
def client(server: RecordingServer) -> Iterator[telnyx.Telnyx]:
    with telnyx.Telnyx(
        api_key=CREDENTIALS.auth_token, base_url=f"{server.url}/v2", max_retries=0
    ) as client:
        yield client


# Placing


def test_places_a_call_as_the_reference_says(server: RecordingServer) -> None:
    report = now_do(Telnyx().place(CREDENTIALS, REQUEST))
    assert report.progress is CallProgress.QUEUED
    assert report.carrier_call_id == CALL_SID
    look_up, call = server.requests
    assert (look_up.method, look_up.path) == ("GET", "/v2/phone_numbers")
    assert look_up.query == {"filter[phone_number]": "13120001234"}
    assert (call.method, call.path) == ("POST", CALLS)
    assert call.headers["authorization"] == "Bearer KEY017_secret"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["idempotency-key"] == str(REQUEST.request_uuid)
    assert call.json == {
        "ApplicationSid": APPLICATION,
        "To": CALLED,
        "From": NUMBER,
        "Timeout": 45,
        "Url": "https://dial.example/answers/1",
        "UrlMethod": "POST",
        "StatusCallback": "https://dial.example/callbacks/1",
        "StatusCallbackMethod": "POST",
        "StatusCallbackEvent": "initiated ringing answered completed",
    }


@pytest.mark.parametrize(
    ("detection", "mode"), [(Detection.START, "Enable"), (Detection.END, "DetectMessageEnd")]
)
def test_detects_machines_and_records(
    server: RecordingServer, detection: Detection, mode: str
) -> None:
    now_do(Telnyx().place(CREDENTIALS, replace(REQUEST, detection=detection, records=True)))
    body = server.requests[-1].json
    assert body["MachineDetection"] == mode
    assert body["DetectionMode"] == "Premium"
    assert body["Record"] is True
    assert body["RecordingStatusCallback"] == REQUEST.callback_url
    assert body["RecordingStatusCallbackMethod"] == "POST"
    assert body["RecordingStatusCallbackEvent"] == "completed"


def test_gives_no_urls_that_there_are_not(server: RecordingServer) -> None:
    now_do(Telnyx().place(CREDENTIALS, replace(REQUEST, callback_url="", answer_url="")))
    assert set(server.requests[-1].json) == {"ApplicationSid", "To", "From", "Timeout"}


def in_their_words(call: dict[str, Any]) -> Any:
    """The client renames the fields of this one call only when its own function is asked to."""
    return transform(call, BodyWithURL)


def test_places_what_the_official_client_places(
    server: RecordingServer, client: telnyx.Telnyx
) -> None:
    request = replace(REQUEST, detection=Detection.END, records=True)
    now_do(Telnyx().place(CREDENTIALS, request))
    client.texml.accounts.calls.calls(
        ACCOUNT,
        body=in_their_words(
            {
                "application_sid": APPLICATION,
                "to": CALLED,
                "from_": NUMBER,
                "timeout": 45,
                "url": request.answer_url,
                "url_method": "POST",
                "status_callback": request.callback_url,
                "status_callback_method": "POST",
                "status_callback_event": "initiated ringing answered completed",
                "machine_detection": "DetectMessageEnd",
                "detection_mode": "Premium",
                "record": True,
                "recording_status_callback": request.callback_url,
                "recording_status_callback_method": "POST",
                "recording_status_callback_event": "completed",
            }
        ),
    )
    ours, theirs = posts(server)
    assert (ours.path, ours.json) == (theirs.path, theirs.json)
    for name in ("authorization", "content-type"):
        assert ours.headers[name] == theirs.headers[name]


def test_looks_up_as_the_official_client_does(
    server: RecordingServer, client: telnyx.Telnyx
) -> None:
    now_do(Telnyx().place(CREDENTIALS, REQUEST))
    client.phone_numbers.list(filter={"phone_number": NUMBER.removeprefix("+")})
    now_do(TELNYX.lookup(CREDENTIALS, REQUEST.request_uuid, CALL_SID))
    client.texml.accounts.calls.retrieve(CALL_SID, account_sid=ACCOUNT)
    now_do(Telnyx().verify_credentials(CREDENTIALS, NUMBER))
    client.texml_applications.retrieve(APPLICATION)
    client.texml.accounts.calls.retrieve_calls(ACCOUNT, page_size=1)
    asked = [request for request in server.requests if request.method == "GET"]
    number, their_number, call, their_call, _, application, calls, *theirs = asked
    pairs = [(number, their_number), (call, their_call)]
    pairs += zip((application, calls), theirs, strict=True)
    for our, their in pairs:
        assert unquote(our.path) == unquote(their.path)
        assert our.query == their.query
        assert our.headers["authorization"] == their.headers["authorization"]


def test_hangs_up_as_the_official_client_does(
    server: RecordingServer, client: telnyx.Telnyx
) -> None:
    now_do(TELNYX.hang_up(CREDENTIALS, REQUEST.request_uuid, CALL_SID))
    client.texml.accounts.calls.update(CALL_SID, account_sid=ACCOUNT, status="canceled")
    ours, theirs = posts(server)
    assert unquote(ours.path) == unquote(theirs.path) == f"{CALLS}/{CALL_SID}"
    assert ours.headers["authorization"] == theirs.headers["authorization"]
    # The reference wants a form; the client is generated to send JSON, whatever it wants.
    assert ours.headers["content-type"] == "application/x-www-form-urlencoded"
    assert ours.form == theirs.json == {"Status": "canceled"}


@pytest.mark.parametrize(
    ("body", "call_sid"),
    [
        ({"call_sid": CALL_SID, "status": "queued"}, CALL_SID),
        ({"sid": CALL_SID}, CALL_SID),
        ({"from": NUMBER, "to": CALLED, "status": "queued"}, ""),  # the example of the reference
    ],
)
def test_takes_each_form_of_the_answer(
    server: RecordingServer, carrier: Carrier, body: dict[str, str], call_sid: str
) -> None:
    carrier.call = Reply(body=body)
    report = now_do(Telnyx().place(CREDENTIALS, REQUEST))
    assert (report.progress, report.carrier_call_id) == (CallProgress.QUEUED, call_sid)


@pytest.mark.parametrize("body", [None, {}, [], {"sid": 1}, {"status": "accepted"}])
def test_an_answer_that_says_nothing_leaves_it_open(
    server: RecordingServer, carrier: Carrier, body: Any
) -> None:
    carrier.call = Reply(body=body)
    unsure(Telnyx().place(CREDENTIALS, REQUEST))
    assert len(posts(server)) == 1


def test_remembers_the_application(server: RecordingServer) -> None:
    adapter = Telnyx()
    now_do(adapter.place(CREDENTIALS, REQUEST))
    now_do(adapter.place(CREDENTIALS, REQUEST))
    assert [request.method for request in server.requests] == ["GET", "POST", "POST"]


def test_remembers_it_for_ten_minutes(
    server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter, now = Telnyx(), timezone.now()
    for minutes in (0, 9, 11):
        moment = now + timedelta(minutes=minutes)
        monkeypatch.setattr("calling.carriers.telnyx.timezone.now", lambda moment=moment: moment)
        now_do(adapter.place(CREDENTIALS, REQUEST))
    assert [each.method for each in server.requests] == ["GET", "POST", "POST", "GET", "POST"]


def test_remembers_so_many_and_no_more(server: RecordingServer) -> None:
    adapter = Telnyx()
    until = timezone.now() + timedelta(minutes=5)
    for index in range(REMEMBERED):
        adapter._applications[ACCOUNT, str(index)] = ("", until)
    now_do(adapter.place(CREDENTIALS, REQUEST))
    assert len(adapter._applications) <= REMEMBERED


def test_asks_again_after_the_account_was_refused(
    server: RecordingServer, carrier: Carrier
) -> None:
    adapter = Telnyx()
    carrier.call = Reply(422, refusal("10015"))
    assert refused(adapter.place(CREDENTIALS, REQUEST)).of_account
    carrier.numbers = Reply(body={"data": [{**OWNED, "connection_id": "2"}]})
    carrier.call = Reply(body={"sid": CALL_SID})
    now_do(adapter.place(CREDENTIALS, REQUEST))
    assert server.requests[-1].json["ApplicationSid"] == "2"


def test_is_not_begun_too_late(server: RecordingServer) -> None:
    late = replace(REQUEST, not_after=timezone.now() - timedelta(seconds=1))
    error = refused(Telnyx().place(CREDENTIALS, late))
    assert (error.permanent, error.code) == (False, "too_late")
    adapter = Telnyx()
    now_do(adapter.place(CREDENTIALS, REQUEST))
    assert refused(adapter.place(CREDENTIALS, late)).code == "too_late"
    assert len(posts(server)) == 1


# Looking up, hanging up


def test_reads_the_call_of_the_reference(server: RecordingServer) -> None:
    end = datetime(2023, 6, 15, 9, 56, 56, tzinfo=UTC)
    assert now_do(TELNYX.lookup(CREDENTIALS, REQUEST.request_uuid, CALL_SID)) == CallReport(
        progress=CallProgress.COMPLETED,
        at=end,
        carrier_call_id=CALL_SID,
        answered_at=end - timedelta(seconds=11),
        talk_seconds=11,
        answered_by=AnsweredBy.HUMAN,
    )


@pytest.mark.parametrize(
    "status", ["ringing", "in-progress", "canceled", "failed", "busy", "no-answer"]
)
def test_reads_each_status_of_the_reference(
    server: RecordingServer, carrier: Carrier, status: str
) -> None:
    changes = {"status": status, "duration": None, "answered_by": "not_sure", "end_time": None}
    carrier.one_call = Reply(body={**RESOURCE, **changes})
    report = now_do(TELNYX.lookup(CREDENTIALS, REQUEST.request_uuid, CALL_SID))
    assert report is not None
    assert report.progress == CallProgress(status)
    assert (report.answered_at is not None) == (status == "in-progress")
    assert (report.talk_seconds, report.answered_by) == (0, None)


@pytest.mark.parametrize(
    "reply", [Reply(404), Reply(500), Reply(breaks_off=True), Reply(), Reply(body={"status": "?"})]
)
def test_a_call_that_cannot_be_read_is_unsure(
    server: RecordingServer, carrier: Carrier, reply: Reply
) -> None:
    carrier.one_call = reply
    unsure(TELNYX.lookup(CREDENTIALS, REQUEST.request_uuid, CALL_SID))


def test_only_its_own_id_finds_a_call(server: RecordingServer) -> None:
    for call_sid in ("", ".", ".."):
        unsure(TELNYX.lookup(CREDENTIALS, REQUEST.request_uuid, call_sid))
        unsure(TELNYX.hang_up(CREDENTIALS, REQUEST.request_uuid, call_sid))
    assert server.requests == []


def test_an_id_stays_in_its_place(server: RecordingServer) -> None:
    now_do(TELNYX.lookup(CREDENTIALS, REQUEST.request_uuid, "../x?y#z"))
    assert server.requests[0].path == f"{CALLS}/..%2Fx%3Fy%23z"
    assert server.requests[0].query == {}


@pytest.mark.parametrize("status", [200, 400, 404, 409, 422])
def test_hangs_up_what_still_rings(server: RecordingServer, carrier: Carrier, status: int) -> None:
    carrier.one_call = Reply(status, refusal("90018"))
    now_do(TELNYX.hang_up(CREDENTIALS, REQUEST.request_uuid, CALL_SID))


def test_hanging_up_fails(server: RecordingServer, carrier: Carrier) -> None:
    carrier.one_call = Reply(401)
    assert refused(TELNYX.hang_up(CREDENTIALS, REQUEST.request_uuid, CALL_SID)).permanent
    carrier.one_call = Reply(500)
    unsure(TELNYX.hang_up(CREDENTIALS, REQUEST.request_uuid, CALL_SID))

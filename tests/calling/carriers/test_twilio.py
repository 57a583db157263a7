"""Twilio's adapter against a server that records, and against what the official client does."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

import pytest
from django.utils import timezone
from twilio.http import HttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from calling.carriers.base import (
    AnsweredBy,
    CallProgress,
    CallReport,
    CallRequest,
    CarrierError,
    CarrierUnsure,
    Credentials,
    Detection,
)
from calling.carriers.twilio import TWILIO
from tests.calling.carriers.recording_server import RecordingServer, Reply, recording_server
from tests.config.server import free_port

SID, CALL = f"AC{'0a' * 16}", f"CA{'1b' * 16}"
TOKEN = "a-secret-token"
CREDENTIALS = Credentials(account_id=SID, auth_token=TOKEN)
OWN = "+14155550100"
ACCOUNT = f"/2010-04-01/Accounts/{SID}"
STATUS_URL = "https://outdial.example/carriers/twilio/1/status?attempt=2"
ANSWER_URL = "https://outdial.example/carriers/twilio/1/answer"
TUESDAY = datetime(2010, 8, 31, 20, 36, 44, tzinfo=UTC)


def a_request(**changes: Any) -> CallRequest:
    given = {"from_number": OWN, "to_number": "+442071838750", "callback_url": STATUS_URL}
    return CallRequest(request_uuid=uuid4(), answer_url=ANSWER_URL, **(given | changes))


@pytest.fixture
def twilio(settings: Any) -> Iterator[RecordingServer]:
    """Answers as `replies` says by path, with 404 to the rest."""
    with recording_server(lambda request: Reply(404, {"code": 20404})) as server:
        settings.CARRIER_API_URLS = {"twilio": server.url}
        yield server


def answers(server: RecordingServer, *replies: Reply) -> None:
    """One after the other, the last one from then on."""
    left = list(replies)
    server.script = lambda request: left.pop(0) if len(left) > 1 else left[0]


def number(**changes: Any) -> Reply:
    one = {"phone_number": OWN, "capabilities": {"voice": True}} | changes
    like_it = {"phone_number": f"{OWN}0", "capabilities": {"voice": True}}
    return Reply(200, {"incoming_phone_numbers": [like_it, one]})


ACTIVE = Reply(200, {"sid": SID, "status": "active"})


def verify(credentials: Credentials = CREDENTIALS) -> Credentials:
    return asyncio.run(TWILIO.verify_credentials(credentials, OWN))


def place(**changes: Any) -> CallReport:
    return asyncio.run(TWILIO.place(CREDENTIALS, a_request(**changes)))


def lookup(call_sid: str = CALL) -> CallReport | None:
    return asyncio.run(TWILIO.lookup(CREDENTIALS, uuid4(), call_sid))


def hang_up(call_sid: str = CALL) -> None:
    asyncio.run(TWILIO.hang_up(CREDENTIALS, uuid4(), call_sid))


def form_of(server: RecordingServer) -> list[tuple[str, str]]:
    return sorted(parse_qsl(server.requests[-1].body.decode(), keep_blank_values=True))


def test_a_good_account_that_owns_the_number(twilio: RecordingServer) -> None:
    answers(twilio, ACTIVE, number())
    assert verify() == CREDENTIALS
    account, numbers = twilio.requests
    assert (account.method, account.path) == ("GET", f"{ACCOUNT}.json")
    assert (numbers.method, numbers.path) == ("GET", f"{ACCOUNT}/IncomingPhoneNumbers.json")
    assert numbers.query == {"PhoneNumber": OWN}
    assert account.headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("replies", "field", "code"),
    [
        ([Reply(401, {"code": 20003})], "authToken", "credentials_refused"),
        ([Reply(403, {"code": 20008})], "authToken", "credentials_refused"),
        ([Reply(404, {"code": 20404})], "authToken", "credentials_refused"),
        ([Reply(200, {"status": "suspended"})], "authToken", "credentials_refused"),
        ([Reply(200, {"status": "closed"})], "authToken", "credentials_refused"),
        ([ACTIVE, number(phone_number="+14155550101")], "phoneNumber", "number_not_owned"),
        ([ACTIVE, number(capabilities={"voice": False})], "phoneNumber", "number_without_voice"),
        ([ACTIVE, number(capabilities=None)], "phoneNumber", "number_without_voice"),
    ],
)
def test_credentials_that_are_refused(
    twilio: RecordingServer, replies: list[Reply], field: str, code: str
) -> None:
    answers(twilio, *replies)
    with pytest.raises(CarrierError) as caught:
        verify()
    error = caught.value
    assert (error.field, error.code) == (field, code)
    assert (error.permanent, error.of_account) == (True, True)


@pytest.mark.parametrize("sid", ["", "AC", f"{SID}/../x", f"{SID}\n", SID.replace("AC", "SK")])
def test_a_malformed_account_is_never_part_of_a_path(twilio: RecordingServer, sid: str) -> None:
    credentials = Credentials(account_id=sid, auth_token=TOKEN)
    calls: list[Callable[[], Any]] = [
        lambda: verify(credentials),
        lambda: asyncio.run(TWILIO.place(credentials, a_request())),
        lambda: asyncio.run(TWILIO.lookup(credentials, uuid4(), CALL)),
    ]
    for call in calls:
        with pytest.raises(CarrierError) as caught:
            call()
        assert (caught.value.field, caught.value.code) == ("accSId", "credentials_refused")
    assert twilio.requests == []


@pytest.mark.parametrize(
    "reply",
    [
        *[Reply(status) for status in (429, 500, 503)],
        Reply(breaks_off=True),
        Reply(200, "<html>"),
        Reply(200, {"status": "new"}),
    ],
)
def test_a_carrier_that_cannot_tell_now_can_be_asked_again(
    twilio: RecordingServer, reply: Reply
) -> None:
    for replies in ([reply], [ACTIVE, reply]):
        answers(twilio, *replies)
        with pytest.raises(CarrierError) as caught:
            verify()
        assert (caught.value.permanent, caught.value.field) == (False, "")


def test_a_closed_port_rings_nobody(settings: Any) -> None:
    settings.CARRIER_API_URLS = {"twilio": f"http://127.0.0.1:{free_port()}"}
    for call in (verify, place):
        with pytest.raises(CarrierError) as caught:
            call()
        assert caught.value.permanent is False


class OfficialHttp(HttpClient):
    """Records what the official client would send."""

    def __init__(self) -> None:
        self.method, self.url = "", ""
        self.data: dict[str, Any] = {}

    def request(self, method: str, uri: str, params: Any = None, data: Any = None, **_: Any) -> Any:
        self.method, self.url, self.data = method, uri, data
        return Response(201, '{"sid": "CA"}')


def test_a_call_as_twilio_describes_it(twilio: RecordingServer) -> None:
    answers(twilio, Reply(201, {"sid": CALL, "status": "queued"}))
    report = place(detection=Detection.END, records=True)
    assert (report.progress, report.carrier_call_id) == (CallProgress.QUEUED, CALL)
    request = twilio.requests[-1]
    assert (request.method, request.path) == ("POST", f"{ACCOUNT}/Calls.json")
    events = ["answered", "completed", "initiated", "ringing"]
    assert form_of(twilio) == [
        ("From", OWN),
        ("MachineDetection", "DetectMessageEnd"),
        ("Method", "POST"),
        ("Record", "true"),
        ("RecordingStatusCallback", STATUS_URL),
        ("RecordingStatusCallbackEvent", "completed"),
        ("StatusCallback", STATUS_URL),
        *[("StatusCallbackEvent", event) for event in events],
        ("StatusCallbackMethod", "POST"),
        ("Timeout", "45"),
        ("To", "+442071838750"),
        ("Url", ANSWER_URL),
    ]


@pytest.mark.parametrize("records", [False, True])
@pytest.mark.parametrize(
    ("detection", "said"),
    [(Detection.NONE, None), (Detection.START, "Enable"), (Detection.END, "DetectMessageEnd")],
)
def test_a_call_as_the_official_client_sends_it(
    twilio: RecordingServer, detection: Detection, said: str | None, records: bool
) -> None:
    answers(twilio, Reply(201, {"sid": CALL}))
    place(detection=detection, records=records)
    official = OfficialHttp()
    optional: dict[str, Any] = {"machine_detection": said} if said else {}
    if records:
        optional |= {"record": True, "recording_status_callback": STATUS_URL}
        optional["recording_status_callback_event"] = ["completed"]
    Client(SID, TOKEN, http_client=official).calls.create(
        to="+442071838750",
        from_=OWN,
        url=ANSWER_URL,
        method="POST",
        status_callback=STATUS_URL,
        status_callback_method="POST",
        status_callback_event=["initiated", "ringing", "answered", "completed"],
        timeout=45,
        **optional,
    )
    assert (official.method, urlsplit(official.url).path) == ("POST", twilio.requests[-1].path)
    assert sorted(parse_qsl(urlencode(official.data, doseq=True))) == form_of(twilio)


def test_without_callback_url_none_is_named(twilio: RecordingServer) -> None:
    answers(twilio, Reply(201, {"sid": CALL}))
    place(callback_url="", records=True)
    assert not [name for name, _ in form_of(twilio) if "Callback" in name]


def test_too_late_is_not_sent(twilio: RecordingServer) -> None:
    with pytest.raises(CarrierError) as caught:
        place(not_after=timezone.now() - timedelta(seconds=1))
    assert (caught.value.permanent, twilio.requests) == (False, [])


@pytest.mark.parametrize(
    "reply",
    [
        *[Reply(status) for status in (408, 500, 502)],
        Reply(302, headers={"Location": "/elsewhere"}),
        Reply(breaks_off=True),
        Reply(201, {"status": "queued"}),
        Reply(201, {"sid": 7}),
        Reply(200, ["CA"]),
    ],
)
def test_nobody_knows_whether_it_rings(twilio: RecordingServer, reply: Reply) -> None:
    answers(twilio, reply)
    with pytest.raises(CarrierUnsure):
        place()
    assert len(twilio.requests) == 1


def refusal(server: RecordingServer, reply: Reply) -> CarrierError:
    answers(server, reply)
    with pytest.raises(CarrierError) as caught:
        place()
    assert len(server.requests) == 1
    return caught.value


NUMBER, OF_ACCOUNT, LATER = (True, False), (True, True), (False, False)


REFUSALS: list[tuple[int, Any, tuple[bool, bool], str]] = [
    *[(400, code, NUMBER, "") for code in (21202, 21203, 21211, 21214, 21215, 21216, 21217)],
    *[
        (400, code, NUMBER, "")
        for code in (13223, 13224, 13225, 13226, 13227, 14111, 21219, 573005)
    ],
    *[(400, code, OF_ACCOUNT, "phoneNumber") for code in (21210, 21212, 21213, 573002)],
    *[(403, code, OF_ACCOUNT, "authToken") for code in (20003, 20005, 20006, 20008)],
    *[(403, code, OF_ACCOUNT, "authToken") for code in (10001, 10002, 10005)],
    (401, 20003, OF_ACCOUNT, "authToken"),
    *[(400, code, LATER, "") for code in (10004, 20429)],
    (429, 10004, LATER, ""),
    *[(400, code, OF_ACCOUNT, "") for code in (21205, 21609, 99999)],
    *[(404, code, OF_ACCOUNT, "") for code in (20404, None, "21211")],
]


@pytest.mark.parametrize(("status", "code", "kind", "field"), REFUSALS)
def test_whose_fault_a_refusal_is(
    twilio: RecordingServer, status: int, code: Any, kind: tuple[bool, bool], field: str
) -> None:
    error = refusal(twilio, Reply(status, {"code": code}))
    assert (error.permanent, error.of_account) == kind
    assert error.field == field


@pytest.mark.parametrize("reply", [Reply(429, {"code": 20429}), Reply(400, {"code": 10004})])
def test_the_carrier_wants_to_be_left_alone(twilio: RecordingServer, reply: Reply) -> None:
    reply = Reply(reply.status, reply.body, {"Retry-After": "7"})
    error = refusal(twilio, reply)
    assert (error.permanent, error.retry_after, error.code) == (False, 7.0, "too_many_requests")


def test_what_the_carrier_says_is_told_without_credentials(twilio: RecordingServer) -> None:
    said = f"No {ACCOUNT}/Calls.json for {TOKEN}. {'x' * 1000}"
    message = refusal(twilio, Reply(404, {"code": 20404, "message": said})).message
    assert "No /2010-04-01/Accounts/***/Calls.json for ***." in message
    assert len(message) < 400


def resource(**changes: Any) -> Reply:
    times = {"start_time": "Tue, 31 Aug 2010 20:36:29 +0000", "duration": "15"}
    ended = {"end_time": "Tue, 31 Aug 2010 20:36:44 +0000", "date_updated": None}
    return Reply(200, {"sid": CALL, "answered_by": None, **times, **ended, **changes})


def test_a_completed_call(twilio: RecordingServer) -> None:
    answers(twilio, resource(status="completed", answered_by="human"))
    assert lookup() == CallReport(
        progress=CallProgress.COMPLETED,
        at=TUESDAY,
        carrier_call_id=CALL,
        answered_at=TUESDAY - timedelta(seconds=15),
        talk_seconds=15,
        answered_by=AnsweredBy.HUMAN,
    )
    request = twilio.requests[-1]
    assert (request.method, request.path) == ("GET", f"{ACCOUNT}/Calls/{CALL}.json")


STATUSES = {
    "initiated": CallProgress.QUEUED,
    **{progress.value: progress for progress in CallProgress},
}


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_of_a_call(twilio: RecordingServer, status: str) -> None:
    updated = "Tue, 31 Aug 2010 20:36:44 -0000"
    answers(twilio, resource(status=status, end_time=None, date_updated=updated))
    report = lookup()
    assert report is not None
    assert (report.progress, report.at) == (STATUSES[status], TUESDAY)
    assert bool(report.answered_at) is (status in {"in-progress", "completed"})
    assert report.talk_seconds == (15 if status == "completed" else 0)
    assert report.permanent is False


def test_a_call_without_readable_times_is_of_now(twilio: RecordingServer) -> None:
    answers(twilio, resource(status="busy", end_time="yesterday", duration=None))
    report = lookup()
    assert report is not None
    assert abs(timezone.now() - report.at) < timedelta(seconds=10)


@pytest.mark.parametrize(
    "reply",
    [Reply(404, {"code": 20404}), Reply(500), Reply(200, {}), resource(status="exploded")],
)
def test_there_is_no_telling(twilio: RecordingServer, reply: Reply) -> None:
    answers(twilio, reply)
    with pytest.raises(CarrierUnsure):
        lookup()


@pytest.mark.parametrize("call_sid", ["", "CA", f"{CALL}/../x", f"{CALL}\n"])
@pytest.mark.parametrize("ask", [lookup, hang_up])
def test_without_the_carriers_own_id_nothing_is_asked(
    twilio: RecordingServer, ask: Callable[[str], Any], call_sid: str
) -> None:
    with pytest.raises(CarrierUnsure):
        ask(call_sid)
    assert twilio.requests == []


@pytest.mark.parametrize("reply", [resource(status="canceled"), Reply(400, {"code": 21220})])
def test_a_call_is_canceled_unless_it_has_gone_on(twilio: RecordingServer, reply: Reply) -> None:
    answers(twilio, reply)
    hang_up()
    official = OfficialHttp()
    Client(SID, TOKEN, http_client=official).calls(CALL).update(status="canceled")
    request = twilio.requests[-1]
    assert (request.method, request.path) == (official.method, urlsplit(official.url).path)
    assert request.form == official.data == {"Status": "canceled"}


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(500, {"code": 21220}), CarrierUnsure),
        (Reply(404), CarrierUnsure),
        (Reply(breaks_off=True), CarrierUnsure),
        *[(Reply(status), CarrierError) for status in (400, 401, 429)],
    ],
)
def test_a_hang_up_that_failed(
    twilio: RecordingServer, reply: Reply, error: type[Exception]
) -> None:
    answers(twilio, reply)
    with pytest.raises(error):
        hang_up()

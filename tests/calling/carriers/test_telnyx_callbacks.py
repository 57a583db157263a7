"""What Telnyx tells us and is told in markup, held against its reference and its verifiers."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from xml.etree.ElementTree import Element, fromstring

import pytest
import telnyx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone
from nacl.signing import SigningKey
from telnyx.lib.webhook_verification import WebhookVerificationError, verify_webhook_signature

from calling.carriers.answers import Answer, HangUp, Sip, Speak, Stream
from calling.carriers.base import (
    AnsweredBy,
    Callback,
    CallExtras,
    CallProgress,
    CallReport,
    SignatureRefused,
)
from calling.carriers.telnyx import STATUSES, TELNYX
from tests.calling.carriers.telnyx_carrier import (
    ACCOUNT,
    CALL_SID,
    CALLED,
    CREDENTIALS,
    NUMBER,
    PUBLIC_KEY,
    REQUEST,
    SIGNING_KEY,
)


def callback(form: dict[str, str], headers: dict[str, str] | None = None) -> Callback:
    body = urlencode(form).encode()
    return Callback(url=REQUEST.callback_url, headers=headers or {}, body=body)


def signed(body: bytes, *, ago: int = 0, key: SigningKey = SIGNING_KEY) -> dict[str, str]:
    stamp = str(int(timezone.now().timestamp()) - ago)
    signature = key.sign(f"{stamp}|".encode() + body).signature
    return {
        "telnyx-timestamp": stamp,
        "telnyx-signature-ed25519": base64.b64encode(signature).decode(),
    }


def test_takes_what_the_official_verifiers_take() -> None:
    client = telnyx.Telnyx(api_key=CREDENTIALS.auth_token)
    body = json.dumps({"data": {"event_type": "call.hangup", "to": "Žofie"}}).encode()
    private = Ed25519PrivateKey.from_private_bytes(bytes(SIGNING_KEY))
    for headers in (signed(body), signed(body, ago=290), signed(body, ago=-290)):
        stamp = headers["telnyx-timestamp"]
        again = base64.b64encode(private.sign(f"{stamp}|".encode() + body)).decode()
        assert again == headers["telnyx-signature-ed25519"]
        verify_webhook_signature(body, headers, PUBLIC_KEY)
        client.webhooks.unwrap(body.decode(), headers=headers, key=PUBLIC_KEY)
        sent = Callback(url=REQUEST.callback_url, headers=headers, body=body)
        TELNYX.check_signature(sent, CREDENTIALS)


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key != name}


BODY = b"CallSid=v3%3A1&CallStatus=completed"
SIGNED = "telnyx-signature-ed25519"


@pytest.mark.parametrize(
    "make",
    [
        lambda: signed(BODY, key=SigningKey(bytes(32))),
        lambda: signed(BODY + b"&"),
        lambda: signed(BODY, ago=310),
        lambda: signed(BODY, ago=-310),
        lambda: {**signed(BODY), "telnyx-timestamp": signed(BODY, ago=2)["telnyx-timestamp"]},
        lambda: without(signed(BODY), "telnyx-timestamp"),
        lambda: without(signed(BODY), SIGNED),
        dict,
        lambda: {**signed(BODY), "telnyx-timestamp": "now"},
        lambda: {**signed(BODY), "telnyx-timestamp": "٣"},
        lambda: {**signed(BODY), SIGNED: "?"},
        lambda: {**signed(BODY), SIGNED: "ключ"},
        lambda: {**signed(BODY), SIGNED: base64.b64encode(b"short").decode()},
    ],
)
def test_refuses_what_the_official_verifier_refuses(make: Callable[[], dict[str, str]]) -> None:
    headers = make()
    with pytest.raises(WebhookVerificationError):
        verify_webhook_signature(BODY, headers, PUBLIC_KEY)
    with pytest.raises(SignatureRefused):
        TELNYX.check_signature(Callback(url="", headers=headers, body=BODY), CREDENTIALS)


@pytest.mark.parametrize("key", ["", "?", base64.b64encode(bytes(31)).decode()])
def test_takes_nothing_without_a_key(key: str) -> None:
    sent = Callback(url="", headers=signed(BODY), body=BODY)
    with pytest.raises(SignatureRefused):
        TELNYX.check_signature(sent, replace(CREDENTIALS, public_key=key))


# Callbacks, as the published reference shows them

INITIATED = {
    "AccountSid": ACCOUNT,
    "CallInitiatedAt": "2024-01-15T10:30:26.028Z",
    "CallSid": CALL_SID,
    "CallSidLegacy": CALL_SID,
    "CallStatus": "initiated",
    "CallbackSource": "call-progress-events",
    "ConnectionId": "1234567890",
    "From": NUMBER,
    "SequenceNumber": "0",
    "Timestamp": "2024-01-15T10:30:00Z",
    "To": CALLED,
}
COMPLETED = {
    **INITIATED,
    "CallStatus": "completed",
    "Timestamp": "2024-01-15T10:31:01Z",
    "AnsweredTime": "2024-01-15T10:30:15Z",
    "CallDuration": "45",
    "EndTime": "2024-01-15T10:31:00Z",
    "HangupCause": "normal_clearing",
    "SipHangupCause": "200",
    "RecordingUrl": "https://api.telnyx.com/v2/recordings/abc123.wav",
}
SAID_AT = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize("status", STATUSES)
def test_reads_each_status(status: str) -> None:
    report = TELNYX.parse_callback(callback({**INITIATED, "CallStatus": status}))
    assert isinstance(report, CallReport)
    assert report.progress is STATUSES[status]
    assert (report.at, report.carrier_call_id) == (SAID_AT, CALL_SID)


def test_reads_an_answered_call() -> None:
    form = {**INITIATED, "CallStatus": "in-progress", "CallDuration": "15", "AnsweredBy": "human"}
    assert TELNYX.parse_callback(callback(form)) == CallReport(
        progress=CallProgress.IN_PROGRESS,
        at=SAID_AT,
        carrier_call_id=CALL_SID,
        answered_at=SAID_AT,
        answered_by=AnsweredBy.HUMAN,
    )


def test_reads_a_completed_call() -> None:
    assert TELNYX.parse_callback(callback(COMPLETED)) == CallReport(
        progress=CallProgress.COMPLETED,
        at=SAID_AT + timedelta(minutes=1),
        carrier_call_id=CALL_SID,
        answered_at=SAID_AT + timedelta(seconds=15),
        talk_seconds=45,
        hangup_cause="normal_clearing 200",
        recording_url="https://api.telnyx.com/v2/recordings/abc123.wav",
    )


def test_reads_the_older_example_of_the_reference() -> None:
    form = {
        "CallDuration": "2",
        "CallSid": CALL_SID,
        "CallStatus": "completed",
        "Timestamp": "2021-04-28 21:51:18.731479Z",
    }
    report = TELNYX.parse_callback(callback(form))
    assert isinstance(report, CallReport)
    assert report.at == datetime(2021, 4, 28, 21, 51, 18, 731479, tzinfo=UTC)
    assert report.talk_seconds == 2
    assert report.answered_at == report.at - timedelta(seconds=2)


@pytest.mark.parametrize("stamp", ["", "yesterday", "2024-13-01T00:00:00Z"])
def test_a_time_that_cannot_be_read_is_now(stamp: str) -> None:
    report = TELNYX.parse_callback(callback({**INITIATED, "Timestamp": stamp}))
    assert isinstance(report, CallReport)
    assert abs(report.at - timezone.now()) < timedelta(minutes=1)


def test_a_time_without_zone_is_utc() -> None:
    report = TELNYX.parse_callback(callback({**INITIATED, "Timestamp": "2024-01-15T10:30:00"}))
    assert isinstance(report, CallReport)
    assert report.at == SAID_AT


@pytest.mark.parametrize(
    ("status", "cause", "sip", "permanent"),
    [
        ("failed", "not_found", "404", True),
        ("failed", "unallocated_number", "", True),
        ("failed", "unspecified", "484", True),
        ("failed", "call_rejected", "603", False),
        ("failed", "unspecified", "503", False),
        ("busy", "user_busy", "486", False),
        ("no-answer", "not_found", "404", False),
    ],
)
def test_tells_numbers_that_lead_nowhere(
    status: str, cause: str, sip: str, permanent: bool
) -> None:
    form = {**INITIATED, "CallStatus": status, "HangupCause": cause, "SipHangupCause": sip}
    report = TELNYX.parse_callback(callback(form))
    assert isinstance(report, CallReport)
    assert report.permanent is permanent
    assert report.hangup_cause == f"{cause} {sip}".strip()
    assert (report.talk_seconds, report.answered_at) == (0, None)


@pytest.mark.parametrize(
    ("said", "answered_by"),
    [
        ("human", AnsweredBy.HUMAN),
        ("human_business", AnsweredBy.HUMAN),  # of the premium detection
        ("machine", AnsweredBy.MACHINE),
        ("machine_start", AnsweredBy.MACHINE),
        ("machine_end_beep", AnsweredBy.MACHINE),
        ("machine_end_silence", AnsweredBy.MACHINE),
        ("machine_end_other", AnsweredBy.MACHINE),
        ("fax", AnsweredBy.MACHINE),
        ("unknown", None),
        ("not_sure", None),
    ],
)
def test_reads_who_answered(said: str, answered_by: AnsweredBy | None) -> None:
    form = {"AccountSid": ACCOUNT, "AnsweredBy": said, "CallSid": CALL_SID}
    extras = TELNYX.parse_callback(callback(form))
    assert extras == CallExtras(carrier_call_id=CALL_SID, answered_by=answered_by)


def test_reads_a_recording() -> None:
    form = {
        "AccountSid": ACCOUNT,
        "CallSid": CALL_SID,
        "RecordingSid": "35094891-3290-4142-b2c2-b2eda57534cf",
        "RecordingStatus": "completed",
        "RecordingUrl": "https://recording.com/your-recording-url",
    }
    assert TELNYX.parse_callback(callback(form)) == CallExtras(
        carrier_call_id=CALL_SID, recording_url="https://recording.com/your-recording-url"
    )


def test_reads_a_transcription() -> None:
    form = {
        "CallSid": CALL_SID,
        "CallStatus": "in-progress",
        "TranscriptionSid": "b08f0fa1-a32c-4218-b3b5-9cf78941ccac",
        "TranscriptionStatus": "completed",
        "TranscriptionText": "Good morning, how may I help you?",
    }
    assert TELNYX.parse_callback(callback(form)) == CallExtras(
        carrier_call_id=CALL_SID, transcript="Good morning, how may I help you?"
    )


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"{}", b"CallStatus=completed", b"CallSid=1&CallStatus=what", b"a&" * 300],
)
def test_what_cannot_be_read(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (its text is nobody's business)
        TELNYX.parse_callback(Callback(url="", headers={}, body=body))


def test_reads_the_pressed_key() -> None:
    pressed = callback({"CallSid": CALL_SID, "From": NUMBER, "To": CALLED, "Digits": "9"})
    assert TELNYX.pressed_key(pressed) == "9"
    assert TELNYX.parse_callback(pressed) == CallExtras(carrier_call_id=CALL_SID)
    assert TELNYX.pressed_key(callback({"CallSid": CALL_SID})) == ""


# Markup

HOSTILE = '</Say><Hangup/> <Say language="x"> & "quotes" \'n\' {{From}} {{#if a == b}} \x00\x0b€😀'
SPOKEN = HOSTILE.replace("\x00\x0b", "")


def rendered(answer: Answer) -> Element:
    document = TELNYX.render(answer)
    assert "{" not in document
    return fromstring(document)  # noqa: S314 (our own)


def test_speaks() -> None:
    response = rendered(Speak(text=HOSTILE))
    assert [child.tag for child in response] == ["Say", "Hangup"]
    assert (response[0].text, response[0].attrib) == (SPOKEN, {})


def test_speaks_a_language() -> None:
    say = rendered(Speak(text=HOSTILE, language="pt-BR"))[0]
    assert (say.text, say.attrib) == (SPOKEN, {"voice": "alice", "language": "pt-BR"})


def test_listens_to_a_key() -> None:
    key_url = "https://dial.example/keys/1?a=b&c={d}"
    response = rendered(Speak(text=HOSTILE, language="de-DE", key_url=key_url))
    assert [child.tag for child in response] == ["Gather", "Hangup"]
    gather = response[0]
    assert gather.attrib["action"] == key_url
    assert (gather.attrib["numDigits"], gather.attrib["input"]) == ("1", "dtmf")
    assert 1 <= int(gather.attrib["timeout"]) <= 120
    assert [(say.tag, say.text) for say in gather] == [("Say", SPOKEN)]
    assert gather[0].attrib["voice"] == "alice"


def test_streams_both_ways() -> None:
    url = "wss://bot.example/?a=1&b={2}"
    response = rendered(Stream(url=url, parameters={"name": HOSTILE, '<Stream url="': "x"}))
    stream = response[0][0]
    assert (response[0].tag, stream.tag) == ("Connect", "Stream")
    assert stream.attrib == {"url": url, "bidirectionalMode": "rtp"}
    parameters = {each.attrib["name"]: each.attrib["value"] for each in stream}
    assert parameters == {"name": SPOKEN, '<Stream url="': "x"}
    assert {each.tag for each in stream} == {"Parameter"}


def test_connects_by_sip() -> None:
    uri = "sip:agent@pbx.example;transport=tls?X-A=<b>&X-C={{d}}"
    response = rendered(Sip(uri=uri))
    assert (response[0].tag, response[0][0].tag) == ("Dial", "Sip")
    assert response[0][0].text == uri


def test_hangs_up_without_a_word() -> None:
    assert [child.tag for child in rendered(HangUp())] == ["Hangup"]

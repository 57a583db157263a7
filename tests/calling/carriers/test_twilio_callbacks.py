"""What Twilio posts, what it signs, and what it is told to do."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from django.http import QueryDict
from django.utils import timezone
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from calling.carriers.answers import Answer, HangUp, Sip, Speak, Stream
from calling.carriers.base import (
    AnsweredBy,
    Callback,
    CallExtras,
    CallProgress,
    CallReport,
    Credentials,
    SignatureRefused,
)
from calling.carriers.twilio import TWILIO

CALL = f"CA{'1b' * 16}"
TOKEN = "a-secret-token"
CREDENTIALS = Credentials(account_id=f"AC{'0a' * 16}", auth_token=TOKEN)
URL = "https://outdial.example/carriers/twilio/1/status?attempt=2"
STAMP = "Tue, 31 Aug 2010 20:36:44 +0000"
TUESDAY = datetime(2010, 8, 31, 20, 36, 44, tzinfo=UTC)
RECORDING = "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1"


def posted(body: bytes | dict[str, Any], signature: str | None = None, url: str = URL) -> Callback:
    sent = body if isinstance(body, bytes) else urlencode(body, doseq=True).encode()
    headers = {} if signature is None else {"x-twilio-signature": signature}
    return Callback(url=url, headers=headers, body=sent)


def read(**form: Any) -> CallReport | CallExtras:
    return TWILIO.parse_callback(posted({"CallSid": CALL, **form}))


# What is posted


@pytest.mark.parametrize(
    ("status", "progress"),
    [
        ("initiated", CallProgress.QUEUED),
        *[(progress.value, progress) for progress in CallProgress],
    ],
)
def test_each_status_of_a_callback(status: str, progress: CallProgress) -> None:
    report = read(CallStatus=status, Timestamp=STAMP, CallDuration="15")
    assert isinstance(report, CallReport)
    assert (report.progress, report.at, report.carrier_call_id) == (progress, TUESDAY, CALL)
    expected = {"in-progress": TUESDAY, "completed": TUESDAY - timedelta(seconds=15)}
    assert report.answered_at == expected.get(status)
    assert report.talk_seconds == (15 if status == "completed" else 0)
    assert (report.permanent, report.hangup_cause) == (False, "")


def test_the_question_what_to_do_is_an_answered_call() -> None:
    report = read(CallStatus="in-progress", AnsweredBy="human")
    assert isinstance(report, CallReport)
    assert report.answered_at == report.at
    assert abs(timezone.now() - report.at) < timedelta(seconds=10)
    assert report.answered_by is AnsweredBy.HUMAN


@pytest.mark.parametrize(
    ("said", "answered_by"),
    [
        ("human", AnsweredBy.HUMAN),
        ("machine_start", AnsweredBy.MACHINE),
        ("machine_end_beep", AnsweredBy.MACHINE),
        ("machine_end_silence", AnsweredBy.MACHINE),
        ("machine_end_other", AnsweredBy.MACHINE),
        ("fax", AnsweredBy.MACHINE),
        ("unknown", None),
        ("", None),
    ],
)
def test_who_answers(said: str, answered_by: AnsweredBy | None) -> None:
    report = read(CallStatus="in-progress", AnsweredBy=said)
    assert report.answered_by is answered_by
    assert read(AnsweredBy=said) == CallExtras(carrier_call_id=CALL, answered_by=answered_by)


@pytest.mark.parametrize(
    ("status", "codes", "permanent", "cause"),
    [
        ("failed", {"SipResponseCode": "404"}, True, "SIP 404"),
        ("failed", {"SipResponseCode": "410"}, True, "SIP 410"),
        ("failed", {"SipResponseCode": "484"}, True, "SIP 484"),
        ("failed", {"SipResponseCode": "604"}, True, "SIP 604"),
        ("failed", {"SipResponseCode": "503"}, False, "SIP 503"),
        ("failed", {"ErrorCode": "13224"}, True, "error 13224"),
        ("failed", {"ErrorCode": "32014", "SipResponseCode": "500"}, False, "SIP 500, error 32014"),
        ("failed", {"ErrorCode": "<b>", "SipResponseCode": "4 0 4"}, False, ""),
        ("busy", {"SipResponseCode": "486"}, False, "SIP 486"),
        ("no-answer", {"SipResponseCode": "404"}, False, "SIP 404"),
        ("ringing", {"SipResponseCode": "180"}, False, ""),
    ],
)
def test_why_a_call_failed(status: str, codes: dict[str, str], permanent: bool, cause: str) -> None:
    report = read(CallStatus=status, **codes)
    assert isinstance(report, CallReport)
    assert (report.permanent, report.hangup_cause) == (permanent, cause)


def test_recording_and_transcript() -> None:
    recorded = {"RecordingUrl": RECORDING, "RecordingSid": "RE1"}
    with_url = CallExtras(carrier_call_id=CALL, recording_url=f"{RECORDING}.mp3")
    assert read(**recorded, RecordingStatus="completed") == with_url
    assert read(RecordingSid="RE1", RecordingStatus="absent") == CallExtras(carrier_call_id=CALL)
    transcribed = read(**recorded, TranscriptionText="Hello.", CallStatus="completed")
    assert transcribed == CallExtras(
        carrier_call_id=CALL, recording_url=f"{RECORDING}.mp3", transcript="Hello."
    )
    without = read(TranscriptionText="", TranscriptionStatus="failed", CallStatus="completed")
    assert without == CallExtras(carrier_call_id=CALL)
    ended = read(**recorded, CallStatus="completed", Timestamp=STAMP)
    assert isinstance(ended, CallReport)
    assert ended.recording_url == f"{RECORDING}.mp3"


@pytest.mark.parametrize("duration", ["", "-1", "1.5", "9" * 50, "NaN", "١"])
def test_an_unreadable_duration_counts_as_none(duration: str) -> None:
    report = read(CallStatus="completed", Timestamp=STAMP, CallDuration=duration)
    assert isinstance(report, CallReport)
    assert (report.talk_seconds, report.answered_at) == (0, TUESDAY)


@pytest.mark.parametrize("stamp", ["", "now", "2010-08-31", "Tue, 99 Aug 2010 20:36:44 +0000"])
def test_an_unreadable_time_is_now(stamp: str) -> None:
    report = read(CallStatus="ringing", Timestamp=stamp)
    assert isinstance(report, CallReport)
    assert abs(timezone.now() - report.at) < timedelta(seconds=10)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"CallStatus=exploded-a-secret-token",
        b"CallStatus=",
        b'{"CallStatus": "completed"}',
        b"CallSid=a-secret-token",
        b"&".join(b"a=b" for _ in range(500)),
    ],
)
def test_what_cannot_be_read(body: bytes) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (what it says is looked at below)
        TWILIO.parse_callback(posted(body))
    assert TOKEN not in str(caught.value)


def test_the_pressed_key() -> None:
    assert TWILIO.pressed_key(posted({"Digits": "9"})) == "9"
    assert TWILIO.pressed_key(posted({"CallSid": CALL})) == ""


# Signatures

BODY = urlencode(
    {"CallSid": CALL, "CallStatus": "completed", "To": "+442071838750", "Text": "Ä & <b> 😀"}
).encode()


def signed(body: bytes, token: str = TOKEN, url: str = URL) -> str:
    signature: str = RequestValidator(token).compute_signature(url, QueryDict(body))
    return signature


@pytest.mark.parametrize("body", [BODY, b"", b"a=1&a=2&a=1&b=", b"Digits=%23&x=+"])
def test_what_twilio_has_signed(body: bytes) -> None:
    TWILIO.check_signature(posted(body, signed(body)), CREDENTIALS)


@pytest.mark.parametrize(
    ("body", "signature", "url"),
    [
        (BODY, signed(BODY, token="another"), URL),
        (BODY, signed(BODY), URL.replace("attempt=2", "attempt=3")),
        (BODY, signed(BODY), URL.replace("https", "http")),
        (BODY.replace(b"completed", b"failed"), signed(BODY), URL),
        (BODY + b"&AnsweredBy=human", signed(BODY), URL),
        (b"a=1&a=3", signed(b"a=1&a=2"), URL),
        (b"", signed(BODY), URL),
        (b"\xff", signed(b""), URL),
        (b"&".join(b"a=b" for _ in range(500)), signed(b"a=b"), URL),
        (BODY, "", URL),
        (BODY, "ä", URL),
        (BODY, None, URL),
    ],
)
def test_what_twilio_has_not_signed(body: bytes, signature: str | None, url: str) -> None:
    with pytest.raises(SignatureRefused) as caught:
        TWILIO.check_signature(posted(body, signature, url), CREDENTIALS)
    assert TOKEN not in str(caught.value)


# Answers

HOSTILE = [
    "</Say><Dial>+1900</Dial><Say>",
    "\"quotes\" & 'apostrophes' &amp; ]]> <!-- -->",
    "Grüße, 你好 😀 مرحبا",
    "two\nlines\tand a tab",
]


def rendered(answer: Answer) -> ElementTree.Element:
    document = ElementTree.fromstring(TWILIO.render(answer))  # noqa: S314 (our own)
    assert document.tag == "Response"
    return document


def tags(document: ElementTree.Element) -> list[str]:
    return [element.tag for element in document.iter()][1:]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_spoken_as_it_is(text: str) -> None:
    document = rendered(Speak(text=text, language="de-DE"))
    assert tags(document) == ["Say", "Hangup"]
    say = document[0]
    assert (say.text, say.attrib) == (text, {"language": "de-DE"})


def test_control_characters_are_not_spoken() -> None:
    assert rendered(Speak(text="a\x00\x08\x1b\ufffe\ud800b"))[0].text == "ab"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_key_is_listened_to(text: str) -> None:
    key_url = 'https://outdial.example/key?a=1&b="<2>"'
    document = rendered(Speak(text=text, key_url=key_url))
    assert tags(document) == ["Gather", "Say", "Hangup"]
    gather = document[0]
    assert (gather[0].text, gather.get("action")) == (text, key_url)
    assert (gather.get("numDigits"), gather.get("method")) == ("1", "POST")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_stream_is_connected(text: str) -> None:
    url = "wss://agent.example/a?b=1&c=2"
    document = rendered(Stream(url=url, parameters={"name": text}))
    assert tags(document) == ["Connect", "Stream", "Parameter"]
    stream = document[0][0]
    assert stream.get("url") == url
    assert stream[0].attrib == {"name": "name", "value": text}


def test_a_sip_address_is_dialed() -> None:
    uri = "sip:agent@pbx.example;transport=tls?a=1&b=<2>"
    document = rendered(Sip(uri=uri))
    assert tags(document) == ["Dial", "Sip"]
    assert document[0][0].text == uri


def test_a_call_is_ended() -> None:
    assert tags(rendered(HangUp())) == ["Hangup"]

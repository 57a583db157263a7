"""What Plivo tells of calls: looked up, and in signed callbacks."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.utils import timezone
from plivo.utils import signature_v3  # type: ignore[import-untyped]
from pytest_django import Settings

from calling.carriers.base import (
    AnsweredBy,
    Callback,
    CallExtras,
    CallProgress,
    CallReport,
    CarrierUnsure,
    Credentials,
    SignatureRefused,
)
from calling.carriers.plivo import CAUSES, PLIVO, STATUSES
from tests.calling.carriers.plivo_server import (
    ACCOUNT,
    AUTH_ID,
    KEYS,
    LIVE,
    NAME,
    RECORD,
    TOKEN,
    URL,
    Carrier,
    a_carrier,
    run,
)
from tests.calling.carriers.recording_server import (
    Reply,
)


@pytest.fixture
def carrier(settings: Settings) -> Iterator[Carrier]:
    with a_carrier(settings) as it:
        yield it


def look(name: str = NAME) -> CallReport:
    report = run(PLIVO.lookup(KEYS, uuid4(), name))
    assert report is not None
    return report


def posted(form: Any, *, token: str = TOKEN, url: str = URL, nonce: str = "4711") -> Callback:
    """A callback as Plivo signs it, by its official client."""
    fields: dict[str, Any] = {}
    for name, value in form.items() if isinstance(form, dict) else form:
        fields.setdefault(name, []).append(value)
    base = signature_v3.construct_post_url(url, dict(fields)).decode()
    signature = signature_v3.get_signature_v3(token.encode(), base, nonce).decode()
    headers = {"x-plivo-signature-v3": signature, "x-plivo-signature-v3-nonce": nonce}
    return Callback(url=url, headers=headers, body=urlencode(fields, doseq=True).encode())


def parsed(**form: str) -> CallReport | CallExtras:
    return PLIVO.parse_callback(posted({"RequestUUID": NAME, "CallUUID": NAME, **form}))


def reported(**form: str) -> CallReport:
    report = parsed(**form)
    assert isinstance(report, CallReport)
    return report


# Looking up, hanging up


def test_an_ended_call_takes_one_request(carrier: Carrier) -> None:
    carrier.answer(Reply(200, RECORD))
    assert look() == CallReport(
        progress=CallProgress.COMPLETED,
        at=datetime(2022, 10, 12, 16, 27, 48, tzinfo=UTC),
        carrier_call_id=NAME,
        answered_at=datetime(2022, 10, 12, 16, 27, 47, tzinfo=UTC),
        talk_seconds=1,
        hangup_cause="Invalid Answer XML",
    )
    assert carrier.paths == [f"GET {ACCOUNT}Call/{NAME}/"]


@pytest.mark.parametrize("code", sorted(CAUSES))
def test_each_cause_of_an_unanswered_call(carrier: Carrier, code: int) -> None:
    unanswered = {"answer_time": None, "call_duration": 0, "call_state": "BUSY"}
    carrier.answer(Reply(200, RECORD | unanswered | {"hangup_cause_code": code}))
    looked_up = look()
    assert (looked_up.progress, looked_up.permanent) == CAUSES[code]
    assert (looked_up.answered_at, looked_up.talk_seconds) == (None, 0)
    told = reported(Event="Hangup", CallStatus="completed", HangupCauseCode=str(code), Duration="9")
    assert (told.progress, told.permanent) == CAUSES[code]
    assert (told.answered_at, told.talk_seconds) == (None, 0)


def test_what_the_causes_mean() -> None:
    hopeless = {code for code, (_, permanent) in CAUSES.items() if permanent}
    assert hopeless == {2000, 2030, 2040, 2050, 3050, 3120}
    assert CAUSES[1000] == (CallProgress.CANCELED, False)
    assert CAUSES[3000] == CAUSES[6010] == (CallProgress.NO_ANSWER, False)
    assert CAUSES[3010] == CAUSES[3020] == (CallProgress.BUSY, False)
    assert CAUSES[5000] == CAUSES[1010] == (CallProgress.FAILED, False)


def test_a_call_under_way(carrier: Carrier) -> None:
    carrier.answer(Reply(404), Reply(200, LIVE))
    assert look().progress is CallProgress.IN_PROGRESS
    carrier.answer(Reply(404), Reply(404), Reply(200, LIVE | {"call_status": "queued"}))
    assert look().progress is CallProgress.QUEUED
    queries = [each.query for each in carrier.server.requests]
    assert queries == [{}, {"status": "live"}, {}, {"status": "live"}, {"status": "queued"}]


@pytest.mark.parametrize(
    "reply",
    [Reply(404), Reply(200, {}), Reply(200, LIVE | {"call_status": "?"}), Reply(400), Reply(500)],
)
def test_there_is_no_telling(carrier: Carrier, reply: Reply) -> None:
    carrier.answer(reply)
    with pytest.raises(CarrierUnsure):
        look()


@pytest.mark.parametrize("name", ["", "..", "a/b", "a?b", "x" * 65, "ä"])
def test_without_its_name_a_call_is_not_asked_for(carrier: Carrier, name: str) -> None:
    for it in (PLIVO.lookup(KEYS, uuid4(), name), PLIVO.hang_up(KEYS, uuid4(), name)):
        with pytest.raises(CarrierUnsure):
            run(it)
    assert carrier.paths == []


@pytest.mark.parametrize("status", [204, 404])
def test_a_request_to_call_is_cancelled(carrier: Carrier, status: int) -> None:
    carrier.answer(Reply(status))
    run(PLIVO.hang_up(KEYS, uuid4(), NAME))
    assert carrier.paths == [f"DELETE {ACCOUNT}Request/{NAME}/"]


# Callbacks


def test_what_plivo_signs_is_taken() -> None:
    for form in (
        {"CallUUID": NAME, "To": "1415", "Empty": ""},
        [("a", "2"), ("a", "1"), ("ä", "é&=")],
        {},
    ):
        PLIVO.check_signature(posted(form), KEYS)
    other = posted({"CallUUID": NAME}, token="another token").headers["x-plivo-signature-v3"]
    both = posted({"CallUUID": NAME})
    several = f"{other},{both.headers['x-plivo-signature-v3']}"  # while the token is changed
    PLIVO.check_signature(
        replace(both, headers={**both.headers, "x-plivo-signature-v3": several}), KEYS
    )


GOOD = posted({"CallUUID": NAME, "CallStatus": "ringing"})


@pytest.mark.parametrize(
    "bad",
    [
        posted({"CallUUID": NAME, "CallStatus": "ringing"}, token="another token"),
        posted({"CallUUID": NAME, "CallStatus": "ringing"}, token=""),
        replace(GOOD, url=GOOD.url + "1"),
        replace(GOOD, url="not a url"),
        replace(GOOD, headers={**GOOD.headers, "x-plivo-signature-v3-nonce": "4712"}),
        replace(GOOD, headers={**GOOD.headers, "x-plivo-signature-v3": "none"}),
        replace(GOOD, headers={**GOOD.headers, "x-plivo-signature-v3": ""}),
        replace(GOOD, headers={"x-plivo-signature-v3-nonce": "4711"}),
        replace(GOOD, headers={"x-plivo-signature-v3": GOOD.headers["x-plivo-signature-v3"]}),
        replace(GOOD, headers={}),
        replace(GOOD, body=GOOD.body.replace(b"ringing", b"completed")),
        replace(GOOD, body=GOOD.body + b"&CallUUID=2"),
        replace(GOOD, body=b"\xff"),
        replace(GOOD, body=b"&".join([b"a=1"] * 300)),
    ],
)
def test_what_plivo_has_not_signed_is_refused(bad: Callback) -> None:
    with pytest.raises(SignatureRefused):
        PLIVO.check_signature(bad, KEYS)


def test_nothing_is_signed_without_a_token() -> None:
    with pytest.raises(SignatureRefused):
        PLIVO.check_signature(posted({"a": "1"}, token=""), Credentials(AUTH_ID, ""))


@pytest.mark.parametrize("status", STATUSES)
def test_each_status(status: str) -> None:
    report = reported(CallStatus=status)
    assert (report.progress, report.carrier_call_id) == (STATUSES[status], NAME)
    assert abs(report.at - timezone.now()) < timedelta(minutes=1)
    assert reported(CallStatus=status, HangupCauseCode="4000").progress is STATUSES[status]


def test_statuses_are_those_of_the_reference() -> None:
    words = {
        "ringing",
        "in-progress",
        "completed",
        "busy",
        "failed",
        "timeout",
        "no-answer",
        "cancel",
    }
    assert set(STATUSES) == words | {"queued"}


def test_an_answer_and_an_end() -> None:
    answer = reported(Event="StartApp", CallStatus="in-progress", Machine="true")
    assert (answer.answered_at, answer.answered_by) == (answer.at, AnsweredBy.MACHINE)
    assert reported(Event="Ring", CallStatus="ringing").answered_at is None
    end = reported(
        Event="Hangup",
        CallStatus="completed",
        AnswerTime="2026-03-01 10:00:00",
        EndTime="2026-03-01 10:01:30",
        HangupCauseCode="6020",
        HangupCauseName="Media Timeout",
        Machine="false",
        RecordUrl="https://media.example/1.mp3",
    )
    assert abs(end.at - timezone.now()) < timedelta(minutes=1)  # the zone of these times is unknown
    assert (end.progress, end.talk_seconds) == (CallProgress.COMPLETED, 90)
    assert end.answered_at == end.at - timedelta(seconds=90)
    assert (end.hangup_cause, end.answered_by) == ("Media Timeout", AnsweredBy.HUMAN)
    assert end.recording_url == "https://media.example/1.mp3"


def test_odd_times_do_not_hinder_an_end() -> None:
    end = reported(CallStatus="completed", AnswerTime="None", EndTime="?", Duration="12")
    assert (end.progress, end.talk_seconds) == (CallProgress.COMPLETED, 12)
    assert end.answered_at == end.at - timedelta(seconds=12)
    for duration in ("-1", "1e3", "9" * 30, ""):
        assert reported(CallStatus="completed", Duration=duration).talk_seconds == 0


def test_extras() -> None:
    url = "https://media.example/1.mp3"
    extras = CallExtras(carrier_call_id=NAME, recording_url=url)
    assert parsed(RecordUrl=url, RecordingID="1", CallStatus="in-progress") == extras
    assert PLIVO.parse_callback(posted({"record_url": url, "call_uuid": NAME})) == extras
    transcribed = {"transcription": "Hello.", "call_uuid": NAME, "recording_id": "1"}
    extras = CallExtras(carrier_call_id=NAME, transcript="Hello.")
    assert PLIVO.parse_callback(posted(transcribed)) == extras
    extras = CallExtras(carrier_call_id=NAME, answered_by=AnsweredBy.MACHINE)
    machine = {"Event": "MachineDetection", "Machine": "true", "CallStatus": "in-progress"}
    assert parsed(**machine) == extras


def test_names_and_keys() -> None:
    only = posted({"CallUUID": "b", "CallStatus": "ringing", "Digits": "12"})
    report = PLIVO.parse_callback(only)
    assert (report.carrier_call_id, PLIVO.pressed_key(only)) == ("b", "1")
    both = posted({"RequestUUID": "a", "CallUUID": "b", "CallStatus": "ringing"})
    assert PLIVO.parse_callback(both).carrier_call_id == "a"
    assert PLIVO.pressed_key(both) == ""


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"CallUUID=a", b"CallStatus=ringing", b"\xff", b"CallStatus=x&CallUUID=a"),
        *(b"CallStatus=ringing&CallUUID=../x", b"&".join([b"a=1"] * 300)),
    ],
)
def test_what_cannot_be_read(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (whichever)
        PLIVO.parse_callback(replace(GOOD, body=body))

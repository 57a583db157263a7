"""Plivo XML, against the official client's."""

from typing import Any
from xml.etree import ElementTree

import pytest
from plivo import plivoxml  # type: ignore[import-untyped]

from calling.carriers.answers import Answer, HangUp, Sip, Speak, Stream
from calling.carriers.plivo import LANGUAGES, PLIVO
from tests.calling.carriers.plivo_server import NAME

# Plivo XML

HOSTILE = '</Speak><Hangup/>&amp;\x00\x0b\ud800 "ä🙂'
CLEANED = '</Speak><Hangup/>&amp; "ä🙂'
RECORDED = "https://calls.example/recording?a=1&b=2"


def first_of(answer: Answer) -> ElementTree.Element:
    return ElementTree.fromstring(PLIVO.render(answer))[0]  # noqa: S314 (our own document)


def official(*elements: Any) -> str:
    response = plivoxml.ResponseElement()
    for element in elements:
        response.add(element)
    return str(ElementTree.canonicalize(response.to_string(False)))


def recording() -> Any:
    return plivoxml.RecordElement(
        record_session=True,
        redirect=False,
        max_length=14400,
        callback_url=RECORDED,
        callback_method="POST",
    )


def user(uri: str) -> Any:
    return plivoxml.DialElement().add(plivoxml.UserElement(uri))


def asking(*, speak: Any) -> Any:
    return plivoxml.GetInputElement(
        action="https://calls.example/key?a=1&b=2",
        method="POST",
        input_type="dtmf",
        execution_timeout=5,
        finish_on_key="none",
        num_digits=1,
    ).add(speak)


def stream(url: str, headers: str | None) -> Any:
    return plivoxml.StreamElement(
        url,
        bidirectional=True,
        keepCallAlive=True,
        contentType="audio/x-mulaw;rate=8000",
        extraHeaders=headers,
    )


END = plivoxml.HangupElement()


@pytest.mark.parametrize(
    ("answer", "elements"),
    [
        (HangUp(), [END]),
        (Speak(text=HOSTILE), [plivoxml.SpeakElement(CLEANED), END]),
        (
            Speak(text="Olá", language="pt-pt", record_url=RECORDED),
            [recording(), plivoxml.SpeakElement("Olá", voice="MAN", language="pt-PT"), END],
        ),
        (
            Speak(text=HOSTILE, language="de-AT", key_url="https://calls.example/key?a=1&b=2"),
            [asking(speak=plivoxml.SpeakElement(CLEANED, language="de-DE")), END],
        ),
        (Sip(uri="sip:a@b.example;x=<&>"), [user("sip:a@b.example;x=<&>")]),
        (Sip(uri="sips:a@b.example", record_url=RECORDED), [recording(), user("sips:a@b.example")]),
        (
            Stream(url="wss://agent.example/?a=1&b=2"),
            [stream("wss://agent.example/?a=1&b=2", None)],
        ),
        (
            Stream(
                url="wss://a.example", parameters={"call": "7", "who": "b"}, record_url=RECORDED
            ),
            [recording(), stream("wss://a.example", "call=7,who=b")],
        ),
    ],
)
def test_answers_are_the_official_elements(answer: Answer, elements: list[Any]) -> None:
    assert ElementTree.canonicalize(PLIVO.render(answer)) == official(*elements)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        *((known, known) for known in LANGUAGES),
        *(("EN-us", "en-US"), ("es-MX", "es-ES"), ("fr", "fr-FR")),
        *(("", None), ("hi-IN", None), ('en"', None), ("ended", None)),
    ],
)
def test_only_languages_that_plivo_knows(wanted: str, told: str | None) -> None:
    assert first_of(Speak(text="x", language=wanted)).get("language") == told


def headers_of(parameters: dict[str, str]) -> list[list[str]]:
    stream = first_of(Stream(url="wss://a.example", parameters=parameters))
    headers = stream.get("extraHeaders", "")
    assert len(headers) <= 512
    return [pair.split("=") for pair in headers.split(",") if pair]


def read(text: str) -> str:
    return bytes.fromhex(text[2:]).decode() if text.startswith("0x") else text


def test_parameters_cannot_add_others() -> None:
    parameters = {
        "a": "1,b=2;c=3",
        "x=y,z": "ä🙂\n",
        "0x": "0x41",
        "empty": "",
        "": "plain",
        "id": NAME,
    }
    pairs = headers_of(parameters)
    assert all(text.isascii() and text.isalnum() for pair in pairs for text in pair)
    assert {read(name): read(value) for name, value in pairs} == parameters
    assert ["empty", "0x"] in pairs


def test_parameters_that_plivo_has_no_room_for_are_left_out() -> None:
    full = {"first": "x" * 250, "second": "y" * 248}  # with "first=", ",second=": 512
    assert [name for name, _ in headers_of(full | {"third": "z"})] == ["first", "second"]
    assert [name for name, _ in headers_of(full | {"second": "y" * 249})] == ["first"]

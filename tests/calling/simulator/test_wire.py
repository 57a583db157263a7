"""Signatures of the simulator's callbacks: only what it signed, for this address, just now."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from calling.carriers.base import Callback, CallProgress, CallReport, Credentials, SignatureRefused
from calling.carriers.simulator import Simulator, wire

URL = "https://outdial.example/api/call/carrier-events/simulator/token"
REPORT = CallReport(
    progress=CallProgress.COMPLETED,
    at=timezone.now(),
    carrier_call_id="64e5f12345abcdef98765432",
    answered_at=timezone.now(),
    talk_seconds=3,
    hangup_cause="normal_clearing",
)
BODY = wire.encode(REPORT)


def headers(*, age: float = 0, body: bytes = BODY) -> dict[str, str]:
    now = timezone.now() - timedelta(seconds=age)
    signed = wire.signed_headers(URL, body, now=now)
    return {name.lower(): value for name, value in signed.items()}


def parse(sent: Mapping[str, str], body: bytes = BODY, url: str = URL) -> Any:
    callback = Callback(url=url, headers=sent, body=body)
    simulator = Simulator()
    simulator.check_signature(callback, Credentials("", ""))
    return simulator.parse_callback(callback)


@pytest.mark.parametrize("age", [0, 290, -290])
def test_what_was_signed_is_read_as_it_was_written(age: float) -> None:
    assert parse(headers(age=age)) == REPORT


@pytest.mark.parametrize("report", [CallReport(progress=CallProgress.RINGING, at=timezone.now())])
def test_a_report_without_an_answer_survives_the_journey(report: CallReport) -> None:
    assert wire.decode(wire.encode(report)) == report


@pytest.mark.parametrize("age", [302, -302, 86400])
def test_an_old_signature_is_refused(age: float) -> None:
    with pytest.raises(SignatureRefused):
        parse(headers(age=age))


@pytest.mark.parametrize(
    "change",
    [
        {"x-simulator-signature": ""},
        {"x-simulator-signature": "0" * 64},
        {"x-simulator-signature": "ü" * 64},
        {"x-simulator-timestamp": ""},
        {"x-simulator-timestamp": "x"},
        {"x-simulator-timestamp": "1"},
        {"x-simulator-timestamp": "9" * 5000},
    ],
)
def test_a_forged_signature_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(SignatureRefused):
        parse({**headers(), **change})


@pytest.mark.parametrize("missing", ["x-simulator-signature", "x-simulator-timestamp"])
def test_a_missing_signature_is_refused(missing: str) -> None:
    sent = headers()
    del sent[missing]
    with pytest.raises(SignatureRefused):
        parse(sent)


def test_a_signature_holds_for_one_address_one_body_and_one_secret() -> None:
    for url, body in ((f"{URL}2", BODY), (URL.upper(), BODY), (URL, BODY + b" "), (URL, b"{}")):
        with pytest.raises(SignatureRefused):
            parse(headers(), body, url)
    sent = headers()
    with override_settings(SECRET_KEY="another"), pytest.raises(SignatureRefused):
        parse(sent)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"\xff", b"[]", b"1", b"null", b"{}", BODY.replace(b"completed", b"gone")),
        BODY.replace(b'"at": "', b'"at": "x'),
    ],
)
def test_a_body_that_says_nothing_is_no_callback(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(headers(body=body), body)

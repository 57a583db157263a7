"""Twilio's adapter against a mock server made from Twilio's own OpenAPI description."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from calling.carriers.base import (
    AnsweredBy,
    CallProgress,
    CallRequest,
    CarrierError,
    Credentials,
    Detection,
)
from calling.carriers.twilio import TWILIO
from tests.calling.carriers.prism import REFUSED, prism, twilio_description

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# Of the description's examples, which are what the mock answers with.
CREDENTIALS = Credentials(account_id=f"AC{'a' * 32}", auth_token="token")
OWN_NUMBER = "+18089255327"
CALL_SID = f"CA{'a' * 32}"

REQUEST = CallRequest(
    request_uuid=uuid4(),
    from_number=OWN_NUMBER,
    to_number="+14155550123",
    callback_url="https://outdial.example/carriers/twilio/1/status",
    answer_url="https://outdial.example/carriers/twilio/1/answer",
)


@pytest.fixture(scope="module")
def prism_url() -> Iterator[str]:
    with prism(twilio_description()) as url:
        yield url


@pytest.fixture(autouse=True)
def _twilio_is_the_mock(settings: Any, prism_url: str) -> None:
    settings.CARRIER_API_URLS = {"twilio": prism_url}


def test_it_takes_the_questions_after_account_and_number() -> None:
    assert asyncio.run(TWILIO.verify_credentials(CREDENTIALS, OWN_NUMBER)) == CREDENTIALS


def test_it_shows_no_other_number() -> None:
    with pytest.raises(CarrierError) as caught:
        asyncio.run(TWILIO.verify_credentials(CREDENTIALS, "+14155550123"))
    assert caught.value.code == "number_not_owned"


@pytest.mark.parametrize("detection", Detection)
@pytest.mark.parametrize("records", [False, True])
def test_it_takes_a_call(detection: Detection, records: bool) -> None:
    request = replace(REQUEST, detection=detection, records=records)
    report = asyncio.run(TWILIO.place(CREDENTIALS, request))
    assert (report.progress, report.carrier_call_id) == (CallProgress.QUEUED, CALL_SID)


def test_it_tells_what_became_of_a_call() -> None:
    report = asyncio.run(TWILIO.lookup(CREDENTIALS, uuid4(), CALL_SID))
    assert report is not None
    assert (report.progress, report.talk_seconds) == (CallProgress.COMPLETED, 4)
    assert report.answered_by is AnsweredBy.MACHINE
    assert report.at.isoformat() == "2019-10-18T17:03:00+00:00"


def test_it_takes_a_hang_up() -> None:
    asyncio.run(TWILIO.hang_up(CREDENTIALS, uuid4(), CALL_SID))


@pytest.mark.parametrize(
    "form",
    [
        {"From": OWN_NUMBER, "Url": REQUEST.answer_url},
        {"From": OWN_NUMBER, "To": REQUEST.to_number, "Method": "FETCH"},
        {"From": OWN_NUMBER, "To": REQUEST.to_number, "Timeout": "long"},
    ],
)
def test_it_does_refuse_what_twilio_would(prism_url: str, form: dict[str, str]) -> None:
    url = f"{prism_url}/2010-04-01/Accounts/{CREDENTIALS.account_id}/Calls.json"
    auth = (CREDENTIALS.account_id, CREDENTIALS.auth_token)
    assert httpx.post(url, data=form, auth=auth).status_code == REFUSED

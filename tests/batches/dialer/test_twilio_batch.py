"""A whole batch through Twilio's adapter, from add-phone to its end.

The carrier is a mock server made from Twilio's own OpenAPI description: it refuses what Twilio would
refuse. It rings nobody, so the test calls back in Twilio's place, signing with its own library.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

import pytest
from django.test import Client
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from batches.models import CallAttempt, CallBatch, CallStatus, DoNotCallEntry
from batches.services.callbacks import Hook, hook_url
from tests.batches.dialer.in_process import QUICK, all_are, dialing
from tests.calling.carriers.prism import prism, twilio_description
from tests.cast import Api, Person
from tests.envelope import checked

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.django_db(transaction=True),
]

PATIENT = replace(QUICK, lease=timedelta(seconds=60), place_within=30)
# The account, the number and the call of the description's examples.
ACCOUNT, TOKEN, NUMBER, CALL_SID = f"AC{'a' * 32}", "t0ken", "18089255327", f"CA{'a' * 32}"
CONTACTS = ["12125551001", "12125551002", "12125551003"]


@pytest.fixture(scope="module")
def twilio_url() -> Iterator[str]:
    with prism(twilio_description()) as url:
        yield url


@pytest.fixture(autouse=True)
def _twilio_is_the_mock(settings: Any, twilio_url: str) -> None:
    settings.CARRIER_API_URLS = {"twilio": twilio_url}
    settings.PUBLIC_BASE_URL = "https://outdial.example"


def calls_back(hook: Hook, attempt: CallAttempt, **said: str) -> bytes:
    """As Twilio does: a form, signed for the address that it was given."""
    url = hook_url(hook, "twilio", attempt.request_uuid)
    form = {"CallSid": CALL_SID, "AccountSid": ACCOUNT, **said}
    signature = RequestValidator(TOKEN).compute_signature(url, form)
    parts = urlsplit(url)
    response = Client().post(
        f"{parts.path}?{parts.query}",
        urlencode(form),
        "application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signature},
    )
    assert response.status_code == 200, response.content
    return bytes(response.content)


def started_batch(api: Api, owner: Person) -> CallBatch:
    """Over the API, as an integrator does it."""

    def post(path: str, body: dict[str, Any], status: int) -> Any:
        return checked(api.post(path, body, owner.with_token), status)["data"]

    agent = {
        "name": "Reminder",
        "variables": [{"key": "name", "type": "string", "required": True}],
        "connection": {"type": "message", "message": "Hello {name}. Press 9 to opt out."},
        "optOut": {"key": "9", "message": "Goodbye."},
    }
    phone = {
        "userId": owner.user.id,
        "phoneNumber": NUMBER,
        "integration": "twilio",
        "accSId": ACCOUNT,
        "authToken": TOKEN,
        "agentId": post("/api/agents", agent, 201)["_id"],
    }
    batch = {
        "batchName": "Through Twilio",
        "callingNumbers": [post("/api/call/add-phone", phone, 201)["_id"]],
        "retry": 0,
        "delay": 0,
        "timezone": "UTC",
    }
    made = CallBatch.objects.get(id=post("/api/call/createBatch", batch, 201))
    contacts = [{"phoneNumber": number, "name": "Ada & <Bob>"} for number in CONTACTS]
    add = {"batchId": made.id, "callData": contacts, "startCalling": True}
    response = api.post("/api/call/addCallsToBatch", add, owner.with_token)
    assert response.status_code in (200, 201), response.content
    return made


def test_a_batch_from_its_first_number_to_its_last_callback(api: Api, owner: Person) -> None:
    batch = started_batch(api, owner)

    def all_are_placed() -> bool:
        return CallAttempt.objects.filter(carrier_call_id=CALL_SID).count() == len(CONTACTS)

    def twilio_tells() -> None:
        for attempt in CallAttempt.objects.order_by("created_at"):
            calls_back(Hook.STATUS, attempt, CallStatus="ringing")
            document = calls_back(Hook.ANSWER, attempt, CallStatus="in-progress")
            say = ElementTree.fromstring(document).find("Gather/Say")  # noqa: S314 (our own)
            assert say is not None
            assert say.text == "Hello Ada & <Bob>. Press 9 to opt out."
        last = CallAttempt.objects.latest("created_at")
        assert b"Goodbye." in calls_back(Hook.KEY, last, CallStatus="in-progress", Digits="9")
        for attempt in CallAttempt.objects.order_by("created_at"):
            calls_back(Hook.STATUS, attempt, CallStatus="completed", CallDuration="7")
            calls_back(Hook.STATUS, attempt, CallStatus="completed", CallDuration="7")

    async def scenario() -> None:
        async with dialing(PATIENT) as eyes:
            await eyes.until(all_are_placed, within=60)
            await eyes.thread.run(twilio_tells)
            await eyes.until(all_are(CallStatus.COMPLETED))

    asyncio.run(scenario())
    batch.refresh_from_db()
    assert batch.status == "completed"
    attempts = list(CallAttempt.objects.order_by("created_at"))
    assert {(one.status, one.talk_seconds) for one in attempts} == {("completed", 7)}
    # One call start a second, as of a new account with Twilio.
    first, *_, last = [one.created_at for one in attempts]
    assert last - first >= timedelta(seconds=1.9)
    assert DoNotCallEntry.objects.get().phone_number == attempts[-1].to_number

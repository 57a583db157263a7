"""A Telnyx of ours, and what its tests have in common."""

import asyncio
import base64
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from django.utils import timezone
from nacl.signing import SigningKey

from calling.carriers.base import (
    CallRequest,
    CarrierError,
    CarrierUnsure,
    Credentials,
)
from calling.carriers.telnyx import Telnyx
from tests.calling.carriers.recording_server import (
    Recorded,
    RecordingServer,
    Reply,
)

ACCOUNT = "61bf923e-5e4d-4595-a110-56190ea18a1b"
NUMBER, CALLED = "+13120001234", "+13121230000"
APPLICATION = "1293384261075731499"
CALL_SID = "v3:KBnLO0ZK3DhKM5s7bE9VluaSmKsOchKht_fUYvxcp8ysbmzCCtpkmA"
CALLS = f"/v2/texml/Accounts/{ACCOUNT}/Calls"
SIGNING_KEY = SigningKey(bytes(range(32)))
PUBLIC_KEY = base64.b64encode(bytes(SIGNING_KEY.verify_key)).decode()
CREDENTIALS = Credentials(ACCOUNT, "KEY017_secret", PUBLIC_KEY)
REQUEST = CallRequest(
    request_uuid=UUID("0f8fad5b-d9cb-469f-a165-70867728950e"),
    from_number=NUMBER,
    to_number=CALLED,
    callback_url="https://dial.example/callbacks/1",
    answer_url="https://dial.example/answers/1",
)
OWNED = {"phone_number": NUMBER, "status": "active", "connection_id": APPLICATION}
# The example of the published reference.
RESOURCE = {
    "account_sid": ACCOUNT,
    "answered_by": "human",
    "date_created": "Thu, 15 Jun 2023 09:56:45 +0000",
    "date_updated": "Thu, 15 Jun 2023 09:56:56 +0000",
    "duration": "11",
    "end_time": "Thu, 15 Jun 2023 09:56:56 +0000",
    "sid": CALL_SID,
    "start_time": "Thu, 15 Jun 2023 09:56:45 +0000",
    "status": "completed",
}
T = TypeVar("T")


def now_do(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


class Carrier:
    """What Telnyx answers: all is well, but for what a test puts in."""

    def __init__(self) -> None:
        self.numbers = Reply(body={"data": [OWNED]})
        self.application = Reply(body={"data": {"id": APPLICATION, "voice_method": "post"}})
        self.account = Reply(body={"calls": []})
        self.public_key = Reply(body={"data": {"public": PUBLIC_KEY}})
        self.call = Reply(body={"from": NUMBER, "to": CALLED, "status": "queued", "sid": CALL_SID})
        self.one_call = Reply(body=RESOURCE)

    def __call__(self, request: Recorded) -> Reply:
        if request.path == "/v2/phone_numbers":
            return self.numbers
        if request.path == f"/v2/texml_applications/{APPLICATION}":
            return self.application
        if request.path == "/v2/public_key":
            return self.public_key
        if request.path == CALLS:
            return self.call if request.method == "POST" else self.account
        return self.one_call


def refusal(code: str, detail: str = "", pointer: str = "") -> dict[str, Any]:
    error = {"code": code, "title": "Title", "detail": detail, "source": {"pointer": pointer}}
    return {"errors": [error]}


def refused(work: Coroutine[Any, Any, Any]) -> CarrierError:
    with pytest.raises(CarrierError) as caught:
        now_do(work)
    assert CREDENTIALS.auth_token not in str(caught.value)
    return caught.value


def unsure(work: Coroutine[Any, Any, Any]) -> None:
    with pytest.raises(CarrierUnsure):
        now_do(work)


def posts(server: RecordingServer) -> list[Recorded]:
    return [request for request in server.requests if request.method == "POST"]


def remembering() -> Telnyx:
    """One that has no number to look up before it calls."""
    adapter = Telnyx()
    until = timezone.now() + timedelta(minutes=5)
    adapter._applications[ACCOUNT, NUMBER] = (APPLICATION, until)
    return adapter

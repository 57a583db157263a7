"""A Plivo of ours, and what its tests say to it."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import uuid4

from pytest_django import Settings

from calling.carriers.base import (
    CallRequest,
    Credentials,
)
from tests.calling.carriers.recording_server import (
    Recorded,
    RecordingServer,
    Reply,
    recording_server,
)

T = TypeVar("T")

AUTH_ID, TOKEN = "MA2025RK4E639VJFZAGV", "not-a-real-token"
KEYS = Credentials(AUTH_ID, TOKEN)
NAME = "9834029e-58b6-11e1-b8b7-a5bd0e4e126f"
ACCOUNT = f"/v1/Account/{AUTH_ID}/"
URL = "https://calls.example/plivo/1?call=7"
REQUEST = CallRequest(
    request_uuid=uuid4(),
    from_number="+12025550100",
    to_number="+14155550123",
    callback_url="https://calls.example/status/7",
    answer_url="https://calls.example/answer/7",
)
FIRED = Reply(201, {"message": "call fired", "request_uuid": NAME, "api_id": "97ceeb52"})
# As Plivo's reference prints the record of a call, but for what was dialled.
RECORD = {
    "answer_time": "2022-10-12 21:57:47+05:30",
    "bill_duration": 1,
    "billed_duration": 60,
    "call_direction": "outbound",
    "call_duration": 1,
    "call_state": "ANSWER",
    "call_uuid": NAME,
    "end_time": "2022-10-12 21:57:48+05:30",
    "hangup_cause_code": 8011,
    "hangup_cause_name": "Invalid Answer XML",
    "hangup_source": "Error",
    "initiation_time": "2022-10-12 21:57:40+05:30",
    "to_number": "+14155550123",
}
LIVE = {
    "direction": "outbound",
    "from": "12025550100",
    "call_status": "in-progress",
    "to": "14155550123",
    "call_uuid": NAME,
    "session_start": "2014-03-23 14:49:39.722551",
}


class Carrier:
    """A server that gives the same answer again and again, or one after the other."""

    def __init__(self, server: RecordingServer) -> None:
        self.server = server
        self.replies: list[Reply] = [FIRED]

    def answer(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def reply(self, request: Recorded) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    @property
    def paths(self) -> list[str]:
        return [f"{each.method} {each.path}" for each in self.server.requests]


@contextmanager
def a_carrier(settings: Settings) -> Iterator[Carrier]:
    with recording_server(lambda request: FIRED) as server:
        it = Carrier(server)
        server.script = it.reply
        settings.CARRIER_API_URLS = {"plivo": server.url}
        yield it


def run(it: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(it)

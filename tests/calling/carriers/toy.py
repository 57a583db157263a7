"""A carrier of one module, as CONTRIBUTING says how to add one. It signs with the account's token."""

import json
from collections.abc import Callable
from uuid import UUID

from django.utils import timezone

from calling.carriers.answers import Answer, HangUp, Sip, Speak, Stream
from calling.carriers.base import (
    AnsweredBy,
    Callback,
    CallExtras,
    CallProgress,
    CallReport,
    CallRequest,
    CarrierUnsure,
    Credentials,
    SignatureRefused,
)

SIGNATURE = "x-toy-signature"


class Toy:
    """Takes every account, and rings in a list. `refuses` is raised in the place of an answer."""

    title, calls_per_second, asks_back = "Toy", 3, True

    def __init__(self) -> None:
        self.rings: list[CallRequest] = []
        self.refuses: Callable[[CallRequest], Exception | None] = lambda request: None

    async def verify_credentials(self, credentials: Credentials, number: str) -> Credentials:
        return credentials

    async def place(self, credentials: Credentials, request: CallRequest) -> CallReport:
        self.rings.append(request)
        if error := self.refuses(request):
            raise error
        name = toy_id(request.request_uuid)
        return CallReport(progress=CallProgress.QUEUED, at=timezone.now(), carrier_call_id=name)

    async def lookup(
        self, credentials: Credentials, request_uuid: UUID, carrier_call_id: str
    ) -> CallReport | None:
        raise CarrierUnsure("This carrier never remembers.")

    async def hang_up(
        self, credentials: Credentials, request_uuid: UUID, carrier_call_id: str
    ) -> None: ...

    def check_signature(self, callback: Callback, credentials: Credentials) -> None:
        if callback.headers.get(SIGNATURE) != credentials.auth_token:
            raise SignatureRefused("Not the account's token.")

    def parse_callback(self, callback: Callback) -> CallReport | CallExtras:
        said = json.loads(callback.body)
        who = AnsweredBy(said["by"]) if "by" in said else None
        if "status" not in said:
            return CallExtras(answered_by=who, recording_url=said.get("recording", ""))
        return CallReport(
            progress=CallProgress(said["status"]),
            at=timezone.now(),
            carrier_call_id=said.get("id", ""),
            answered_at=timezone.now() if said["status"] in ("in-progress", "completed") else None,
            answered_by=who,
        )

    def pressed_key(self, callback: Callback) -> str:
        return str(json.loads(callback.body).get("key", ""))

    def render(self, answer: Answer) -> str:
        match answer:
            case Speak():
                return f"say {answer.text!r} {'and listen' if answer.key_url else ''}".strip()
            case Stream():
                return f"stream {answer.url} {json.dumps(dict(answer.parameters), sort_keys=True)}"
            case Sip():
                return f"sip {answer.uri}"
            case HangUp():
                return "hang up"


def toy_id(request_uuid: UUID) -> str:
    return f"toy-{request_uuid}"

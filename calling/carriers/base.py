"""What is asked of a carrier, whichever it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from urllib.parse import parse_qsl
from uuid import UUID

from calling.carriers.answers import Answer


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account with a carrier. No value shows in a `repr`, so none shows in a log.

    `public_key`: with which the carrier signs its callbacks, where that is not `auth_token`.
    """

    account_id: str = field(repr=False)
    auth_token: str = field(repr=False)
    public_key: str = field(default="", repr=False)


class CarrierError(Exception):
    """A refusal or a failure, in a sentence for the customer that quotes no credentials.

    Nothing has rung, and nothing will. `permanent`: asking again will not help. `of_account`: no other
    call of this account will do better, so it is not this call's fault. `retry_after`: seconds that
    the carrier wants to be left alone. `field` and `code` are those of the API's answer to whoever is
    waiting for one.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool,
        of_account: bool = False,
        retry_after: float | None = None,
        field: str = "",
        code: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent
        self.of_account = of_account
        self.retry_after = retry_after
        self.field = field
        self.code = code


class CarrierUnsure(Exception):
    """Nobody can tell whether a call was placed: no answer, or a failure after the request was sent.

    It may have rung, so it is looked up, and never simply placed again.
    """


class CallProgress(StrEnum):
    """How far a call is, in the carriers' common words. The last five are ends."""

    QUEUED = "queued"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        return self not in _UNDER_WAY


_UNDER_WAY = {CallProgress.QUEUED, CallProgress.RINGING, CallProgress.IN_PROGRESS}


class AnsweredBy(StrEnum):
    """Who took the call, as far as the carrier's machine detection can tell."""

    HUMAN = "human"
    MACHINE = "machine"


class Detection(StrEnum):
    """Whether the carrier finds out who answers before it asks what to do.

    `END` also waits for the end of an answering machine's greeting, to speak after it.
    """

    NONE = "none"
    START = "start"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """One call to place, from and to E.164 numbers.

    `request_uuid` is our name for it: the carrier's idempotency key or client reference, where it has
    one. The carrier posts what becomes of the call to `callback_url` (empty: nowhere), and asks at
    `answer_url` what to do when it is answered. `records`: the whole call is to be recorded. After
    `not_after` it must not ring any more: it may have been looked up in vain, and another one placed.
    `sandbox`: the id of the sandbox that it is for, empty for a live workspace; no carrier that rings
    anybody is asked for one.
    """

    request_uuid: UUID
    from_number: str
    to_number: str
    callback_url: str
    answer_url: str = ""
    detection: Detection = Detection.NONE
    records: bool = False
    not_after: datetime | None = None
    sandbox: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReport:
    """What a carrier says of a call, at `at` by its clock.

    `permanent`, of a failure: this number cannot be reached, do not try again. `talk_seconds` counts
    from the answer to the end. `carrier_call_id` is the carrier's own name for the call.
    """

    progress: CallProgress
    at: datetime
    carrier_call_id: str = ""
    answered_at: datetime | None = None
    talk_seconds: int = 0
    permanent: bool = False
    hangup_cause: str = ""
    answered_by: AnsweredBy | None = None
    recording_url: str = ""
    transcript: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallExtras:
    """What a carrier adds to a call, often after its end, without saying how far it is."""

    carrier_call_id: str = ""
    answered_by: AnsweredBy | None = None
    recording_url: str = ""
    transcript: str = ""


class SignatureRefused(Exception):
    """A callback that the carrier did not sign, or signed for something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A POST to one of the URLs that we gave the carrier, as it came. Header names in lower case.

    `url` is the one that the carrier was given, whatever proxies have made of it since.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The body as a form; of a repeated name the last value. Raises ValueError."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True, max_num_fields=200))


class CarrierAdapter(Protocol):
    """One carrier. It talks over the network: never call it with a transaction open.

    Every call of it ends within the caller's time-out by being cancelled. What it does not turn into
    one of the errors named here counts as `CarrierUnsure`.

    `title`: its name for people. `calls_per_second`: the pace that it allows a new account, 0: any.
    `asks_back`: it needs PUBLIC_BASE_URL, to ask there what to do with an answered call, and an agent
    to be connected; false of a carrier that rings nobody.
    """

    title: str
    calls_per_second: int
    asks_back: bool

    async def verify_credentials(self, credentials: Credentials, number: str) -> Credentials:
        """Returns what is to be kept when the account is good and owns the number (E.164).

        Raises `CarrierError`: on `authToken` with the code `credentials_refused`, on `phoneNumber`
        with `number_not_owned`; not permanent when the carrier cannot be asked now.
        """

    async def place(self, credentials: Credentials, request: CallRequest) -> CallReport:
        """Have the carrier ring. Usually the report says `queued`, and callbacks tell the rest.

        Raises `CarrierError` (nothing rings; `permanent`: this number never will, or with `of_account`
        none of this account), `CarrierUnsure`. Never sends the request twice.
        """

    async def lookup(
        self, credentials: Credentials, request_uuid: UUID, carrier_call_id: str
    ) -> CallReport | None:
        """What became of a call. None: the carrier is certain that it never got it.

        A carrier that can only be asked by its own id raises `CarrierUnsure` without one. Raises
        `CarrierUnsure` and `CarrierError` when there is no telling now.
        """

    async def hang_up(
        self, credentials: Credentials, request_uuid: UUID, carrier_call_id: str
    ) -> None:
        """End a call that has not been answered; one that is over or talking stays as it is.

        What became of it is told by callback or look-up. Raises `CarrierError`, `CarrierUnsure`.
        """

    def check_signature(self, callback: Callback, credentials: Credentials) -> None:
        """Raises `SignatureRefused` for what this account's carrier has not signed for this URL."""

    def parse_callback(self, callback: Callback) -> CallReport | CallExtras:
        """What it says of the call, to any of our URLs. Raises `ValueError` for what cannot be read."""

    def pressed_key(self, callback: Callback) -> str:
        """The digit that was pressed while a message was spoken; empty: none."""

    def render(self, answer: Answer) -> str:
        """The document (XML) that tells the carrier what to do with the call."""

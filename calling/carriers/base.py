"""What is asked of a carrier, whichever it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account with a carrier. Neither value shows in a `repr`, so neither shows in a log."""

    account_id: str = field(repr=False)
    auth_token: str = field(repr=False)


class CarrierError(Exception):
    """A refusal or a failure, in a sentence for the customer that quotes no credentials.

    Nothing has rung, and nothing will. `permanent`: asking again will not help. `field` and `code` are
    those of the API's answer to whoever is waiting for one.
    """

    def __init__(self, message: str, *, permanent: bool, field: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """One call to place, from and to E.164 numbers.

    `request_uuid` is our name for it: the carrier's idempotency key or client reference, where it has
    one. The carrier posts what becomes of the call to `callback_url`; empty: nowhere. After
    `not_after` it must not ring any more: it may have been looked up in vain, and another one placed.
    """

    request_uuid: UUID
    from_number: str
    to_number: str
    callback_url: str
    not_after: datetime | None = None


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
    recording_url: str = ""
    transcript: str = ""


class SignatureRefused(Exception):
    """A callback that the carrier did not sign, or signed for something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A request to our callback endpoint, as it came. Header names in lower case."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class CarrierAdapter(Protocol):
    """One carrier. It talks over the network: never call it with a transaction open.

    Every call of it ends within the caller's time-out by being cancelled. What it does not turn into
    one of the errors named here counts as `CarrierUnsure`.
    """

    async def verify_credentials(self, credentials: Credentials, number: str) -> None:
        """Returns when the account is good and owns the number (E.164).

        Raises `CarrierError`: on `authToken` with the code `credentials_refused`, on `phoneNumber`
        with `number_not_owned`.
        """

    async def place(self, credentials: Credentials, request: CallRequest) -> CallReport:
        """Have the carrier ring. Usually the report says `queued`, and callbacks tell the rest.

        Raises `CarrierError` (nothing rings; `permanent`: this number never will), `CarrierUnsure`.
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

    def parse_callback(self, callback: Callback) -> tuple[UUID, CallReport]:
        """Which of our calls it is about (`request_uuid`), and what it says.

        Raises `SignatureRefused`, and `ValueError` for what cannot be read.
        """

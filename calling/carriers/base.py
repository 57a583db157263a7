"""What is asked of a carrier, whichever it is."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account with a carrier. Neither value shows in a `repr`, so neither shows in a log."""

    account_id: str = field(repr=False)
    auth_token: str = field(repr=False)


class CarrierError(Exception):
    """A refusal or a failure, in a sentence for the customer that quotes no credentials.

    `permanent`: asking again will not help. `field` and `code` are those of the API's answer.
    """

    def __init__(self, message: str, *, permanent: bool, field: str, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent
        self.field = field
        self.code = code


class CarrierAdapter(Protocol):
    """One carrier. It talks over the network: never call it with a transaction open.

    Whatever goes wrong there is a `CarrierError`, a time-out included.
    """

    async def verify_credentials(self, credentials: Credentials, number: str) -> None:
        """Returns when the account is good and owns the number (E.164).

        Raises `CarrierError`: on `authToken` with the code `credentials_refused`, on `phoneNumber`
        with `number_not_owned`.
        """

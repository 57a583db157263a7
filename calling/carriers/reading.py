"""Reading what carriers say: whatever comes, it is a value or nothing, and quotes no credentials."""

from collections.abc import Mapping
from typing import Any

from calling.carriers.base import AnsweredBy, CarrierError, Credentials

LONGEST_MESSAGE = 300


def text_of(body: Any, name: str) -> str:
    """A text of a JSON object; empty when it is none, or there is no such."""
    found = body.get(name) if isinstance(body, Mapping) else None
    return found if isinstance(found, str) else ""


def without_secrets(said: str, credentials: Credentials) -> str:
    """A carrier's sentence for people, in which it may have repeated what it was sent."""
    for secret in filter(None, (credentials.auth_token, credentials.account_id)):
        said = said.replace(secret, "***")
    return said[:LONGEST_MESSAGE]


def answered_by_of(said: str) -> AnsweredBy | None:
    """`AnsweredBy` of Twilio and Telnyx: `human`, `human_business`, `machine_end_beep`, `fax` …"""
    if said.startswith(("machine", "fax")):
        return AnsweredBy.MACHINE
    return AnsweredBy.HUMAN if said.startswith("human") else None


def account_error(message: str, field: str, code: str) -> CarrierError:
    """No call of this account, or from this number, will do."""
    return CarrierError(message, permanent=True, of_account=True, field=field, code=code)

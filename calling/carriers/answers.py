"""What is done with a call that has been answered, in no carrier's markup."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Speak:
    """Say a text (plain, not markup) in this language (BCP 47; empty: the carrier's default), hang up.

    `key_url`: where the carrier posts the digit that is pressed meanwhile; empty: none is listened to.
    `record_url`, of each kind: where a carrier that records by such a document posts the recording's
    address; empty: the call is not recorded.
    """

    text: str
    language: str = ""
    key_url: str = ""
    record_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Connect both directions of the sound with a wss:// URL, until that side closes it."""

    url: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    record_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sip:
    """Connect with a sip: or sips: URI."""

    uri: str
    record_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """End the call without a word."""


Answer = Speak | Stream | Sip | HangUp

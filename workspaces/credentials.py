"""The secrets of API keys and access tokens: made, parsed and compared here and nowhere else.

A credential reads `odk_live_<public id>_<secret><checksum>`: the prefix lets scanners find a leaked
one and says where it works (`test`: in a sandbox), the public id finds its row by an index, the checksum
(CRC-32) tells a typing error without asking the database. Stored is HMAC-SHA256 of the whole text under
a numbered pepper of the settings: a stolen database holds nothing that can be tried offline, and a
pepper can be replaced (add the next number; old credentials go on until they are revoked).
"""

import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings

_ALPHABET = string.digits + string.ascii_letters
_PUBLIC_ID_LENGTH = 12
_SECRET_LENGTH = 32  # 190 bits
_CHECKSUM_LENGTH = 6
_UNKNOWN_DIGEST = bytes(32)

PUBLIC_ID_PATTERN = rf"^[0-9A-Za-z]{{{_PUBLIC_ID_LENGTH}}}$"


class CredentialPrefix(StrEnum):
    API_KEY = "odk_live"
    ACCESS_TOKEN = "odt_live"  # noqa: S105 (a prefix, not a secret)
    TEST_API_KEY = "odk_test"  # those of a sandbox, and of nothing else
    TEST_ACCESS_TOKEN = "odt_test"  # noqa: S105

    @property
    def is_test(self) -> bool:
        return self in (CredentialPrefix.TEST_API_KEY, CredentialPrefix.TEST_ACCESS_TOKEN)


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """What the database keeps of a credential."""

    public_id: str
    digest: bytes
    pepper: int


def mint(prefix: CredentialPrefix) -> tuple[str, StoredSecret]:
    """A new credential: its text, to be shown once, and what to store of it."""
    public_id = _random(_PUBLIC_ID_LENGTH)
    body = f"{prefix}_{public_id}_{_random(_SECRET_LENGTH)}"
    text = body + _checksum(body)
    pepper = max(settings.CREDENTIAL_PEPPERS)
    return text, StoredSecret(public_id, _digest(text, pepper), pepper)


def public_id_of(text: str, prefix: CredentialPrefix) -> str | None:
    """The public id inside a credential, or None when the text cannot be one."""
    match = _SHAPES[prefix](text)
    if match is None or _checksum(text[:-_CHECKSUM_LENGTH]) != text[-_CHECKSUM_LENGTH:]:
        return None
    return match[1]


def matches(text: str, stored: StoredSecret | None) -> bool:
    """Whether the text is the stored credential.

    An unknown credential (`stored` is None) costs the same HMAC and comparison as a wrong one.
    """
    pepper = stored.pepper if stored else max(settings.CREDENTIAL_PEPPERS)
    digest = stored.digest if stored else _UNKNOWN_DIGEST
    if pepper not in settings.CREDENTIAL_PEPPERS:  # its pepper was withdrawn: all its secrets end
        return False
    return hmac.compare_digest(_digest(text, pepper), digest) and stored is not None


def _digest(text: str, pepper: int) -> bytes:
    return hmac.digest(settings.CREDENTIAL_PEPPERS[pepper].encode(), text.encode(), "sha256")


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        number, rest = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))


_SHAPES = {
    prefix: re.compile(
        rf"{prefix}_([0-9A-Za-z]{{{_PUBLIC_ID_LENGTH}}})"
        rf"_[0-9A-Za-z]{{{_SECRET_LENGTH + _CHECKSUM_LENGTH}}}"
    ).fullmatch
    for prefix in CredentialPrefix
}

# For logs: anything that looks like one of ours, whole or in part.
CREDENTIAL_IN_TEXT = re.compile(rf"({'|'.join(CredentialPrefix)})_[0-9A-Z_]+", re.IGNORECASE)

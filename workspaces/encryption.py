"""Secrets that have to be read again (a carrier's password), kept encrypted in the database.

Fernet (AES-128-CBC and HMAC-SHA256) under keys of their own from the environment: what is stored opens
with any of them, and is written under the first. `manage.py reencrypt` brings everything under the
first, after which the others may go.
"""

from functools import lru_cache
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class DecryptionFailed(Exception):
    """None of ENCRYPTION_KEYS opens what is stored."""


class EncryptedJSONField(models.BinaryField[Any, Any]):
    """JSON, encrypted. Reading it with the wrong keys raises `DecryptionFailed`."""

    def from_db_value(self, value: bytes | None, *args: object) -> Any:
        if value is None:
            return None
        try:
            return orjson.loads(_fernet().decrypt(bytes(value)))
        except InvalidToken:
            raise DecryptionFailed(
                f"No key of ENCRYPTION_KEYS opens {self.model.__name__}.{self.attname}."
            ) from None

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        encrypted = None if value is None else _fernet().encrypt(orjson.dumps(value))
        return super().get_db_prep_value(encrypted, connection, prepared)

    def value_to_string(self, obj: models.Model) -> str:
        """For `dumpdata`: nothing that leaves the database carries the secret."""
        return ""


def reencrypted(stored: bytes) -> bytes | None:
    """The same secret under the first key; None when it is under it already.

    Raises `DecryptionFailed`.
    """
    try:
        Fernet(settings.ENCRYPTION_KEYS[0]).decrypt(stored)
    except InvalidToken:
        pass
    else:
        return None
    try:
        return _fernet().rotate(stored)
    except InvalidToken:
        raise DecryptionFailed("No key of ENCRYPTION_KEYS opens it.") from None


def _fernet() -> MultiFernet:
    return _fernet_of(tuple(settings.ENCRYPTION_KEYS))


@lru_cache(maxsize=4)
def _fernet_of(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])

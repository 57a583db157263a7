"""Carrier accounts: their credentials, and the circuit breaker.

After a failure the account rests, longer each time; then one call tries whether it is well again. A
success ends it. How many failures in a row are too many is for whoever asks.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils.crypto import salted_hmac

from calling.carriers.base import Credentials
from calling.models import CarrierAccount
from workspaces.services.dialing import wake
from workspaces.sql import array_literal, execute, fetch_all, fetch_row

FIRST_REST = timedelta(seconds=1)
LONGEST_REST = timedelta(seconds=60)
# The fields of an account that the carrier has just taken.
MENDED: dict[str, Any] = {
    "failures": 0,
    "resting_until": None,
    "last_error": "",
    "last_error_at": None,
}

# What was asked before the rest began says nothing new: of many calls at once one failure counts.
_FAILED = """
UPDATE calling_carrieraccount SET
    failures = failures + %s,
    resting_until = %s::timestamptz
        + GREATEST(LEAST(%s::interval * (2 ^ LEAST(failures, 10)), %s::interval), %s::interval),
    last_error = %s, last_error_at = %s
WHERE id = %s AND (resting_until IS NULL OR resting_until <= %s)
RETURNING failures
"""
# A success of a call that was asked for before the last error does not unsay the error.
_WELL = """
UPDATE calling_carrieraccount AS account SET
    failures = 0, resting_until = NULL,
    last_error = CASE WHEN last_error_at > well.asked_at THEN last_error ELSE '' END,
    last_error_at = CASE WHEN last_error_at > well.asked_at THEN last_error_at END
FROM unnest(%s::bytea[], %s::timestamptz[]) AS well (id, asked_at)
WHERE account.id = well.id AND (
    failures > 0 OR resting_until IS NOT NULL
    OR (last_error <> '' AND (last_error_at <= well.asked_at) IS NOT FALSE)
)
RETURNING workspace_id
"""
_REFUSED = """
UPDATE calling_carrieraccount SET last_error = %s, last_error_at = %s WHERE id = %s
"""


def credentials_of(account: CarrierAccount | None) -> Credentials:
    """Decrypted. Raises DecryptionFailed. Of no account: empty ones."""
    stored = account.credentials if account is not None else {}
    return Credentials(
        stored.get("accSId", ""), stored.get("authToken", ""), stored.get("publicKey", "")
    )


def stored_credentials(credentials: Credentials) -> dict[str, str]:
    """What `credentials_of` reads."""
    stored = {"accSId": credentials.account_id, "authToken": credentials.auth_token}
    if credentials.public_key:
        stored["publicKey"] = credentials.public_key
    return stored


def digest_of(carrier: str, account_id: str) -> bytes:
    """Finds an account by the carrier's name for it without keeping that readable."""
    return salted_hmac(
        "calling.CarrierAccount", f"{carrier}:{account_id}", algorithm="sha256"
    ).digest()


def note_failure(
    account_id: str,
    message: str,
    *,
    counts: bool,
    retry_after: timedelta,
    asked_at: datetime,
    now: datetime,
) -> int:
    """Let the account rest, at least for `retry_after`. Returns its failures in a row; 0: not counted.

    `counts`: false for a carrier that only wants fewer requests. `asked_at`: when the request was made
    that failed.
    """
    row = fetch_row(
        _FAILED,
        [
            *(int(counts), now, FIRST_REST, LONGEST_REST, retry_after),
            *(_clean(message), now, bytes.fromhex(account_id), asked_at),
        ],
    )
    return row[0] if row and counts else 0


def note_refusal(account_id: str, message: str, *, now: datetime) -> None:
    """Keep why the carrier refuses the account."""
    execute(_REFUSED, [_clean(message), now, bytes.fromhex(account_id)])


def note_success(asked_at: Mapping[str, datetime], *, now: datetime) -> None:
    """The carrier takes calls of these accounts: those that waited for that go at once.

    `asked_at`: by account, when the last request was made that it took.
    """
    ids = sorted(asked_at)
    params = [array_literal([bytes.fromhex(id_) for id_ in ids]), [asked_at[id_] for id_ in ids]]
    rows = fetch_all(_WELL, params)
    for workspace_id in sorted({bytes(row[0]).hex() for row in rows}):
        wake(workspace_id, now)


def _clean(message: str) -> str:
    """PostgreSQL takes neither NUL nor half a character."""
    return message.encode(errors="replace").decode().replace("\0", "")[:200]

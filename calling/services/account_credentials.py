"""Asking a carrier about an account that is known: do its credentials still open it, do new ones?

Neither may be called inside a transaction: they wait for the carrier.
"""

from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Any

from django.db import transaction
from django.http import Http404
from rest_framework.exceptions import ValidationError

from calling.carriers.base import Credentials
from calling.carriers.registry import CARRIERS
from calling.models import CarrierAccount, PhoneNumber
from calling.services.accounts import (
    MENDED,
    credentials_of,
    digest_of,
    note_refusal,
    note_success,
    stored_credentials,
)
from calling.services.verifying import CarrierAway, verify
from workspaces.callers import Actor
from workspaces.encryption import DecryptionFailed
from workspaces.errors import field_error, flatten
from workspaces.services.audit import audit_event
from workspaces.services.dialing import wake
from workspaces.sql import insert_rows


@dataclass(frozen=True, slots=True)
class Tested:
    is_taken: bool
    sentence: str


def ask_about_account(
    *, workspace_id: str, account_id: str, actor: Actor, asked_at: datetime
) -> Tested:
    """Ask the carrier about the stored credentials and a number of the account.

    A success ends its rest or refusal, as that of a call does. Raises Http404.
    """
    account = _known(workspace_id, account_id)
    title = CARRIERS[account.carrier].title
    phone = _a_number_of(account)
    refusal = ""
    try:
        verify(account.carrier, _stored(account.id), phone.number)
        tested, result = Tested(True, f"{title} takes the credentials."), "taken"
    except CarrierAway as error:
        tested, result = Tested(False, f"{title} could not be asked: {error.detail}"), "away"
    except DecryptionFailed:
        tested, result = Tested(False, _UNREADABLE), "unreadable"
    except ValidationError as error:
        [problem, *_] = flatten(error.detail)
        is_of_number = problem["field"] == "phoneNumber"
        is_of_account = not is_of_number and problem["code"] != "integration_unavailable"
        refusal = problem["message"] if is_of_account else ""
        asked = f" It was asked about {phone.number}." if is_of_number else ""
        tested = Tested(False, f"{title}: {problem['message']}{asked}")
        result = problem["code"]
    with transaction.atomic():
        if tested.is_taken:
            note_success({account.id: asked_at}, now=asked_at)
        elif refusal:
            note_refusal(account.id, refusal, now=asked_at)
        changes = {"result": result, "number": phone.number}
        _tell(account, "test", changes, actor, asked_at)
    return tested


def renew_credentials(
    *,
    workspace_id: str,
    account_id: str,
    auth_token: str,
    public_key: str = "",
    carriers_id: str = "",
    actor: Actor,
    now: datetime,
) -> None:
    """A new token for the same account, which the carrier has to take before it replaces the old one.

    `public_key` blank: what is known stays. `carriers_id`, the carrier's own id of the account, is only
    needed when the stored one cannot be read. Raises Http404, ValidationError, CarrierAway.
    """
    account = _known(workspace_id, account_id)
    old = _old(account, carriers_id)
    given = Credentials(old.account_id, auth_token, public_key or old.public_key)
    kept = verify(account.carrier, given, _a_number_of(account).number)
    with transaction.atomic():
        rows = CarrierAccount.objects.for_workspace(workspace_id).filter(id=account_id)
        stored = {"credentials": stored_credentials(kept), "updated_at": now, **MENDED}
        if not rows.update(**stored):  # its last number was deleted meanwhile
            raise Http404
        changes = {"public_key": bool(public_key)}
        _tell(account, "renew", changes, actor, now)
        wake(workspace_id, now)


def is_readable(account_id: str) -> bool:
    """Whether the stored credentials can be decrypted."""
    try:
        _stored(account_id)
    except DecryptionFailed:
        return False
    return True


_UNREADABLE = (
    "The stored credentials cannot be decrypted with the keys of this server: enter new ones."
)


def _known(workspace_id: str, account_id: str) -> CarrierAccount:
    accounts = CarrierAccount.objects.for_workspace(workspace_id).defer("credentials")
    account = accounts.filter(id=account_id).first()
    if account is None:
        raise Http404
    return account


def _stored(account_id: str) -> Credentials:
    """Raises DecryptionFailed."""
    return credentials_of(CarrierAccount.objects.only("credentials").get(id=account_id))


def _old(account: CarrierAccount, carriers_id: str) -> Credentials:
    try:
        return _stored(account.id)
    except DecryptionFailed:
        digest = digest_of(account.carrier, carriers_id)
        if not compare_digest(digest, bytes(account.digest)):
            message = "This is not the id of the account."
            raise field_error("accSId", message, "other_account") from None
        return Credentials(carriers_id, "")


def _a_number_of(account: CarrierAccount) -> PhoneNumber:
    """One that is called from, if there is one. Raises Http404: the last number takes the account."""
    numbers = PhoneNumber.objects.for_workspace(account.workspace_id).filter(account=account)
    number = numbers.order_by("-is_active", "-created_at", "id").first()
    if number is None:
        raise Http404
    return number


def _tell(
    account: CarrierAccount, what: str, changes: dict[str, Any], actor: Actor, now: datetime
) -> None:
    insert_rows(
        audit_event(
            actor=actor,
            action=f"carrieraccount.{what}",
            target=account,
            workspace_id=account.workspace_id,
            now=now,
            changes=changes,
        )
    )

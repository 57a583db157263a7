"""Writes on phone numbers. Each function is one transaction and records its own audit event."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.http import Http404

from calling.carriers.base import Credentials
from calling.carriers.registry import CARRIERS, SANDBOX_CARRIERS
from calling.models import CarrierAccount, PhoneNumber
from calling.services.accounts import MENDED, digest_of, stored_credentials
from calling.services.agents import lock_agent
from calling.services.verifying import verify
from workspaces.callers import Actor
from workspaces.conditional import Precondition, unconditional
from workspaces.errors import field_error
from workspaces.models import AuditEvent, Workspace
from workspaces.services.audit import audit_event
from workspaces.services.dialing import wake
from workspaces.services.members import active_member
from workspaces.sql import insert_rows
from workspaces.unit_of_work import unit_of_work


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPhone:
    """What add-phone asks for, after validation. `number` is E.164."""

    number: str
    carrier: str
    credentials: Credentials
    label: str = ""
    agent_id: str | None = None


def add_phone(
    *, workspace_id: str, user_id: str, phone: NewPhone, actor: Actor, now: datetime
) -> PhoneNumber:
    """A number for `user_id`, its credentials verified with the carrier before anything is stored.

    Raises Http404 (no such active member), ValidationError (what the carrier refused, `unknown_agent`,
    `already_added`, `sandbox_simulator_only`), CarrierAway. Must not be called inside a transaction: it
    waits for the carrier.
    """
    active_member(workspace_id, user_id)
    _check_world(workspace_id, phone.carrier)
    credentials = verify(phone.carrier, phone.credentials, phone.number)
    verified = replace(phone, credentials=credentials)
    with unit_of_work():
        if phone.agent_id is not None:
            lock_agent(workspace_id, phone.agent_id)
        account = _account_of(verified, workspace_id, now)
        row = PhoneNumber(
            workspace_id=workspace_id,
            number=phone.number,
            label=phone.label,
            agent_id=phone.agent_id,
            carrier=phone.carrier,
            account_id=account.id,
            created_by_id=user_id,
            created_at=now,
            updated_at=now,
        )
        event = audit_event(
            actor=actor,
            action="phonenumber.create",
            target=row,
            workspace_id=workspace_id,
            now=now,
            changes={"number": row.number, "carrier": row.carrier, "label": row.label},
        )
        _insert(row, event)
    return row


def update_phone(
    *,
    workspace_id: str,
    phone_id: str,
    changes: Mapping[str, Any],
    actor: Actor,
    now: datetime,
    precondition: Precondition = unconditional,
) -> PhoneNumber:
    """Set some of PhoneNumber's fields; calls that this lets go, go at once.

    Raises Http404, PreconditionFailed, ValidationError (`unknown_agent`).
    """
    with transaction.atomic():
        phones = (
            PhoneNumber.objects.for_workspace(workspace_id)
            .select_related("account")
            .defer("account__credentials")
            .select_for_update(no_key=True, of=("self",))
        )
        phone = phones.filter(id=phone_id).first()
        if phone is None:
            raise Http404
        precondition(phone)
        if changes.get("agent_id") is not None:
            lock_agent(workspace_id, changes["agent_id"])
        for name, value in changes.items():
            setattr(phone, name, value)
        phone.updated_at = now
        phone.save(update_fields=[*changes, "updated_at"])
        audit_event(
            actor=actor,
            action="phonenumber.update",
            target=phone,
            workspace_id=workspace_id,
            now=now,
            changes=dict(changes),
        ).save(force_insert=True)
        wake(workspace_id, now)
    return phone


def store_account(
    *,
    workspace_id: str,
    carrier: str,
    credentials: Credentials,
    now: datetime,
    calls_per_second: int = 0,
) -> CarrierAccount:
    """The account of these credentials, which replace what was stored of it.

    `calls_per_second` is for a new one: what is known keeps its limits. Part of the write of a number,
    in whose transaction it is called and with whose event it is told.
    """
    # The carrier has just taken them.
    stored = {"credentials": stored_credentials(credentials), "updated_at": now, **MENDED}
    # Without reading the old ones: new credentials also mend an account whose key is lost.
    account, _ = CarrierAccount.objects.defer("credentials").update_or_create(
        workspace_id=workspace_id,
        carrier=carrier,
        digest=digest_of(carrier, credentials.account_id),
        defaults=stored,
        create_defaults={**stored, "calls_per_second": calls_per_second, "created_at": now},
    )
    return account


def _check_world(workspace_id: str, carrier: str) -> None:
    if carrier in SANDBOX_CARRIERS:
        return
    if Workspace.objects.filter(id=workspace_id, sandbox_of__isnull=False).exists():
        message = "A sandbox rings nobody: it calls with the simulator only."
        raise field_error("integration", message, "sandbox_simulator_only")


def _account_of(phone: NewPhone, workspace_id: str, now: datetime) -> CarrierAccount:
    return store_account(
        workspace_id=workspace_id,
        carrier=phone.carrier,
        credentials=phone.credentials,
        calls_per_second=CARRIERS[phone.carrier].calls_per_second,
        now=now,
    )


def _insert(phone: PhoneNumber, event: AuditEvent) -> None:
    try:
        with transaction.atomic():
            insert_rows(phone, event)
    except IntegrityError as error:
        message = "This number has been added to the workspace already."
        raise field_error("phoneNumber", message, "already_added") from error

"""The demo data of `make run`: two workspaces whose credentials are printed, so that isolation can
be tried at once. Development only.

Secrets are stored as HMACs, so the file of credentials is the one place that still has them: what it
holds is checked against the database, and only what no longer works is made anew.
"""

import json
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from batches.models import CallBatch
from batches.services.batches import BatchSettings, create_batch
from calling.carriers.base import Credentials
from calling.models import (
    Agent,
    CarrierAccount,
    ConnectionType,
    PhoneNumber,
    VariableType,
)
from calling.services.phones import store_account
from calling.services.sandboxes import create_workspace
from workspaces.callers import Actor, Role, Scope
from workspaces.credentials import CredentialPrefix, matches, public_id_of
from workspaces.models import AccessToken, ApiKey, Membership, User, Workspace
from workspaces.services.credentials import create_api_key
from workspaces.services.logins import issue_token

_SYSTEM = Actor()
_TOKEN_MUST_LAST = timedelta(days=1)  # a token about to expire is as good as none
_STATIC_PASSWORD_LENGTH = 12
_CALLS_AT_A_TIME = _CALLS_PER_SECOND = 50


@dataclass(frozen=True, slots=True)
class DemoWorkspace:
    name: str
    email: str
    timezone: str
    language: str
    numbers: tuple[str, str]
    inactive_number: str


ADMIN_EMAIL = "admin@outdial.example"
# Both call both, so that the contacts of the documentation, Americans, can be tried in either.
COUNTRIES = ("GB", "US")
WORKSPACES = (
    DemoWorkspace(
        name="Acme Outreach",
        email="owner@acme.example",
        timezone="America/New_York",
        language="en-US",
        numbers=("+12125550100", "+12125550101"),
        inactive_number="+12125550102",
    ),
    DemoWorkspace(
        name="Globex Surveys",
        email="owner@globex.example",
        timezone="Europe/London",
        language="en-GB",
        numbers=("+442079460100", "+442079460101"),
        inactive_number="+442079460102",
    ),
)


def seed(*, path: Path, base_url: str, now: datetime) -> dict[str, Any]:
    """Make what is missing, keep what still works, and write `path` (mode 0600). Returns its content."""
    known = _read(path)
    known_workspaces = {entry.get("name"): entry for entry in known.get("workspaces", [])}
    with transaction.atomic():
        demo = {
            "baseUrl": base_url,
            "admin": _admin(known.get("admin", {}), base_url, now),
            "workspaces": [
                _workspace(demo, known_workspaces.get(demo.name, {}), now) for demo in WORKSPACES
            ],
        }
        _write(path, demo)
    return demo


def _admin(known: dict[str, Any], base_url: str, now: datetime) -> dict[str, str]:
    fields = {"name": "Demo Admin", "is_staff": True, "is_superuser": True}
    _, password = _user(ADMIN_EMAIL, known.get("password"), now, **fields)
    return {"url": f"{base_url}/admin/", "email": ADMIN_EMAIL, "password": password}


def _workspace(demo: DemoWorkspace, known: dict[str, Any], now: datetime) -> dict[str, Any]:
    fields = {"name": f"{demo.name} Owner", "is_staff": True}
    user, password = _user(demo.email, known.get("password"), now, **fields)
    workspace = _workspace_of(user, demo, now)
    agent = _agent(workspace, user, demo, now)
    account = _account(workspace, demo, now)
    active = [_number(agent, account, number, now) for number in demo.numbers]
    inactive = _number(agent, account, demo.inactive_number, now, is_active=False)
    sandbox = Workspace.objects.get(sandbox_of=workspace)
    return {
        "name": demo.name,
        "workspaceId": workspace.id,
        "userId": user.id,
        "email": user.email,
        "password": password,
        "apiKey": _key(workspace, user, Scope.MANAGE, known.get("apiKey"), now),
        "readOnlyApiKey": _key(workspace, user, Scope.READ, known.get("readOnlyApiKey"), now),
        "testApiKey": _key(sandbox, user, Scope.MANAGE, known.get("testApiKey"), now),
        "bearerToken": _token(workspace, user, known.get("bearerToken"), now),
        "agentId": agent.id,
        "phoneIds": [number.id for number in active],
        "inactivePhoneId": inactive.id,
        "batchId": _batch(workspace, user, active, now).id,
    }


def _user(email: str, password: str | None, now: datetime, **fields: Any) -> tuple[User, str]:
    """The user with a password that works: the known one, or a new one."""
    user = User.objects.filter(email=email).first()
    user = user or User.objects.create_user(email, created_at=now, **fields)
    if not password or not user.check_password(password):
        password = secrets.token_urlsafe(_STATIC_PASSWORD_LENGTH)
        user.set_password(password)
        user.is_active = True
        user.save()
    User.objects.filter(id=user.id, is_staff=False).update(is_staff=True)  # of an earlier release
    return user, password


def _workspace_of(user: User, demo: DemoWorkspace, now: datetime) -> Workspace:
    membership = Membership.objects.select_related("workspace").filter(user=user).first()
    if membership:
        workspace = membership.workspace
        if not workspace.called_countries:  # seeded before there were any
            workspace.called_countries = list(COUNTRIES)
            workspace.save(update_fields=["called_countries"])
        return workspace
    workspace = Workspace(
        name=demo.name,
        timezone=demo.timezone,
        called_countries=list(COUNTRIES),
        concurrency_limit=_CALLS_AT_A_TIME,
    )
    create_workspace(workspace=workspace, user_id=user.id, actor=_SYSTEM, now=now)
    Membership.objects.create(workspace=workspace, user=user, role=Role.OWNER, created_at=now)
    return workspace


def _agent(workspace: Workspace, user: User, demo: DemoWorkspace, now: datetime) -> Agent:
    """The workspace's first agent, whatever it has been made into since."""
    agents = Agent.objects.for_workspace(workspace.id)
    return agents.order_by("created_at", "id").first() or agents.create(
        workspace=workspace,
        name=f"{demo.name} assistant",
        language=demo.language,
        variables=[
            {"key": key, "type": VariableType.STRING, "required": True}
            for key in ("name", "account_id")
        ],
        connection_type=ConnectionType.MESSAGE,
        connection_target=(
            f"Hello {{name}}, this is {demo.name}. We are calling about your account"
            " {account_id}. Thank you, and goodbye."
        ),
        created_by=user,
        created_at=now,
        updated_at=now,
    )


def _account(workspace: Workspace, demo: DemoWorkspace, now: datetime) -> CarrierAccount:
    """The account of the demo's numbers, whatever limits it was given since.

    Numbers that have none were seeded before there were accounts and limits: they get one, and their
    workspace its limit, unless it has been given another meanwhile.
    """
    numbers = PhoneNumber.objects.for_workspace(workspace.id).filter(
        number__in=[*demo.numbers, demo.inactive_number]
    )
    accounts = CarrierAccount.objects.for_workspace(workspace.id).defer("credentials")
    known = accounts.filter(numbers__in=numbers).order_by("created_at", "id").first()
    account = known or store_account(
        workspace_id=workspace.id,
        carrier="simulator",
        credentials=Credentials("demo", secrets.token_urlsafe()),
        now=now,
        calls_per_second=_CALLS_PER_SECOND,
    )
    if numbers.filter(account=None).update(account=account) and not workspace.concurrency_limit:
        workspace.concurrency_limit = _CALLS_AT_A_TIME
        workspace.save(update_fields=["concurrency_limit"])
    return account


def _number(
    agent: Agent, account: CarrierAccount, number: str, now: datetime, is_active: bool = True
) -> PhoneNumber:
    """The number with the agent behind it; another agent that was put there stays."""
    create = {
        "label": "Demo" if is_active else "Demo, inactive",
        "carrier": "simulator",
        "is_active": is_active,
        "agent": agent,
        "account": account,
        "created_by": agent.created_by,
        "created_at": now,
        "updated_at": now,
    }
    phone, _ = PhoneNumber.objects.update_or_create(
        workspace=agent.workspace,
        number=number,
        defaults={"is_active": is_active},
        create_defaults=create,
    )
    if phone.agent_id is None:
        phone.agent = agent
        phone.save(update_fields=["agent"])
    return phone


def _batch(
    workspace: Workspace, user: User, numbers: list[PhoneNumber], now: datetime
) -> CallBatch:
    """The workspace's oldest batch: what the examples of the API's pages are about."""
    batches = CallBatch.objects.for_workspace(workspace.id).living()
    return batches.order_by("created_at", "id").first() or create_batch(
        workspace_id=workspace.id,
        user_id=user.id,
        settings=BatchSettings(
            name="Welcome calls",
            phone_ids=[number.id for number in numbers],
            retry=2,
            timezone=workspace.timezone,
        ),
        actor=_SYSTEM,
        now=now,
    )


def _key(workspace: Workspace, user: User, scope: Scope, known: str | None, now: datetime) -> str:
    public_id = public_id_of(known or "", ApiKey.prefix_in(workspace))
    keys = ApiKey.objects.for_workspace(workspace.id).filter(created_by=user)
    key = keys.filter(public_id=public_id, scopes=[scope]).first()
    if known and key and key.is_usable(now) and matches(known, key.stored_secret):
        return known
    text, _ = create_api_key(
        workspace_id=workspace.id,
        user_id=user.id,
        name=f"Demo ({scope.label})",
        scopes=[scope],
        expires_at=None,
        actor=_SYSTEM,
        now=now,
    )
    return text


def _token(workspace: Workspace, user: User, known: str | None, now: datetime) -> str:
    public_id = public_id_of(known or "", CredentialPrefix.ACCESS_TOKEN)
    tokens = AccessToken.objects.for_workspace(workspace.id).filter(user=user)
    token = tokens.filter(public_id=public_id).first()
    lasts = token and token.is_usable(
        now + min(_TOKEN_MUST_LAST, settings.ACCESS_TOKEN_LIFETIME / 2)
    )
    if known and token and lasts and matches(known, token.stored_secret):
        return known
    text, _ = issue_token(user_id=user.id, workspace_id=workspace.id, actor=_SYSTEM, now=now)
    return text


def _read(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(path: Path, demo: dict[str, Any]) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(demo, file, indent=2)
        file.write("\n")
    draft.replace(path)

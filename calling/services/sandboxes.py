"""A workspace is made together with its sandbox, furnished so that a test key works at once."""

from datetime import datetime

from django.db import transaction

from calling.carriers.base import Credentials
from calling.models import Agent, ConnectionType, PhoneNumber
from calling.services.phones import store_account
from workspaces.callers import Actor
from workspaces.models import Workspace
from workspaces.services.workspaces import store_workspace

CARRIER = "simulator"
NUMBERS = ("+12125550100", "+12125550101")
COUNTRY = "US"  # of these numbers
_AGENT_NAME, _GREETING = "Sandbox agent", "Hello, this is a test call. Goodbye."


def create_workspace(*, workspace: Workspace, user_id: str, actor: Actor, now: datetime) -> None:
    """Store a new workspace and its sandbox, whose agent and numbers are this user's."""
    with transaction.atomic():
        sandbox = store_workspace(workspace=workspace, actor=actor, now=now)
        _furnish(sandbox, user_id, now)


def account_in(sandbox_id: str) -> Credentials:
    """The simulator's account of a sandbox: limits of an account hold for all who have it."""
    return Credentials(sandbox_id, CARRIER)


def _furnish(sandbox: Workspace, user_id: str, now: datetime) -> None:
    """An account, an agent and numbers; whoever is called in the live workspace can be called here."""
    if sandbox.called_countries and COUNTRY not in sandbox.called_countries:
        sandbox.called_countries = sorted([*sandbox.called_countries, COUNTRY])
        sandbox.save(update_fields=["called_countries"])
    account = store_account(
        workspace_id=sandbox.id, carrier=CARRIER, credentials=account_in(sandbox.id), now=now
    )
    made = {"workspace": sandbox, "created_by_id": user_id, "created_at": now, "updated_at": now}
    agent = Agent.objects.create(
        **made,
        name=_AGENT_NAME,
        connection_type=ConnectionType.MESSAGE,
        connection_target=_GREETING,
    )
    PhoneNumber.objects.bulk_create(
        PhoneNumber(
            **made, number=number, label="Sandbox", carrier=CARRIER, account=account, agent=agent
        )
        for number in NUMBERS
    )

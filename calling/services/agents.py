"""Writes on agents. Each function is one transaction and records its own audit event."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import Http404

from calling.models import Agent, ConnectionType
from workspaces.callers import Actor
from workspaces.conditional import Precondition, unconditional
from workspaces.errors import field_error
from workspaces.services.audit import audit_event
from workspaces.sql import insert_rows

_placeholders = re.compile(r"\{([^{}]+)\}").findall


def create_agent(
    *, workspace_id: str, user_id: str, values: Mapping[str, Any], actor: Actor, now: datetime
) -> Agent:
    """`values` by the names of Agent's fields. Raises ValidationError (`unknown_placeholder`)."""
    agent = Agent(
        workspace_id=workspace_id, created_by_id=user_id, created_at=now, updated_at=now, **values
    )
    check_placeholders(agent, "connection.message")
    check_opt_out(agent)
    event = audit_event(
        actor=actor,
        action="agent.create",
        target=agent,
        workspace_id=workspace_id,
        now=now,
        changes={"name": agent.name},
    )
    insert_rows(agent, event)
    return agent


def update_agent(
    *,
    workspace_id: str,
    agent_id: str,
    changes: Mapping[str, Any],
    actor: Actor,
    now: datetime,
    precondition: Precondition = unconditional,
) -> Agent:
    """Set some of Agent's fields. Raises Http404, PreconditionFailed, ValidationError
    (`unknown_placeholder`).

    Text and variables are compared as they will be, so of two changes at the same time the later one
    is checked against what the earlier one left.
    """
    with transaction.atomic():
        agents = Agent.objects.for_workspace(workspace_id).select_for_update(no_key=True)
        agent = agents.filter(id=agent_id).first()
        if agent is None:
            raise Http404
        precondition(agent)
        for name, value in changes.items():
            setattr(agent, name, value)
        speaks_anew = "connection_target" in changes
        check_placeholders(agent, "connection.message" if speaks_anew else "variables")
        check_opt_out(agent)
        agent.updated_at = now
        agent.save(update_fields=[*changes, "updated_at"])
        audit_event(
            actor=actor,
            action="agent.update",
            target=agent,
            workspace_id=workspace_id,
            now=now,
            changes={"fields": sorted(changes)},
        ).save(force_insert=True)
    return agent


def delete_agent(
    *,
    workspace_id: str,
    agent_id: str,
    actor: Actor,
    now: datetime,
    precondition: Precondition = unconditional,
) -> None:
    """Raises Http404, PreconditionFailed, ValidationError (`agent_in_use`) while numbers point at it."""
    with transaction.atomic():
        # Whoever puts a number behind the agent locks it as well (`lock_agent`): they take turns.
        agents = Agent.objects.for_workspace(workspace_id).select_for_update()
        agent = agents.filter(id=agent_id).first()
        if agent is None:
            raise Http404
        precondition(agent)
        if numbers := agent.numbers.count():
            plural = "" if numbers == 1 else "s"
            message = f"This agent still stands behind {numbers} phone number{plural}."
            raise field_error("id", message, "agent_in_use")
        audit_event(
            actor=actor,
            action="agent.delete",
            target=agent,
            workspace_id=workspace_id,
            now=now,
            changes={"name": agent.name},
        ).save(force_insert=True)
        agent.delete()


def lock_agent(workspace_id: str, agent_id: str) -> None:
    """Hold an agent that a number is about to point at, until the transaction ends.

    Raises ValidationError (`unknown_agent`) when the workspace has none with this id.
    """
    agents = Agent.objects.for_workspace(workspace_id).select_for_update(no_key=True)
    if agents.filter(id=agent_id).first() is None:
        message = f"{agent_id} is not an agent of this workspace."
        raise field_error("agentId", message, "unknown_agent")


def check_placeholders(agent: Agent, field: str) -> None:
    """Every `{name}` of a spoken text is a variable of the agent. Raises ValidationError on `field`."""
    if agent.connection_type != ConnectionType.MESSAGE:
        return
    declared = {variable["key"] for variable in agent.variables}
    for name in _placeholders(agent.connection_target):
        if name not in declared:
            message = f"The text says {{{name}}}, which is no variable of this agent."
            raise field_error(field, message, "unknown_placeholder")


def check_opt_out(agent: Agent) -> None:
    """A key can be offered by a spoken message only. Raises ValidationError on `optOut`."""
    if agent.opt_out_key and agent.connection_type != ConnectionType.MESSAGE:
        raise field_error(
            "optOut", "Only goes with a connection of the type message.", "other_type"
        )

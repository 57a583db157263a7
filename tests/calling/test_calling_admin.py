"""The back office's pages for agents and phone numbers."""

import html
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from calling.models import Agent, PhoneNumber
from tests import factories
from tests.cast import Person
from workspaces.models import AuditEvent

ADD_AGENT = "/admin/calling/agent/add/"


def change(row: Agent | PhoneNumber) -> str:
    return reverse(f"admin:calling_{row._meta.model_name}_change", args=[row.id])


def agent_form(**fields: Any) -> dict[str, Any]:
    return {
        "name": "From the back office",
        "language": "en-US",
        "variables": '[{"key": " name ", "type": "string"}]',
        "connection_type": "message",
        "connection_target": "Hello {name}.",
        **fields,
    }


def test_an_agent_is_made_in_a_workspace_and_stays_there(
    staff: Client, owner: Person, stranger: Person
) -> None:
    new = agent_form(workspace=owner.workspace.id)
    assert staff.post(ADD_AGENT, new).status_code == 302
    agent = Agent.objects.get()
    assert agent.workspace_id == owner.workspace.id
    assert agent.created_by_id == staff.session["_auth_user_id"]
    assert agent.variables == [{"key": "name", "type": "string", "required": False}]

    moved = agent_form(workspace=stranger.workspace.id, name="Renamed")
    assert staff.post(change(agent), moved).status_code == 302
    agent.refresh_from_db()
    assert (agent.workspace_id, agent.name) == (owner.workspace.id, "Renamed")
    events = AuditEvent.objects.filter(target_id=agent.id).order_by("created_at", "id")
    assert [event.action for event in events] == ["agent.create", "agent.update"]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"language": "english"}, "language: Must be a language tag"),
        ({"variables": "{"}, "Enter a valid JSON."),
        ({"variables": '{"name": "string"}'}, "variables: Must be a list."),
        ({"variables": '[{"key": "_id", "type": "string"}]'}, "variables[0].key: Is a reserved"),
        ({"variables": '[{"key": "x", "type": "list"}]'}, "variables[0].type: Must be one of"),
        ({"variables": "[]"}, "which is no variable of this agent."),
        ({"connection_type": "stream"}, "connection.url: Must be a wss:// URL"),
        ({"connection_type": "sip"}, "connection.uri: Must be sip:user@host"),
    ],
)
def test_an_agent_is_held_to_the_rules_of_the_api(
    staff: Client, owner: Person, fields: dict[str, str], sentence: str
) -> None:
    new = agent_form(workspace=owner.workspace.id, **fields)
    response = staff.post(ADD_AGENT, new)
    assert sentence in html.unescape(response.content.decode())
    assert not Agent.objects.exists()


def test_an_agent_without_variables_is_fine(staff: Client, owner: Person) -> None:
    blank = {"variables": "", "language": "", "connection_target": "Hello."}
    new = agent_form(workspace=owner.workspace.id, **blank)
    assert staff.post(ADD_AGENT, new).status_code == 302
    assert Agent.objects.get().variables == []


def test_an_agent_behind_a_number_cannot_be_deleted(staff: Client, phone: PhoneNumber) -> None:
    url = reverse("admin:calling_agent_delete", args=[phone.agent_id])
    response = staff.post(url, {"post": "yes"})
    assert response.status_code == 200  # the page that says what is in the way
    assert Agent.objects.filter(id=phone.agent_id).exists()


def test_a_number_takes_an_agent_of_its_own_workspace_only(
    staff: Client, owner: Person, phone: PhoneNumber
) -> None:
    mine = factories.AgentFactory.create(workspace=owner.workspace, name="One of mine")
    foreign = factories.AgentFactory.create(name="Of somebody else")
    text = staff.get(change(phone)).content.decode()
    assert mine.name in text
    assert foreign.name not in text

    edited = {"label": "", "is_active": "on", "concurrency_limit": 2, "daily_cap": 50}
    assert staff.post(change(phone), {**edited, "agent": foreign.id}).status_code == 200
    assert staff.post(change(phone), {**edited, "agent": mine.id}).status_code == 302
    phone.refresh_from_db()
    assert (phone.agent_id, phone.concurrency_limit, phone.daily_cap) == (mine.id, 2, 50)

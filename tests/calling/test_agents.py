"""/api/agents: list, create, get, update, delete."""

from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calling.models import Agent, PhoneNumber
from tests import factories
from tests.cast import Api, Person, person
from tests.envelope import checked
from workspaces.callers import Role
from workspaces.models import AuditEvent

PATH = "/api/agents"
REQUEST = {
    "name": "Payment reminder",
    "language": "en-US",
    "variables": [
        {"key": "name", "type": "string", "required": True, "description": "First name"},
        {"key": "plan", "type": "enum", "enum": ["basic", "plus"]},
    ],
    "connection": {"type": "message", "message": "Hello {name}."},
}


def create(api: Api, who: Person, **changes: Any) -> Any:
    return checked(api.post(PATH, {**REQUEST, **changes}, who.with_token), 201)["data"]


def patch(api: Api, who: Person, agent_id: str, **changes: Any) -> Any:
    return api.request("PATCH", f"{PATH}/{agent_id}", changes, who.with_token)


def delete(api: Api, who: Person, agent_id: str) -> Any:
    return api.request("DELETE", f"{PATH}/{agent_id}", headers=who.with_token)


def error_of(response: Any) -> tuple[str, str]:
    error = checked(response, 400)["data"]["errors"][0]
    return error["field"], error["code"]


# --- Create and get -------------------------------------------------------------------------------


def test_a_new_agent_comes_back_as_it_was_sent(api: Api, owner: Person) -> None:
    body = checked(api.post(PATH, REQUEST, owner.with_key), 201)
    agent = body["data"]
    assert body["message"] == "Agent created successfully"
    assert list(agent) == [
        *("_id", "name", "language", "variables", "connection"),
        *("onVoicemail", "recordCalls", "optOut", "createdAt", "updatedAt"),
    ]
    assert agent["name"] == "Payment reminder"
    assert agent["language"] == "en-US"
    assert agent["variables"] == [
        {"key": "name", "type": "string", "required": True, "description": "First name"},
        {"key": "plan", "type": "enum", "required": False, "enum": ["basic", "plus"]},
    ]
    assert agent["connection"] == {"type": "message", "message": "Hello {name}."}
    assert agent["createdAt"] == agent["updatedAt"]
    assert agent["createdAt"].endswith("Z")

    found = checked(api.get(f"{PATH}/{agent['_id']}", owner.with_read_key), 200)
    assert found["message"] == "Agent fetched successfully"
    assert found["data"] == agent
    stored = Agent.objects.get(id=agent["_id"])
    assert (stored.workspace_id, stored.created_by_id) == (owner.workspace.id, owner.user.id)


@pytest.mark.parametrize(
    "connection",
    [
        {"type": "message", "message": "Hello."},
        {"type": "stream", "url": "wss://voice.example.com/calls?tenant=7"},
        {"type": "sip", "uri": "sips:desk@pbx.example.com:5061"},
    ],
    ids=lambda connection: connection["type"],
)
def test_each_kind_of_connection_is_kept(
    api: Api, owner: Person, connection: dict[str, str]
) -> None:
    assert create(api, owner, connection=connection)["connection"] == connection


def test_language_and_variables_may_be_left_out(api: Api, owner: Person) -> None:
    request = {"name": "Bare", "connection": {"type": "message", "message": "Hello."}}
    agent = checked(api.post(PATH, request, owner.with_token), 201)["data"]
    assert (agent["language"], agent["variables"]) == ("", [])
    assert create(api, owner, **request, language="", variables=[])["language"] == ""


# --- List -----------------------------------------------------------------------------------------


def test_the_list_is_newest_first_and_ones_own(api: Api, owner: Person, stranger: Person) -> None:
    now = timezone.now()
    ids = [
        factories.AgentFactory.create(
            workspace=owner.workspace, created_at=now - timedelta(hours=hours)
        ).id
        for hours in (2, 3, 1)
    ]
    create(api, stranger)
    body = checked(api.get(PATH, owner.with_read_key, limit=2), 200)
    assert body["message"] == "Agents fetched successfully"
    assert list(body["data"]) == ["agents", "pagination"]
    assert [agent["_id"] for agent in body["data"]["agents"]] == [ids[2], ids[0]]
    assert body["data"]["pagination"] == {"total": 3, "page": 1, "limit": 2, "totalPages": 2}
    rest = checked(api.get(PATH, owner.with_token, limit=2, page=2), 200)["data"]["agents"]
    assert [agent["_id"] for agent in rest] == [ids[1]]


def test_the_list_costs_three_statements_whatever_it_holds(
    api: Api, owner: Person, statements: CaptureQueriesContext
) -> None:
    """1. SELECT the credential; 2. count; 3. SELECT the page."""
    create(api, owner)
    for agents in (0, 20):
        factories.AgentFactory.create_batch(agents, workspace=owner.workspace)
        before = len(statements)
        checked(api.get(PATH, owner.with_token, limit=50), 200)
        assert len(statements) - before == 3


# --- Update ---------------------------------------------------------------------------------------


def test_what_is_left_out_stays(api: Api, owner: Person) -> None:
    agent = create(api, owner)
    changed = checked(patch(api, owner, agent["_id"], name="  Renamed "), 200)
    assert changed["message"] == "Agent updated successfully"
    assert changed["data"]["updatedAt"] > agent["updatedAt"]
    assert changed["data"] == {
        **agent,
        "name": "Renamed",
        "updatedAt": changed["data"]["updatedAt"],
    }
    stream = {"type": "stream", "url": "wss://voice.example.com"}
    assert checked(patch(api, owner, agent["_id"], connection=stream))["data"]["connection"] == (
        stream
    )
    assert checked(patch(api, owner, agent["_id"], language=""))["data"]["language"] == ""
    last = checked(patch(api, owner, agent["_id"], variables=[]))["data"]
    assert (last["name"], last["language"], last["variables"]) == ("Renamed", "", [])
    assert last["connection"] == stream
    assert checked(api.get(f"{PATH}/{agent['_id']}", owner.with_key))["data"] == last


def test_a_text_is_checked_against_the_variables_as_they_will_be(api: Api, owner: Person) -> None:
    agent_id = create(api, owner)["_id"]
    new_text = {"type": "message", "message": "Your {plan}, {who}!"}
    assert error_of(patch(api, owner, agent_id, connection=new_text)) == (
        *("connection.message", "unknown_placeholder"),
    )
    only_plan = [{"key": "plan", "type": "string"}]
    assert error_of(patch(api, owner, agent_id, variables=only_plan)) == (
        *("variables", "unknown_placeholder"),
    )
    both = [*only_plan, {"key": "who", "type": "string"}]
    checked(patch(api, owner, agent_id, variables=both, connection=new_text), 200)


@pytest.mark.django_db(transaction=True)
def test_a_stored_text_holds_its_variables_even_when_two_change_it_at_once(api: Api) -> None:
    """The second waits for the first, and sees what it left."""
    owner = person()
    agent_id = create(api, owner)["_id"]
    answers: list[Any] = []

    def drop_the_variables() -> None:
        answers.append(Api().request("PATCH", f"{PATH}/{agent_id}", {"variables": []}, headers))
        connection.close()

    headers = owner.with_token
    with transaction.atomic():
        agent = Agent.objects.select_for_update(no_key=True).get(id=agent_id)
        other = Thread(target=drop_the_variables)
        other.start()
        agent.connection_target = "Hello, {plan}."
        agent.save()
        other.join(0.5)
    other.join()
    assert error_of(answers[0]) == ("variables", "unknown_placeholder")


# --- Delete ---------------------------------------------------------------------------------------


def test_a_deleted_agent_is_gone(api: Api, owner: Person) -> None:
    agent_id = create(api, owner)["_id"]
    body = checked(delete(api, owner, agent_id), 200)
    assert (body["message"], body["data"]) == (
        *("Agent deleted successfully", {"deletedId": agent_id}),
    )
    checked(delete(api, owner, agent_id), 404)
    checked(api.get(f"{PATH}/{agent_id}", owner.with_token), 404)
    checked(patch(api, owner, agent_id, name="x"), 404)
    assert checked(api.get(PATH, owner.with_token))["data"]["agents"] == []


def test_an_agent_behind_numbers_stays(api: Api, owner: Person, phone: PhoneNumber) -> None:
    agent_id = str(phone.agent_id)
    response = delete(api, owner, agent_id)
    assert error_of(response) == ("id", "agent_in_use")
    assert "1 phone number." in response.json()["errorMessage"]
    second = factories.PhoneNumberFactory.create(workspace=owner.workspace, agent=phone.agent)
    response = delete(api, owner, agent_id)
    assert "2 phone numbers." in checked(response, 400)["errorMessage"]
    PhoneNumber.objects.filter(id__in=[phone.id, second.id]).update(agent=None)
    checked(delete(api, owner, agent_id), 200)


@pytest.mark.django_db(transaction=True)
def test_an_agent_that_is_just_getting_a_number_stays() -> None:
    """The delete waits for the update that puts the number behind it."""
    owner = person()
    phone = factories.PhoneNumberFactory.create(workspace=owner.workspace)
    agent_id = create(Api(), owner)["_id"]
    answers: list[Any] = []

    def work() -> None:
        answers.append(delete(Api(), owner, agent_id))
        connection.close()

    with transaction.atomic():
        path = f"/api/call/update-phone/{phone.id}"
        checked(Api().request("PATCH", path, {"agentId": agent_id}, owner.with_token), 200)
        other = Thread(target=work)
        other.start()
        other.join(0.5)
    other.join()
    assert error_of(answers[0]) == ("id", "agent_in_use")


# --- Who may, and the trail -----------------------------------------------------------------------


def test_members_and_read_keys_only_look(api: Api, owner: Person, member: Person) -> None:
    agent_id = create(api, owner)["_id"]
    for headers in (member.with_token, owner.with_read_key):
        checked(api.get(PATH, headers), 200)
        checked(api.get(f"{PATH}/{agent_id}", headers), 200)
        checked(api.post(PATH, REQUEST, headers), 403)
        checked(api.request("PATCH", f"{PATH}/{agent_id}", {"name": "x"}, headers), 403)
        checked(api.request("DELETE", f"{PATH}/{agent_id}", headers=headers), 403)
    create(api, person(owner.workspace, Role.ADMIN))


def test_a_strangers_agent_reads_like_none(api: Api, owner: Person, stranger: Person) -> None:
    agent_id = create(api, owner)["_id"]
    checked(api.get(f"{PATH}/{agent_id}", stranger.with_token), 404)
    checked(patch(api, stranger, agent_id, name="Mine now"), 404)
    checked(delete(api, stranger, agent_id), 404)
    assert Agent.objects.get(id=agent_id).name == "Payment reminder"


def test_every_write_is_in_the_audit_trail(api: Api, owner: Person) -> None:
    agent_id = create(api, owner)["_id"]
    patch(api, owner, agent_id, language="en-GB", name="Renamed")
    delete(api, owner, agent_id)
    events = AuditEvent.objects.filter(target_id=agent_id).order_by("created_at", "id")
    assert list(events.values_list("action", "changes")) == [
        ("agent.create", {"name": "Payment reminder"}),
        ("agent.update", {"fields": ["language", "name"]}),
        ("agent.delete", {"name": "Renamed"}),
    ]

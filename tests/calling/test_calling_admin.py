"""The back office's pages for agents and phone numbers."""

import html
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from calling.models import Agent, CarrierAccount, PhoneNumber
from tests import factories
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.models import AuditEvent, DialSchedule

ADD_AGENT = "/admin/calling/agent/add/"


def change(row: Agent | CarrierAccount | PhoneNumber) -> str:
    return reverse(f"admin:calling_{row._meta.model_name}_change", args=[row.id])


def agent_form(**fields: Any) -> dict[str, Any]:
    return {
        "name": "From the back office",
        "language": "en-US",
        "variables": '[{"key": " name ", "type": "string"}]',
        "connection_type": "message",
        "on_voicemail": "ignore",
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
        ({"language": "english"}, "Must be a language tag"),
        ({"variables": "{"}, "Enter a valid JSON."),
        ({"variables": '{"name": "string"}'}, "Must be a list."),
        ({"variables": '[{"key": "_id", "type": "string"}]'}, "Variable 1, name: Is a reserved"),
        ({"variables": '[{"key": "x", "type": "list"}]'}, "Variable 1, type: Must be one of"),
        ({"variables": "[]"}, "which is no variable of this agent."),
        ({"connection_type": "stream"}, "Must be a wss:// URL"),
        ({"connection_type": "sip"}, "Must be sip:user@host"),
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


def woken_since(moment: Any) -> list[str]:
    """The workspaces that a dialer has to look at."""
    woken = DialSchedule.objects.filter(next_dial_at__range=(moment, timezone.now()))
    return list(woken.values_list("workspace_id", flat=True))


def test_saving_a_number_has_a_dialer_look_at_once(
    staff: Client, owner: Person, stranger: Person, phone: PhoneNumber
) -> None:
    before = timezone.now()
    edited = {"label": "", "is_active": "on", "concurrency_limit": 2, "daily_cap": -1}
    assert staff.post(change(phone), edited).status_code == 200
    assert woken_since(before) == []
    assert staff.post(change(phone), {**edited, "daily_cap": 1}).status_code == 302
    assert woken_since(before) == [owner.workspace.id]


# --- Accounts with carriers -----------------------------------------------------------------------


def an_account(api: Api, owner: Person, number: str = "12125551234") -> CarrierAccount:
    """As add-phone makes it, or finds it again."""
    request = {
        "userId": owner.user.id,
        "phoneNumber": number,
        "integration": "simulator",
        "authToken": f"token of {number}",
        "accSId": "AC-1",
    }
    checked(api.post("/api/call/add-phone", request, owner.with_token), 201)
    return CarrierAccount.objects.get()


def test_the_limits_of_an_account_are_all_that_can_be_edited(
    staff: Client, api: Api, owner: Person, stranger: Person, settings: Settings
) -> None:
    account, before = an_account(api, owner), timezone.now()
    keys = settings.ENCRYPTION_KEYS
    settings.ENCRYPTION_KEYS = ["b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3Q="]  # opens nothing
    edited = {
        "calls_per_second": 12,
        "concurrency_limit": 34,
        "workspace": stranger.workspace.id,
        "credentials": "{}",
        "created_at_0": "2020-01-01",
    }
    assert staff.post(change(account), edited).status_code == 302

    settings.ENCRYPTION_KEYS = keys
    stored = CarrierAccount.objects.get()
    assert (stored.calls_per_second, stored.concurrency_limit) == (12, 34)
    assert stored.updated_at > account.updated_at
    for name in ("workspace_id", "carrier", "digest", "credentials", "created_at"):
        assert getattr(stored, name) == getattr(account, name)
    assert woken_since(before) == [owner.workspace.id]
    event = AuditEvent.objects.get(credential_kind="session")
    assert (event.action, event.target_id) == ("carrieraccount.update", account.id)
    assert event.workspace_id == owner.workspace.id
    assert "Calls per second" in str(event.changes)


@pytest.mark.parametrize(
    "fields",
    [
        {"calls_per_second": -1},
        {"calls_per_second": 40_000},
        {"calls_per_second": ""},
        {"concurrency_limit": -1},
        {"concurrency_limit": 10**10},
        {"concurrency_limit": "many"},
    ],
    ids=str,
)
def test_a_limit_that_is_none_is_refused(
    staff: Client, api: Api, owner: Person, fields: dict[str, Any]
) -> None:
    account, before = an_account(api, owner), timezone.now()
    edited = {"calls_per_second": 1, "concurrency_limit": 1, **fields}
    assert staff.post(change(account), edited).status_code == 200
    assert CarrierAccount.objects.get().updated_at == account.updated_at
    assert woken_since(before) == []


def test_nobody_makes_or_deletes_an_account_in_the_back_office(
    staff: Client, api: Api, owner: Person
) -> None:
    account = an_account(api, owner)
    assert staff.get("/admin/calling/carrieraccount/add/").status_code == 403
    delete = reverse("admin:calling_carrieraccount_delete", args=[account.id])
    assert staff.post(delete, {"post": "yes"}).status_code == 403


def test_new_credentials_of_an_account_keep_its_limits(
    staff: Client, api: Api, owner: Person
) -> None:
    account = an_account(api, owner)
    staff.post(change(account), {"calls_per_second": 12, "concurrency_limit": 34})
    stored = an_account(api, owner, number="12125559999")
    assert stored.credentials["authToken"] == "token of 12125559999"
    assert (stored.calls_per_second, stored.concurrency_limit) == (12, 34)

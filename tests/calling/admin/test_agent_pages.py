"""The page of an agent: its variables, the preview of what is said, who uses it."""

import html
import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from calling.admin.agent_preview import KEY_URL, RECORD_URL
from calling.carriers.registry import CARRIERS
from calling.connecting import answer_for
from calling.models import Agent, PhoneNumber
from calling.services.agents import delete_agent
from tests import factories
from tests.calling.admin.desk import page
from tests.cast import Person
from workspaces.models import AuditEvent

ADD = "/admin/calling/agent/add/"
PREVIEW = "/admin/calling/agent/preview/"
VARIABLES = [
    {"key": "name", "type": "string", "required": True, "description": "First name"},
    {"key": "amount", "type": "number", "required": False},
    {"key": "due", "type": "date", "required": True},
    {"key": "vip", "type": "boolean", "required": False},
    {"key": "plan", "type": "enum", "required": True, "enum": ["Basic", "Plus"]},
]
TEXT = "Hello {name}, {amount} due {due}, {vip}, {plan}."


def filled(variables: Any = VARIABLES, **fields: Any) -> dict[str, Any]:
    return {
        "name": "Reminder",
        "language": "en-US",
        "variables": variables if isinstance(variables, str) else json.dumps(variables),
        "connection_type": "message",
        "connection_target": TEXT,
        "on_voicemail": "ignore",
        "opt_out_key": "",
        "opt_out_message": "",
        **fields,
    }


@pytest.fixture
def agent(owner: Person) -> Agent:
    made: Agent = factories.AgentFactory.create(
        workspace=owner.workspace,
        created_by=owner.user,
        variables=VARIABLES,
        connection_target=TEXT,
    )
    return made


# --- Variables ------------------------------------------------------------------------------------


def test_the_schema_goes_through_the_form_and_back(leader: Client, owner: Person) -> None:
    given = filled(workspace=owner.workspace.id)
    assert leader.post(ADD, given).status_code == 302
    agent = Agent.objects.get()
    assert agent.variables == VARIABLES
    shown = html.unescape(leader.get(page(agent)).content.decode())
    written = shown.partition('name="variables"')[2].partition(">")[2].partition("</textarea>")[0]
    assert json.loads(written) == VARIABLES

    turned = [VARIABLES[4], *VARIABLES[:4]]
    assert leader.post(page(agent), filled(turned)).status_code == 302
    agent.refresh_from_db()
    assert agent.variables == turned
    events = AuditEvent.objects.filter(target_id=agent.id).order_by("created_at", "id")
    assert [(event.action, event.changes.get("fields")) for event in events] == [
        ("agent.create", None),
        ("agent.update", ["variables"]),
    ]


@pytest.mark.parametrize(
    ("change", "row", "column"),
    [
        ({1: {"key": "name", "type": "string"}}, 1, "key"),
        ({0: {"key": "", "type": "string"}}, 0, "key"),
        ({2: {"key": "due", "type": "day"}}, 2, "type"),
        ({4: {"key": "plan", "type": "enum"}}, 4, "enum"),
        ({4: {"key": "plan", "type": "enum", "enum": ["a", "a"]}}, 4, "enum"),
        ({3: {"key": "_id", "type": "string"}}, 3, "key"),
    ],
)
def test_what_is_wrong_with_a_variable_is_told_with_its_row(
    leader: Client, agent: Agent, change: dict[int, Any], row: int, column: str
) -> None:
    variables = [change.get(at, one) for at, one in enumerate(VARIABLES)]
    response = leader.post(page(agent), filled(variables))
    assert response.status_code == 200
    form = response.context["adminform"].form
    errors = json.loads(form.fields["variables"].widget.attrs["data-errors"])
    assert (errors[0]["row"], errors[0]["column"]) == (row, column)
    assert f"Variable {row + 1}, " in str(form.errors["variables"])
    text = html.unescape(response.content.decode())
    assert json.dumps(errors) in text  # where the editor looks
    assert json.dumps(variables, indent=2) in text  # nothing typed is lost


@pytest.mark.parametrize(
    "variables", ['[{"key": "\\ud800", "type": "string"}]', '["\\u0000"]', "{"]
)
def test_what_cannot_be_stored_is_refused(leader: Client, agent: Agent, variables: str) -> None:
    response = leader.post(page(agent), filled(variables))
    assert response.status_code == 200
    assert response.context["adminform"].form.errors["variables"]


def test_taking_the_opt_out_away_takes_its_message_along(leader: Client, agent: Agent) -> None:
    Agent.objects.update(opt_out_key="9", opt_out_message="Goodbye.")
    assert leader.post(page(agent), filled(opt_out_message="Goodbye.")).status_code == 302
    agent.refresh_from_db()
    assert (agent.opt_out_key, agent.opt_out_message) == ("", "")


# --- Preview --------------------------------------------------------------------------------------

SAMPLES = {"name": "Zoë {amount} <b>", "amount": "3.50", "due": "2026-12-24", "vip": "yes"}
VALUES = {
    "name": "Zoë {amount} <b>",
    "amount": 3.5,
    "due": "2026-12-24",
    "vip": True,
    "plan": "Basic",
}


def preview(client: Client, samples: Any = SAMPLES, **fields: Any) -> Any:
    sent = filled(**fields) | {"samples": json.dumps(samples), "carriers": "twilio plivo pigeons"}
    return client.post(PREVIEW, sent)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"opt_out_key": "9", "records_calls": "on"},
        {"connection_type": "stream", "connection_target": "wss://agent.example/talk"},
        {"connection_type": "sip", "connection_target": "sip:agent@example.com"},
    ],
    ids=["message", "with a key", "stream", "sip"],
)
def test_it_is_what_the_carrier_gets(leader: Client, fields: dict[str, str]) -> None:
    response = preview(leader, **fields)
    agent = Agent(
        **{
            "variables": VARIABLES,
            "language": "en-US",
            "connection_type": "message",
            "connection_target": TEXT,
            **fields,
            "records_calls": "records_calls" in fields,
        }
    )
    answer = answer_for(agent, VALUES, record_url=RECORD_URL, key_url=KEY_URL)
    shown = html.unescape(response.content.decode())
    assert response.status_code == 200
    assert [title for title, _ in response.context["preview"].documents] == ["Twilio", "Plivo"]
    for carrier in ("twilio", "plivo"):
        assert CARRIERS[carrier].render(answer) in shown


def test_values_are_read_as_those_of_a_file_and_said_as_in_a_call(leader: Client) -> None:
    text = html.unescape(preview(leader).content.decode())
    assert "Hello Zoë {amount} <b>, 3.5 due 2026-12-24, true, Basic." in text


def test_a_blank_sample_is_a_contact_without_the_value(leader: Client) -> None:
    text = html.unescape(preview(leader, {**SAMPLES, "amount": "", "name": ""}).content.decode())
    assert "Hello ,  due" in text
    assert "name: This variable is required." in text
    assert "amount: " not in text


def test_a_sample_of_the_wrong_type_is_said_to_be(leader: Client) -> None:
    text = preview(leader, {**SAMPLES, "amount": "much"}).content.decode()
    assert "amount: Must be a number." in text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"variables": "{"}, "no valid JSON"),
        ({"variables": '[{"key": "\\ud800", "type": "enum", "enum": ["\\ud800"]}]'}, "no valid"),
        ({"variables": "[" * 100_000}, "no valid JSON"),
        ({"variables": "[]"}, "which is no variable of this agent."),
        ({"variables": '[{"key": "x", "type": "day"}]'}, "Variable 1, type: Must be one of"),
        ({"connection_type": ""}, "Choose how"),
        ({"connection_type": "pigeon"}, "Choose how"),
        ({"connection_type": "sip"}, "Must be sip:user@host"),
        ({"samples": '{"name": "\\ud800", "amount": 5}'}, "Hello ?, 42 due"),
        ({"samples": "[]"}, "Hello name, 42 due"),
        ({"samples": "{"}, "Hello name, 42 due"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_whatever_is_sent_it_answers(leader: Client, fields: Any, sentence: str) -> None:
    response = leader.post(PREVIEW, filled() | fields)
    assert response.status_code == 200
    assert sentence in html.unescape(response.content.decode())


def test_markup_in_a_text_is_spoken_and_not_run(leader: Client) -> None:
    response = preview(leader, connection_target="<script>alert(1)</script> {name}")
    assert b"<script>" not in response.content


def test_it_is_for_the_back_office_and_changes_nothing(
    leader: Client, reader: Client, owner: Person
) -> None:
    assert preview(reader).status_code == 200
    assert preview(Client()).status_code == 302
    assert leader.get(PREVIEW).status_code == 405
    assert not Agent.objects.exists()


# --- Who sees it, who uses it ---------------------------------------------------------------------


def test_a_member_looks_and_a_stranger_finds_nothing(
    reader: Client, outsider: Client, agent: Agent
) -> None:
    text = html.unescape(reader.get(page(agent)).content.decode())
    assert "Hello name, 42 due" in text  # the preview
    assert "<strong>plan</strong> enum (Basic, Plus), required" in text
    assert 'name="connection_target"' not in text
    assert reader.post(page(agent), filled()).status_code == 403
    assert reader.post(page(agent, "delete"), {"post": "yes"}).status_code == 403
    assert outsider.get(page(agent)).status_code == 302
    assert outsider.post(page(agent, "delete"), {"post": "yes"}).status_code == 302
    assert Agent.objects.filter(pk=agent.pk).exists()


def test_one_that_is_used_says_by_whom_and_stays(
    leader: Client, phone: PhoneNumber, agent: Agent
) -> None:
    PhoneNumber.objects.update(agent=agent)
    assert phone.number in leader.get(page(agent)).content.decode()
    assert "1 number" in leader.get(reverse("admin:calling_agent_changelist")).content.decode()
    response = leader.post(page(agent, "delete"), {"post": "yes"})
    assert response.status_code == 200
    assert phone.number in response.content.decode()
    assert Agent.objects.filter(pk=agent.pk).exists()


def test_one_that_nobody_uses_is_deleted_and_told_once(leader: Client, agent: Agent) -> None:
    assert leader.post(page(agent, "delete"), {"post": "yes"}).status_code == 302
    assert not Agent.objects.filter(pk=agent.pk).exists()
    events = AuditEvent.objects.filter(target_id=agent.pk)
    assert [event.action for event in events] == ["agent.delete"]


def test_one_that_is_taken_into_use_at_that_moment_stays(
    leader: Client, phone: PhoneNumber, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(**arguments: Any) -> None:
        PhoneNumber.objects.update(agent=agent)
        delete_agent(**arguments)

    monkeypatch.setattr("calling.admin.agents.delete_agent", late)
    response = leader.post(page(agent, "delete"), {"post": "yes"}, follow=True)
    assert "still stands behind 1 phone number" in response.content.decode()
    assert Agent.objects.filter(pk=agent.pk).exists()

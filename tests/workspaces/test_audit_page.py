"""The audit log in the back office: in words, with links, found by what it happened to."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.batches.admin.browsers import browser
from tests.cast import Api, Person
from workspaces.back_office.words import action_in_words
from workspaces.models import AuditEvent

LIST = reverse("admin:workspaces_auditevent_changelist")


def found(client: Client, **query: str) -> list[str]:
    response: Any = client.get(LIST, query)
    assert response.status_code == 200
    return [event.action for event in response.context["cl"].result_list]


def event(who: Person, action: str = "batch.stop", **fields: Any) -> AuditEvent:
    row = {
        "workspace": who.workspace,
        "user": who.user,
        "credential_kind": "session",
        "target_type": "workspace",
        "target_id": who.workspace.id,
        "created_at": who.workspace.created_at,
    }
    return AuditEvent.objects.create(**{**row, "action": action, **fields})


def page(row: AuditEvent) -> str:
    return reverse("admin:workspaces_auditevent_change", args=[row.id])


def test_a_write_over_the_api_reads_as_a_sentence(api: Api, owner: Person, phone: Any) -> None:
    body = {"batchName": "Spring", "callingNumbers": [phone.id]}
    batch_id = api.post("/api/call/createBatch", body, owner.with_key).json()["data"]
    client = browser(owner)
    html = client.get(LIST).content.decode()
    for text in ("Batch made", owner.user.email, "API key", "127.0.0.1"):
        assert text in html
    assert reverse("admin:batches_callbatch_change", args=[batch_id]) in html
    row = AuditEvent.objects.get(target_id=batch_id)
    html = client.get(page(row)).content.decode()
    assert "<td>name</td><td>Spring</td>" in html


def test_changes_are_a_table_and_nothing_in_them_is_markup(owner: Person) -> None:
    row = event(
        owner,
        changes={
            "label": {"from": "<b>old</b>", "to": "new"},
            "days": [1, 2],
            "active": False,
            "admin": [{"changed": {"fields": ["Label", "Agent"]}}],
        },
    )
    html = browser(owner).get(page(row)).content.decode()
    assert '<th scope="col">Before</th>' in html
    for cells in (
        "<td>label</td><td>&lt;b&gt;old&lt;/b&gt;</td><td>new</td>",
        "<td>days</td><td></td><td>1, 2</td>",
        "<td>active</td><td></td><td>no</td>",
        "<td>changed</td><td></td><td>Label, Agent</td>",
    ):
        assert cells in html


@pytest.mark.parametrize(
    "changes", [{}, {"admin": "text"}, {"admin": [{"added": {}}]}, {"a": {"b": [{}]}}]
)
def test_any_changes_can_be_shown(owner: Person, changes: dict[str, Any]) -> None:
    assert browser(owner).get(page(event(owner, changes=changes))).status_code == 200


def test_events_are_found_by_target_person_and_credential(owner: Person, member: Person) -> None:
    event(owner, "batch.start", target_id="64e5f12345abcdef87654321", request_id="req-1")
    event(member, "batch.stop", credential="phLV9TUDdLOU")
    client = browser(owner)
    assert found(client, q="64e5f12345abcdef87654321") == ["batch.start"]
    assert found(client, q=member.user.email) == ["batch.stop"]
    assert found(client, q="odk_live_phLV9TUDdLOU") == ["batch.stop"]
    assert found(client, q="req-1") == ["batch.start"]
    assert found(client, q="nothing % _") == []


def test_events_are_filtered_by_action_and_kind(owner: Person) -> None:
    event(owner, "batch.start")
    event(owner, "batch.stop", credential_kind="api_key")
    client = browser(owner)
    assert found(client, action="batch.start") == ["batch.start"]
    assert found(client, credential_kind="api_key") == ["batch.stop"]
    assert len(found(client, action="nonsense")) == 2


def test_other_workspaces_events_are_not_shown(owner: Person, stranger: Person) -> None:
    row, client = event(owner), browser(stranger)
    assert found(client) == found(client, q=owner.workspace.id) == []
    assert client.get(page(row)).status_code == 302


def test_an_action_without_a_sentence_says_its_noun_and_verb() -> None:
    assert action_in_words("holiday.create") == "Holiday made"
    assert action_in_words("phonenumber.send_test") == "Phone number send test"


def test_a_target_without_a_page_is_no_link(owner: Person) -> None:
    html = browser(owner).get(page(event(owner, target_type="nothing"))).content.decode()
    assert ">nothing<" in html
    assert 'class="od-link"' not in html

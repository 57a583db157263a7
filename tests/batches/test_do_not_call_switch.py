"""POST /api/dnc/enable-disable: whether the list is honoured in every batch."""

from typing import Any

import pytest

from tests.cast import Api, Person
from tests.envelope import KEYS, checked
from workspaces.models import AuditEvent, Workspace

PATH = "/api/dnc/enable-disable"


def is_enabled(who: Person) -> bool:
    return Workspace.objects.get(id=who.workspace.id).dnc_enabled


def test_it_is_on_from_the_start(owner: Person) -> None:
    assert is_enabled(owner)


@pytest.mark.parametrize("credential", ["with_key", "with_token"])
def test_the_documented_answer_has_no_data(api: Api, owner: Person, credential: str) -> None:
    response = api.post(PATH, {"enable": True}, getattr(owner, credential))
    assert response.status_code == 200
    assert list(response.json()) == KEYS[:-1]
    assert response.json() == {
        "message": "DNC setting updated successfully",
        "status": True,
        "code": 200,
        "errorMessage": "",
    }


def test_it_switches_this_workspace_only_and_leaves_an_audit_event(
    api: Api, owner: Person, stranger: Person
) -> None:
    for enable in (False, False, True):
        assert api.post(PATH, {"enable": enable}, owner.with_token).status_code == 200
        assert is_enabled(owner) is enable
        assert is_enabled(stranger)
    events = AuditEvent.objects.filter(action="workspace.update").order_by("created_at", "id")
    assert [event.changes for event in events] == [
        {"dnc_enabled": False},
        {"dnc_enabled": False},
        {"dnc_enabled": True},
    ]
    assert {event.workspace_id for event in events} == {owner.workspace.id}


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "enable", "required"),
        ({"enable": None}, "enable", "null"),
        ({"enable": "true"}, "enable", "invalid"),
        ({"enable": 1}, "enable", "invalid"),
        ({"enable": False, "enabled": False}, "enabled", "unknown_field"),
    ],
)
def test_anything_but_a_boolean_is_refused(
    api: Api, owner: Person, body: Any, field: str, code: str
) -> None:
    error = checked(api.post(PATH, body, owner.with_key), 400)["data"]["errors"][0]
    assert (error["field"], error["code"]) == (field, code)
    assert is_enabled(owner)


def test_a_member_switches_nothing(api: Api, owner: Person, member: Person) -> None:
    checked(api.post(PATH, {"enable": False}, member.with_token), 403)
    checked(api.post(PATH, {"enable": False}, owner.with_read_key), 403)
    assert is_enabled(owner)

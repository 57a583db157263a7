"""A list takes the filters that it shows and those of our own links; odd addresses are no 500."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from calling.models import Agent
from tests.cast import Person
from workspaces.admin import filters
from workspaces.models import ApiKey

HIDDEN = [
    ("workspaces_workspace", "kill_reason__startswith"),
    ("workspaces_apikey", "secret_hash__startswith"),
    ("workspaces_auditevent", "ip__startswith"),
    ("workspaces_user", "password__startswith"),
    ("workspaces_membership", "user__password__startswith"),
    ("calling_carrieraccount", "digest__startswith"),
    ("calling_carrieraccount", "updated_at__year"),
    ("batches_call", "batch__name__regex"),
    ("batches_callbatch", "status__regex"),
    ("batches_callbatch", "nothing"),
]
SHOWN = [
    ("workspaces_workspace", "is_active__exact", "1"),
    ("workspaces_apikey", "workspace__id__exact", "0" * 24),
    ("workspaces_apikey", "workspace", "0" * 24),
    ("workspaces_user", "is_staff__exact", "1"),
    ("workspaces_user", "id__exact", "0" * 24),
    ("calling_phonenumber", "agent__id__exact", "0" * 24),
    ("batches_call", "batch__id__exact", "0" * 24),
    ("batches_callbatch", "status__exact", "active"),
    ("batches_callbatch", "created_at__gte", "2026-01-01 00:00:00+00:00"),
]
ODD = ["\0", "9" * 30, "x", "("]


def listed(name: str) -> str:
    return reverse(f"admin:{name}_changelist")


@pytest.mark.parametrize(("name", "lookup"), HIDDEN)
def test_a_list_is_not_asked_for_what_it_does_not_filter_by(
    staff: Client, name: str, lookup: str
) -> None:
    assert staff.get(listed(name), {lookup: "1"}).status_code == 400


@pytest.mark.parametrize(("name", "lookup", "value"), SHOWN)
def test_a_list_takes_its_own_filters_and_links(
    staff: Client, name: str, lookup: str, value: str
) -> None:
    assert staff.get(listed(name), {lookup: value}).status_code == 200


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("name", sorted({shown[0] for shown in SHOWN} | {"batches_donotcallentry"}))
def test_odd_values_lead_back_to_the_list(staff: Client, name: str, value: str) -> None:
    staff.raise_request_exception = False
    lookups = {lookup for one, lookup, _ in SHOWN if one == name} | {"id__exact", "q", "p", "o"}
    for lookup in sorted(lookups):
        response = staff.get(listed(name), {lookup: value})
        assert response.status_code in (200, 302, 400), lookup
        if response.status_code == 302:
            assert response["Location"].endswith("?e=1")
            assert staff.get(response["Location"]).status_code == 200


@pytest.mark.parametrize("selected", ["x", "\0"])
def test_an_odd_selection_changes_nothing(staff: Client, owner: Person, selected: str) -> None:
    fields = {"action": "revoke_selected", "_selected_action": selected, "confirmed": "yes"}
    assert staff.post(listed("workspaces_apikey"), fields).status_code == 302
    assert ApiKey.objects.exclude(revoked_at=None).count() == 0


@pytest.mark.parametrize("value", ["x", "\0", "9" * 30])
def test_an_odd_id_fills_in_nothing(staff: Client, value: str) -> None:
    response = staff.get(reverse("admin:calling_agent_add"), {"workspace": value})
    assert response.status_code == 200


def test_an_id_fills_in_its_workspace(staff: Client, owner: Person) -> None:
    url = reverse("admin:calling_agent_add")
    response = staff.get(url, {"workspace": owner.workspace.pk})
    assert f'value="{owner.workspace.pk}" selected' in response.content.decode()


def test_a_nul_is_searched_for_like_nothing(staff: Client, owner: Person) -> None:
    asked = {"app_label": "calling", "model_name": "agent", "field_name": "workspace"}
    name = f"\0{owner.workspace.name}"
    found = staff.get(reverse("admin:autocomplete"), {**asked, "term": name}).json()
    assert owner.workspace.pk in [one["id"] for one in found["results"]]


def agent_form(owner: Person, variables: str) -> dict[str, Any]:
    return {
        "workspace": owner.workspace.pk,
        "name": "Deep",
        "language": "en-GB",
        "variables": variables,
        "connection_type": "message",
        "connection_target": "Hello.",
        "on_voicemail": "ignore",
    }


@pytest.mark.parametrize(
    "variables",
    [
        "[" * 900,
        "[" * 900 + "]" * 900,
        "[" * 300 + "]" * 300,
        "[" * 100_000,
        "[" + "1" * 5000 + "]",
    ],
    ids=["open", "closed", "less", "more", "digits"],
)
@pytest.mark.parametrize("page", ["add", "preview"])
def test_variables_that_no_parser_reads_are_an_error_of_the_form(
    staff: Client, owner: Person, page: str, variables: str
) -> None:
    url = reverse(f"admin:calling_agent_{page}")
    response = staff.post(url, agent_form(owner, variables))
    assert response.status_code == 200
    if page == "add":
        assert "variables" in response.context["adminform"].form.errors
        assert variables[:900] in response.content.decode()
    assert not Agent.objects.exists()


def test_a_chosen_workspace_counts_however_many_there_are(
    staff: Client, owner: Person, stranger: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "_MOST", 1)
    for one in (owner, stranger):
        response = staff.get(listed("workspaces_apikey"), {"workspace": one.workspace.pk})
        shown = {row.workspace_id for row in response.context["cl"].result_list}
        assert shown == {one.workspace.pk}
        assert f'value="{one.workspace.pk}" selected' in response.content.decode()


def test_a_chosen_workspace_out_of_sight_is_none(owner: Person, stranger: Person) -> None:
    user = owner.user
    type(user).objects.filter(pk=user.pk).update(is_staff=True)
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    response = client.get(listed("workspaces_apikey"), {"workspace": stranger.workspace.pk})
    assert stranger.workspace.name not in response.content.decode()
    assert {row.workspace_id for row in response.context["cl"].result_list} <= {owner.workspace.pk}

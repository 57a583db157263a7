"""API access in the back office: keys made, shown once, revoked; by whom, and for whom."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests import factories
from tests.cast import Api, Person
from tests.workspaces.conftest import SignIn
from workspaces.models import AccessToken, ApiKey, AuditEvent, Membership, User, Workspace

LIST = "/admin/workspaces/apikey/"
ADD = f"{LIST}add/"
ME = "/api/auth/me"


def form(of: Workspace, **fields: Any) -> dict[str, Any]:
    values = {
        "workspace": of.id,
        "name": "CRM import",
        "scopes": "calling:manage",
        "expires": "never",
        "expires_on": "",
    }
    return {**values, **fields}


def page(key: ApiKey) -> str:
    return reverse("admin:workspaces_apikey_change", args=[key.id])


def revoke_page(credential: Any) -> str:
    name = f"admin:workspaces_{credential._meta.model_name}_revoke"
    return reverse(name, args=[credential.id])


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


# --- Making one -----------------------------------------------------------------------------------


def test_a_leader_makes_a_key_that_acts_as_themselves(
    sign_in: SignIn, api: Api, admin: Person
) -> None:
    response = sign_in(admin.user).post(ADD, form(admin.workspace))

    text = re.search(r"odk_live_\w+", text_of(response))
    assert text is not None
    assert "no-store" in response["Cache-Control"]
    me = api.get(ME, {"x-api-key": text[0]}).json()["data"]
    assert (me["user"]["_id"], me["workspace"]["_id"]) == (admin.user.id, admin.workspace.id)
    event = AuditEvent.objects.get(action="apikey.create")
    assert (event.user_id, event.workspace_id) == (admin.user.id, admin.workspace.id)


def test_the_curl_line_of_the_page_works_when_pasted(
    sign_in: SignIn, api: Api, owner: Person
) -> None:
    response = sign_in(owner.user).post(ADD, form(owner.workspace), headers={"host": "localhost"})
    line = re.search(
        r"curl '(http://localhost)(/[^']+)' --header 'x-api-key: (\w+)'", text_of(response)
    )
    assert line is not None
    assert api.get(line[2], {"x-api-key": line[3]}).status_code == 200


def test_a_key_is_not_seen_a_second_time(sign_in: SignIn, owner: Person) -> None:
    browser = sign_in(owner.user)
    text = re.findall(r"odk_live_\w+", text_of(browser.post(ADD, form(owner.workspace))))[0]
    key = ApiKey.objects.get(name="CRM import")
    for url in (LIST, page(key), ADD, revoke_page(key)):
        answer = text_of(browser.get(url))
        assert text not in answer
        assert text.rpartition("_")[2] not in answer


@pytest.mark.parametrize(
    ("choice", "days"), [("30", 30), ("90", 90), ("365", 365), ("never", None)]
)
def test_it_ends_when_it_was_said(
    sign_in: SignIn, owner: Person, choice: str, days: int | None
) -> None:
    sign_in(owner.user).post(ADD, form(owner.workspace, expires=choice))
    ends = ApiKey.objects.get(name="CRM import").expires_at
    if days is None:
        assert ends is None
    else:
        assert ends is not None
        assert abs(ends - timezone.now() - timedelta(days=days)) < timedelta(minutes=1)


def test_an_own_day_is_over_at_its_end_in_the_zone_of_the_browser(
    sign_in: SignIn, owner: Person
) -> None:
    browser = sign_in(owner.user)
    browser.cookies["outdial_zone"] = "America/New_York"
    browser.post(ADD, form(owner.workspace, expires="date", expires_on="2089-07-01"))
    ends = ApiKey.objects.get(name="CRM import").expires_at
    assert ends is not None
    assert ends.isoformat() == "2089-07-02T04:00:00+00:00"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"scopes": ""}, "This field is required."),
        ({"scopes": "calling:all"}, "is not one of the available choices"),
        ({"expires": "date"}, "Give a day that is not over yet."),
        ({"expires": "date", "expires_on": "2001-01-01"}, "Give a day that is not over yet."),
        ({"expires": "date", "expires_on": "9999-12-31"}, "Give a day that is not over yet."),
        ({"expires": "date", "expires_on": "soon"}, "Enter a valid date."),
        ({"expires": "10"}, "is not one of the available choices"),
        ({"workspace": "nonsense"}, "is not an id: 24 hex digits."),
        ({"workspace": ""}, "This field is required."),
    ],
    ids=str,
)
def test_a_bad_value_is_told_and_nothing_typed_is_lost(
    sign_in: SignIn, owner: Person, fields: dict[str, Any], sentence: str
) -> None:
    before = ApiKey.objects.count()
    typed = form(owner.workspace, **fields)
    response = sign_in(owner.user).post(ADD, typed)
    assert response.status_code == 200
    assert sentence in text_of(response)
    assert f'value="{typed["name"]}"' in text_of(response) or not typed["name"]
    assert ApiKey.objects.count() == before


def test_who_does_not_lead_a_workspace_makes_no_key_of_it(
    sign_in: SignIn, owner: Person, member: Person, stranger: Person
) -> None:
    before = ApiKey.objects.count()
    assert sign_in(member.user).get(ADD).status_code == 403
    assert sign_in(member.user).post(ADD, form(owner.workspace)).status_code == 403
    response = sign_in(stranger.user).post(ADD, form(owner.workspace))
    assert response.status_code == 200
    assert owner.workspace.name not in text_of(response)
    assert ApiKey.objects.count() == before


def test_a_leader_cannot_have_a_key_act_as_somebody_else(
    sign_in: SignIn, owner: Person, admin: Person
) -> None:
    """It would have the other's role: an admin could make owners with it."""
    sign_in(admin.user).post(ADD, form(owner.workspace, created_by=owner.user.id))
    assert ApiKey.objects.get(name="CRM import").created_by == admin.user


def test_a_superuser_names_a_member(staff: Client, owner: Person, stranger: Person) -> None:
    staff.post(ADD, form(owner.workspace, created_by=owner.user.id))
    assert ApiKey.objects.get(name="CRM import").created_by == owner.user
    before = ApiKey.objects.count()
    inactive = factories.MembershipFactory.create(workspace=owner.workspace).user
    User.objects.filter(pk=inactive.pk).update(is_active=False)
    for nobody in ("", stranger.user.id, inactive.id):
        response = staff.post(ADD, form(owner.workspace, created_by=nobody))
        assert "A key acts as a member of its workspace." in text_of(response)
    assert ApiKey.objects.count() == before


# --- Looking --------------------------------------------------------------------------------------


def test_the_list_says_how_a_key_is_doing(sign_in: SignIn, owner: Person) -> None:
    ApiKey.objects.all().delete()
    now = timezone.now()
    mine = {"workspace": owner.workspace, "created_by": owner.user}
    for name, ends, revoked in (
        ("never", None, None),
        ("soon", now + timedelta(days=5, hours=1), None),
        ("over", now - timedelta(hours=1), None),
        ("ended", None, now),
    ):
        factories.ApiKeyFactory.create(name=name, expires_at=ends, revoked_at=revoked, **mine)
    browser = sign_in(owner.user)
    shown = re.sub(r"<[^>]+>|\s+", " ", text_of(browser.get(LIST)))
    for state in ("usable", "expires in 5 days", "expired", "revoked"):
        assert f" {state} " in shown
    for state, names in (
        ("usable", {"never", "soon"}),
        ("expired", {"over"}),
        ("revoked", {"ended"}),
    ):
        found = browser.get(LIST, {"state": state}).context["cl"].result_list
        assert {key.name for key in found} == names


def test_nobody_sees_keys_and_workspaces_of_strangers(
    sign_in: SignIn, owner: Person, stranger: Person
) -> None:
    browser = sign_in(stranger.user)
    key = ApiKey.objects.filter(workspace=owner.workspace).latest("id")
    assert browser.get(LIST, {"workspace": owner.workspace.id}).context["cl"].result_count == 2
    assert owner.workspace.name not in text_of(browser.get(LIST))
    assert browser.get(page(key)).status_code == 404
    assert browser.get(revoke_page(key)).status_code == 404
    assert browser.post(revoke_page(key)).status_code == 404
    assert ApiKey.objects.get(pk=key.pk).revoked_at is None


def test_the_empty_list_says_what_to_do(sign_in: SignIn, owner: Person, member: Person) -> None:
    ApiKey.objects.all().delete()
    assert "Create one to call the API." in text_of(sign_in(owner.user).get(LIST))
    assert "An admin or owner" in text_of(sign_in(member.user).get(LIST))


# --- Revoking -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "with_it"), [(ApiKey, "with_key"), (AccessToken, "with_token")])
def test_one_is_revoked_after_a_question(
    sign_in: SignIn, api: Api, owner: Person, model: type[Any], with_it: str
) -> None:
    headers = getattr(owner, with_it)
    public_id = next(iter(headers.values())).split("_")[-2]
    credential = model.objects.get(public_id=public_id)
    browser = sign_in(owner.user)
    url = revoke_page(credential)

    assert "at once, for good" in text_of(browser.get(url))
    assert api.get(ME, headers).status_code == 200
    assert browser.post(url).status_code == 302
    assert api.get(ME, headers).status_code == 401
    assert browser.post(url).status_code == 403  # once is enough
    assert AuditEvent.objects.filter(action=f"{model._meta.model_name}.revoke").count() == 1


def test_a_member_reads_keys_and_revokes_none(
    sign_in: SignIn, owner: Person, member: Person
) -> None:
    browser = sign_in(member.user)
    key = ApiKey.objects.filter(workspace=owner.workspace).latest("id")
    assert key.prefix in text_of(browser.get(LIST))
    assert browser.get(page(key)).status_code == 200
    assert browser.get(revoke_page(key)).status_code == 403
    assert browser.post(revoke_page(key)).status_code == 403
    action = {"action": "revoke_selected", "_selected_action": [key.id], "confirmed": "yes"}
    browser.post(LIST, action)
    assert ApiKey.objects.get(pk=key.pk).revoked_at is None


def test_many_are_revoked_after_a_question(sign_in: SignIn, owner: Person) -> None:
    keys = list(ApiKey.objects.values_list("id", flat=True))
    browser = sign_in(owner.user)
    action = {"action": "revoke_selected", "_selected_action": keys}
    assert "Revoke 2" in text_of(browser.post(LIST, action))
    assert ApiKey.objects.filter(revoked_at=None).count() == 2
    assert browser.post(LIST, {**action, "confirmed": "yes"}).status_code == 302
    assert not ApiKey.objects.filter(revoked_at=None).exists()


def test_who_leads_one_workspace_revokes_nothing_of_another_that_they_only_see(
    sign_in: SignIn, owner: Person, stranger: Person
) -> None:
    Membership.objects.create(
        user=stranger.user, workspace=owner.workspace, role="member", created_at=timezone.now()
    )
    keys = list(ApiKey.objects.values_list("id", flat=True))
    action = {"action": "revoke_selected", "_selected_action": keys, "confirmed": "yes"}
    sign_in(stranger.user).post(LIST, action)
    revoked = ApiKey.objects.exclude(revoked_at=None).values_list("workspace_id", flat=True)
    assert list(revoked) == [stranger.workspace.id] * 2

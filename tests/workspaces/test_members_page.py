"""Members in the back office: invited by mail, given roles, let in, removed; and what a leader of one
workspace cannot do to another's."""

import html
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests import factories
from tests.cast import Api, Person, person
from tests.workspaces.conftest import SignIn
from tests.workspaces.mailbox import deliver, forget_jobs, has_link, jobs, link_in
from workspaces.callers import Role
from workspaces.models import ApiKey, AuditEvent, Membership, User, Workspace
from workspaces.services import invitations

LIST = "/admin/workspaces/membership/"
ADD = f"{LIST}add/"
NEW = "grace@example.com"
PASSWORD = "quite a long passphrase"


@pytest.fixture(autouse=True)
def _no_jobs_of_other_tests(db: None) -> None:
    forget_jobs()


def form(of: Workspace, **fields: Any) -> dict[str, Any]:
    values = {"workspace": of.id, "email": NEW, "name": "Grace", "role": "member"}
    return {**values, "opens_back_office": "on", **fields}


def deed(verb: str, user: User, workspace: Workspace) -> str:
    membership = Membership.objects.get(user=user, workspace=workspace)
    return reverse(f"admin:workspaces_membership_{verb}", args=[membership.id])


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


def open_link(browser: Client, link: str) -> str:
    """The page that the link leads to, whose address has no secret in it."""
    response = browser.get(link)
    assert response.status_code == 302
    assert response["Location"].endswith("/set-password/")
    return str(response["Location"])


# --- Inviting -------------------------------------------------------------------------------------


def test_somebody_new_chooses_a_password_by_the_link_and_comes_in(
    sign_in: SignIn, api: Api, admin: Person
) -> None:
    response = sign_in(admin.user).post(ADD, form(admin.workspace, email="Grace@Example.com"))
    assert response.status_code == 302
    user = User.objects.get(email=NEW)
    assert not user.has_usable_password()
    assert (user.name, user.is_staff, user.is_superuser) == ("Grace", True, False)
    assert Membership.objects.get(user=user).role == "member"

    [message] = deliver()
    assert message.to == [NEW]
    assert admin.workspace.name in message.subject
    assert admin.user.email in message.body
    assert "within 3 days" in message.body

    browser = Client()
    page = open_link(browser, link_in(message))
    assert NEW in text_of(browser.get(page))
    chosen = {"new_password1": PASSWORD, "new_password2": PASSWORD}
    assert browser.post(page, chosen).status_code == 302
    signed_in = browser.post("/admin/login/", {"username": NEW, "password": PASSWORD})
    assert (signed_in.status_code, signed_in["Location"]) == (302, "/admin/")
    assert admin.workspace.name in text_of(browser.get("/admin/workspaces/workspace/"))
    assert api.post("/api/auth/login", {"email": NEW, "password": PASSWORD}).status_code == 200


def test_a_link_is_of_no_use_a_second_time(sign_in: SignIn, owner: Person) -> None:
    sign_in(owner.user).post(ADD, form(owner.workspace))
    link = link_in(deliver()[0])
    browser = Client()
    chosen = {"new_password1": PASSWORD, "new_password2": PASSWORD}
    browser.post(open_link(browser, link), chosen)

    again = Client().get(link)
    assert again.status_code == 200
    assert "does not work any more" in text_of(again)
    assert User.objects.get(email=NEW).check_password(PASSWORD)


def test_the_queue_holds_no_secret(sign_in: SignIn, owner: Person) -> None:
    sign_in(owner.user).post(ADD, form(owner.workspace))
    [(name, args)] = jobs()
    assert name == "workspaces.tasks.mail_invitation"
    membership = Membership.objects.get(user__email=NEW)
    assert args == {
        "membership_id": membership.id,
        "invited_by": owner.user.id,
        "base_url": "http://testserver",
    }


@pytest.mark.parametrize("flags", [{}, {"is_staff": True, "is_superuser": True}])
def test_an_account_that_exists_stays_as_it_is(
    sign_in: SignIn, owner: Person, stranger: Person, flags: dict[str, bool]
) -> None:
    User.objects.filter(pk=stranger.user.pk).update(**flags)
    before = User.objects.get(pk=stranger.user.pk)
    invitation = form(owner.workspace, email=before.email, opens_back_office="")
    assert sign_in(owner.user).post(ADD, invitation).status_code == 302

    after = User.objects.get(pk=before.pk)
    assert (after.password, after.name) == (before.password, before.name)
    assert (after.is_staff, after.is_superuser) == (before.is_staff, before.is_superuser)
    [message] = deliver()
    assert message.to == [before.email]
    assert not has_link(message)
    assert Membership.objects.filter(user=before, workspace=owner.workspace).exists()


def test_a_leader_lets_a_member_in_and_makes_no_superuser(
    sign_in: SignIn, owner: Person, member: Person
) -> None:
    browser = sign_in(owner.user)
    url = deed("open_back_office", member.user, owner.workspace)
    assert "Only a superuser can take it back." in text_of(browser.get(url))
    assert not User.objects.get(pk=member.user.pk).is_staff
    browser.post(url, {"is_superuser": "on"})
    user = User.objects.get(pk=member.user.pk)
    assert (user.is_staff, user.is_superuser) == (True, False)
    event = AuditEvent.objects.get(action="user.update")
    assert (event.target_id, event.workspace_id) == (user.id, owner.workspace.id)


def test_a_superuser_who_was_shut_out_is_not_let_in_by_a_workspace(
    sign_in: SignIn, owner: Person
) -> None:
    former = factories.UserFactory.create(is_superuser=True)
    response = sign_in(owner.user).post(ADD, form(owner.workspace, email=former.email))
    assert "Only a superuser" in text_of(response)
    assert not User.objects.get(pk=former.pk).is_staff
    assert not Membership.objects.filter(user=former).exists()
    assert jobs() == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"email": "no mail"}, "Enter a valid email address."),
        ({"email": ""}, "This field is required."),
        ({"role": "king"}, "is not one of the available choices"),
        ({"workspace": ""}, "This field is required."),
    ],
    ids=str,
)
def test_a_bad_invitation_is_told_at_its_field(
    sign_in: SignIn, owner: Person, fields: dict[str, str], sentence: str
) -> None:
    response = sign_in(owner.user).post(ADD, form(owner.workspace, **fields))
    assert response.status_code == 200
    assert sentence in text_of(response)
    assert not User.objects.filter(email=NEW).exists()
    assert jobs() == []


def test_who_is_a_member_already_is_told_so(sign_in: SignIn, owner: Person, member: Person) -> None:
    response = sign_in(owner.user).post(ADD, form(owner.workspace, email=member.user.email))
    assert "Is a member already." in text_of(response)
    assert jobs() == []


def test_nobody_invites_into_a_workspace_that_they_do_not_lead(
    sign_in: SignIn, owner: Person, member: Person, stranger: Person
) -> None:
    Membership.objects.create(
        user=stranger.user, workspace=owner.workspace, role="member", created_at=timezone.now()
    )
    response = sign_in(stranger.user).post(ADD, form(owner.workspace))
    assert "is not one of the available choices" in text_of(response)
    assert sign_in(member.user).post(ADD, form(owner.workspace)).status_code == 403
    assert not User.objects.filter(email=NEW).exists()


def test_only_an_owner_invites_owners(sign_in: SignIn, owner: Person, admin: Person) -> None:
    response = sign_in(admin.user).post(ADD, form(owner.workspace, role="owner"))
    assert "Only an owner may do this to an owner." in text_of(response)
    assert not User.objects.filter(email=NEW).exists()
    assert sign_in(owner.user).post(ADD, form(owner.workspace, role="owner")).status_code == 302
    assert Membership.objects.get(user__email=NEW).role == "owner"


def test_nobody_is_flooded_by_being_invited_and_removed(sign_in: SignIn, owner: Person) -> None:
    browser = sign_in(owner.user)
    assert browser.post(ADD, form(owner.workspace)).status_code == 302
    user = User.objects.get(email=NEW)
    browser.post(deed("remove", user, owner.workspace), {})
    response = browser.post(ADD, form(owner.workspace))
    assert "less than 5 minutes ago" in text_of(response)
    assert len(jobs()) == 1
    assert not Membership.objects.filter(user=user).exists()


def test_a_workspace_invites_so_many_an_hour(
    sign_in: SignIn, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "MOST_AN_HOUR", 2)
    browser = sign_in(owner.user)
    told = [
        text_of(browser.post(ADD, form(owner.workspace, email=f"{name}@example.com"), follow=True))
        for name in ("ada", "grace", "joan")
    ]
    assert ["within the hour" in text for text in told] == [False, False, True]


def test_who_leads_a_suspended_workspace_only_reads(sign_in: SignIn, owner: Person) -> None:
    Workspace.objects.filter(id=owner.workspace.id).update(is_active=False)
    browser = sign_in(owner.user)
    assert browser.get(LIST).status_code == 200
    assert browser.post(ADD, form(owner.workspace)).status_code == 403
    assert browser.get(deed("remove", owner.user, owner.workspace)).status_code == 403
    assert not User.objects.filter(email=NEW).exists()


def test_an_invitation_is_sent_again_until_there_is_a_password(
    sign_in: SignIn, owner: Person
) -> None:
    browser = sign_in(owner.user)
    browser.post(ADD, form(owner.workspace))
    first = link_in(deliver()[0])
    user = User.objects.get(email=NEW)
    url = deed("invite_again", user, owner.workspace)

    assert "less than 5 minutes ago" in text_of(browser.post(url))
    assert jobs() == []
    earlier = timezone.now() - timedelta(minutes=6)
    AuditEvent.objects.filter(action="membership.invite").update(created_at=earlier)
    assert browser.post(url).status_code == 302
    assert link_in(deliver()[0])

    chosen = {"new_password1": PASSWORD, "new_password2": PASSWORD}
    another = Client()
    another.post(open_link(another, first), chosen)
    assert browser.get(url).status_code == 403


def test_who_was_removed_meanwhile_gets_no_mail(sign_in: SignIn, owner: Person) -> None:
    sign_in(owner.user).post(ADD, form(owner.workspace))
    Membership.objects.get(user__email=NEW).delete()
    assert deliver() == []


def test_a_name_with_line_breaks_begins_no_header_and_no_paragraph(
    sign_in: SignIn, owner: Person
) -> None:
    Workspace.objects.filter(pk=owner.workspace.pk).update(name="A\nBcc: x@example.com\n\nPay now")
    sign_in(owner.user).post(ADD, form(owner.workspace))
    [message] = deliver()
    assert message.subject == "You are invited to A Bcc: x@example.com Pay now on Outdial"
    assert "\nPay now" not in message.body


# --- Roles and leaving ----------------------------------------------------------------------------


def test_a_role_is_changed_after_a_question(sign_in: SignIn, owner: Person, member: Person) -> None:
    browser = sign_in(owner.user)
    url = deed("change_role", member.user, owner.workspace)
    assert "is Member now." in text_of(browser.get(url))
    assert browser.post(url, {"role": "admin"}).status_code == 302
    assert Membership.objects.get(user=member.user).role == "admin"
    assert AuditEvent.objects.get(action="membership.update").user_id == owner.user.id


def test_an_admin_makes_and_unmakes_no_owner(
    sign_in: SignIn, owner: Person, admin: Person, member: Person
) -> None:
    browser = sign_in(admin.user)
    sentence = "Only an owner may do this to an owner."
    for user, role in ((admin.user, "owner"), (member.user, "owner"), (owner.user, "member")):
        url = deed("change_role", user, owner.workspace)
        assert sentence in text_of(browser.post(url, {"role": role}))
    assert sentence in text_of(browser.post(deed("remove", owner.user, owner.workspace)))
    roles = dict(Membership.objects.values_list("user_id", "role"))
    assert roles[owner.user.id] == "owner"
    assert list(roles.values()).count("owner") == 1


def test_the_last_owner_stays(sign_in: SignIn, owner: Person) -> None:
    browser = sign_in(owner.user)
    for verb in ("change_role", "remove"):
        response = browser.post(deed(verb, owner.user, owner.workspace), {"role": "member"})
        assert "The last owner must stay." in text_of(response)
    assert Membership.objects.get(user=owner.user).role == "owner"


def test_removing_tells_how_many_keys_end(
    sign_in: SignIn, api: Api, owner: Person, member: Person
) -> None:
    browser = sign_in(owner.user)
    url = deed("remove", member.user, owner.workspace)
    assert "2 API keys that act as them end" in text_of(browser.get(url))
    assert browser.post(url)["Location"] == LIST
    assert not Membership.objects.filter(user=member.user).exists()
    assert not ApiKey.objects.filter(created_by=member.user, revoked_at=None).exists()
    assert api.get("/api/auth/me", member.with_key).status_code == 401


@pytest.mark.parametrize("verb", ["change_role", "remove", "invite_again", "open_back_office"])
def test_deeds_are_of_who_leads_and_strangers_find_nothing(
    sign_in: SignIn, owner: Person, member: Person, stranger: Person, verb: str
) -> None:
    User.objects.filter(pk=member.user.pk).update(password="!none")
    url = deed(verb, member.user, owner.workspace)
    colleague = person(owner.workspace, Role.MEMBER)
    for browser, code in ((sign_in(colleague.user), 403), (sign_in(stranger.user), 404)):
        assert browser.get(url).status_code == code
        assert browser.post(url, {"role": "admin"}).status_code == code
    assert Membership.objects.get(user=member.user).role == "member"
    assert not User.objects.get(pk=member.user.pk).is_staff
    assert jobs() == []


# --- Looking --------------------------------------------------------------------------------------


def test_the_list_tells_who_came_in_ever(sign_in: SignIn, owner: Person) -> None:
    User.objects.filter(pk=owner.user.pk).update(last_login=timezone.now())
    for name, fields in (
        ("invited", {"password": None}),
        ("off", {"is_active": False}),
        ("quiet", {}),
    ):
        user = factories.UserFactory.create(name=name, **fields)
        factories.MembershipFactory.create(workspace=owner.workspace, user=user, role="member")
    shown = text_of(sign_in(owner.user).get(LIST))
    for state in ("has signed in", "invited", "deactivated", "never signed in"):
        assert state in shown


def test_a_leader_sees_no_members_of_another_workspace(
    sign_in: SignIn, owner: Person, member: Person, stranger: Person
) -> None:
    browser = sign_in(stranger.user)
    membership = Membership.objects.get(user=member.user)
    for url in (LIST, f"{LIST}?workspace={owner.workspace.id}", f"{LIST}?q={member.user.email}"):
        shown = browser.get(url)
        assert member.user.email not in text_of(shown).replace(url, "").replace(
            f'value="{member.user.email}"', ""
        )
        assert member.user not in [row.user for row in shown.context["cl"].result_list]
    page = reverse("admin:workspaces_membership_change", args=[membership.id])
    assert browser.get(page).status_code == 404


@pytest.mark.parametrize(
    ("model", "field"), [("apikey", "created_by"), ("membership", "user"), ("apikey", "workspace")]
)
def test_autocomplete_tells_nobody_of_strangers(
    sign_in: SignIn, owner: Person, stranger: Person, model: str, field: str
) -> None:
    question = {"app_label": "workspaces", "model_name": model, "field_name": field, "term": ""}
    answer = sign_in(stranger.user).get("/admin/autocomplete/", question)
    assert answer.status_code == 200
    own = stranger.workspace if field == "workspace" else stranger.user
    assert [row["id"] for row in answer.json()["results"]] == [own.id]


def test_a_stranger_asked_for_by_name_is_not_told(
    sign_in: SignIn, owner: Person, stranger: Person
) -> None:
    question = {
        "app_label": "workspaces",
        "model_name": "apikey",
        "field_name": "created_by",
        "term": owner.user.email,
    }
    answer = sign_in(stranger.user).get("/admin/autocomplete/", question)
    assert answer.json()["results"] == []

"""People in the back office: superusers look after them, others see with whom they work."""

import html
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from tests import factories
from tests.cast import Api, Person
from tests.workspaces.conftest import SignIn
from tests.workspaces.mailbox import deliver, forget_jobs, jobs, link_in
from workspaces.models import AuditEvent, User

LIST = "/admin/workspaces/user/"
NEW = "quite a long passphrase"


@pytest.fixture(autouse=True)
def _no_jobs_of_other_tests(db: None) -> None:
    forget_jobs()


def page(user: User, verb: str = "change") -> str:
    return reverse(f"admin:workspaces_user_{verb}", args=[user.pk])


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


def rights(user: User, **fields: str) -> dict[str, str]:
    return {"email": user.email, "name": user.name, **fields}


def test_a_superuser_sets_what_somebody_may(staff: Client, owner: Person) -> None:
    form = rights(owner.user, name="Ada", is_active="on", is_staff="on")
    assert staff.post(page(owner.user), form).status_code == 302
    user = User.objects.get(pk=owner.user.pk)
    assert (user.name, user.is_staff, user.is_superuser) == ("Ada", True, False)
    assert AuditEvent.objects.get(action="user.update").target_id == user.pk


def test_deactivating_ends_everything_at_once(
    staff: Client, sign_in: SignIn, api: Api, owner: Person
) -> None:
    browser = sign_in(owner.user)
    assert browser.get("/admin/").status_code == 200
    assert staff.post(page(owner.user), rights(owner.user, is_staff="on")).status_code == 302
    assert browser.get("/admin/").status_code == 302
    for headers in (owner.with_key, owner.with_token):
        assert api.get("/api/auth/me", headers).status_code == 401


@pytest.mark.parametrize("missing", ["is_active", "is_staff", "is_superuser"])
def test_the_last_superuser_stays(staff: Client, missing: str) -> None:
    last = User.objects.get(is_superuser=True)
    flags = {"is_active": "on", "is_staff": "on", "is_superuser": "on"}
    form = rights(last, **{name: on for name, on in flags.items() if name != missing})
    assert "The last superuser must stay one" in text_of(staff.post(page(last), form))
    assert User.objects.filter(is_superuser=True, is_active=True, is_staff=True).exists()

    factories.UserFactory.create(is_superuser=True, is_staff=True)
    assert staff.post(page(last), form).status_code == 302


def test_a_link_for_a_new_password_is_mailed_after_a_question(staff: Client, owner: Person) -> None:
    url = page(owner.user, "mail_password_link")
    assert "The link lasts an hour." in text_of(staff.get(url))
    assert jobs() == []
    assert staff.post(url).status_code == 302
    [message] = deliver()
    assert message.to == [owner.user.email]
    assert link_in(message)
    event = AuditEvent.objects.get(action="user.ask_password_reset")
    assert (event.target_id, event.user_id) == (owner.user.id, staff.session["_auth_user_id"])


def test_somebody_is_signed_out_everywhere_and_nobody_else(
    staff: Client, sign_in: SignIn, api: Api, owner: Person, stranger: Person
) -> None:
    browsers = [sign_in(owner.user), sign_in(owner.user)]
    other = sign_in(stranger.user)
    response = staff.post(page(owner.user, "sign_out_everywhere"), follow=True)
    assert f"Ended: 3 sign-ins of {owner.user.email}." in text_of(response)
    assert [browser.get("/admin/").status_code for browser in browsers] == [302, 302]
    assert api.get("/api/auth/me", owner.with_token).status_code == 401
    assert api.get("/api/auth/me", owner.with_key).status_code == 200
    assert other.get("/admin/").status_code == 200
    assert api.get("/api/auth/me", stranger.with_token).status_code == 200
    assert Session.objects.count() == 2
    assert AuditEvent.objects.filter(action="user.sign_out").count() == 1


def test_a_password_that_a_superuser_sets_ends_tokens_and_sessions(
    staff: Client, sign_in: SignIn, api: Api, owner: Person
) -> None:
    browser = sign_in(owner.user)
    url = reverse("admin:auth_user_password_change", args=[owner.user.pk])
    chosen = {"usable_password": "true", "password1": NEW, "password2": NEW}
    assert staff.post(url, chosen).status_code == 302
    assert User.objects.get(pk=owner.user.pk).check_password(NEW)
    assert browser.get("/admin/").status_code == 302
    assert api.get("/api/auth/me", owner.with_token).status_code == 401


def test_others_see_name_and_address_of_whom_they_work_with_and_no_more(
    sign_in: SignIn, owner: Person, member: Person, stranger: Person
) -> None:
    User.objects.filter(pk=owner.user.pk).update(name="Ada Lovelace")
    browser = sign_in(member.user)
    people = browser.get(LIST)
    assert {user.pk for user in people.context["cl"].result_list} == {owner.user.pk, member.user.pk}
    assert stranger.user.email not in text_of(people)

    seen = browser.get(page(owner.user))
    assert seen.status_code == 200
    shown = text_of(seen)
    assert "Ada Lovelace" in shown
    for hidden in ("pbkdf2", "md5$", "Superuser", "Last login", "Back office:", 'type="checkbox"'):
        assert hidden not in shown
    assert browser.post(page(owner.user), rights(owner.user, name="x")).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[owner.user.pk])
    assert browser.get(password).status_code == 403
    assert browser.get("/admin/workspaces/user/add/").status_code == 403


@pytest.mark.parametrize("verb", ["mail_password_link", "sign_out_everywhere"])
def test_deeds_are_superusers_own(
    sign_in: SignIn, owner: Person, member: Person, stranger: Person, verb: str
) -> None:
    for browser, code in ((sign_in(owner.user), 403), (sign_in(stranger.user), 404)):
        for answer in (browser.get(page(member.user, verb)), browser.post(page(member.user, verb))):
            assert answer.status_code == code
    assert jobs() == []


@pytest.mark.parametrize(
    "question",
    ["is_superuser__exact=1", "password__startswith=a", "last_login__isnull=1", "api_keys__name=x"],
)
def test_a_list_is_not_asked_for_what_it_does_not_show(
    sign_in: SignIn, owner: Person, question: str
) -> None:
    assert sign_in(owner.user).get(f"{LIST}?{question}").status_code == 400

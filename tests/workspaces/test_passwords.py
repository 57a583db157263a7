"""A forgotten password: asked for by anybody, told to the mailbox alone; what ends with the old one."""

import html
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.core import mail
from django.test import Client
from django.utils import timezone

from tests import factories
from tests.cast import Api, Person
from tests.workspaces.conftest import SignIn
from tests.workspaces.mailbox import deliver, forget_jobs, jobs, link_in
from workspaces.models import AuditEvent, User
from workspaces.tokens import RESET_LASTS, ResetTokens, invitation_tokens

ASK, ASKED = "/admin/password_reset/", "/admin/password_reset/done/"
CHANGE = "/admin/password_change/"
NEW = "quite a long passphrase"
CHOSEN = {"new_password1": NEW, "new_password2": NEW}


@pytest.fixture(autouse=True)
def _no_jobs_of_other_tests(db: None) -> None:
    forget_jobs()


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


def ask(email: str, browser: Client | None = None) -> Any:
    return (browser or Client()).post(ASK, {"email": email})


def open_link(browser: Client, link: str) -> str:
    response = browser.get(link)
    assert response.status_code == 302
    return str(response["Location"])


def set_by_mail(user: User) -> Any:
    ask(user.email)
    browser = Client()
    return browser.post(open_link(browser, link_in(deliver()[0])), CHOSEN)


# --- Asking ---------------------------------------------------------------------------------------


def test_the_sign_in_page_leads_to_it(db: None) -> None:
    assert f'href="{ASK}"' in text_of(Client().get("/admin/login/"))
    assert "API's login" in text_of(Client().get(ASK))


def test_the_mail_names_the_product_the_account_and_the_time(owner: Person) -> None:
    assert ask(owner.user.email.upper()).status_code == 302
    [message] = deliver()
    assert message.to == [owner.user.email]
    assert message.subject == "Set a new password for Outdial"
    assert "within 1 hour" in message.body
    assert owner.user.email in message.body
    assert f"http://testserver{link_in(message)}" in message.body


def test_the_configured_address_beats_the_one_that_was_asked_for(
    owner: Person, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.PUBLIC_BASE_URL = "https://outdial.example/calls/"
    Client().post(ASK, {"email": owner.user.email}, headers={"host": "evil.example"})
    [message] = deliver()
    assert f"https://outdial.example/calls{link_in(message)}" in message.body
    assert "evil.example" not in message.body


def test_a_host_that_is_not_ours_sends_no_link(owner: Person) -> None:
    response = Client(raise_request_exception=False).post(
        ASK, {"email": owner.user.email}, headers={"host": "evil.example"}
    )
    assert response.status_code == 400
    assert jobs() == []


def test_the_answer_does_not_tell_whether_there_is_an_account(owner: Person) -> None:
    inactive = factories.UserFactory.create(is_active=False)
    answers, work = [], []
    for email in (owner.user.email, "nobody@example.com", inactive.email):
        forget_jobs()
        response = ask(email)
        answers.append((response.status_code, response["Location"], response.content))
        work.append(len(jobs()))
    assert answers == [answers[0]] * 3
    assert answers[0][:2] == (302, ASKED)
    assert work == [1, 1, 1]  # the queue is written to for a stranger, too: it takes as long
    assert "If there is an account" in text_of(Client().get(ASKED))


def test_the_queue_holds_neither_secrets_nor_the_addresses_of_strangers(owner: Person) -> None:
    ask("nobody@example.com")
    ask(owner.user.email)
    base = "http://testserver"
    assert [args for _, args in jobs()] == [
        {"user_id": "", "base_url": base},
        {"user_id": owner.user.id, "base_url": base},
    ]
    assert len(deliver()) == 1


def test_asking_a_hundred_times_is_one_job_and_one_mail(owner: Person) -> None:
    for _ in range(3):
        assert ask(owner.user.email).status_code == 302
        assert ask("nobody@example.com").status_code == 302
    assert len(jobs()) == 2
    assert len(deliver()) == 1
    ask(owner.user.email)
    assert deliver() == []

    earlier = timezone.now() - timedelta(minutes=6)
    AuditEvent.objects.filter(action="user.password_reset_mail").update(created_at=earlier)
    ask(owner.user.email)
    assert len(deliver()) == 1


def test_who_has_no_password_yet_gets_one_by_the_same_way(api: Api, owner: Person) -> None:
    invited = factories.MembershipFactory.create(
        workspace=owner.workspace, user=factories.UserFactory.create(password=None)
    ).user
    assert set_by_mail(invited).status_code == 302
    login = {"email": invited.email, "password": NEW}
    assert api.post("/api/auth/login", login).status_code == 200


@pytest.mark.parametrize("email", ["", "no mail", "a" * 300 + "@example.com", "a@b\0.example"])
def test_what_is_no_address_is_told_so(db: None, email: str) -> None:
    response = ask(email)
    assert response.status_code == 200
    assert jobs() == []


# --- Setting it -----------------------------------------------------------------------------------


def test_a_new_password_ends_sessions_and_tokens_and_leaves_keys(
    sign_in: SignIn, api: Api, owner: Person
) -> None:
    browser = sign_in(owner.user)
    assert browser.get("/admin/").status_code == 200

    assert set_by_mail(owner.user)["Location"] == "/admin/reset/done/"

    assert browser.get("/admin/").status_code == 302
    assert api.get("/api/auth/me", owner.with_token).status_code == 401
    assert api.get("/api/auth/me", owner.with_key).status_code == 200
    event = AuditEvent.objects.get(action="user.password_reset")
    assert (event.user_id, event.target_id, event.ip) == (owner.user.id, owner.user.id, "127.0.0.1")
    assert NEW not in str(AuditEvent.objects.values())
    login = {"email": owner.user.email, "password": NEW}
    assert api.post("/api/auth/login", login).status_code == 200


def test_it_lets_in_who_was_locked_out(api: Api, owner: Person) -> None:
    for _ in range(5):
        api.post("/api/auth/login", {"email": owner.user.email, "password": "wrong"})
    login = {"email": owner.user.email, "password": NEW}
    assert api.post("/api/auth/login", login).status_code == 429
    set_by_mail(owner.user)
    assert not AccessAttempt.objects.exists()
    assert api.post("/api/auth/login", login).status_code == 200


def test_a_link_ends_with_its_hour_with_its_use_and_with_a_sign_in(
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(owner.user.email)
    link = link_in(deliver()[0])
    assert Client().get(link).status_code == 302

    now = ResetTokens()._now
    with monkeypatch.context() as later:
        later.setattr(ResetTokens, "_now", lambda self: now() + RESET_LASTS + timedelta(seconds=2))
        assert "does not work any more" in text_of(Client().get(link))

    signed_in = {"username": owner.user.email, "password": factories.PASSWORD}
    User.objects.filter(pk=owner.user.pk).update(is_staff=True)
    Client().post("/admin/login/", signed_in)
    assert "does not work any more" in text_of(Client().get(link))


def test_an_invitation_lasts_longer_and_is_no_reset(owner: Person) -> None:
    assert timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT) == timedelta(days=3)
    token = invitation_tokens.make_token(owner.user)
    ask(owner.user.email)
    person = link_in(deliver()[0]).split("/")[3]
    for kind in ("reset", "invitation"):  # who has a password is not invited any more
        page = Client().get(f"/admin/{kind}/{person}/{token}/")
        assert "does not work any more" in text_of(page)


@pytest.mark.parametrize("person", ["x", "AAAA", "NjRlNWYxMjM0NWFiY2RlZjEyMzQ1Njc4", "%00"])
@pytest.mark.parametrize("kind", ["reset", "invitation"])
def test_a_made_up_link_is_an_ended_one(db: None, kind: str, person: str) -> None:
    response = Client().get(f"/admin/{kind}/{person}/abc-def/")
    assert response.status_code == 200
    assert "does not work any more" in text_of(response)


def test_a_deactivated_person_gets_no_mail_and_their_link_ends(owner: Person) -> None:
    ask(owner.user.email)
    link = link_in(deliver()[0])
    User.objects.filter(pk=owner.user.pk).update(is_active=False)
    assert "does not work any more" in text_of(Client().get(link))
    ask(owner.user.email)
    assert deliver() == []


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("short words", "at least 12 characters"),
        ("123456789012345", "entirely numeric"),
        ("password1234", "too common"),
        ("{email}", "too similar"),
    ],
)
def test_a_weak_password_is_told_why(owner: Person, password: str, sentence: str) -> None:
    ask(owner.user.email)
    browser = Client()
    page = open_link(browser, link_in(deliver()[0]))
    weak = password.format(email=owner.user.email)
    response = browser.post(page, {"new_password1": weak, "new_password2": weak})
    assert sentence in text_of(response)
    assert User.objects.get(pk=owner.user.pk).check_password(factories.PASSWORD)


def test_no_log_shows_the_secret_of_a_link(owner: Person, capfd: Any) -> None:
    ask(owner.user.email)
    link = link_in(deliver()[0])
    capfd.readouterr()
    Client().get(link)
    logged = capfd.readouterr().out
    assert "/admin/reset/" in logged
    assert link.split("/")[4] not in logged


def test_the_page_of_a_link_has_no_secret_in_its_address_and_is_not_kept(owner: Person) -> None:
    ask(owner.user.email)
    link = link_in(deliver()[0])
    browser = Client()
    page = browser.get(open_link(browser, link))
    assert link.split("/")[4] not in page.request["PATH_INFO"]
    assert "no-store" in page["Cache-Control"]
    assert page["Referrer-Policy"] == "same-origin"


# --- Changing one's own ---------------------------------------------------------------------------


def test_changing_ones_own_ends_the_others_and_is_recorded(
    sign_in: SignIn, api: Api, owner: Person
) -> None:
    here, elsewhere = sign_in(owner.user), sign_in(owner.user)
    typed = {"old_password": factories.PASSWORD, **CHOSEN}
    assert here.post(CHANGE, typed)["Location"] == "/admin/password_change/done/"
    assert here.get("/admin/password_change/done/").status_code == 200
    assert elsewhere.get("/admin/").status_code == 302
    assert api.get("/api/auth/me", owner.with_token).status_code == 401
    assert AuditEvent.objects.get(action="user.password_change").user_id == owner.user.id


def test_the_old_one_is_asked_for(sign_in: SignIn, owner: Person) -> None:
    response = sign_in(owner.user).post(CHANGE, {"old_password": "wrong", **CHOSEN})
    assert response.status_code == 200
    assert User.objects.get(pk=owner.user.pk).check_password(factories.PASSWORD)
    assert Client().post(CHANGE, {"old_password": "x", **CHOSEN}).status_code == 302
    assert mail.outbox == []

"""Signing in to the back office: lock-out, sessions, their ends, and the headers of its pages."""

import html
import re
import time
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests import factories
from tests.cast import Person
from tests.workspaces.conftest import SignIn
from workspaces.models import ApiKey, AuditEvent, User
from workspaces.tasks import clean_up_sessions

LOGIN = "/admin/login/"


@pytest.fixture
def operator(owner: Person) -> User:
    User.objects.filter(pk=owner.user.pk).update(is_staff=True)
    return owner.user


def log_in(email: str, password: str = factories.PASSWORD, browser: Client | None = None) -> Any:
    return (browser or Client()).post(LOGIN, {"username": email, "password": password})


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


# --- Lock-out -------------------------------------------------------------------------------------


def test_five_failures_lock_and_the_page_says_until_when(operator: User) -> None:
    for _ in range(4):
        assert log_in(operator.email, "wrong").status_code == 200
    log_in(operator.email, "wrong")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=5))

    response = log_in(operator.email)
    assert response.status_code == 429
    assert 9 * 60 < int(response["Retry-After"]) <= 10 * 60
    page = text_of(response)
    assert "Try again in <strong>10 minutes</strong>" in page
    assert 'href="/admin/password_reset/"' in page
    assert "unfold/css/styles.css" in page
    assert "script-src 'self'" in response["Content-Security-Policy"]


def test_an_unknown_address_is_locked_like_a_known_one(operator: User) -> None:
    pages = []
    for email in (operator.email, "nobody@example.com"):
        for _ in range(5):
            log_in(email, "wrong")
        page = text_of(log_in(email, "wrong")).replace(email, "")
        pages.append(re.sub(r"at \d+ \w+ \d+, [\d:]+ UTC", "", page))
    assert pages[0] == pages[1]


# --- Sessions -------------------------------------------------------------------------------------


def test_who_comes_in_is_recorded_once(operator: User) -> None:
    browser = Client()
    log_in(operator.email, "wrong", browser)
    log_in(operator.email, browser=browser)
    browser.get(LOGIN)
    event = AuditEvent.objects.get()
    assert (event.action, event.user_id, event.ip) == ("session.create", operator.id, "127.0.0.1")
    assert event.credential_kind == "session"


def test_the_session_of_before_is_not_the_one_of_after(operator: User) -> None:
    """Nobody signs somebody in to a session that they prepared."""
    browser = Client()
    session = browser.session
    session["planted"] = True
    session.save()
    planted = str(session.session_key)
    browser.cookies[settings.SESSION_COOKIE_NAME] = planted
    log_in(operator.email, browser=browser)
    assert browser.cookies[settings.SESSION_COOKIE_NAME].value != planted
    assert not Session.objects.filter(pk=planted).exists()


def test_the_cookies_are_out_of_reach_of_scripts_and_other_sites(operator: User) -> None:
    browser = Client()
    browser.get(LOGIN)
    log_in(operator.email, browser=browser)
    for name in (settings.SESSION_COOKIE_NAME, "csrftoken"):
        assert browser.cookies[name]["httponly"], name
        assert browser.cookies[name]["samesite"] == "Lax", name
    assert browser.cookies[settings.SESSION_COOKIE_NAME]["max-age"] == settings.SESSION_COOKIE_AGE


def test_a_deactivated_person_is_out_with_the_next_page(sign_in: SignIn, operator: User) -> None:
    browser = sign_in(operator)
    assert browser.get("/admin/").status_code == 200
    User.objects.filter(pk=operator.pk).update(is_active=False)
    assert browser.get("/admin/").status_code == 302


def test_a_session_is_stored_anew_when_half_of_its_time_is_over(
    sign_in: SignIn, operator: User
) -> None:
    browser = sign_in(operator)
    browser.get("/admin/")
    half = settings.SESSION_COOKIE_AGE / 2

    def visit(age: float, **headers: str) -> list[str]:
        """The statements about sessions that change something, so long after the last renewal."""
        session = browser.session
        session["renewed_at"] = time.time() - age
        session.save()
        Session.objects.update(expire_date=timezone.now() + timedelta(minutes=1))
        with CaptureQueriesContext(connection) as sent:
            browser.get("/admin/workspaces/workspace/", headers=headers)
        statements = [query["sql"] for query in sent if "django_session" in query["sql"]]
        return [sql for sql in statements if sql.startswith(("UPDATE", "INSERT"))]

    assert visit(half - 60) == []
    assert visit(half + 60, **{"HX-Request": "true"}) == []  # a page that nobody looks at
    assert len(visit(half + 60)) == 1
    left = Session.objects.get().expire_date - timezone.now()
    assert left > timedelta(seconds=settings.SESSION_COOKIE_AGE - 60)


def test_ended_sessions_are_forgotten(sign_in: SignIn, owner: Person, stranger: Person) -> None:
    sign_in(owner.user)
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    sign_in(stranger.user)
    clean_up_sessions(timestamp=0)
    assert Session.objects.count() == 1


# --- Headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/admin/",
        "/admin/workspaces/apikey/",
        "/admin/workspaces/apikey/add/",
        "/admin/workspaces/membership/add/",
        "/admin/workspaces/user/",
        "/admin/password_change/",
        LOGIN,
        "/admin/password_reset/",
        "/admin/password_reset/done/",
        "/admin/reset/x/y/",
        "/admin/reset/done/",
        "/admin/nowhere/",
    ],
)
def test_every_page_is_held_to_a_policy(staff: Client, path: str) -> None:
    browser = Client() if path == LOGIN else staff
    response = browser.get(path)
    policy = dict(
        part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";")
    )
    assert "unsafe-inline" not in policy["script-src"]
    assert policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["X-Content-Type-Options"] == "nosniff"
    page = response.content.decode()
    assert "<script>" not in page
    for handler in (" onclick=", " onload=", " onfocus=", " onsubmit=", " onchange="):
        assert handler not in page


def test_a_new_key_is_shown_by_a_page_with_the_policy(staff: Client, owner: Person) -> None:
    key = {
        "workspace": owner.workspace.id,
        "created_by": owner.user.id,
        "name": "x",
        "scopes": "calling:read",
        "expires": "30",
    }
    response = staff.post("/admin/workspaces/apikey/add/", key)
    assert ApiKey.objects.filter(name="x").exists()
    assert (
        "unsafe-inline"
        not in response["Content-Security-Policy"].split("script-src")[1].split(";")[0]
    )
    assert "onfocus" not in response.content.decode()

"""POST /api/auth/login and /logout, GET /api/auth/me, and the throttle in front of passwords."""

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from tests import factories
from tests.cast import Api, Person
from tests.envelope import checked
from tests.factories import PASSWORD
from workspaces.models import AccessToken, Membership, User, Workspace
from workspaces.services.logins import delete_expired_tokens

LOGIN, LOGOUT, ME = "/api/auth/login", "/api/auth/logout", "/api/auth/me"
LIMIT = 5


def log_in(api: Api, email: str, password: str = PASSWORD, **more: Any) -> Any:
    return api.post(LOGIN, {"email": email, "password": password, **more})


def bearer(response: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {checked(response, 200)['data']['token']}"}


# --- Logging in -----------------------------------------------------------------------------------


def test_the_token_that_a_login_answers_works(api: Api, owner: Person) -> None:
    before = timezone.now()
    response = log_in(api, owner.user.email)

    body = checked(response, 200)
    assert body["message"] == "Logged in successfully"
    assert list(body["data"]) == ["token", "userId", "workspaceId", "expiresAt"]
    assert body["data"]["userId"] == owner.user.id
    assert body["data"]["workspaceId"] == owner.workspace.id
    expires_at = parse_datetime(body["data"]["expiresAt"])
    lifetime = settings.ACCESS_TOKEN_LIFETIME
    assert expires_at is not None
    assert abs(expires_at - before - lifetime) < timedelta(minutes=1)
    assert checked(api.get(ME, bearer(response)))["data"]["user"]["_id"] == owner.user.id


def test_each_login_is_a_token_of_its_own_and_the_text_is_not_stored(
    api: Api, owner: Person
) -> None:
    texts = {checked(log_in(api, owner.user.email))["data"]["token"] for _ in range(2)}
    assert len(texts) == 2
    stored = str(list(AccessToken.objects.values()))
    assert not [text for text in texts if text in stored or text.rpartition("_")[2] in stored]


@pytest.mark.parametrize("change", [str.upper, str.title, lambda email: f"  {email} "])
def test_the_case_of_an_email_does_not_matter(api: Api, owner: Person, change: Any) -> None:
    checked(log_in(api, change(owner.user.email)), 200)


@pytest.mark.parametrize(
    "password", [PASSWORD.upper(), f" {PASSWORD}", f"{PASSWORD} ", PASSWORD[:-1]]
)
def test_a_password_is_taken_to_the_letter(api: Api, owner: Person, password: str) -> None:
    checked(log_in(api, owner.user.email, password), 401)


def test_a_known_and_an_unknown_email_get_identical_answers(api: Api, owner: Person) -> None:
    inactive = factories.UserFactory.create(is_active=False)
    no_password = factories.UserFactory.create(password=None)
    emails = (owner.user.email, "nobody@example.com", "no e-mail", no_password.email)
    bodies = [checked(log_in(api, email, "wrong"), 401) for email in emails]
    bodies.append(checked(log_in(api, inactive.email, PASSWORD), 401))
    bodies.append(checked(log_in(api, no_password.email, "!"), 401))
    assert all(body == bodies[0] for body in bodies)


def test_both_pay_for_hashing_a_password(
    api: Api, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The duration would otherwise tell which e-mails exist."""
    hashed = []
    encode = MD5PasswordHasher.encode

    def counted(self: Any, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    for email in (owner.user.email, "nobody@example.com"):
        checked(log_in(api, email, "wrong"), 401)
    assert hashed == ["wrong", "wrong"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("email", "required"), ("password", "required")]),
        ({"email": "x"}, [("password", "required")]),
        ({"email": 7, "password": PASSWORD}, [("email", "invalid")]),
        ({"email": None, "password": PASSWORD}, [("email", "null")]),
        ({"email": "x", "password": ["y"]}, [("password", "invalid")]),
        ({"email": "x", "password": ""}, [("password", "blank")]),
        ({"email": "x" * 255, "password": "y"}, [("email", "max_length")]),
        ({"email": "x", "password": "y" * 1025}, [("password", "max_length")]),
        ({"email": "x", "password": "y", "workspaceId": "z"}, [("workspaceId", "invalid_id")]),
        (
            {"email": "x", "passwort": "y"},
            [("password", "required"), ("passwort", "unknown_field")],
        ),
    ],
    ids=str,
)
def test_a_malformed_login(api: Api, db: None, body: Any, expected: list[tuple[str, str]]) -> None:
    answer = checked(api.post(LOGIN, body), 400)
    assert [(error["field"], error["code"]) for error in answer["data"]["errors"]] == expected
    assert "y" * 1025 not in str(answer)


# --- Workspaces -----------------------------------------------------------------------------------


def test_a_member_of_several_workspaces_names_one(
    api: Api, owner: Person, stranger: Person
) -> None:
    Workspace.objects.filter(id=owner.workspace.id).update(name="A")
    Workspace.objects.filter(id=stranger.workspace.id).update(name="B")
    factories.MembershipFactory.create(user=owner.user, workspace=stranger.workspace)

    answer = checked(log_in(api, owner.user.email), 400)
    assert answer["data"]["errors"][0]["field"] == "workspaceId"
    assert answer["data"]["errors"][0]["code"] == "several_workspaces"
    assert answer["data"]["workspaces"] == [
        {"workspaceId": owner.workspace.id, "name": "A"},
        {"workspaceId": stranger.workspace.id, "name": "B"},
    ]

    for workspace in (owner.workspace, stranger.workspace):
        response = log_in(api, owner.user.email, workspaceId=workspace.id)
        assert checked(response, 200)["data"]["workspaceId"] == workspace.id
        me = checked(api.get(ME, bearer(response)))["data"]
        assert me["workspace"]["_id"] == workspace.id


def test_a_suspended_workspace_does_not_count(api: Api, owner: Person, stranger: Person) -> None:
    factories.MembershipFactory.create(user=owner.user, workspace=stranger.workspace)
    Workspace.objects.filter(id=stranger.workspace.id).update(is_active=False)
    answer = checked(log_in(api, owner.user.email), 200)
    assert answer["data"]["workspaceId"] == owner.workspace.id
    checked(log_in(api, owner.user.email, workspaceId=stranger.workspace.id), 403)


def test_a_workspace_that_one_does_not_belong_to_reads_like_none(
    api: Api, owner: Person, stranger: Person
) -> None:
    Workspace.objects.create(
        id="64e5f12345abcdef98765432",
        name="S",
        is_active=False,
        created_at=timezone.now(),
        updated_at=timezone.now(),
    )
    ids = (stranger.workspace.id, "64e5f12345abcdef98765432", "64e5f12345abcdef00000000")
    bodies = [checked(log_in(api, owner.user.email, workspaceId=id_), 403) for id_ in ids]
    assert all(body == bodies[0] for body in bodies)


def test_a_user_without_a_workspace_gets_no_token(api: Api, owner: Person) -> None:
    Membership.objects.all().delete()
    checked(log_in(api, owner.user.email), 403)
    assert AccessToken.objects.count() == 1  # the cast's


def test_whoever_does_not_know_the_password_learns_no_workspaces(
    api: Api, owner: Person, stranger: Person
) -> None:
    factories.MembershipFactory.create(user=owner.user, workspace=stranger.workspace)
    response = log_in(api, owner.user.email, "wrong")
    checked(response, 401)
    assert owner.workspace.id not in response.content.decode()


# --- Logging out ----------------------------------------------------------------------------------


def test_logging_out_ends_this_token_and_no_other(api: Api, owner: Person) -> None:
    mine = bearer(log_in(api, owner.user.email))
    body = checked(api.post(LOGOUT, headers=mine), 200)
    assert (body["message"], body["data"]) == ("Logged out successfully", None)
    checked(api.get(ME, mine), 401)
    checked(api.post(LOGOUT, headers=mine), 401)
    checked(api.get(ME, owner.with_token), 200)


# --- Who am I? ------------------------------------------------------------------------------------


def test_me_with_a_token(api: Api, owner: Person) -> None:
    data = checked(api.get(ME, owner.with_token), 200)["data"]
    assert list(data) == ["user", "workspace", "role"]
    assert data["user"] == {"_id": owner.user.id, "email": owner.user.email, "name": "Somebody"}
    assert data["workspace"] == checked(api.get("/api/workspace", owner.with_token))["data"]
    assert data["role"] == "owner"


def test_me_with_a_key(api: Api, owner: Person) -> None:
    data = checked(api.get(ME, owner.with_read_key), 200)["data"]
    assert list(data) == ["user", "workspace", "apiKey"]
    assert data["apiKey"]["scopes"] == ["calling:read"]
    assert data["apiKey"]["prefix"] == owner.read_key.rpartition("_")[0]
    assert owner.read_key not in str(data)


def test_old_expired_tokens_are_forgotten(owner: Person) -> None:
    now = timezone.now()
    AccessToken.objects.all().delete()
    for days in (-40, -20, 20):
        factories.AccessTokenFactory.create(
            workspace=owner.workspace, user=owner.user, expires_at=now + timedelta(days)
        )
    assert delete_expired_tokens(before=now - timedelta(days=30)) == 1
    assert AccessToken.objects.count() == 2


# --- The throttle ---------------------------------------------------------------------------------


def fail(api: Api, email: str, times: int) -> list[int]:
    return [log_in(api, email, "wrong").status_code for _ in range(times)]


def test_five_failures_lock_even_the_right_password_out(api: Api, owner: Person) -> None:
    assert fail(api, owner.user.email, LIMIT)[:-1] == [401] * (LIMIT - 1)
    response = log_in(api, owner.user.email)
    assert "Too many" in checked(response, 429)["errorMessage"]
    assert 0 < int(response["Retry-After"]) <= 15 * 60
    assert AccessToken.objects.filter(user=owner.user).count() == 1


def test_four_failures_do_not_lock_and_a_success_resets(api: Api, owner: Person) -> None:
    for _ in range(3):
        assert fail(api, owner.user.email, LIMIT - 1) == [401] * (LIMIT - 1)
        checked(log_in(api, owner.user.email), 200)


def test_an_unknown_email_is_locked_like_a_known_one(api: Api, owner: Person) -> None:
    times = LIMIT + 2
    assert fail(api, "nobody@example.com", times) == fail(api, owner.user.email, times)
    known, unknown = (log_in(api, email) for email in (owner.user.email, "nobody@example.com"))
    assert checked(known, 429) == checked(unknown, 429)


def test_every_spelling_of_an_email_is_counted_as_one(api: Api, owner: Person) -> None:
    email = owner.user.email
    for spelling in (email.upper(), email.title(), f" {email}", f"{email} ", email):
        log_in(api, spelling, "wrong")
    checked(log_in(api, email), 429)


def test_a_lock_is_for_one_email_and_one_address(api: Api, owner: Person, member: Person) -> None:
    fail(api, owner.user.email, LIMIT)
    checked(log_in(api, member.user.email), 200)
    elsewhere = Client(REMOTE_ADDR="203.0.113.7")
    body = {"email": owner.user.email, "password": PASSWORD}
    checked(elsewhere.post(LOGIN, body, "application/json"), 200)
    checked(log_in(api, owner.user.email), 429)


def test_a_lock_ends_with_its_time(api: Api, owner: Person) -> None:
    fail(api, owner.user.email, LIMIT)
    cooled = timezone.now() - settings.AXES_COOLOFF_TIME - timedelta(seconds=1)
    assert AccessAttempt.objects.update(attempt_time=cooled) == 1
    checked(log_in(api, owner.user.email), 200)


def test_failures_are_counted_in_the_database_for_api_and_back_office_alike(
    api: Api, owner: Person
) -> None:
    User.objects.filter(id=owner.user.id).update(is_staff=True)
    office = Client(raise_request_exception=False)
    form = {"username": owner.user.email.upper(), "password": "wrong"}
    for _ in range(2):
        assert office.post("/admin/login/", form).status_code == 200
    fail(api, owner.user.email, 2)
    assert AccessAttempt.objects.get().failures_since_start == 4

    assert office.post("/admin/login/", form).status_code == 429
    checked(log_in(api, owner.user.email), 429)
    assert office.post("/admin/login/", {**form, "password": PASSWORD}).status_code == 429


def test_no_password_is_kept_with_a_failure(api: Api, owner: Person) -> None:
    log_in(api, owner.user.email, "my secret guess")
    Client().post("/admin/login/", {"username": owner.user.email, "password": "my other guess"})
    kept = str(list(AccessAttempt.objects.values()))
    assert owner.user.email in kept
    assert "guess" not in kept

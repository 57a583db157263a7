"""Which credential decides, what makes it good, and what its use leaves behind."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.cast import Api, Person, person
from tests.envelope import checked
from workspaces.callers import Actor, Caller, Role, Scope
from workspaces.credentials import CredentialPrefix, public_id_of
from workspaces.lookups import find_credential, touch_credential
from workspaces.models import AccessToken, ApiKey, Membership, User, Workspace
from workspaces.permissions import Access

ME = "/api/auth/me"
both_kinds = pytest.mark.parametrize(
    ("credential", "model"),
    [("with_key", ApiKey), ("with_read_key", ApiKey), ("with_token", AccessToken)],
)


def who(response: Any) -> tuple[str, str]:
    data = checked(response, 200)["data"]
    return data["user"]["_id"], data["workspace"]["_id"]


# --- Which one decides ----------------------------------------------------------------------------


def test_the_key_decides_when_both_are_sent(api: Api, owner: Person, stranger: Person) -> None:
    assert who(api.get(ME, {**owner.with_token, **stranger.with_key})) == (
        stranger.user.id,
        stranger.workspace.id,
    )
    assert who(api.get(ME, {**owner.with_key, **stranger.with_token})) == (
        owner.user.id,
        owner.workspace.id,
    )


@pytest.mark.parametrize("bad_key", ["", " ", "nonsense", "odk_live_"])
def test_a_bad_key_is_not_saved_by_a_good_token(api: Api, owner: Person, bad_key: str) -> None:
    checked(api.get(ME, {**owner.with_token, "x-api-key": bad_key}), 401)


def test_a_good_key_is_not_spoilt_by_a_bad_token(api: Api, owner: Person) -> None:
    checked(api.get(ME, {**owner.with_key, "Authorization": "Bearer nonsense"}), 200)


@pytest.mark.parametrize("template", ["Bearer {}", "bearer {}", "BEARER {}", "Bearer   {}"])
def test_the_scheme_is_read_as_http_has_it(api: Api, owner: Person, template: str) -> None:
    assert who(api.get(ME, {"Authorization": template.format(owner.token)}))[0] == owner.user.id


@pytest.mark.parametrize(
    "template",
    ["{}", "Token {}", "Bearer{}", "Bearer: {}", "Bearer {} x", "Bearer {0},{0}", "Bearer\t{}"],
)
def test_any_other_scheme_is_no_credential(api: Api, owner: Person, template: str) -> None:
    checked(api.get(ME, {"Authorization": template.format(owner.token)}), 401)


def test_the_first_and_the_last_of_a_key_count(api: Api, owner: Person) -> None:
    for key in (owner.key[1:], owner.key[:-1], owner.key + "x", owner.key.swapcase()):
        checked(api.get(ME, {"x-api-key": key}), 401)


# --- What makes it good ---------------------------------------------------------------------------


@both_kinds
@pytest.mark.parametrize("field", ["expires_at", "revoked_at"])
def test_an_ended_credential_is_refused_from_that_moment(
    api: Api, owner: Person, credential: str, model: Any, field: str
) -> None:
    headers = getattr(owner, credential)
    checked(api.get(ME, headers), 200)
    model.objects.update(**{field: timezone.now()})
    checked(api.get(ME, headers), 401)


@both_kinds
def test_one_that_expires_later_is_good(
    api: Api, owner: Person, credential: str, model: Any
) -> None:
    model.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
    checked(api.get(ME, getattr(owner, credential)), 200)


@both_kinds
def test_the_credential_of_an_inactive_or_former_member_is_refused(
    api: Api, owner: Person, credential: str, model: Any
) -> None:
    headers = getattr(owner, credential)
    User.objects.filter(id=owner.user.id).update(is_active=False)
    checked(api.get(ME, headers), 401)
    User.objects.filter(id=owner.user.id).update(is_active=True)
    checked(api.get(ME, headers), 200)
    Membership.objects.filter(user=owner.user).delete()
    checked(api.get(ME, headers), 401)


@both_kinds
def test_membership_of_another_workspace_does_not_help(
    api: Api, owner: Person, stranger: Person, credential: str, model: Any
) -> None:
    Membership.objects.filter(user=owner.user).update(workspace=stranger.workspace)
    checked(api.get(ME, getattr(owner, credential)), 401)


@both_kinds
def test_a_suspended_workspace_is_a_403_and_comes_back(
    api: Api, owner: Person, stranger: Person, credential: str, model: Any
) -> None:
    mine = Workspace.objects.filter(id=owner.workspace.id)
    mine.update(is_active=False)
    assert "suspended" in checked(api.get(ME, getattr(owner, credential)), 403)["errorMessage"]
    checked(api.get(ME, getattr(stranger, credential)), 200)
    mine.update(is_active=True)
    checked(api.get(ME, getattr(owner, credential)), 200)


def test_a_bad_credential_does_not_learn_that_the_workspace_is_suspended(
    api: Api, owner: Person
) -> None:
    Workspace.objects.update(is_active=False)
    ApiKey.objects.update(revoked_at=timezone.now())
    checked(api.get(ME, owner.with_key), 401)


@both_kinds
def test_x_workspace_id_must_be_the_credentials_own(
    api: Api, owner: Person, stranger: Person, credential: str, model: Any
) -> None:
    headers = getattr(owner, credential)
    checked(api.get(ME, {**headers, "x-workspace-id": owner.workspace.id}), 200)
    wrong = [stranger.workspace.id, owner.workspace.id.upper(), "nonsense", ""]
    bodies = [checked(api.get(ME, {**headers, "x-workspace-id": one}), 403) for one in wrong]
    assert all(body == bodies[0] for body in bodies)


# --- Last use -------------------------------------------------------------------------------------


def last_uses() -> set[Any]:
    return {row.last_used_at for model in (ApiKey, AccessToken) for row in model.objects.all()}


@both_kinds
def test_the_last_use_is_written_at_most_once_a_minute(
    api: Api, owner: Person, credential: str, model: Any
) -> None:
    now = timezone.now()
    for age, written in (
        (None, True),
        (timedelta(seconds=50), False),
        (timedelta(minutes=1), True),
    ):
        before = None if age is None else now - age
        model.objects.update(last_used_at=before)
        checked(api.get(ME, getattr(owner, credential)), 200)
        after = last_uses() - {before, None}
        assert bool(after) is written
        assert all(now <= moment <= timezone.now() for moment in after)


def test_only_the_credential_that_was_used_was_used(api: Api, owner: Person) -> None:
    checked(api.get(ME, owner.with_key), 200)
    used = ApiKey.objects.exclude(last_used_at=None).get()
    assert used.public_id in owner.key
    assert AccessToken.objects.get().last_used_at is None


def test_a_refused_credential_leaves_no_trace_of_use(api: Api, owner: Person) -> None:
    ApiKey.objects.update(revoked_at=timezone.now())
    for headers in (owner.with_key, {"x-api-key": owner.key[:-1] + "x"}):
        checked(api.get(ME, headers), 401)
    assert last_uses() == {None}


def test_of_two_uses_at_once_one_writes(owner: Person) -> None:
    public_id = public_id_of(owner.key, CredentialPrefix.API_KEY)
    now = timezone.now()
    row = find_credential(CredentialPrefix.API_KEY, public_id or "", now=now, last_touch=now)
    assert row is not None
    assert row.is_touch_due
    for moment in (now, now + timedelta(seconds=1)):
        touch_credential(
            CredentialPrefix.API_KEY, row.credential_id, now - timedelta(minutes=1), moment
        )
    assert ApiKey.objects.get(public_id=public_id).last_used_at == now


def test_a_request_costs_one_statement_to_authenticate(
    api: Api, owner: Person, statements: CaptureQueriesContext
) -> None:
    """And one more, the UPDATE of the last use, in the first request of a minute."""
    sent = []
    for _ in range(2):
        before = len(statements)
        checked(api.get("/api/call/batches/malformed", owner.with_read_key), 400)
        sent.append([query["sql"].split()[0] for query in statements.captured_queries[before:]])
    assert sent == [["SELECT", "UPDATE"], ["SELECT"]]


# --- A connection that died in between ------------------------------------------------------------


def kill_our_connection() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    parameters = connection.get_connection_params()
    names = ("dbname", "host", "port", "user", "password")
    place: dict[str, Any] = {name: parameters.get(name) for name in names}
    with psycopg.connect(**place) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


@pytest.mark.django_db(transaction=True)
def test_a_database_that_was_restarted_between_requests_is_not_noticed(
    api: Api, owner: Person
) -> None:
    checked(api.get(ME, owner.with_key), 200)
    kill_our_connection()
    checked(api.get(ME, owner.with_key), 200)


def test_inside_a_transaction_nothing_is_tried_twice(
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def fail(*_: Any) -> None:
        tries.append(1)
        raise OperationalError("gone")

    monkeypatch.setattr("workspaces.lookups.fetch_row", fail)
    now = timezone.now()
    with pytest.raises(OperationalError):
        find_credential(CredentialPrefix.API_KEY, "x" * 12, now=now, last_touch=now)
    assert len(tries) == 1


# --- Scopes and roles -----------------------------------------------------------------------------

MANAGE, READ = Scope.MANAGE.value, Scope.READ.value
CALLERS: dict[str, tuple[Role, set[str] | None]] = {
    "manage key": (Role.OWNER, {MANAGE}),
    "manage key of a member": (Role.MEMBER, {MANAGE}),
    "read key": (Role.OWNER, {READ}),
    "key with both": (Role.OWNER, {MANAGE, READ}),
    "key with none": (Role.OWNER, set()),
    "owner": (Role.OWNER, None),
    "admin": (Role.ADMIN, None),
    "member": (Role.MEMBER, None),
}
MANAGE_KEYS = {"manage key", "manage key of a member", "key with both"}
ALLOWED: dict[Access, set[str]] = {
    Access.PUBLIC: set(),  # nobody is asked
    Access.ANY: set(CALLERS),
    Access.READ: MANAGE_KEYS | {"read key", "owner", "admin", "member"},
    Access.WRITE: MANAGE_KEYS | {"owner", "admin", "member"},
    Access.STEER: MANAGE_KEYS | {"owner", "admin"},
    Access.KEYS: {"owner", "admin"},
    Access.TOKEN: {"owner", "admin", "member"},
}


@pytest.mark.parametrize("access", [access for access in Access if access is not Access.PUBLIC])
@pytest.mark.parametrize("name", CALLERS)
def test_each_access_lets_in_whom_it_names(access: Access, name: str) -> None:
    role, scopes = CALLERS[name]
    caller = Caller(
        workspace_id="",
        workspace_timezone="UTC",
        user_id="",
        role=role,
        scopes=None if scopes is None else frozenset(scopes),
        credential_id="",
        actor=Actor(),
    )
    assert access.allows(caller) is (name in ALLOWED[access])


def test_each_role_says_so_over_http(api: Api, owner: Person) -> None:
    for role in Role:
        somebody = person(owner.workspace, role)
        assert checked(api.get(ME, somebody.with_token), 200)["data"]["role"] == role.value

"""Keys, tokens, members and suspension of a sandbox: its own credentials, everybody else's people."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests import factories
from tests.cast import Api, Person, in_sandbox
from tests.envelope import checked
from workspaces.callers import Actor, Role
from workspaces.credentials import CREDENTIAL_IN_TEXT, CredentialPrefix, mint
from workspaces.models import AccessToken, ApiKey, AuditEvent, Membership, Workspace
from workspaces.services.workspaces import update_workspace

KEYS, ME, MEMBERS = "/api/workspace/api-keys", "/api/auth/me", "/api/workspace/members"


@pytest.fixture
def inside(owner: Person) -> Person:
    return in_sandbox(owner)


def create(api: Api, who: Person, **changes: Any) -> Any:
    body = {"name": "CRM", "scopes": ["calling:manage"], **changes}
    return api.post(KEYS, body, who.with_token)


def error_of(response: Any, status: int = 400) -> tuple[str, str]:
    error = checked(response, status)["data"]["errors"][0]
    return error["field"], error["code"]


# --- Keys -----------------------------------------------------------------------------------------


def test_a_test_key_is_made_live_and_works_in_the_sandbox_alone(
    api: Api, owner: Person, inside: Person
) -> None:
    made = checked(create(api, owner, environment="test"), 201)["data"]

    assert made["environment"] == "test"
    assert made["apiKey"].startswith(f"{made['prefix']}_")
    assert made["prefix"].startswith("odk_test_")
    me = checked(api.get(ME, {"x-api-key": made["apiKey"]}), 200)["data"]
    assert me["workspace"]["_id"] == inside.workspace.id
    assert (me["workspace"]["environment"], me["workspace"]["sandboxId"]) == ("test", None)
    assert me["apiKey"]["environment"] == "test"
    event = AuditEvent.objects.get(action="apikey.create", target_id=made["_id"])
    assert event.workspace_id == inside.workspace.id
    assert event.changes["key"] == made["prefix"]
    asked = {"x-api-key": made["apiKey"], "x-workspace-id": owner.workspace.id}
    checked(api.get(ME, asked), 403)


def test_the_live_workspace_names_its_sandbox_and_makes_live_keys(
    api: Api, owner: Person, inside: Person
) -> None:
    workspace = checked(api.get("/api/workspace", owner.with_token), 200)["data"]
    assert (workspace["environment"], workspace["sandboxId"]) == ("live", inside.workspace.id)
    for asked in ({}, {"environment": "live"}):
        made = checked(create(api, owner, **asked), 201)["data"]
        assert (made["environment"], made["apiKey"][:9]) == ("live", "odk_live_")
    assert error_of(create(api, owner, environment="sandbox")) == ("environment", "invalid_choice")


def test_keys_are_listed_by_environment_and_revoked_in_both(
    api: Api, owner: Person, inside: Person
) -> None:
    def listed(who: Person, **query: str) -> set[str]:
        rows = checked(api.get(KEYS, who.with_token, **query), 200)["data"]["apiKeys"]
        assert {row["prefix"][:8] for row in rows} <= {f"odk_{row['environment']}" for row in rows}
        return {row["_id"] for row in rows}

    def keys_of(who: Person) -> set[str]:
        return set(ApiKey.objects.for_workspace(who.workspace.id).values_list("id", flat=True))

    assert listed(owner) == listed(owner, environment="live") == keys_of(owner)
    assert listed(owner, environment="test") == keys_of(inside)
    assert listed(inside) == listed(inside, environment="test") == keys_of(inside)

    key = ApiKey.objects.for_workspace(inside.workspace.id).order_by("id")[0]
    assert checked(api.get(ME, inside.with_key), 200)
    checked(api.request("DELETE", f"{KEYS}/{key.id}", None, owner.with_token), 200)
    checked(api.get(ME, inside.with_key), 401)
    event = AuditEvent.objects.get(action="apikey.revoke")
    assert (event.workspace_id, event.changes["key"]) == (inside.workspace.id, key.prefix)


def test_a_sandbox_never_speaks_of_what_is_live(api: Api, owner: Person, inside: Person) -> None:
    refused = ("environment", "sandbox_stays_inside")
    assert error_of(create(api, inside, environment="live")) == refused
    assert error_of(api.get(KEYS, inside.with_token, environment="live")) == refused
    assert checked(create(api, inside), 201)["data"]["apiKey"].startswith("odk_test_")

    live = ApiKey.objects.for_workspace(owner.workspace.id).first()
    assert live is not None
    checked(api.request("DELETE", f"{KEYS}/{live.id}", None, inside.with_token), 404)
    assert not ApiKey.objects.exclude(revoked_at=None).exists()


def test_a_workspace_without_a_sandbox_says_so(api: Api, owner: Person) -> None:
    assert error_of(create(api, owner, environment="test")) == ("environment", "no_sandbox")
    assert checked(api.get("/api/workspace", owner.with_key), 200)["data"]["sandboxId"] is None


@pytest.mark.parametrize("is_test", [True, False])
@pytest.mark.parametrize("model", [ApiKey, AccessToken])
def test_a_prefix_that_lies_about_its_world_is_refused(
    api: Api, owner: Person, inside: Person, model: type[Any], is_test: bool
) -> None:
    """However such a row came to be: its text fits its digest, and yet it opens nothing."""
    text, secret = mint(model.TEST_PREFIX if is_test else model.PREFIX)
    row = model.objects.filter(workspace=(owner if is_test else inside).workspace).first()
    stored = {"public_id": secret.public_id, "digest": secret.digest, "pepper": secret.pepper}
    model.objects.filter(id=row.id).update(**stored)

    as_key, as_token = {"x-api-key": text}, {"Authorization": f"Bearer {text}"}
    for headers in (as_key, as_token):
        checked(api.get(ME, headers), 401)
    model.objects.filter(id=row.id).update(
        workspace=(inside if is_test else owner).workspace
    )  # where it says it works
    checked(api.get(ME, as_key if model is ApiKey else as_token), 200)


def test_logs_hide_the_credentials_of_sandboxes() -> None:
    for prefix in CredentialPrefix:
        text, _ = mint(prefix)
        assert CREDENTIAL_IN_TEXT.sub(r"\1_[redacted]", f"x {text}") == f"x {prefix}_[redacted]"


# --- Signing in -----------------------------------------------------------------------------------


def log_in(api: Api, who: Person, **named: str) -> Any:
    body = {"email": who.user.email, "password": factories.PASSWORD, **named}
    return api.post("/api/auth/login", body)


def test_somebody_signs_in_to_a_sandbox_by_its_name_only(
    api: Api, owner: Person, inside: Person, stranger: Person
) -> None:
    live = checked(log_in(api, owner), 200)["data"]
    assert (live["workspaceId"], live["token"][:9]) == (owner.workspace.id, "odt_live_")

    test = checked(log_in(api, owner, workspaceId=inside.workspace.id), 200)["data"]
    assert (test["workspaceId"], test["token"][:9]) == (inside.workspace.id, "odt_test_")
    me = checked(api.get(ME, {"Authorization": f"Bearer {test['token']}"}), 200)["data"]
    assert (me["workspace"]["_id"], me["role"]) == (inside.workspace.id, "owner")
    checked(log_in(api, stranger, workspaceId=inside.workspace.id), 403)


# --- Members --------------------------------------------------------------------------------------


def test_the_members_of_a_sandbox_are_those_of_its_workspace_with_their_roles(
    api: Api, owner: Person, member: Person, inside: Person, stranger: Person
) -> None:
    rows = checked(api.get(MEMBERS, inside.with_key), 200)["data"]["members"]
    assert {row["_id"]: row["role"] for row in rows} == {
        owner.user.id: "owner",
        member.user.id: "member",
    }
    them = in_sandbox(member)
    body = {"name": "CRM", "scopes": ["calling:manage"]}
    checked(api.post(KEYS, body, them.with_token), 403)  # a member manages no keys, here neither
    Membership.objects.filter(user=member.user).update(role=Role.ADMIN)
    checked(api.post(KEYS, body, them.with_token), 201)


def test_members_are_managed_in_the_live_workspace(
    api: Api, owner: Person, member: Person, inside: Person
) -> None:
    before = list(Membership.objects.order_by("id").values())
    one = f"{MEMBERS}/{member.user.id}"
    for method, path, body in (
        ("POST", MEMBERS, {"email": "new@example.com"}),
        ("PATCH", one, {"role": "admin"}),
        ("DELETE", one, None),
    ):
        answer = checked(api.request(method, path, body, inside.with_token), 403)
        assert answer["errorMessage"] == "Members are managed in the live workspace."
    assert list(Membership.objects.order_by("id").values()) == before


def test_whoever_leaves_the_workspace_has_left_its_sandbox_for_good(
    api: Api, owner: Person, member: Person
) -> None:
    them = in_sandbox(member)
    path = f"{MEMBERS}/{member.user.id}"
    checked(api.get(ME, them.with_key), 200)
    checked(api.request("DELETE", path, None, owner.with_token), 200)

    factories.MembershipFactory.create(user=member.user, workspace=owner.workspace)
    for headers in (them.with_key, them.with_token, member.with_key):
        checked(api.get(ME, headers), 401)


# --- Name and suspension --------------------------------------------------------------------------


def change(workspace: Workspace, **changes: Any) -> None:
    now = timezone.now() + timedelta(seconds=1)
    update_workspace(workspace_id=workspace.id, changes=changes, actor=Actor(), now=now)


def test_a_sandbox_is_suspended_with_its_workspace(api: Api, owner: Person, inside: Person) -> None:
    change(owner.workspace, is_active=False)
    for headers in (inside.with_key, inside.with_token):
        checked(api.get(ME, headers), 403)
    checked(log_in(api, owner, workspaceId=inside.workspace.id), 403)
    change(owner.workspace, is_active=True)
    checked(api.get(ME, inside.with_key), 200)


def test_a_sandbox_is_named_after_its_workspace(api: Api, owner: Person, inside: Person) -> None:
    change(owner.workspace, name="N" * 200)
    inside.workspace.refresh_from_db()
    assert inside.workspace.name == "N" * 190 + " (sandbox)"

    path, own = "/api/workspace", {"timezone": "Asia/Tokyo"}
    renamed = api.request("PATCH", path, {"name": "Mine", **own}, inside.with_token)
    assert error_of(renamed) == ("name", "sandbox_name")
    checked(api.request("PATCH", path, own, inside.with_token), 200)
    zones = dict(Workspace.objects.values_list("id", "timezone"))
    assert zones[inside.workspace.id] == "Asia/Tokyo" != zones[owner.workspace.id]

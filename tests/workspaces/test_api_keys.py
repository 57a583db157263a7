"""/api/workspace/api-keys: keys are made, shown once, listed without their secret, revoked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.serializers import serialize
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests import factories
from tests.cast import Api, Person, person
from tests.envelope import checked
from workspaces.callers import Role
from workspaces.ids import is_object_id
from workspaces.models import ApiKey, AuditEvent, Membership

KEYS, ME = "/api/workspace/api-keys", "/api/auth/me"
READ, MANAGE = "calling:read", "calling:manage"
SHOWN = [
    *("_id", "name", "prefix", "scopes", "createdBy", "createdAt", "expiresAt", "lastUsedAt"),
    "environment",
]


def create(api: Api, who: Person, **changes: Any) -> Any:
    return api.post(KEYS, {"name": "CRM", "scopes": [MANAGE]} | changes, who.with_token)


def listed(api: Api, who: Person, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = checked(api.get(KEYS, who.with_token, **query), 200)["data"][
        "apiKeys"
    ]
    return rows


# --- Making one -----------------------------------------------------------------------------------


def test_a_new_key_is_shown_and_works(api: Api, owner: Person) -> None:
    body = checked(create(api, owner, scopes=[READ]), 201)

    assert body["message"] == "API key created successfully"
    data = body["data"]
    *shown, environment = SHOWN
    assert list(data) == [*shown, "apiKey", environment]
    assert is_object_id(data["_id"])
    assert (data["name"], data["scopes"]) == ("CRM", [READ])
    assert data["createdBy"] == owner.user.id
    assert (data["expiresAt"], data["lastUsedAt"]) == (None, None)
    assert data["apiKey"].startswith(f"{data['prefix']}_")
    me = checked(api.get(ME, {"x-api-key": data["apiKey"]}), 200)["data"]
    assert me["apiKey"]["_id"] == data["_id"]
    assert me["user"]["_id"] == owner.user.id


def test_the_key_is_shown_once_and_stored_nowhere(api: Api, owner: Person) -> None:
    text = checked(create(api, owner), 201)["data"]["apiKey"]
    secret = text.rpartition("_")[2]

    seen = [api.get(KEYS, owner.with_token), api.get(ME, {"x-api-key": text})]
    assert not [response for response in seen if secret in response.content.decode()]
    for model in (ApiKey, AuditEvent):
        assert secret not in serialize("json", model.objects.all())
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(k)::text FROM workspaces_apikey AS k")
        assert not [row for row in cursor.fetchall() if secret in row[0]]


def test_scopes_are_stored_once_each_in_order(api: Api, owner: Person) -> None:
    assert checked(create(api, owner, scopes=[READ, MANAGE]))["data"]["scopes"] == [MANAGE, READ]
    assert checked(create(api, owner, scopes=[READ, READ]))["data"]["scopes"] == [READ]


def test_an_expiry_is_kept_and_holds(api: Api, owner: Person) -> None:
    expires_at = "2999-01-01T02:30:00+05:30"
    data = checked(create(api, owner, expiresAt=expires_at), 201)["data"]
    assert data["expiresAt"] == "2998-12-31T21:00:00.000Z"
    headers = {"x-api-key": data["apiKey"]}
    checked(api.get(ME, headers), 200)
    ApiKey.objects.filter(id=data["_id"]).update(expires_at=timezone.now())
    checked(api.get(ME, headers), 401)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": ""}, ("name", "blank")),
        ({"name": "x" * 201}, ("name", "max_length")),
        ({"name": "a\nb"}, ("name", "control_character")),
        ({"name": 7}, ("name", "invalid")),
        ({"scopes": []}, ("scopes", "empty")),
        ({"scopes": None}, ("scopes", "null")),
        ({"scopes": MANAGE}, ("scopes", "not_a_list")),
        ({"scopes": ["calling"]}, ("scopes[0]", "invalid_choice")),
        ({"scopes": [MANAGE, "*"]}, ("scopes[1]", "invalid_choice")),
        ({"scopes": [MANAGE, READ, READ]}, ("scopes", "max_length")),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, ("expiresAt", "not_in_future")),
        ({"expiresAt": "2999-01-01T00:00:00"}, ("expiresAt", "invalid")),
        ({"expiresAt": "soon"}, ("expiresAt", "invalid")),
        ({"expiresAt": 4102444800}, ("expiresAt", "invalid")),
        ({"expiresAt": None}, ("expiresAt", "null")),
        ({"expiresAt": "9999-12-31T23:59:59-12:00"}, ("expiresAt", "invalid")),
        ({"expiresAt": "2999-01-01"}, ("expiresAt", "invalid")),
        ({"expires_at": "2999-01-01T00:00:00Z"}, ("expires_at", "unknown_field")),
    ],
    ids=lambda value: str(value)[:50],
)
def test_each_rule_names_its_field(
    api: Api, owner: Person, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    error = checked(create(api, owner, **changes), 400)["data"]["errors"][0]
    assert (error["field"], error["code"]) == expected
    assert ApiKey.objects.count() == 2  # the cast's


def test_a_key_acts_as_its_creator_whatever_the_body_says(
    api: Api, owner: Person, member: Person
) -> None:
    for name in ("createdBy", "userId", "created_by", "workspaceId"):
        checked(create(api, owner, **{name: member.user.id}), 400)


# --- Who may --------------------------------------------------------------------------------------


def test_an_admin_may_and_a_member_or_a_key_may_not(
    api: Api, owner: Person, member: Person
) -> None:
    admin = person(owner.workspace, Role.ADMIN)
    checked(create(api, admin), 201)
    key = ApiKey.objects.filter(created_by=owner.user).first()
    assert key is not None
    for headers in (member.with_token, member.with_key, owner.with_key, owner.with_read_key):
        checked(api.get(KEYS, headers), 403)
        checked(api.post(KEYS, {"name": "x", "scopes": [READ]}, headers), 403)
        checked(api.request("DELETE", f"{KEYS}/{key.id}", headers=headers), 403)
    checked(api.get(ME, owner.with_key), 200)


def test_a_demotion_counts_at_once(api: Api, owner: Person) -> None:
    admin = person(owner.workspace, Role.ADMIN)
    checked(create(api, admin), 201)
    Membership.objects.filter(user=admin.user).update(role=Role.MEMBER)
    checked(create(api, admin), 403)


# --- The list -------------------------------------------------------------------------------------


def test_the_list_has_this_workspaces_living_keys_newest_first(
    api: Api, owner: Person, stranger: Person
) -> None:
    ApiKey.objects.filter(workspace=owner.workspace).delete()
    mine = {"workspace": owner.workspace, "created_by": owner.user}
    noon = datetime(2025, 5, 1, 12, tzinfo=UTC)
    for name, created_at, id_ in (
        ("b", noon, "64e5f12345abcdef00000002"),
        ("a", noon, "64e5f12345abcdef00000001"),
        ("newest", noon + timedelta(1), "64e5f12345abcdef00000000"),
    ):
        factories.ApiKeyFactory.create(**mine, name=name, created_at=created_at, id=id_)
    factories.ApiKeyFactory.create(**mine, name="revoked", revoked_at=noon)
    factories.ApiKeyFactory.create(
        **mine, name="expired", expires_at=noon, created_at=noon - timedelta(1)
    )

    body = checked(api.get(KEYS, owner.with_token), 200)

    assert list(body["data"]) == ["apiKeys", "pagination"]
    assert [row["name"] for row in body["data"]["apiKeys"]] == ["newest", "b", "a", "expired"]
    assert all(list(row) == SHOWN for row in body["data"]["apiKeys"])
    assert body["data"]["pagination"] == {"total": 4, "page": 1, "limit": 10, "totalPages": 1}
    assert [row["name"] for row in listed(api, owner, limit=2, page=2)] == ["a", "expired"]
    assert listed(api, owner, page=9) == []
    checked(api.get(KEYS, owner.with_token, limit=101), 400)


def test_the_list_shows_the_last_use(api: Api, owner: Person) -> None:
    checked(api.get(ME, owner.with_key), 200)
    used = {row["prefix"]: row["lastUsedAt"] for row in listed(api, owner)}
    assert used[owner.key.rpartition("_")[0]].endswith("Z")
    assert used[owner.read_key.rpartition("_")[0]] is None


@pytest.mark.parametrize("rows", [1, 50])
def test_the_list_costs_three_statements_whatever_the_rows(
    api: Api, owner: Person, statements: CaptureQueriesContext, rows: int
) -> None:
    """1. SELECT the token; 2. SELECT the count; 3. SELECT the page."""
    mine = {"workspace": owner.workspace, "created_by": owner.user}
    factories.ApiKeyFactory.create_batch(rows, **mine)
    listed(api, owner)
    before = len(statements)
    assert len(listed(api, owner, limit=100)) == rows + 2
    assert len(statements) - before == 3


# --- Revoking -------------------------------------------------------------------------------------


def test_a_revoked_key_ends_at_once_and_for_good(api: Api, owner: Person) -> None:
    data = checked(create(api, owner), 201)["data"]
    headers, path = {"x-api-key": data["apiKey"]}, f"{KEYS}/{data['_id']}"
    checked(api.get(ME, headers), 200)

    body = checked(api.request("DELETE", path, headers=owner.with_token), 200)

    assert body["message"] == "API key revoked successfully"
    assert body["data"] == {"deletedId": data["_id"]}
    checked(api.get(ME, headers), 401)
    assert data["_id"] not in [row["_id"] for row in listed(api, owner)]
    checked(api.request("DELETE", path, headers=owner.with_token), 404)
    assert ApiKey.objects.get(id=data["_id"]).revoked_at is not None


def test_a_foreign_key_reads_like_an_unknown_one_and_goes_on(
    api: Api, owner: Person, stranger: Person
) -> None:
    foreign = ApiKey.objects.filter(workspace=stranger.workspace).first()
    assert foreign is not None
    bodies = [
        checked(api.request("DELETE", f"{KEYS}/{id_}", headers=owner.with_token), 404)
        for id_ in (foreign.id, "64e5f12345abcdef87654321")
    ]
    assert bodies[0] == bodies[1]
    checked(api.get(ME, stranger.with_key), 200)
    checked(api.get(ME, stranger.with_read_key), 200)


def test_an_admin_may_revoke_an_owners_key(api: Api, owner: Person) -> None:
    admin = person(owner.workspace, Role.ADMIN)
    key = ApiKey.objects.get(public_id=owner.key.split("_")[2])
    checked(api.request("DELETE", f"{KEYS}/{key.id}", headers=admin.with_token), 200)
    checked(api.get(ME, owner.with_key), 401)


def test_the_audit_names_the_key_by_what_may_be_shown(api: Api, owner: Person) -> None:
    data = checked(create(api, owner), 201)["data"]
    api.request("DELETE", f"{KEYS}/{data['_id']}", headers=owner.with_token)
    created, revoked = AuditEvent.objects.filter(target_id=data["_id"]).order_by("id")
    assert (created.action, revoked.action) == ("apikey.create", "apikey.revoke")
    assert created.changes == {"name": "CRM", "scopes": [MANAGE], "key": data["prefix"]}
    assert revoked.changes == {"key": data["prefix"]}

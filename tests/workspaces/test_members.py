"""/api/workspace/members: who belongs to a workspace, and who may say so."""

import threading
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories
from tests.cast import Api, Person, person
from tests.envelope import checked
from tests.factories import PASSWORD
from workspaces.callers import Role
from workspaces.models import ApiKey, AuditEvent, Membership, User
from workspaces.services import members

MEMBERS, ME = "/api/workspace/members", "/api/auth/me"
STRONG = "a long enough password"
UNKNOWN_ID = "64e5f12345abcdef87654321"


def add(api: Api, who: Person, email: str = "new@example.com", **more: Any) -> Any:
    return api.post(MEMBERS, {"email": email, **more}, who.with_token)


def change(api: Api, who: Person, user_id: str, role: str, **headers: str) -> Any:
    return api.request("PATCH", f"{MEMBERS}/{user_id}", {"role": role}, headers or who.with_token)


def remove(api: Api, who: Person, user_id: str) -> Any:
    return api.request("DELETE", f"{MEMBERS}/{user_id}", headers=who.with_token)


def role_of(who: Person) -> str | None:
    membership = Membership.objects.filter(user=who.user, workspace=who.workspace).first()
    return membership.role if membership else None


@pytest.fixture
def admin(owner: Person) -> Person:
    return person(owner.workspace, Role.ADMIN)


# --- Adding ---------------------------------------------------------------------------------------


def test_a_new_person_is_added_and_can_log_in(api: Api, owner: Person) -> None:
    body = checked(add(api, owner, " New@Example.com", name="Nora", password=STRONG), 201)

    assert body["message"] == "Member added successfully"
    assert list(body["data"]) == ["_id", "email", "name", "role", "isActive", "createdAt"]
    user = User.objects.get(id=body["data"]["_id"])
    assert (user.email, user.name, user.is_staff) == ("new@example.com", "Nora", False)
    assert (body["data"]["email"], body["data"]["role"]) == ("new@example.com", "member")
    login = api.post("/api/auth/login", {"email": user.email, "password": STRONG})
    assert checked(login, 200)["data"]["workspaceId"] == owner.workspace.id
    assert STRONG not in user.password


def test_without_a_password_nobody_can_log_in_yet(api: Api, owner: Person) -> None:
    user = User.objects.get(id=checked(add(api, owner), 201)["data"]["_id"])
    assert not user.has_usable_password()


def test_an_existing_person_keeps_name_and_password(
    api: Api, owner: Person, stranger: Person
) -> None:
    email = stranger.user.email.upper()
    data = checked(add(api, owner, email, name="Taken over", password=STRONG), 201)["data"]
    stranger.user.refresh_from_db()
    assert data["_id"] == stranger.user.id
    assert data["name"] == stranger.user.name == "Somebody"
    assert stranger.user.check_password(PASSWORD)
    assert role_of(stranger) == Role.OWNER  # of the other workspace, as before


def test_a_member_is_not_added_twice(api: Api, owner: Person, member: Person) -> None:
    error = checked(add(api, owner, member.user.email, role="admin"), 400)["data"]["errors"][0]
    assert (error["field"], error["code"]) == ("email", "already_member")
    assert role_of(member) == Role.MEMBER


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ("email", "required")),
        ({"email": "no e-mail"}, ("email", "invalid_email")),
        ({"email": f"{'x' * 250}@example.com"}, ("email", "max_length")),
        ({"email": 7}, ("email", "invalid")),
        ({"email": "a@example.com", "role": "root"}, ("role", "invalid_choice")),
        ({"email": "a@example.com", "role": "Owner"}, ("role", "invalid_choice")),
        ({"email": "a@example.com", "password": "short"}, ("password", "weak_password")),
        ({"email": "a@example.com", "password": "password1234"}, ("password", "weak_password")),
        ({"email": "a@example.com", "password": None}, ("password", "null")),
        ({"email": "a@example.com", "name": "a\x07b"}, ("name", "control_character")),
        ({"email": "a@example.com", "isStaff": True}, ("isStaff", "unknown_field")),
    ],
    ids=str,
)
def test_each_rule_names_its_field(
    api: Api, owner: Person, body: dict[str, Any], expected: tuple[str, str]
) -> None:
    answer = checked(api.post(MEMBERS, body, owner.with_token), 400)
    first = answer["data"]["errors"][0]
    assert (first["field"], first["code"]) == expected
    assert User.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_who_add_the_same_new_person_at_once(
    api: Api, owner: Person, stranger: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have looked and found nobody; the second insert meets the first one's user."""
    both_have_looked = threading.Barrier(2, timeout=20)
    create = members._create_user

    def create_when_both_have_looked(*arguments: Any) -> User:
        both_have_looked.wait()
        return create(*arguments)

    monkeypatch.setattr(members, "_create_user", create_when_both_have_looked)
    codes = []

    def work(who: Person) -> None:
        codes.append(add(Api(), who, "same@example.com").status_code)
        connection.close()

    threads = [threading.Thread(target=work, args=[who]) for who in (owner, stranger)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [201, 201]
    assert Membership.objects.filter(user__email="same@example.com").count() == 2


# --- The list -------------------------------------------------------------------------------------


def test_the_list_has_this_workspaces_members_newest_first(
    api: Api, owner: Person, member: Person, stranger: Person
) -> None:
    User.objects.filter(id=member.user.id).update(is_active=False)
    body = checked(api.get(MEMBERS, owner.with_read_key), 200)
    rows = body["data"]["members"]
    assert [row["_id"] for row in rows] == [member.user.id, owner.user.id]
    assert [(row["role"], row["isActive"]) for row in rows] == [("member", False), ("owner", True)]
    assert body["data"]["pagination"] == {"total": 2, "page": 1, "limit": 10, "totalPages": 1}
    checked(api.get(MEMBERS, owner.with_key, page=0), 400)
    past = checked(api.get(MEMBERS, owner.with_key, page=999999999), 200)["data"]
    assert (past["members"], past["pagination"]["total"]) == ([], 2)


@pytest.mark.parametrize("rows", [1, 50])
def test_the_list_costs_three_statements_whatever_the_rows(
    api: Api, owner: Person, statements: CaptureQueriesContext, rows: int
) -> None:
    """1. SELECT the key; 2. SELECT the count; 3. SELECT the page with its users."""
    factories.MembershipFactory.create_batch(rows, workspace=owner.workspace)
    api.get(MEMBERS, owner.with_key)
    before = len(statements)
    data = checked(api.get(MEMBERS, owner.with_key, limit=100), 200)["data"]
    assert len(data["members"]) == rows + 1
    assert len(statements) - before == 3


# --- Roles ----------------------------------------------------------------------------------------


def test_an_owner_makes_and_unmakes_everything(api: Api, owner: Person, member: Person) -> None:
    for role in ("admin", "owner", "member"):
        data = checked(change(api, owner, member.user.id, role), 200)["data"]
        assert data["role"] == role == role_of(member)


def test_an_admin_makes_admins_and_members_and_touches_no_owner(
    api: Api, owner: Person, admin: Person, member: Person
) -> None:
    checked(change(api, admin, member.user.id, "admin"), 200)
    checked(change(api, admin, member.user.id, "member"), 200)
    checked(change(api, admin, member.user.id, "owner"), 403)
    checked(change(api, admin, admin.user.id, "owner"), 403)
    checked(change(api, admin, owner.user.id, "member"), 403)
    checked(change(api, admin, owner.user.id, "owner"), 403)
    checked(remove(api, admin, owner.user.id), 403)
    checked(add(api, admin, role="owner"), 403)
    assert (role_of(owner), role_of(admin), role_of(member)) == ("owner", "admin", "member")
    assert not User.objects.filter(email="new@example.com").exists()


def test_a_key_of_an_admin_makes_no_owner_either(api: Api, owner: Person, admin: Person) -> None:
    checked(change(api, admin, admin.user.id, "owner", **admin.with_key), 403)
    body = {"email": "new@example.com", "role": "owner", "password": STRONG}
    checked(api.post(MEMBERS, body, admin.with_key), 403)
    assert role_of(admin) == Role.ADMIN


def test_the_key_of_a_demoted_creator_gives_nothing_back(
    api: Api, owner: Person, admin: Person
) -> None:
    """The key may still do what its scope says, but its user no longer leads."""
    checked(change(api, owner, admin.user.id, "member"), 200)
    body = {"email": "new@example.com", "role": "admin", "password": STRONG}
    checked(change(api, admin, admin.user.id, "admin", **admin.with_key), 403)
    checked(api.post(MEMBERS, body, admin.with_key), 403)
    path = f"{MEMBERS}/{admin.user.id}"
    checked(api.request("DELETE", path, headers=admin.with_key), 403)
    assert role_of(admin) == Role.MEMBER


def test_a_former_owner_is_no_owner_to_their_own_key(
    api: Api, owner: Person, admin: Person
) -> None:
    checked(change(api, owner, admin.user.id, "owner"), 200)
    checked(change(api, owner, admin.user.id, "admin"), 200)
    checked(change(api, admin, admin.user.id, "owner", **admin.with_key), 403)


def test_the_last_owner_stays(api: Api, owner: Person, admin: Person) -> None:
    for response in (
        change(api, owner, owner.user.id, "admin"),
        change(api, owner, owner.user.id, "member"),
        remove(api, owner, owner.user.id),
    ):
        error = checked(response, 400)["data"]["errors"][0]
        assert (error["field"], error["code"]) == ("role", "last_owner")
    assert role_of(owner) == Role.OWNER

    checked(change(api, owner, admin.user.id, "owner"), 200)
    checked(change(api, owner, owner.user.id, "member"), 200)
    checked(remove(api, admin, admin.user.id), 400)


def test_an_owner_of_another_workspace_does_not_count_as_one_who_stays(
    api: Api, owner: Person, stranger: Person
) -> None:
    factories.MembershipFactory.create(
        user=owner.user, workspace=stranger.workspace, role=Role.MEMBER
    )
    checked(remove(api, owner, owner.user.id), 400)


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_remove_each_other_at_once_leave_one(
    api: Api, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = person(owner.workspace, Role.OWNER)
    start = threading.Barrier(2, timeout=20)
    codes = []

    def work(who: Person, victim: Person) -> None:
        start.wait()
        codes.append(remove(Api(), who, victim.user.id).status_code)
        connection.close()

    pairs = ((owner, other), (other, owner))
    threads = [threading.Thread(target=work, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes.count(200) == 1
    assert Membership.objects.filter(workspace=owner.workspace, role=Role.OWNER).count() == 1


# --- Leaving --------------------------------------------------------------------------------------


def test_whoever_leaves_loses_keys_and_tokens_of_this_workspace_only(
    api: Api, owner: Person, member: Person, stranger: Person
) -> None:
    factories.MembershipFactory.create(user=member.user, workspace=stranger.workspace)
    elsewhere = factories.ApiKeyFactory.create(workspace=stranger.workspace, created_by=member.user)
    body = checked(remove(api, owner, member.user.id), 200)
    assert body["data"] == {"deletedId": member.user.id}
    for headers in (member.with_key, member.with_read_key, member.with_token):
        checked(api.get(ME, headers), 401)
    checked(api.get(ME, {"x-api-key": elsewhere.text}), 200)
    checked(api.get(ME, owner.with_key), 200)

    checked(add(api, owner, member.user.email), 201)  # what was revoked stays revoked
    for headers in (member.with_key, member.with_token):
        checked(api.get(ME, headers), 401)
    assert User.objects.filter(id=member.user.id).exists()


def test_a_stranger_reads_like_nobody(api: Api, owner: Person, stranger: Person) -> None:
    foreign, unknown = stranger.user.id, UNKNOWN_ID
    assert checked(remove(api, owner, foreign), 404) == checked(remove(api, owner, unknown), 404)
    changed = [change(api, owner, user_id, "member") for user_id in (foreign, unknown)]
    assert checked(changed[0], 404) == checked(changed[1], 404)
    assert role_of(stranger) == Role.OWNER
    assert not ApiKey.objects.exclude(revoked_at=None).exists()


def test_the_audit_says_what_became_of_a_member(api: Api, owner: Person) -> None:
    user_id = checked(add(api, owner), 201)["data"]["_id"]
    change(api, owner, user_id, "admin")
    remove(api, owner, user_id)
    events = AuditEvent.objects.filter(workspace=owner.workspace).order_by("id")
    assert [(event.action, event.changes) for event in events] == [
        ("membership.create", {"user": user_id, "role": "member"}),
        ("membership.update", {"user": user_id, "role": "admin"}),
        ("membership.delete", {"user": user_id}),
    ]

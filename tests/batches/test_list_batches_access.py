"""GET /api/call/batches/{userId}: whose batches one may list, and with which credentials."""

from typing import Any

import pytest

from tests import factories
from tests.batches.test_list_batches import NOON, UNKNOWN_ID, batch, error, listed, names, path
from tests.cast import Api, Person, person
from tests.envelope import checked
from workspaces.callers import Role, Scope
from workspaces.models import ApiKey, Membership, User, Workspace


@pytest.mark.parametrize(
    "user_id", ["x", "%20", "64E5F12345ABCDEF87654321", "64e5f12345abcdef8765432", UNKNOWN_ID + "0"]
)
def test_a_malformed_user_id_is_a_400(api: Api, owner: Person, user_id: str) -> None:
    assert error(api.get(path(user_id), owner.with_key)) == ("userId", "invalid_id")


def test_every_user_that_one_may_not_name_is_one_and_the_same_403(
    api: Api, owner: Person, member: Person, stranger: Person
) -> None:
    for who in (owner, stranger):
        batch(who)
    admin = person(owner.workspace, Role.ADMIN)
    foreign, others = [stranger.user.id, UNKNOWN_ID], [owner.user.id, admin.user.id]
    asked = [(credential, user_id) for credential in credentials(owner) for user_id in foreign]
    asked += [
        (credential, user_id) for credential in credentials(member) for user_id in foreign + others
    ]

    bodies = [checked(api.get(path(user_id), headers), 403) for headers, user_id in asked]

    assert all(body == bodies[0] for body in bodies)


def credentials(who: Person) -> list[dict[str, str]]:
    return [who.with_key, who.with_read_key, who.with_token]


def test_somebody_without_membership_any_more_is_nobody(api: Api, owner: Person) -> None:
    former = person(owner.workspace, Role.MEMBER)
    batch(former)
    Membership.objects.filter(user=former.user).delete()
    checked(api.get(path(former.user), owner.with_key), 403)


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN])
def test_who_leads_may_name_any_member(api: Api, owner: Person, member: Person, role: Role) -> None:
    leader = person(owner.workspace, role)
    batch(member, name="the member's")
    batch(leader, name="the leader's")

    for headers in credentials(leader):
        assert names(api.get(path(member.user), headers)) == ["the member's"]
        assert names(api.get(path(leader.user), headers)) == ["the leader's"]
    checked(api.get(path(owner.user), leader.with_token), 404)


def test_a_member_may_name_oneself_only(api: Api, owner: Person, member: Person) -> None:
    batch(member, name="mine")
    batch(owner, name="not mine")

    for headers in credentials(member):
        assert names(api.get(path(member.user), headers)) == ["mine"]
        checked(api.get(path(owner.user), headers), 403)


def test_a_key_may_what_its_creator_may_now(api: Api, owner: Person, member: Person) -> None:
    batch(owner)
    checked(api.get(path(owner.user), member.with_key), 403)
    Membership.objects.filter(user=member.user).update(role=Role.ADMIN)
    checked(api.get(path(owner.user), member.with_key), 200)
    Membership.objects.filter(user=member.user).update(role=Role.MEMBER)
    checked(api.get(path(owner.user), member.with_key), 403)


def test_a_key_with_both_scopes_reads_too(api: Api, owner: Person) -> None:
    batch(owner, name="here")
    ApiKey.objects.filter(created_by=owner.user).update(scopes=Scope.values)
    assert listed(api, owner) == ["here"]


def test_a_user_of_two_workspaces_sees_the_credentials_own(
    api: Api, owner: Person, stranger: Person
) -> None:
    batch(owner, name="here")
    factories.MembershipFactory.create(user=owner.user, workspace=stranger.workspace)
    there = {"workspace": stranger.workspace, "created_by": owner.user}
    key_there = {"x-api-key": factories.ApiKeyFactory.create(**there).text}

    checked(api.get(path(owner.user), key_there), 404)
    factories.CallBatchFactory.create(**there, name="there")

    assert names(api.get(path(owner.user), owner.with_key)) == ["here"]
    assert names(api.get(path(owner.user), key_there)) == ["there"]
    assert names(api.get(path(owner.user), stranger.with_key)) == ["there"]
    assert names(
        api.get(path(owner.user), {**owner.with_key, "x-workspace-id": owner.workspace.id})
    ) == ["here"]
    checked(
        api.get(path(owner.user), {**owner.with_key, "x-workspace-id": stranger.workspace.id}), 403
    )


def test_bad_credentials_are_a_401_before_anything_else_is_said(api: Api, owner: Person) -> None:
    batch(owner)
    expired = factories.AccessTokenFactory.create(
        workspace=owner.workspace, user=owner.user, expires_at=NOON
    ).text
    bodies = [
        checked(api.get(path(user_id), headers), 401)
        for user_id in (owner.user.id, "malformed")
        for headers in (
            {},
            {"x-api-key": ""},
            {"x-api-key": owner.token},
            {"x-api-key": "ключ".encode().decode("latin-1")},
            {"Authorization": owner.token},
            {"Authorization": f"Bearer {owner.read_key}"},
            {"Authorization": f"Bearer {expired}"},
            {"Authorization": f"Basic {owner.token}"},
            {**owner.with_token, "x-api-key": "nonsense"},
        )
    ]
    assert all(body == bodies[0] for body in bodies)


@pytest.mark.parametrize(
    "revoke",
    [lambda: User.objects.update(is_active=False), lambda: Membership.objects.all().delete()],
)
def test_nobody_lists_for_a_user_who_is_gone(api: Api, owner: Person, revoke: Any) -> None:
    batch(owner)
    revoke()
    for headers in credentials(owner):
        checked(api.get(path(owner.user), headers), 401)


def test_a_suspended_workspace_is_a_403(api: Api, owner: Person) -> None:
    batch(owner)
    Workspace.objects.filter(id=owner.workspace.id).update(is_active=False)
    for headers in credentials(owner):
        checked(api.get(path(owner.user), headers), 403)

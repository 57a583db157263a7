"""POST /api/call/createBatch: who may, and how the others are told."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from batches.models import CallBatch
from calling.models import PhoneNumber
from tests.batches.test_create_batch import PATH, documented
from tests.cast import Api, Person
from workspaces.models import ApiKey, Membership, User, Workspace


def forbidden(response: Any) -> str:
    assert response.status_code == 403, response.content
    assert response.json()["code"] == 403
    assert response.json()["data"] is None
    assert not CallBatch.objects.exists()
    return str(response.json()["errorMessage"])


def test_no_or_bad_credentials_are_the_same_403(
    api: Api, owner: Person, phone: PhoneNumber
) -> None:
    wrong_secret = owner.key[:24] + ("A" if owner.key[24] != "A" else "B") + owner.key[25:]
    texts = {
        forbidden(api.post(PATH, documented(phone.id), headers))
        for headers in (
            {},
            {"x-api-key": ""},
            {"x-api-key": "nonsense"},
            {"x-api-key": "ключ".encode().decode("latin-1")},
            {"x-api-key": wrong_secret},
            {"x-api-key": owner.token},
            {"Authorization": ""},
            {"Authorization": "Bearer"},
            {"Authorization": f"Bearer {owner.key}"},
            {"Authorization": f"Basic {owner.token}"},
            {"Authorization": f"Bearer {owner.token}x"},
        )
    }
    assert len(texts) == 1


def test_the_key_decides_when_both_are_sent(
    api: Api, owner: Person, stranger: Person, phone: PhoneNumber
) -> None:
    both = {**owner.with_token, "x-api-key": stranger.key}
    assert (
        api.post(PATH, documented(phone.id), both).status_code == 400
    )  # not the stranger's number

    bad_key = {**owner.with_token, "x-api-key": ""}
    forbidden(api.post(PATH, documented(phone.id), bad_key))


def test_a_read_key_may_not_create(api: Api, owner: Person, phone: PhoneNumber) -> None:
    forbidden(api.post(PATH, documented(phone.id), owner.with_read_key))


def test_a_member_may_create(api: Api, member: Person, phone: PhoneNumber) -> None:
    assert api.post(PATH, documented(phone.id), member.with_token).status_code == 201


@pytest.mark.parametrize("change", [{"revoked_at": timezone.now()}, {"expires_at": timezone.now()}])
def test_a_revoked_or_expired_key_is_refused(
    api: Api, owner: Person, phone: PhoneNumber, change: dict[str, Any]
) -> None:
    ApiKey.objects.filter(created_by=owner.user).update(**change)
    forbidden(api.post(PATH, documented(phone.id), owner.with_key))


def test_a_key_that_expires_later_works(api: Api, owner: Person, phone: PhoneNumber) -> None:
    ApiKey.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
    assert api.post(PATH, documented(phone.id), owner.with_key).status_code == 201


@pytest.mark.parametrize("credential", ["with_key", "with_token"])
def test_nobody_acts_for_a_user_who_is_gone(
    api: Api, owner: Person, phone: PhoneNumber, credential: str
) -> None:
    Membership.objects.filter(user=owner.user).delete()
    forbidden(api.post(PATH, documented(phone.id), getattr(owner, credential)))


@pytest.mark.parametrize("credential", ["with_key", "with_token"])
def test_nobody_acts_for_an_inactive_user(
    api: Api, owner: Person, phone: PhoneNumber, credential: str
) -> None:
    User.objects.filter(id=owner.user.id).update(is_active=False)
    forbidden(api.post(PATH, documented(phone.id), getattr(owner, credential)))


@pytest.mark.parametrize("credential", ["with_key", "with_token"])
def test_a_suspended_workspace_is_refused(
    api: Api, owner: Person, phone: PhoneNumber, credential: str
) -> None:
    Workspace.objects.filter(id=owner.workspace.id).update(is_active=False)
    forbidden(api.post(PATH, documented(phone.id), getattr(owner, credential)))


def test_x_workspace_id_must_be_the_credentials_own(
    api: Api, owner: Person, stranger: Person, phone: PhoneNumber
) -> None:
    for other in (stranger.workspace.id, "nonsense", ""):
        headers = {**owner.with_key, "x-workspace-id": other}
        forbidden(api.post(PATH, documented(phone.id), headers))

    headers = {**owner.with_key, "x-workspace-id": owner.workspace.id}
    assert api.post(PATH, documented(phone.id), headers).status_code == 201

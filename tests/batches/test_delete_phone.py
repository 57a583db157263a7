"""DELETE /api/call/delete-phone/{phoneId}: a number leaves every batch's rotation."""

import threading
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from batches.models import BatchNumber, CallBatch
from batches.services.batches import (
    BatchSettings,
    create_batch,
    locked_batch,
    replace_rotation,
    update_batch,
)
from calling.models import CarrierAccount, PhoneNumber
from tests import factories
from tests.batches.contacts import UNKNOWN_ID, call, errors, fresh, ready_batch
from tests.cast import Api, Person, person
from tests.database import wait_for_waiting
from tests.envelope import checked
from workspaces.callers import Actor, Role
from workspaces.errors import flatten
from workspaces.models import AuditEvent

STATES = [("draft", ""), ("stopped", ""), ("paused", "kill_switch"), ("completed", "")]


def delete(api: Api, headers: dict[str, str], phone_id: str) -> Any:
    return api.request("DELETE", f"/api/call/delete-phone/{phone_id}", headers=headers)


def using(phone: PhoneNumber, **fields: Any) -> CallBatch:
    """A batch that rotates through this number alone."""
    mine = {"workspace": phone.workspace, "created_by": phone.created_by}
    batch: CallBatch = factories.CallBatchFactory.create(**mine, **fields)
    factories.BatchNumberFactory.create(batch=batch, phone=phone)
    return batch


def rotation(batch: CallBatch) -> list[str]:
    rows = BatchNumber.objects.filter(batch=batch).order_by("position")
    return list(rows.values_list("phone_id", flat=True))


@pytest.mark.parametrize("credential", ["with_key", "with_token"])
def test_the_documented_answer_has_no_envelope(
    api: Api, owner: Person, phone: PhoneNumber, credential: str
) -> None:
    response = delete(api, getattr(owner, credential), phone.id)
    assert response.status_code == 200, response.content
    assert list(response.json()) == ["success", "deletedId"]
    assert response.json() == {"success": True, "deletedId": phone.id}
    assert not PhoneNumber.objects.exists()
    event = AuditEvent.objects.get(action="phonenumber.delete")
    assert (event.user_id, event.target_id) == (owner.user.id, phone.id)
    assert event.changes == {"number": phone.number, "batches": 0}


def test_an_active_batch_without_a_number_left_is_paused(
    api: Api, owner: Person, phone: PhoneNumber
) -> None:
    batch = using(phone, status="active")
    call(batch, "12125551001")
    delete(api, owner.with_key, phone.id)
    now = fresh(batch)
    assert (now.status, now.status_reason) == ("paused", "no_number")
    assert now.updated_at > batch.updated_at
    assert rotation(batch) == []
    assert AuditEvent.objects.get().changes["batches"] == 1


def test_one_with_another_active_number_goes_on(
    api: Api, owner: Person, phone: PhoneNumber
) -> None:
    batch = ready_batch(owner, status="active")
    factories.BatchNumberFactory.create(batch=batch, phone=phone, position=1)
    [kept, _] = rotation(batch)
    delete(api, owner.with_key, phone.id)
    assert (fresh(batch).status, rotation(batch)) == ("active", [kept])


def test_an_inactive_number_is_none_to_call_from(
    api: Api, owner: Person, phone: PhoneNumber
) -> None:
    batch = ready_batch(owner, status="active")
    factories.BatchNumberFactory.create(batch=batch, phone=phone, position=1)
    PhoneNumber.objects.exclude(id=phone.id).update(is_active=False)
    delete(api, owner.with_key, phone.id)
    assert (fresh(batch).status, fresh(batch).status_reason) == ("paused", "no_number")


@pytest.mark.parametrize(("status", "reason"), STATES)
def test_a_batch_that_is_not_active_keeps_its_status(
    api: Api, owner: Person, phone: PhoneNumber, status: str, reason: str
) -> None:
    batch = using(phone, status=status, status_reason=reason)
    delete(api, owner.with_key, phone.id)
    assert (fresh(batch).status, fresh(batch).status_reason) == (status, reason)
    assert rotation(batch) == []


def test_a_deleted_batch_lets_the_number_go_too(
    api: Api, owner: Person, phone: PhoneNumber
) -> None:
    batch = using(phone, status="stopped", deleted_at=timezone.now())
    assert delete(api, owner.with_key, phone.id).status_code == 200
    assert rotation(batch) == []


def test_numbers_that_are_in_use_are_deleted_from_each_batch(
    api: Api, owner: Person, phone: PhoneNumber
) -> None:
    batches = [using(phone, status="active") for _ in range(5)]
    others = ready_batch(owner, status="active")
    delete(api, owner.with_key, phone.id)
    assert {fresh(batch).status for batch in batches} == {"paused"}
    assert fresh(others).status == "active"


def test_the_last_number_of_an_account_takes_its_credentials_away(api: Api, owner: Person) -> None:
    account, other = factories.CarrierAccountFactory.create_batch(2, workspace=owner.workspace)
    mine = {"workspace": owner.workspace, "created_by": owner.user}
    first, last, _ = (
        factories.PhoneNumberFactory.create(**mine, account=one)
        for one in (account, account, other)
    )
    delete(api, owner.with_key, first.id)
    assert CarrierAccount.objects.count() == 2
    delete(api, owner.with_key, last.id)
    assert CarrierAccount.objects.get() == other


def test_what_was_called_from_it_stays(api: Api, owner: Person, phone: PhoneNumber) -> None:
    attempt = factories.CallAttemptFactory.create(
        call=call(using(phone), "12125551001"), from_number=phone.number
    )
    delete(api, owner.with_key, phone.id)
    attempt.refresh_from_db()
    assert attempt.from_number == phone.number


def test_a_foreign_number_reads_like_an_unknown_and_a_deleted_one(
    api: Api, owner: Person, stranger: Person, phone: PhoneNumber
) -> None:
    batch = ready_batch(stranger, status="active")
    [foreign] = rotation(batch)
    delete(api, owner.with_key, phone.id)
    answers = [
        checked(delete(api, owner.with_key, id_), 404) for id_ in (UNKNOWN_ID, foreign, phone.id)
    ]
    assert all(answer == answers[0] for answer in answers)
    assert (fresh(batch).status, rotation(batch)) == ("active", [foreign])


def test_a_malformed_id_is_named(api: Api, owner: Person) -> None:
    body = checked(delete(api, owner.with_key, "12125551234"), 400)
    assert errors(body) == [("phoneId", "invalid_id")]


def test_admins_delete_and_members_and_read_keys_do_not(
    api: Api, owner: Person, member: Person, phone: PhoneNumber
) -> None:
    checked(delete(api, {}, phone.id), 401)
    checked(delete(api, member.with_token, phone.id), 403)
    checked(delete(api, owner.with_read_key, phone.id), 403)
    assert PhoneNumber.objects.exists()
    admin = person(owner.workspace, Role.ADMIN)
    assert delete(api, admin.with_token, phone.id).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_takes_the_number_meanwhile_loses_it_too(
    api: Api, owner: Person, phone: PhoneNumber
) -> None:
    """Its new rotation is not yet there when the deletion looks, and in the way when it commits."""
    holding, taking = using(phone, status="active"), ready_batch(owner, status="active")
    codes = []

    def work() -> None:
        try:
            codes.append(delete(Api(), owner.with_key, phone.id).status_code)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    with transaction.atomic():
        locked_batch(owner.workspace.id, holding.id)
        replace_rotation(locked_batch(owner.workspace.id, taking.id), [phone.id])
        thread.start()
        wait_for_waiting(1)
    thread.join(30)
    assert codes == [200]
    assert not BatchNumber.objects.exists()
    assert {fresh(holding).status, fresh(taking).status} == {"paused"}


@pytest.mark.parametrize("batches", [1, 20])
def test_it_costs_the_same_statements_whatever_the_idle_batches(
    api: Api,
    owner: Person,
    phone: PhoneNumber,
    statements: CaptureQueriesContext,
    batches: int,
) -> None:
    """Only a batch without a number left costs one more: the try to pause it."""
    second = factories.PhoneNumberFactory.create(workspace=owner.workspace)
    for _ in range(batches):
        factories.BatchNumberFactory.create(batch=using(phone), phone=second, position=1)
    delete(api, owner.with_key, UNKNOWN_ID)
    before = len(statements)
    delete(api, owner.with_key, phone.id)
    assert len(statements) - before == 10


# --- Deleted after the request was checked --------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_new_batch_finds_that_its_number_is_gone(owner: Person) -> None:
    settings = BatchSettings(name="Late", phone_ids=[UNKNOWN_ID], timezone="UTC")
    with pytest.raises(ValidationError) as refused:
        create_batch(
            workspace_id=owner.workspace.id,
            user_id=owner.user.id,
            settings=settings,
            actor=Actor(),
            now=timezone.now(),
        )
    assert_names_the_number(refused.value)
    assert not CallBatch.objects.exists()


def test_a_batch_that_changes_its_numbers_finds_that_one_is_gone(
    owner: Person, phone: PhoneNumber
) -> None:
    batch = using(phone)
    with pytest.raises(ValidationError) as refused:
        update_batch(
            workspace_id=owner.workspace.id,
            batch_id=batch.id,
            changes={},
            phone_ids=[phone.id, UNKNOWN_ID],
            actor=Actor(),
            now=timezone.now(),
        )
    assert_names_the_number(refused.value, position=1)
    assert rotation(batch) == [phone.id]


def assert_names_the_number(refused: ValidationError, position: int = 0) -> None:
    [error] = flatten(refused.detail)
    assert (error["field"], error["code"]) == (f"callingNumbers[{position}]", "unknown_number")

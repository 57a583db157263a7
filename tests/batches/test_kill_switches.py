"""The kill switch of a workspace, a number and a carrier account: what it pauses and resumes."""

from itertools import permutations

import pytest
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from batches.models import CallBatch, PauseReason
from batches.services.kill_switches import Switched, engage
from batches.services.phones import delete_phone
from calling.models import CarrierAccount, PhoneNumber
from tests import factories
from tests.batches.contacts import call, fresh, ready_batch
from tests.batches.switches import (
    KINDS,
    NUMBER,
    WHY,
    let_go,
    of_other_number,
    state_of,
    switched_batch,
    target_of,
    throw,
)
from tests.cast import Person
from tests.rows import everything_of
from workspaces.callers import Actor
from workspaces.models import AuditEvent, DialSchedule, Workspace


@pytest.fixture
def batch(owner: Person) -> CallBatch:
    return switched_batch(owner)


# --- Throwing it ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_thrown_with_its_reason_and_pauses_what_has_nothing_left(
    owner: Person, batch: CallBatch, kind: str
) -> None:
    now = timezone.now()
    target = target_of(batch, kind)
    actor = Actor(user_id=owner.user.id)
    done = engage(target=target, reason=f"  {WHY} ", actor=actor, now=now)
    assert done == Switched(True, (batch.id,))
    assert (target.is_killed, target.kill_reason) == (True, WHY)
    stored = target_of(batch, kind)
    assert (stored.killed_at, stored.kill_reason, stored.updated_at) == (now, WHY, now)
    assert state_of(batch) == ("paused", "kill_switch")
    event = AuditEvent.objects.get(action=f"{kind}.kill")
    assert (event.user_id, event.target_id) == (owner.user.id, target.id)
    assert event.workspace_id == owner.workspace.id
    assert event.changes == {"reason": WHY, "batches": [batch.id]}


@pytest.mark.parametrize("kind", KINDS)
def test_the_second_one_changes_nothing(owner: Person, batch: CallBatch, kind: str) -> None:
    stale = target_of(batch, kind)
    throw(target_of(batch, kind))
    before = everything_of(owner.workspace)
    assert throw(stale, "Another reason.") == Switched(False)
    assert everything_of(owner.workspace) == before
    assert target_of(batch, kind).kill_reason == WHY


@pytest.mark.parametrize(
    ("reason", "code"),
    [("", "blank"), (" \n", "blank"), ("x" * 201, "max_length"), ("a\nb", "control_character")],
)
def test_it_wants_a_reason(owner: Person, batch: CallBatch, reason: str, code: str) -> None:
    before = everything_of(owner.workspace)
    with pytest.raises(ValidationError) as refused:
        throw(owner.workspace, reason)
    assert refused.value.get_codes() == {"reason": [code]}
    assert everything_of(owner.workspace) == before


def test_the_longest_reason_is_taken(owner: Person) -> None:
    assert throw(owner.workspace, "ü" * 200).is_changed


@pytest.mark.parametrize("kind", KINDS)
def test_only_active_and_living_batches_are_paused(
    owner: Person, batch: CallBatch, kind: str
) -> None:
    phone = PhoneNumber.objects.get(rotations__batch=batch)
    others = {
        status: factories.CallBatchFactory.create(
            workspace=owner.workspace, created_by=owner.user, status=status, status_reason=reason
        )
        for status, reason in [
            *[("draft", ""), ("stopped", ""), ("completed", "")],
            ("paused", "carrier_failing"),
        ]
    }
    deleted = factories.CallBatchFactory.create(
        workspace=owner.workspace, created_by=owner.user, status="active", deleted_at=timezone.now()
    )
    for other in [*others.values(), deleted]:
        factories.BatchNumberFactory.create(batch=other, phone=phone)
    assert throw(target_of(batch, kind)).batch_ids == (batch.id,)
    assert {fresh(other).status for other in others.values()} == set(others)
    assert state_of(others["paused"]) == ("paused", "carrier_failing")
    assert fresh(deleted).status == "active"


@pytest.mark.parametrize("kind", ["phonenumber", "carrieraccount"])
def test_a_batch_with_another_number_goes_on_until_that_is_killed_too(
    batch: CallBatch, kind: str
) -> None:
    other = of_other_number(batch)
    idle = factories.BatchNumberFactory.create(batch=batch, position=2).phone
    PhoneNumber.objects.filter(id=idle.id).update(is_active=False)
    first = PhoneNumber.objects.get(rotations__batch=batch, rotations__position=0)
    target = first if kind == "phonenumber" else CarrierAccount.objects.get(numbers=first)
    assert throw(target) == Switched(True)
    assert fresh(batch).status == "active"
    assert throw(other).batch_ids == (batch.id,)


def test_a_number_that_is_not_active_pauses_nothing(batch: CallBatch) -> None:
    """The batch has no number at all then, which is another reason, and the dialer's to give."""
    PhoneNumber.objects.update(is_active=False)
    assert throw(target_of(batch, "phonenumber")) == Switched(True)
    assert fresh(batch).status == "active"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_another_workspace_is_touched(
    owner: Person, stranger: Person, batch: CallBatch, kind: str
) -> None:
    """Although both call with the same account and from the same number."""
    theirs = ready_batch(stranger, status="active")
    mine = target_of(batch, "carrieraccount")
    assert isinstance(mine, CarrierAccount)
    account = factories.CarrierAccountFactory.create(
        workspace=stranger.workspace, digest=mine.digest
    )
    number = PhoneNumber.objects.get(rotations__batch=batch).number
    PhoneNumber.objects.filter(rotations__batch=theirs).update(account=account, number=number)
    call(theirs, NUMBER)
    before = everything_of(stranger.workspace)
    throw(target_of(batch, kind))
    assert everything_of(stranger.workspace) == before


@pytest.mark.django_db(transaction=True)
def test_it_does_not_wait_for_a_batch_that_somebody_holds(owner: Person, batch: CallBatch) -> None:
    """An import holds its batch for as long as it loads. The dialer pauses that batch afterwards."""
    held = CallBatch.objects.get(id=batch.id)
    free = ready_batch(owner, status="active")
    import_ = connection.copy()
    try:
        with import_.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(
                "SELECT 1 FROM batches_callbatch WHERE id = %s FOR NO KEY UPDATE",
                [bytes.fromhex(held.id)],
            )
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1s'")
            assert throw(owner.workspace).batch_ids == (free.id,)
    finally:
        import_.close()
    assert Workspace.objects.get(id=owner.workspace.id).is_killed
    schedule = DialSchedule.objects.get(workspace=owner.workspace)
    assert schedule.next_dial_at is not None, "the dialer has been woken"


# --- Releasing it ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("resume", [False, True])
def test_released_it_resumes_what_it_paused_when_asked_to(
    batch: CallBatch, kind: str, resume: bool
) -> None:
    session = factories.DialingSessionFactory.create(batch=batch)
    CallBatch.objects.filter(id=batch.id).update(session=session)
    throw(target_of(batch, kind))
    DialSchedule.objects.all().delete()
    target = target_of(batch, kind)
    done = let_go(target, resume=resume)
    assert done == Switched(True, (batch.id,) if resume else ())
    assert not target.is_killed
    stored = target_of(batch, kind)
    assert (stored.killed_at, stored.kill_reason) == (None, "")
    assert state_of(batch) == (("active", "") if resume else ("paused", "kill_switch"))
    assert fresh(batch).session == session
    assert AuditEvent.objects.get(action=f"{kind}.release").changes == {
        "reason": WHY,
        "batches": list(done.batch_ids),
    }
    assert DialSchedule.objects.get().next_dial_at is not None


def test_what_was_not_thrown_is_not_released(owner: Person, batch: CallBatch) -> None:
    CallBatch.objects.update(status="paused", status_reason=PauseReason.KILL_SWITCH)
    before = everything_of(owner.workspace)
    assert let_go(owner.workspace, resume=True) == Switched(False)
    assert everything_of(owner.workspace) == before


def test_only_what_a_kill_switch_paused_is_resumed(owner: Person, batch: CallBatch) -> None:
    failing = ready_batch(owner, status="paused", status_reason="carrier_failing")
    stopped = ready_batch(owner, status="active")
    throw(owner.workspace)
    CallBatch.objects.filter(id=stopped.id).update(status="stopped", status_reason="")
    assert let_go(owner.workspace, resume=True).batch_ids == (batch.id,)
    assert state_of(failing) == ("paused", "carrier_failing")
    assert fresh(stopped).status == "stopped"


@pytest.mark.parametrize(("first", "last"), [*permutations(KINDS, 2)])
def test_with_two_switches_thrown_the_last_one_released_resumes(
    batch: CallBatch, first: str, last: str
) -> None:
    throw(target_of(batch, first))
    throw(target_of(batch, last))
    assert let_go(target_of(batch, first), resume=True) == Switched(True)
    assert state_of(batch) == ("paused", "kill_switch")
    assert let_go(target_of(batch, last), resume=True).batch_ids == (batch.id,)


def test_a_batch_without_an_active_number_is_not_resumed(owner: Person, batch: CallBatch) -> None:
    throw(owner.workspace)
    PhoneNumber.objects.update(is_active=False)
    assert let_go(owner.workspace, resume=True) == Switched(True)
    assert state_of(batch) == ("paused", "kill_switch")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_gone_has_no_switch(owner: Person, batch: CallBatch, kind: str) -> None:
    phone, account = target_of(batch, "phonenumber"), target_of(batch, "carrieraccount")
    delete_phone(
        workspace_id=owner.workspace.id, phone_id=phone.id, actor=Actor(), now=timezone.now()
    )
    for gone in (phone, account):
        assert throw(gone) == Switched(False)
        assert let_go(gone) == Switched(False)

"""Rules that the database itself holds, whoever writes: each named one refuses what it must."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from batches.models import (
    BatchStatus,
    BatchVariable,
    CallBatch,
    CallCounter,
    ContactsFile,
    ContactsFilePart,
    ImportErrorRow,
    PauseReason,
)
from calling.models import CarrierLimiter, SimulatedCall
from tests import factories
from tests.workspaces import refusals
from workspaces.callers import Scope
from workspaces.models import Membership, User

Make = Callable[..., Any]
batch: Make = factories.CallBatchFactory.create
number: Make = factories.PhoneNumberFactory.create
agent: Make = factories.AgentFactory.create
account: Make = factories.CarrierAccountFactory.create
key: Make = factories.ApiKeyFactory.create
entry: Make = factories.DoNotCallEntryFactory.create
call: Make = factories.CallFactory.create
attempt: Make = factories.CallAttemptFactory.create
import_: Make = factories.ImportFactory.create
workspace: Make = factories.WorkspaceFactory.create


def user(**fields: Any) -> User:
    """Not through the manager, which would write the e-mail in lower case."""
    return User.objects.create(password="!", **fields)


def same_user_twice() -> None:
    for _ in range(2):
        user(email="somebody@example.com")


def same_member_twice() -> None:
    first: Membership = factories.MembershipFactory.create()
    factories.MembershipFactory.create(user=first.user, workspace=first.workspace, role="admin")


def same_number_twice() -> None:
    first = number()
    number(workspace=first.workspace, number=first.number)


def same_account_twice() -> None:
    first = account()
    account(workspace=first.workspace, digest=first.digest)


def same_number_listed_twice() -> None:
    first = entry()
    entry(workspace=first.workspace, phone_number=first.phone_number)


def same_public_id_twice(factory: Any) -> Callable[[], Any]:
    return lambda: factory.create(public_id=factory.create().public_id)


def same_part_of_a_file_twice() -> None:
    its = batch()
    mine = {"workspace": its.workspace, "created_by": its.created_by}
    file = ContactsFile.objects.create(
        **mine,
        batch=its,
        name="",
        size=0,
        header=[],
        sample=[],
        columns=[],
        created_at=timezone.now(),
    )
    for _ in range(2):
        part = {"file": file, "position": 0, "content": b""}
        ContactsFilePart.objects.create(workspace=its.workspace, **part)


def same_position_twice() -> None:
    first = factories.BatchNumberFactory.create()
    factories.BatchNumberFactory.create(batch=first.batch, position=first.position)


def same_phone_twice() -> None:
    first = factories.BatchNumberFactory.create()
    factories.BatchNumberFactory.create(batch=first.batch, phone=first.phone, position=1)


def same_number_called_twice() -> None:
    first = call()
    call(batch=first.batch, phone_number=first.phone_number)


def same_external_id_twice() -> None:
    first = call(external_id="C-1")
    call(batch=first.batch, external_id="C-1")


def same_attempt_twice() -> None:
    first = attempt()
    attempt(call=first.call, request_uuid=first.request_uuid)


def same_contact_called_by_two_batches() -> None:
    first = factories.LeaseFactory.create()
    other = call(batch=batch(workspace=first.workspace), phone_number=first.to_number)
    factories.LeaseFactory.create(attempt=attempt(call=other))


def same_account_paced_twice() -> None:
    for _ in range(2):
        CarrierLimiter.objects.create(digest=b"digest".ljust(32), next_slot_at=timezone.now())


def same_request_rung_twice() -> None:
    request_uuid = uuid4()
    for _ in range(2):
        SimulatedCall.objects.create(
            request_uuid=request_uuid,
            from_number="+12125551234",
            to_number="+13105551234",
            called_before=False,
            time_scale=1,
            rang_at=timezone.now(),
        )


def two_variables(*positions_and_names: tuple[int, str]) -> Callable[[], None]:
    def write() -> None:
        owner = batch()
        for position, name in positions_and_names:
            BatchVariable.objects.create(
                workspace=owner.workspace, batch=owner, position=position, name=name
            )

    return write


def same_slot_twice() -> None:
    owner = batch()
    for _ in range(2):
        CallCounter.objects.create(workspace=owner.workspace, batch=owner, slot=3)


def same_row_refused_twice() -> None:
    source = import_()
    for _ in range(2):
        ImportErrorRow.objects.create(
            workspace=source.workspace, source=source, row=2, cells=[], errors=[]
        )


def bad_hours(make: Make) -> list[Callable[[], Any]]:
    bad: list[dict[str, int]] = [
        {"calling_hour_start": 540},
        {"calling_hour_end": 540},
        {"calling_hour_start": 540, "calling_hour_end": 540},
        {"calling_hour_start": 541, "calling_hour_end": 540},
        {"calling_hour_start": 0, "calling_hour_end": 1441},
    ]
    return [partial(make, **hours) for hours in bad]


def bad_switches(make: Make) -> list[Callable[[], Any]]:
    return [partial(make, kill_reason="Complaints."), partial(make, killed_at=timezone.now())]


def bad_days(make: Make) -> list[Callable[[], Any]]:
    bad = [[], [1, 1], [7], [-1], [0, 1, 2, 3, 4, 5, 6, 0], [None], [0, None]]
    return [partial(make, allowed_days=days) for days in bad]


REFUSED: dict[str, list[Callable[[], Any]]] = {
    **refusals.REFUSED,
    "user_email_once": [same_user_twice],
    "user_email_lower_case": [lambda: user(email="Somebody@example.com")],
    "membership_once": [same_member_twice],
    "membership_role_known": [
        lambda: factories.MembershipFactory.create(role="root"),
        lambda: factories.MembershipFactory.create(role=""),
    ],
    "apikey_public_id_once": [same_public_id_twice(factories.ApiKeyFactory)],
    "accesstoken_public_id_once": [same_public_id_twice(factories.AccessTokenFactory)],
    "apikey_scopes_known": [
        lambda: key(scopes=[]),
        lambda: key(scopes=["calling"]),
        lambda: key(scopes=[Scope.READ, "*"]),
    ],
    "phonenumber_once": [same_number_twice],
    "phonenumber_e164": [
        lambda: number(number="12125551234"),
        lambda: number(number="+02125551234"),
        lambda: number(number="+1212"),
        lambda: number(number="+1212555123x"),
        lambda: number(number="+1 2125551234"),
        lambda: number(number="+12125551234\n"),
        lambda: number(number=""),
    ],
    "agent_connection_known": [
        lambda: agent(connection_type="pigeon"),
        lambda: agent(connection_type=""),
    ],
    "carrieraccount_once": [same_account_twice],
    "carrierlimiter_once": [same_account_paced_twice],
    "simulatedcall_once": [same_request_rung_twice],
    "agent_on_voicemail_known": [
        lambda: agent(on_voicemail="sing"),
        lambda: agent(on_voicemail=""),
    ],
    "callbatch_retry_range": [lambda: batch(retry=11)],
    "callbatch_delay_range": [lambda: batch(delay=604801)],
    "callbatch_calling_hour_order": bad_hours(batch),
    "callbatch_allowed_days_distinct": bad_days(batch),
    "workspace_calling_hour_order": bad_hours(workspace),
    "workspace_allowed_days_distinct": bad_days(workspace),
    "workspace_kill_reason_given": bad_switches(workspace),
    "phonenumber_kill_reason_given": bad_switches(number),
    "carrieraccount_kill_reason_given": bad_switches(account),
    "callbatch_type_known": [lambda: batch(batch_type="inbound"), lambda: batch(batch_type="")],
    "callbatch_status_known": [lambda: batch(status="gone"), lambda: batch(status="")],
    "callbatch_reason_when_paused": [
        lambda: batch(status=BatchStatus.PAUSED),
        lambda: batch(status=BatchStatus.PAUSED, status_reason="tired"),
        lambda: batch(status=BatchStatus.ACTIVE, status_reason=PauseReason.NO_NUMBER),
    ],
    "batchnumber_position_once": [same_position_twice],
    "batchnumber_phone_once": [same_phone_twice],
    "batchvariable_position_once": [two_variables((0, "name"), (0, "account"))],
    "batchvariable_name_once": [two_variables((0, "name"), (1, "name"))],
    "contactsfilepart_once": [same_part_of_a_file_twice],
    "callcounter_slot_once": [same_slot_twice],
    "call_number_once": [same_number_called_twice],
    "call_external_id_once": [same_external_id_twice],
    "call_number_e164": [
        lambda: call(phone_number="12125551234"),
        lambda: call(phone_number="+0125551234"),
        lambda: call(phone_number="+1212555123x"),
        lambda: call(phone_number="+12125551234\n"),
        lambda: call(phone_number=""),
    ],
    "call_status_known": [lambda: call(status="lost"), lambda: call(status="in_progress")],
    "callattempt_uuid_once": [same_attempt_twice],
    "callattempt_status_known": [
        lambda: attempt(status="lost"),
        lambda: attempt(status="cancelled"),  # the carriers' word has one l
    ],
    "lease_one_for_a_contact": [same_contact_called_by_two_batches],
    "import_kind_known": [lambda: import_(kind="people"), lambda: import_(kind="")],
    "import_source_known": [lambda: import_(source="pdf"), lambda: import_(source="")],
    "import_status_known": [lambda: import_(status="lost"), lambda: import_(status="")],
    "importerrorrow_once": [same_row_refused_twice],
    "donotcallentry_number_once": [same_number_listed_twice],
    "donotcallentry_number_e164": [
        lambda: entry(phone_number="12125551234"),
        lambda: entry(phone_number="+02125551234"),
        lambda: entry(phone_number="+1 2125551234"),
        lambda: entry(phone_number="+12125551234\n"),
        lambda: entry(phone_number=""),
    ],
}
REFUSALS = [(name, write) for name, writes in REFUSED.items() for write in writes]


@pytest.mark.parametrize(
    ("name", "write"), REFUSALS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(REFUSALS)]
)
def test_each_constraint_refuses_what_it_names(
    db: None, name: str, write: Callable[[], Any]
) -> None:
    with pytest.raises(IntegrityError, match=f'"{name}"'), transaction.atomic():
        write()


def test_every_constraint_of_every_model_is_tried_here() -> None:
    ours = ("workspaces", "calling", "batches")
    named = {
        constraint.name
        for app in ours
        for model in apps.get_app_config(app).get_models()
        for constraint in model._meta.constraints
    }
    assert named == set(REFUSED)


@pytest.mark.parametrize(
    "fields",
    [
        {"retry": 0, "delay": 0},
        {"retry": 10, "delay": 604800},
        {"calling_hour_start": 0, "calling_hour_end": 1440},
        {"calling_hour_start": 1439, "calling_hour_end": 1440},
        {"allowed_days": [0]},
        {"allowed_days": [6, 5, 4, 3, 2, 1, 0]},
        {"batch_type": "mixed"},
        *({"status": status} for status in BatchStatus.values if status != "paused"),
        *({"status": "paused", "status_reason": reason} for reason in PauseReason.values),
    ],
    ids=str,
)
def test_the_bounds_themselves_are_stored(db: None, fields: dict[str, Any]) -> None:
    stored = CallBatch.objects.get(id=batch(**fields).id)
    assert {name: getattr(stored, name) for name in fields} == fields


@pytest.mark.parametrize("field", ["retry", "delay", "calling_hour_start"])
def test_nothing_is_negative(db: None, field: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        batch(**{"calling_hour_end": 1, "calling_hour_start": 0, field: -1})


def test_another_workspace_may_have_the_same_number(db: None) -> None:
    first = number(number="+12125551234")
    assert number(number="+12125551234").workspace_id != first.workspace_id


@pytest.mark.django_db(transaction=True)
def test_a_number_in_a_rotation_cannot_be_deleted_under_it() -> None:
    row = factories.BatchNumberFactory.create()
    with pytest.raises(models.ProtectedError):
        row.phone.delete()
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM calling_phonenumber WHERE id = %s", [bytes.fromhex(row.phone_id)]
        )


def test_a_user_with_a_past_stays(db: None) -> None:
    created = batch()
    with pytest.raises(models.ProtectedError):
        created.created_by.delete()


def test_a_number_may_be_listed_once_beside_any_number_of_tombstones(db: None) -> None:
    gone = entry(deleted_at=timezone.now())
    same = {"workspace": gone.workspace, "phone_number": gone.phone_number}
    entry(**same, deleted_at=timezone.now())
    entry(**same)
    entry(phone_number=gone.phone_number)

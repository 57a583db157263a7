"""insert_rows: any mixture of models in one statement, all of it or nothing."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from batches.models import BatchNumber, CallBatch
from calling.models import PhoneNumber
from tests.cast import Person
from workspaces.callers import Role, Scope
from workspaces.credentials import CredentialPrefix, mint
from workspaces.models import ApiKey, AuditEvent, Membership, User
from workspaces.sql import fetch_all, fetch_row, insert_rows

NOON = datetime(2025, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)


def number(owner: Person, digits: int, **fields: Any) -> PhoneNumber:
    defaults = {
        "workspace": owner.workspace,
        "number": f"+1212555{digits:04}",
        "carrier": "simulator",
        "created_by": owner.user,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return PhoneNumber(**{**defaults, **fields})


def batch(owner: Person, **fields: Any) -> CallBatch:
    defaults = {
        "workspace": owner.workspace,
        "created_by": owner.user,
        "name": "Batch",
        "timezone": "UTC",
        "created_at": NOON,
        "updated_at": NOON,
    }
    return CallBatch(**{**defaults, **fields})


def rotation(owner: Person, of: CallBatch, numbers: list[PhoneNumber]) -> list[BatchNumber]:
    return [
        BatchNumber(workspace=owner.workspace, batch=of, phone=one, position=position)
        for position, one in enumerate(numbers)
    ]


def event(owner: Person, changes: dict[str, Any]) -> AuditEvent:
    return AuditEvent(
        workspace=owner.workspace,
        user=owner.user,
        credential_kind="none",
        action="test.write",
        target_type="test",
        changes=changes,
        ip="2001:db8::1",
        created_at=NOON,
    )


def values(row: Model) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_one_row_comes_back_as_it_was(owner: Person) -> None:
    row = batch(owner, allowed_days=[1, 3], calling_hour_start=0, calling_hour_end=1440)
    insert_rows(row)
    assert values(CallBatch.objects.get()) == values(row)


def test_every_kind_of_column_survives(owner: Person) -> None:
    _, secret = mint(CredentialPrefix.API_KEY)
    changes = {"text": "“quoted” \\ %s $1", "list": [1, None, {"a": True}], "nothing": None}
    key = ApiKey(
        workspace=owner.workspace,
        created_by=owner.user,
        name="Ünïcode",
        scopes=Scope.values,
        public_id=secret.public_id,
        digest=secret.digest,
        pepper=secret.pepper,
        created_at=NOON,
    )
    audit = event(owner, changes)
    insert_rows(key, audit)

    stored = ApiKey.objects.get(id=key.id)
    assert (stored.scopes, bytes(stored.digest)) == (Scope.values, secret.digest)
    assert (stored.name, stored.expires_at) == ("Ünïcode", None)
    assert values(AuditEvent.objects.get()) == values(audit)


@pytest.mark.parametrize("count", [2, 3, 1000])
def test_many_rows_of_one_model(owner: Person, count: int) -> None:
    rows = [number(owner, digits, label=f"{{{digits}}}, \\ 'x'") for digits in range(count)]
    insert_rows(*rows)
    stored = PhoneNumber.objects.order_by("number")
    assert [values(row) for row in stored] == [values(row) for row in rows]


def test_json_and_nulls_among_many_rows(owner: Person) -> None:
    rows = [event(owner, {"n": 1}), event(owner, {})]
    rows[1].user, rows[1].ip, rows[1].workspace = None, None, None
    insert_rows(*rows)
    stored = {row.id: values(row) for row in AuditEvent.objects.all()}
    assert stored == {row.id: values(row) for row in rows}


def test_a_mixture_is_one_statement(owner: Person, statements: CaptureQueriesContext) -> None:
    numbers = [number(owner, digits) for digits in range(3)]
    first = batch(owner)
    before = len(statements)
    insert_rows(*numbers, first, *rotation(owner, first, numbers), event(owner, {}))
    assert len(statements) - before == 1
    assert BatchNumber.objects.filter(batch=first).count() == 3
    assert PhoneNumber.objects.count() == 3
    assert AuditEvent.objects.count() == 1


def test_inserted_rows_are_saved_rows_from_then_on(owner: Person) -> None:
    row = batch(owner)
    assert row._state.adding
    insert_rows(row)
    assert not row._state.adding
    row.name = "Renamed"
    row.save()
    assert CallBatch.objects.get().name == "Renamed"


def test_the_statement_is_the_same_text_whatever_the_count(
    owner: Person,
) -> None:
    """One text is what PostgreSQL can keep prepared."""
    sent = []

    def record(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        sent.append(sql)
        return execute(sql, params, many, context)

    digits = iter(range(1000))
    with connection.execute_wrapper(record):
        for count in (2, 7, 100):
            insert_rows(*[number(owner, next(digits)) for _ in range(count)])
    assert len(sent) == 3
    assert len(set(sent)) == 1


@pytest.mark.parametrize("broken", ["first", "middle", "last"])
def test_one_bad_row_and_nothing_is_stored(owner: Person, broken: str) -> None:
    numbers = [number(owner, digits) for digits in range(3)]
    first, audit = batch(owner), event(owner, {})
    if broken == "first":
        numbers[1].number = "no E.164"
    elif broken == "middle":
        first.retry = 11
    else:
        audit.id = "64e5f12345abcdef98765432"
        event_before = event(owner, {})
        event_before.id = audit.id
        insert_rows(event_before)
    existing = AuditEvent.objects.count()

    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows(*numbers, first, *rotation(owner, first, numbers), audit)

    assert not PhoneNumber.objects.exists()
    assert not CallBatch.objects.exists()
    assert not BatchNumber.objects.exists()
    assert AuditEvent.objects.count() == existing


@pytest.mark.django_db(transaction=True)
def test_one_bad_reference_and_nothing_is_stored(owner: Person) -> None:
    """Without a transaction around it: the statement alone is all or nothing."""
    first, nobodys = batch(owner), number(owner, 1)
    with pytest.raises(IntegrityError):
        insert_rows(first, *rotation(owner, first, [nobodys]), event(owner, {}))
    assert not CallBatch.objects.exists()
    assert not AuditEvent.objects.exists()


def test_a_text_that_is_too_long_is_refused_and_not_cut(owner: Person) -> None:
    with pytest.raises(DataError), transaction.atomic():
        insert_rows(batch(owner, name="x" * 201))
    with pytest.raises(DataError), transaction.atomic():
        insert_rows(number(owner, 1, label="x" * 201), number(owner, 2))
    assert not CallBatch.objects.exists()
    assert not PhoneNumber.objects.exists()


def test_rows_with_arrays_go_one_at_a_time(owner: Person) -> None:
    with pytest.raises(TypeError, match="CallBatch has array columns"):
        insert_rows(batch(owner), batch(owner))
    insert_rows(batch(owner), event(owner, {}), batch(owner))
    assert CallBatch.objects.count() == 2


def test_every_model_of_ours_can_be_inserted(owner: Person) -> None:
    """Their column types are all that PostgreSQL can be told by a cast."""
    user = User(email="inserted@example.com", password="!", created_at=NOON)
    membership = Membership(workspace=owner.workspace, user=user, role=Role.MEMBER, created_at=NOON)
    insert_rows(user, membership)
    assert Membership.objects.get(user__email="inserted@example.com").role == Role.MEMBER


def test_reading_a_row_and_all_rows(db: None) -> None:
    assert fetch_row("SELECT 1 WHERE %s", [False]) is None
    assert fetch_row("SELECT %s::int, %s::text", [7, "x"]) == (7, "x")
    assert fetch_all("SELECT generate_series(1, %s)", [3]) == [(1,), (2,), (3,)]

"""The claim beside others, and on a table with a hundred thousand pending calls."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from batches.dialer.claim import Claim, claim_calls
from batches.dialer.gate import pass_gate
from batches.dialer.store import store_claim
from batches.models import BatchStatus, Call, CallBatch, CallStatus
from batches.services.counters import change_counts
from tests import factories
from tests.cast import Person, person
from tests.database import wait_for_waiting
from workspaces.ids import new_object_id
from workspaces.models import DialSchedule
from workspaces.services.dialing import wake

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LEASE = timedelta(seconds=20)
MANY = 100_000
_FILL = """
INSERT INTO batches_call (
    id, workspace_id, batch_id, phone_number, variables, timezone,
    status, attempts_made, is_picked, next_attempt_at, created_at, updated_at
)
SELECT decode(lpad(to_hex(%s::bigint + n), 24, '0'), 'hex'), %s, %s, '+1212' || (2000000 + n), '{}',
    (ARRAY['', 'America/Chicago', 'Asia/Tokyo'])[1 + n %% 3], 'pending', 0, false, %s, %s, %s
FROM generate_series(1, %s) AS n
"""


def dialed_batch(owner: Person) -> CallBatch:
    batch: CallBatch = factories.CallBatchFactory.create(
        workspace=owner.workspace, created_by=owner.user, status=BatchStatus.ACTIVE
    )
    factories.BatchNumberFactory.create(batch=batch)
    wake(owner.workspace.id, NOW)
    return batch


def fill(batch: CallBatch, number: int) -> None:
    """So many pending calls, due, in three time zones."""
    ids = [bytes.fromhex(id_) for id_ in (batch.workspace_id, batch.id)]
    start = int(new_object_id()[-8:], 16) << 24
    with connection.cursor() as cursor:
        cursor.execute(_FILL, [start, *ids, NOW, NOW, NOW, number])
        cursor.execute("ANALYZE batches_call")
    change_counts(
        workspace_id=batch.workspace_id, batch_id=batch.id, changes={CallStatus.PENDING: number}
    )


def claim(most: int = 200) -> Claim:
    wake_all()
    found = claim_calls(now=NOW, most=most, lease=LEASE)
    assert found is not None
    return found


def wake_all() -> None:
    DialSchedule.objects.update(next_dial_at=NOW)


# --- A hundred thousand ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("plans", ["force_custom_plan", "force_generic_plan"])
def test_the_claim_and_the_gate_never_look_through_all_calls(owner: Person, plans: str) -> None:
    """Whichever way PostgreSQL plans the prepared statements."""
    fill(dialed_batch(owner), MANY)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL plan_cache_mode = {plans}")
    before = scans()

    claims = [claim() for _ in range(8)]
    for one in claims:
        assert len(one.calls) == 200
        pass_gate([call.attempt_id for call in one.calls], now=NOW)

    after = scans()
    assert after["seq_tup_read"] == before["seq_tup_read"]
    # Of the index entries too: those of its own calls, and a few beside.
    assert after["idx_tup_fetch"] - before["idx_tup_fetch"] < 8 * 200 * 12


@pytest.mark.slow
def test_due_calls_come_out_of_their_index(owner: Person) -> None:
    fill(dialed_batch(owner), MANY)
    with CaptureQueriesContext(connection) as captured:
        claim()
    statements = [query["sql"] for query in captured.captured_queries]
    [due] = [sql for sql in statements if "FOR NO KEY UPDATE OF call SKIP LOCKED" in sql]
    lanes = [sql for sql in statements if "WITH RECURSIVE lane" in sql]

    for sql in [due, *lanes]:
        plan = explained(sql)
        assert "using call_due" in plan, plan
        assert "Seq Scan on batches_call" not in plan, plan


@pytest.mark.slow
def test_a_start_for_ten_calls_does_not_look_through_the_others(owner: Person) -> None:
    batch = dialed_batch(owner)
    fill(batch, MANY)
    batch.session = factories.DialingSessionFactory.create(batch=batch, only_its_calls=True)
    batch.save()
    ten = Call.objects.filter(batch=batch).order_by("-id")[:10].values("id")
    Call.objects.filter(id__in=ten).update(session=batch.session)
    before = scans()

    assert len(claim().calls) == 10

    after = scans()
    assert after["seq_tup_read"] == before["seq_tup_read"]
    assert after["idx_tup_fetch"] - before["idx_tup_fetch"] < 200


def scans() -> dict[str, int]:
    """What this transaction has read of the calls so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables"
            " WHERE relname = 'batches_call'"
        )
        row = cursor.fetchone()
    return dict(zip(("seq_tup_read", "idx_tup_fetch"), row, strict=True))


def explained(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        return "\n".join(row[0] for row in cursor.fetchall())


# --- Two at a time --------------------------------------------------------------------------------


@contextmanager
def held_claim(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[ThreadPoolExecutor, threading.Event]]:
    """A second dialer that stops in the middle of its claim until it is told to go on."""
    reached, go_on = threading.Event(), threading.Event()
    store = store_claim

    def slow_store(*args: object, **kwargs: object) -> None:
        if threading.current_thread() is not threading.main_thread() and not go_on.is_set():
            reached.set()
            assert go_on.wait(20)
        store(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("batches.dialer.claim.store_claim", slow_store)
    with ThreadPoolExecutor(2) as others:
        others.reached = reached  # type: ignore[attr-defined]
        yield others, go_on
        go_on.set()


def in_thread(most: int) -> Claim | None:
    try:
        return claim_calls(now=NOW, most=most, lease=LEASE)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_second_dialer_takes_another_workspace_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = person(), person()
    for owner in (first, second):
        fill(dialed_batch(owner), 30)
    with held_claim(monkeypatch) as (others, go_on):
        held = others.submit(in_thread, 10)
        assert others.reached.wait(20)  # type: ignore[attr-defined]

        mine = claim_calls(now=NOW, most=10, lease=LEASE)
        go_on.set()
        theirs = held.result(20)

    assert mine is not None
    assert theirs is not None
    assert {mine.workspace_id, theirs.workspace_id} == {first.workspace.id, second.workspace.id}


@pytest.mark.django_db(transaction=True)
def test_a_wake_up_during_a_claim_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the claim, which has not seen what it tells of, and has the last word."""
    owner = person()
    batch = dialed_batch(owner)
    fill(batch, 3)
    with held_claim(monkeypatch) as (others, go_on):
        held = others.submit(in_thread, 10)
        assert others.reached.wait(20)  # type: ignore[attr-defined]
        waking = others.submit(wake_in_thread, owner.workspace.id)
        wait_for_waiting(1)
        go_on.set()
        claimed = held.result(20)
        waking.result(20)

    assert claimed is not None
    assert len(claimed.calls) == 3
    assert DialSchedule.objects.get().next_dial_at == NOW - timedelta(hours=1)


def wake_in_thread(workspace_id: str) -> None:
    try:
        wake(workspace_id, NOW - timedelta(hours=1))
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_calls_that_somebody_else_holds_are_left_out_without_waiting() -> None:
    owner = person()
    batch = dialed_batch(owner)
    fill(batch, 30)
    held = Call.objects.filter(batch=batch).order_by("next_attempt_at", "id")[:5]
    with transaction.atomic():
        ids = set(held.select_for_update(no_key=True).values_list("id", flat=True))
        with ThreadPoolExecutor(1) as other:
            claimed = other.submit(in_thread, 30).result(20)

    assert claimed is not None
    assert len(claimed.calls) == 25
    assert not ids & {call.call_id.hex() for call in claimed.calls}

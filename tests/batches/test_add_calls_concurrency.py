"""POST /api/call/addCallsToBatch by several at once: nobody waits forever, nothing is doubled."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from batches.models import Call, CallBatch, CallEvent
from batches.services import contacts as services
from batches.services.batches import delete_batch, locked_batch
from batches.services.counters import change_counts, drifts
from tests.batches.contacts import ADD, call, contacts, counted, ready_batch
from tests.cast import Api, Person
from tests.database import wait_for_waiting
from workspaces.callers import Actor

pytestmark = pytest.mark.django_db(transaction=True)


class Answers:
    """What requests from threads of their own were told."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.ids: list[list[str]] = []

    def add(self, who: Person, batch: CallBatch, records: Any) -> None:
        try:
            response = Api().post(ADD, {"batchId": batch.id, "call_data": records}, who.with_key)
            self.codes.append(response.status_code)
            self.ids.append((response.json()["data"] or {}).get("callIds", []))
        finally:
            connection.close()


@contextmanager
def together(*works: Callable[[], Any]) -> Iterator[None]:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


@pytest.fixture
def both_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two requests have checked and staged everything before either locks the batch."""
    ready = threading.Barrier(2, timeout=30)

    def wait_and_lock(workspace_id: str, batch_id: str) -> CallBatch:
        ready.wait()
        return locked_batch(workspace_id, batch_id)

    monkeypatch.setattr(services, "locked_batch", wait_and_lock)


@pytest.mark.parametrize(("first", "second"), [(900, 900), (1500, 1500), (1500, 300)])
def test_two_who_add_overlapping_numbers_at_once(
    owner: Person, both_at_once: None, first: int, second: int
) -> None:
    """Opposite orders of the same numbers would be a deadlock if each took its locks as they came."""
    batch = ready_batch(owner)
    for number in range(0, 200, 2):
        call(batch, str(13105550000 + number), "failed")
    everything = contacts(1600)
    here, there = everything[:first], everything[100 : 100 + second][::-1]
    answers = Answers()

    with together(
        lambda: answers.add(owner, batch, here), lambda: answers.add(owner, batch, there)
    ):
        pass

    assert answers.codes == [200, 200]
    wanted = {f"+{record['phoneNumber']}" for record in here + there}
    assert set(batch.calls.values_list("phone_number", flat=True)) == wanted
    assert batch.calls.count() == len(wanted)
    assert counted(batch) == {"pending": len(wanted)}
    assert list(drifts()) == []
    assert CallEvent.objects.count() == 100  # each failed one was put back once
    stored = set(batch.calls.values_list("id", flat=True))
    assert all(set(ids) <= stored for ids in answers.ids)


def test_two_who_add_the_same_external_ids_at_once(owner: Person, both_at_once: None) -> None:
    """The second reads what the batch has after the first has committed."""
    batch = ready_batch(owner)
    answers = Answers()
    ids = [f"C{number}" for number in range(1100)]
    here, there = (
        [{**one, "externalId": id_} for one, id_ in zip(contacts(1100, first), ids, strict=True)]
        for first in (0, 2000)
    )
    with together(
        lambda: answers.add(owner, batch, here), lambda: answers.add(owner, batch, there)
    ):
        pass
    assert answers.codes == [200, 200]
    assert sorted(map(len, answers.ids)) == [0, 1100]
    assert set(batch.calls.values_list("external_id", flat=True)) == set(ids)
    assert counted(batch) == {"pending": 1100}


def test_two_who_add_to_two_batches_do_not_wait_for_each_other(owner: Person) -> None:
    held, free = ready_batch(owner), ready_batch(owner)
    answers = Answers()
    with transaction.atomic():
        locked_batch(owner.workspace.id, held.id)
        with together(lambda: answers.add(owner, free, contacts(1200))):
            pass
    assert answers.codes == [200]


@pytest.mark.parametrize("count", [1, 1200])
def test_a_batch_that_is_deleted_meanwhile_is_a_404(owner: Person, count: int) -> None:
    batch = ready_batch(owner)
    answers = Answers()
    with together(lambda: answers.add(owner, batch, contacts(count))), transaction.atomic():
        now = timezone.now()
        delete_batch(workspace_id=owner.workspace.id, batch_id=batch.id, actor=Actor(), now=now)
        wait_for_waiting(1)
    assert answers.codes == [404]
    assert not Call.objects.exists()
    assert counted(batch) == {}


@pytest.mark.parametrize("count", [1, 1200])
def test_a_call_that_moves_meanwhile_is_taken_as_it_is_then(owner: Person, count: int) -> None:
    """A dialer records an outcome without the lock of the batch."""
    batch = ready_batch(owner)
    records = contacts(count)
    number = records[0]["phoneNumber"]
    old = call(batch, number, "in-progress", attempts_made=1)
    answers = Answers()
    with together(lambda: answers.add(owner, batch, records)), transaction.atomic():
        Call.objects.filter(id=old.id).update(status="failed")
        change_counts(
            workspace_id=batch.workspace_id,
            batch_id=batch.id,
            changes={"in-progress": -1, "failed": 1},
        )
        wait_for_waiting(1)
    assert answers.codes == [200]
    old.refresh_from_db()
    assert (old.status, old.attempts_made) == ("pending", 0)
    assert counted(batch) == {"pending": count}
    assert list(drifts()) == []


def test_a_failure_on_the_way_leaves_nothing_behind(
    api: Api, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = ready_batch(owner)
    body = {"batchId": batch.id, "call_data": contacts(1200)}

    def fail(*arguments: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(services, "remember_variables", fail)
        assert api.post(ADD, body, owner.with_key).status_code == 500
    assert not Call.objects.exists()
    assert counted(batch) == {}
    assert api.post(ADD, body, owner.with_key).status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('pg_temp.incoming')")
        assert cursor.fetchone() == (None,)


def test_a_connection_lost_on_the_way_is_a_503_and_leaves_nothing_behind(
    api: Api, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = ready_batch(owner)
    body = {"batchId": batch.id, "call_data": contacts(1200)}
    place = services.place_contacts

    def place_and_lose(*arguments: Any, **more: Any) -> Any:
        place(*arguments, **more)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as broken:
        broken.setattr(services, "place_contacts", place_and_lose)
        response = api.post(ADD, body, owner.with_key)
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    connection.close()
    assert not Call.objects.exists()
    assert api.post(ADD, body, owner.with_key).status_code == 200

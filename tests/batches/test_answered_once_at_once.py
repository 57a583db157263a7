"""Several with one `Idempotency-Key` at the same time, each on a connection of its own."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from batches.imports import pipeline
from batches.models import CallBatch, Import
from batches.services import contacts, uploads
from batches.services.batches import locked_batch
from calling.carriers.registry import CARRIERS
from tests.batches.contacts import ADD, counted, ready_batch
from tests.batches.contacts import contacts as so_many
from tests.batches.keyed import (
    ADD_PHONE,
    CREATE,
    REQUESTS,
    Keyed,
    send,
    to_add_phone,
    to_create,
    with_id,
)
from tests.batches.uploads import UPLOAD
from tests.calling.test_add_phone import Script
from tests.cast import Api, Person
from tests.config.server import PROJECT, url_of_the_test_database
from tests.database import wait_for_waiting
from tests.envelope import checked
from workspaces.ids import new_object_id
from workspaces.models import AuditEvent, IdempotentRequest

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 8


def in_thread(work: Any, *arguments: Any) -> Any:
    """The result of a thread, whose connection is closed then."""
    try:
        return work(*arguments)
    finally:
        connection.close()


def all_at_once(path: str, body: Any, who: Person, key: str) -> list[Any]:
    ready = threading.Barrier(MANY, timeout=30)

    def ask(_: int) -> Any:
        client = Api()
        ready.wait()
        return send(client, path, body, who, key)

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(lambda number: in_thread(ask, number), range(MANY)))


def temporary_table() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('pg_temp.incoming')")
        return cursor.fetchone()[0]


def test_one_batch_is_created(owner: Person) -> None:
    body = to_create(owner)
    for round_ in range(2):
        answers = all_at_once(CREATE, body, owner, f"round-{round_}")
        codes = Counter(answer.status_code for answer in answers)
        assert set(codes) <= {201, 409}, codes
        good = [answer for answer in answers if answer.status_code == 201]
        assert len({answer.content for answer in good}) == 1
        assert sum("Idempotency-Replayed" not in answer for answer in good) == 1
        assert CallBatch.objects.count() == round_ + 1
    assert AuditEvent.objects.filter(action="batch.create").count() == 2


@pytest.mark.parametrize("count", [3, 1200])
def test_contacts_are_added_once(owner: Person, count: int) -> None:
    batch = ready_batch(owner)
    body = {"batchId": batch.id, "call_data": so_many(count)}
    answers = all_at_once(ADD, body, owner, "once")
    assert {answer.status_code for answer in answers} <= {200, 409}
    good = [answer for answer in answers if answer.status_code == 200]
    assert len({answer.content for answer in good}) == 1
    assert sum("Idempotency-Replayed" not in answer for answer in good) == 1
    assert Import.objects.count() == 1
    assert AuditEvent.objects.filter(action="batch.add_calls").count() == 1
    assert counted(batch) == {"pending": count}
    assert send(Api(), ADD, body, owner).content == good[0].content


def test_the_second_is_told_to_wait_while_the_first_runs(api: Api, owner: Person) -> None:
    batch = ready_batch(owner)
    body = {"batchId": batch.id, "call_data": so_many(1200)}
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            locked_batch(owner.workspace.id, batch.id)
            first = pool.submit(in_thread, send, Api(), ADD, body, owner)
            wait_for_waiting(1)
            second = send(api, ADD, body, owner)
            checked(send(api, ADD, {**body, "dryRun": True}, owner), 422)
        assert first.result().status_code == 200
    checked(second, 409)
    assert int(second["Retry-After"]) >= 1
    again = send(api, ADD, body, owner)
    assert (again.status_code, again.content) == (200, first.result().content)


@pytest.mark.parametrize("name", ["add", "add many", "upload"])
def test_whoever_lost_the_claim_stores_nothing(
    api: Api, owner: Person, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Its time ran out while it was at work, and another request with the key has begun."""
    keyed = REQUESTS[name]
    body = keyed.body(owner)
    rows = IdempotentRequest.objects.for_workspace(owner.workspace.id)
    service: Any = uploads if keyed.path == UPLOAD else contacts
    remember = service.remember_variables

    def be_slow(*arguments: Any) -> None:
        remember(*arguments)
        with ThreadPoolExecutor(1) as pool:
            take = pool.submit(in_thread, lambda: rows.update(id=new_object_id()))
            assert take.result() == 1

    with monkeypatch.context() as slow:
        slow.setattr(service, "remember_variables", be_slow)
        response = send(api, keyed.path, body, owner)
    checked(response, 409)
    assert response["Retry-After"] == "1"
    assert rows.get().finished_at is None  # the other one's
    assert temporary_table() is None
    assert not AuditEvent.objects.filter(action__startswith="batch.").exists()
    records = Import.objects.values_list("status", flat=True)
    assert list(records) == (["failed"] if keyed.path == UPLOAD else [])

    rows.all().delete()
    assert send(api, keyed.path, body, owner).status_code == keyed.code


@pytest.mark.parametrize("keyed", [REQUESTS["add"], REQUESTS["add many"]], ids=["few", "many"])
def test_a_connection_that_is_lost_frees_the_key(
    api: Api, owner: Person, monkeypatch: pytest.MonkeyPatch, keyed: Keyed
) -> None:
    body = keyed.body(owner)

    def lose(**more: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as broken:
        broken.setattr("workspaces.api.idempotency.keep_answer", lose)
        checked(send(api, keyed.path, body, owner), 503)
    assert not IdempotentRequest.objects.exists()
    assert not Import.objects.exists()
    assert send(api, keyed.path, body, owner).status_code == keyed.code


ASK = """
import json, sys
import django
from django.test.utils import setup_test_environment

django.setup()
setup_test_environment()
from tests.cast import Api

Api().post(*json.loads(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_process_that_dies_leaves_a_claim_that_ends(api: Api, owner: Person) -> None:
    batch = ready_batch(owner)
    body = {"batchId": batch.id, "call_data": so_many(1200)}
    command = [sys.executable, "-c", ASK, json.dumps([ADD, body, with_id("once", owner)])]
    env = {**os.environ, "DATABASE_URL": url_of_the_test_database()}
    env["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    with transaction.atomic():
        locked_batch(owner.workspace.id, batch.id)
        process = subprocess.Popen(command, env=env, cwd=PROJECT)
        try:
            wait_for_waiting(1)
        finally:
            process.kill()
            process.wait()
    checked(send(api, ADD, body, owner), 409)
    assert counted(batch) == {}

    IdempotentRequest.objects.update(claimed_until=timezone.now())
    assert send(api, ADD, body, owner).status_code == 200
    assert counted(batch) == {"pending": 1200}


def test_nothing_slow_happens_in_the_transaction(
    api: Api, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent to a carrier, and no file is read, while it is open."""
    carrier, seen, stage = Script(), [], pipeline.stage_rows
    monkeypatch.setitem(CARRIERS, "simulator", carrier)
    send(api, ADD_PHONE, to_add_phone(owner), owner)
    assert carrier.in_transaction == [False]

    def watch(*arguments: Any) -> int:
        seen.append(connection.in_atomic_block)
        return stage(*arguments)

    monkeypatch.setattr(uploads, "stage_rows", watch)
    send(api, UPLOAD, REQUESTS["upload"].body(owner), owner)
    assert seen == [False]

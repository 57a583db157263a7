"""Ids: 24 hex digits outside, 12 bytes in the database, never the same twice."""

import subprocess
import sys
import threading
import time
from itertools import pairwise

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from tests import factories
from workspaces.ids import (
    ObjectIdField,
    ObjectIdGenerator,
    is_object_id,
    new_object_id,
)
from workspaces.models import Workspace

ids = st.from_regex(r"[0-9a-f]{24}", fullmatch=True)
field = ObjectIdField()


def stored(value: str | None) -> bytes | None:
    return field.get_db_prep_value(value, connection)


@given(value=ids)
def test_an_id_survives_the_round_trip_through_the_database_type(value: str) -> None:
    as_bytes = stored(value)
    assert as_bytes is not None
    assert len(as_bytes) == 12
    assert field.from_db_value(as_bytes, None, None) == value


@given(one=ids, other=ids)
def test_ids_sort_in_the_database_as_they_sort_in_python(one: str, other: str) -> None:
    assert (one < other) is (bytes.fromhex(one) < bytes.fromhex(other))


@given(value=st.one_of(st.text(max_size=30), st.integers(), st.binary(max_size=24), st.none()))
def test_what_is_no_id_is_none(value: object) -> None:
    looks_like_one = (
        isinstance(value, str) and len(value) == 24 and set(value) <= set("0123456789abcdef")
    )
    assert is_object_id(value) is looks_like_one


@pytest.mark.parametrize(
    "value",
    [
        "64E5F12345ABCDEF98765432",
        "64e5f12345abcdef9876543",
        "64e5f12345abcdef987654321",
        "64e5f12345abcdef9876543g",
        "64e5f12345abcdef98765432\n",
        "64e5f12345abcdef9876543١",
        "0x64e5f12345abcdef987654",
        "",
    ],
)
def test_a_malformed_id_reaches_no_query(db: None, value: str) -> None:
    assert not is_object_id(value)
    with pytest.raises(ValidationError):
        stored(value)
    with pytest.raises(ValidationError):
        Workspace.objects.filter(id=value).exists()


def test_a_missing_id_is_null_both_ways() -> None:
    assert stored(None) is None
    assert field.from_db_value(None) is None


def test_rows_come_back_by_the_id_they_were_given(db: None) -> None:
    workspace = factories.WorkspaceFactory.create(id="64e5f12345abcdef98765432")
    assert Workspace.objects.get(id="64e5f12345abcdef98765432") == workspace
    assert list(Workspace.objects.filter(id__in=[workspace.id])) == [workspace]
    assert list(Workspace.objects.filter(id__gt="64e5f12345abcdef98765431")) == [workspace]
    assert list(Workspace.objects.values_list("id", flat=True)) == [workspace.id]


@pytest.mark.parametrize("length", [0, 11, 13])
def test_the_database_refuses_an_id_of_another_length(db: None, length: int) -> None:
    workspace = factories.WorkspaceFactory.create()
    with (
        pytest.raises(IntegrityError, match="check constraint"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "UPDATE workspaces_workspace SET id = %s WHERE id = %s",
            [bytes(length), bytes.fromhex(workspace.id)],
        )


# --- New ones -------------------------------------------------------------------------------------


def test_a_new_id_begins_with_the_second_it_was_made_in() -> None:
    before = int(time.time())
    made = int(new_object_id()[:8], 16)
    assert before <= made <= int(time.time())


def test_ids_of_one_process_grow() -> None:
    made = [new_object_id() for _ in range(1000)]
    same_second = [one for one in made if one[:8] == made[0][:8]]
    counters = [int(one[18:], 16) for one in same_second]
    steps = {(b - a) % (1 << 24) for a, b in pairwise(counters)}
    assert steps == {1}
    assert all(is_object_id(one) for one in made)


def test_the_counter_wraps_within_its_three_bytes() -> None:
    generator = ObjectIdGenerator()
    generator._counter = iter([(1 << 24) - 1, 1 << 24])  # type: ignore[assignment]
    assert [generator()[18:], generator()[18:]] == ["ffffff", "000000"]


def test_two_generators_never_meet() -> None:
    one, other = ObjectIdGenerator(), ObjectIdGenerator()
    assert one()[8:18] != other()[8:18]


def test_threads_never_make_the_same_id_twice() -> None:
    made: list[list[str]] = [[] for _ in range(8)]
    start = threading.Barrier(len(made))

    def work(mine: list[str]) -> None:
        start.wait()
        mine.extend(new_object_id() for _ in range(5000))

    threads = [threading.Thread(target=work, args=[mine]) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [one for mine in made for one in mine]
    assert len(set(every)) == len(every) == 40_000


FORKING = """
import os
import django
django.setup()
from workspaces.ids import new_object_id

new_object_id()
for _ in range(4):
    if os.fork() == 0:
        break
made = " ".join(new_object_id() for _ in range(100))
os.write(1, f"{made}\\n".encode())  # one write, so that lines of two processes do not mix
"""


def test_forked_processes_never_repeat_their_parents_ids() -> None:
    """In a process of its own: pytest's must not be forked with its threads and connections."""
    run = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, check=True, timeout=60
    )
    made = run.stdout.split()
    assert len(made) == 500
    assert len(set(made)) == 500
    assert len({one[8:18] for one in made}) == 5

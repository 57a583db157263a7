"""GET /api/call/batch-details/{id}: what a page costs does not follow the size of the batch."""

import json
from typing import Any

import pytest
from django.db import connection, transaction
from psycopg import ClientCursor

from batches.call_pages import ORDERS, read_page
from batches.models import Call, CallBatch, CallStatus
from batches.selection import CallSelection
from batches.services.counters import COLUMNS, PICKED, change_counts
from tests import factories
from tests.cast import Person

SMALL, LARGE = 1_000, 100_000
INDEXED = sorted(set(ORDERS) - {"updatedAt"})
# A page of ten calls: ids out of an index, then ten rows and ten looks for attempts.
MOST_BLOCKS = 150

pytestmark = pytest.mark.slow

_FILL = """
INSERT INTO batches_call (id, workspace_id, batch_id, phone_number, variables, timezone, status,
    attempts_made, is_picked, session_id, created_at, updated_at)
SELECT decode(left(md5(random()::text || n), 24), 'hex'), %(workspace)s::bytea, %(batch)s::bytea,
    '+1' || 2000000000 + (n::bigint * 7919) %% 1000003, jsonb_build_object('name', 'N' || n), '',
    (%(statuses)s::text[])[1 + n %% %(kinds)s], 0, false, NULL,
    '2025-01-01'::timestamptz + n / 1000 * interval '1 second',
    '2025-02-01'::timestamptz + n * 31 %% 9973 * interval '1 second'
FROM generate_series(1, %(number)s::int) AS n
"""


def filled(owner: Person, number: int) -> CallBatch:
    batch: CallBatch = factories.CallBatchFactory.create(workspace=owner.workspace)
    statuses = CallStatus.values[:-1]  # of the last one there are none
    params: dict[str, Any] = {
        "workspace": bytes.fromhex(batch.workspace_id),
        "batch": bytes.fromhex(batch.id),
        "statuses": statuses,
        "kinds": len(statuses),
        "number": number,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FILL, params)
    changes = {
        name: Call.objects.filter(batch=batch, status=name).count()
        for name in COLUMNS
        if name != PICKED
    }
    change_counts(workspace_id=batch.workspace_id, batch_id=batch.id, changes=changes)
    return batch


@pytest.fixture
def batches(owner: Person) -> dict[int, CallBatch]:
    found = {number: filled(owner, number) for number in (SMALL, LARGE)}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE batches_call")
    return found


def blocks(statement: str, params: Any) -> int:
    """How many blocks a prepared statement looks at, in the cache or not."""
    for number in range(len(params or ())):
        statement = statement.replace("%s", f"${number + 1}", 1)
    values = ", ".join(["%s"] * len(params or ()))
    execute = ClientCursor(connection.connection).mogrify(f"EXECUTE looked ({values})", params)
    with connection.cursor() as cursor:
        cursor.execute(f"PREPARE looked AS {statement}")
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {execute}")
        [found] = cursor.fetchone()
        cursor.execute("DEALLOCATE looked")
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def cost(batch: CallBatch, selection: CallSelection, sort_by: str, descending: bool) -> int:
    """The blocks that all statements of a first page look at."""
    sent: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        sent.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        page = read_page(batch, selection, sort_by=sort_by, descending=descending, page=1, limit=10)
    assert len(page.calls) == min(page.total, 10)
    return sum(blocks(sql, params) for sql, params in sent)


@pytest.mark.parametrize("plans", ["force_custom_plan", "force_generic_plan"])
def test_a_first_page_costs_the_same_in_a_small_and_a_large_batch(
    batches: dict[int, CallBatch], plans: str
) -> None:
    """Also with the plan that PostgreSQL makes for every batch, once a statement is prepared."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL plan_cache_mode = {plans}")
    selections = [CallSelection(), *(CallSelection(status=status) for status in CallStatus.values)]
    for selection in selections:
        for sort_by in INDEXED:
            for descending in (True, False):
                for number, batch in batches.items():
                    found = cost(batch, selection, sort_by, descending)
                    assert found < MOST_BLOCKS, (number, selection.status, sort_by, descending)


def test_one_number_is_looked_up(batches: dict[int, CallBatch]) -> None:
    number = batches[LARGE].calls.order_by("id")[LARGE // 2].phone_number
    for sort_by in ORDERS:
        selection = CallSelection(phone_number=number)
        assert cost(batches[LARGE], selection, sort_by, True) < MOST_BLOCKS


@pytest.mark.django_db(transaction=True)
def test_a_page_deep_inside_reads_the_index_of_those_before_it(
    batches: dict[int, CallBatch],
) -> None:
    """So it takes a tenth of a second a million, not a whole one. Once vacuum has been there."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM batches_call")
    for sort_by in INDEXED:
        order = ORDERS[sort_by]
        keys = batches[LARGE].calls.order_by(*order).values_list(order[-1])
        with transaction.atomic(), connection.cursor() as cursor:
            # In so small a table half of the rows cost little more to read and to sort.
            cursor.execute("SET LOCAL enable_seqscan = off")
            plan = keys[LARGE // 2 : LARGE // 2 + 10].explain(format="json")
        assert "Index Only Scan" in plan, sort_by
        assert '"Sort"' not in plan, sort_by

"""The one place that changes `CallCounter`: called in the transaction that changes the calls."""

from collections.abc import Iterable, Mapping

from django.db import connection

from batches.models import CallCounter, CallStatus
from workspaces.ids import new_object_id
from workspaces.sql import fetch_all

PICKED = "picked"
# Status, or PICKED, by the name of its column.
COLUMNS: dict[str, str] = {
    **{status.value: status.value.replace("-", "_") for status in CallStatus},
    PICKED: PICKED,
}
# Connections rarely share a slot, so that they rarely wait for each other.
_CHANGE = f"""
INSERT INTO batches_callcounter AS counter
    (id, workspace_id, batch_id, slot, {", ".join(COLUMNS.values())})
VALUES (%s, %s, %s, pg_backend_pid() %% {CallCounter.SLOTS}, {", ".join(["%s"] * len(COLUMNS))})
ON CONFLICT (batch_id, slot) DO UPDATE SET
    {", ".join(f"{name} = counter.{name} + excluded.{name}" for name in COLUMNS.values())}
"""  # noqa: S608 (our own column names)
_SUMS = f"""
SELECT {", ".join(f"coalesce(sum({name}), 0)::int" for name in COLUMNS.values())}
FROM batches_callcounter WHERE batch_id = %s
"""  # noqa: S608 (our own column names)
_DRIFT = f"""
WITH counted AS (
    SELECT batch_id, {", ".join(f"sum({name}) AS {name}" for name in COLUMNS.values())}
    FROM batches_callcounter GROUP BY batch_id
), real AS (
    SELECT batch_id, count(*) FILTER (WHERE is_picked) AS picked,
        {
    ", ".join(
        f"count(*) FILTER (WHERE status = '{status.value}') AS {COLUMNS[status.value]}"
        for status in CallStatus
    )
}
    FROM batches_call GROUP BY batch_id
)
SELECT coalesce(real.batch_id, counted.batch_id), {
    ", ".join(f"coalesce(counted.{name}, 0), coalesce(real.{name}, 0)" for name in COLUMNS.values())
}
FROM real FULL JOIN counted ON counted.batch_id = real.batch_id
WHERE ({", ".join(f"coalesce(counted.{name}, 0)" for name in COLUMNS.values())})
    IS DISTINCT FROM ({", ".join(f"coalesce(real.{name}, 0)" for name in COLUMNS.values())})
"""  # noqa: S608 (our own column names)


def change_counts(*, workspace_id: str, batch_id: str, changes: Mapping[str, int]) -> None:
    """Add these numbers, by status or `PICKED`, to what is counted for the batch."""
    if not any(changes.values()):
        return
    ids = [bytes.fromhex(id_) for id_ in (new_object_id(), workspace_id, batch_id)]
    with connection.cursor() as cursor:
        cursor.execute(_CHANGE, [*ids, *(changes.get(name, 0) for name in COLUMNS)])


def count_moves(
    *, workspace_id: str, batch_id: str, moved_from: Mapping[str, int], to: str
) -> None:
    """Count calls that went from some statuses to one."""
    changes = {status: -number for status, number in moved_from.items()}
    changes[to] = changes.get(to, 0) + sum(moved_from.values())
    change_counts(workspace_id=workspace_id, batch_id=batch_id, changes=changes)


def counts_of(batch_id: str) -> dict[str, int]:
    """How many calls of a batch have each status, and how many were `PICKED`."""
    [row] = fetch_all(_SUMS, [bytes.fromhex(batch_id)])
    return dict(zip(COLUMNS, row, strict=True))


def total_of(counts: Mapping[str, int]) -> int:
    return sum(number for name, number in counts.items() if name != PICKED)


def drifts() -> Iterable[tuple[str, dict[str, tuple[int, int]]]]:
    """Batches whose counters are wrong: their id, and by status what is counted and what is there."""
    for batch_id, *numbers in fetch_all(_DRIFT, []):
        pairs = zip(COLUMNS, zip(numbers[::2], numbers[1::2], strict=True), strict=True)
        yield (
            bytes(batch_id).hex(),
            {name: (int(counted), real) for name, (counted, real) in pairs if counted != real},
        )

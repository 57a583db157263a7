"""One page of a batch's calls, at the cost of a page wherever an index gives the order."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Prefetch, QuerySet, Window

from batches.models import Call, CallAttempt, CallBatch
from batches.selection import CallSelection
from batches.services.counters import counts_of, total_of

# By a unique key at the end; `call_in_order`, `call_number_once` and `call_by_status` are such indexes.
ORDERS = {
    "createdAt": ["created_at", "id"],
    "updatedAt": ["updated_at", "id"],
    "phoneNumber": ["phone_number"],
    "callStatus": ["status", "created_at", "id"],
}


@dataclass(frozen=True, slots=True)
class CallPage:
    """`calls` have `variables_json` and, oldest first, `logs`."""

    total: int
    calls: list[Any]


def read_page(
    batch: CallBatch,
    selection: CallSelection,
    *,
    sort_by: str,
    descending: bool,
    page: int,
    limit: int,
) -> CallPage:
    """The calls of a page, from 1, and how many there are on all pages. At most four statements."""
    order = ORDERS[sort_by]
    key = order[-1]
    sign = "-" if descending else ""
    selected = batch.calls.selected(selection).order_by(*[f"{sign}{name}" for name in order])
    wanted = slice((page - 1) * limit, page * limit)
    if selection.is_counted:
        counts = counts_of(batch.id)
        total = counts[selection.status] if selection.status else total_of(counts)
        keys = _keys(selected, key, wanted) if wanted.start < total else []
    else:
        keys, total = _keys_and_total(selected, key, wanted)
    return CallPage(total, _calls(batch, key, keys))


def _keys(selected: QuerySet[Call], key: str, wanted: slice) -> list[str]:
    """Only the key, which the index has: a page deep inside reads no rows of those before it."""
    return list(selected.values_list(key, flat=True)[wanted])


def _keys_and_total(selected: QuerySet[Call], key: str, wanted: slice) -> tuple[list[str], int]:
    """In one go: to count is to look at every call, which should not happen twice."""
    counted = selected.annotate(total=Window(Count("*"))).values_list(key, "total")
    found = list(counted[wanted])
    if found:
        return [row[0] for row in found], found[0][1]
    return [], selected.count() if wanted.start else 0


def _calls(batch: CallBatch, key: str, keys: list[str]) -> list[Call]:
    if not keys:
        return []
    logs = Prefetch("attempts", as_log(CallAttempt.objects.all()), to_attr="logs")
    calls = batch.calls.filter(**{f"{key}__in": keys}).with_variables_json().prefetch_related(logs)
    found = {getattr(call, key): call for call in calls}
    return [found[one] for one in keys if one in found]


def as_log(attempts: QuerySet[CallAttempt]) -> QuerySet[Any]:
    """Oldest first, each with its `session_uuid`: the reference given with the start, or None."""
    return attempts.annotate(session_uuid=F("session__uuid")).order_by("created_at", "id")

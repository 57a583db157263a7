from typing import TYPE_CHECKING, Self

from django.db.models import Count, JSONField, Q, TextField
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast

from batches.selection import CallSelection, number_contains
from workspaces.querysets import WorkspaceQuerySet

if TYPE_CHECKING:
    from batches.models import Call, CallBatch, DoNotCallEntry  # noqa: F401 (type parameters)

# Sums over a batch's slots (see batches.models.CallCounter).
_COUNTS = """(
    SELECT jsonb_build_object(
        'total', coalesce(sum(
            pending + in_progress + completed + failed + skipped + unknown + cancelled), 0),
        'picked', coalesce(sum(picked), 0),
        'completed', coalesce(sum(completed), 0),
        'open', coalesce(sum(pending + in_progress), 0))
    FROM batches_callcounter WHERE batch_id = batches_callbatch.id
)"""


class CallBatchQuerySet(WorkspaceQuerySet["CallBatch"]):
    def living(self) -> Self:
        return self.filter(deleted_at=None)

    def of_user(self, workspace_id: str, user_id: str) -> Self:
        return self.for_workspace(workspace_id).living().filter(created_by_id=user_id)

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def with_counts(self) -> Self:
        """Adds `counts`: `{"total", "picked", "completed", "open"}`, in the same statement.

        `open`: pending or in progress.
        """
        return self.annotate(counts=RawSQL(_COUNTS, [], output_field=JSONField()))  # noqa: S611

    def count_matching(self, search: str) -> tuple[int, int]:
        """How many there are, and how many of them match. One statement."""
        counts = self.aggregate(all=Count("id"), matching=Count("id", filter=self.matches(search)))
        return counts["all"], counts["matching"]

    def search(self, text: str) -> Self:
        return self.filter(self.matches(text))

    @staticmethod
    def matches(text: str) -> Q:
        """Batch name or queue status contain the text; its `%` and `_` are letters."""
        return Q(name__icontains=text) | Q(status__icontains=text)


class CallQuerySet(WorkspaceQuerySet["Call"]):
    def of_living_batches(self) -> Self:
        return self.filter(batch__deleted_at=None)

    def selected(self, selection: CallSelection) -> Self:
        return self.filter(*selection.conditions())

    def with_variables_json(self) -> Self:
        """`variables_json`, the text, in the place of `variables` (see batches.variables)."""
        as_text = Cast("variables", TextField())
        return self.defer("variables").annotate(variables_json=as_text)


class DoNotCallQuerySet(WorkspaceQuerySet["DoNotCallEntry"]):
    def living(self) -> Self:
        return self.filter(deleted_at=None)

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def search(self, text: str) -> Self:
        """Number, type or request UUID contain the text; its `%` and `_` are letters.

        A number is found as it is written anywhere: `+1 (212) 555-1234` finds +12125551234.
        """
        return self.filter(
            Q(type__icontains=text) | Q(request_uuid__icontains=text) | number_contains(text)
        )

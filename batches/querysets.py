from typing import TYPE_CHECKING, Self

from django.db.models import Count, JSONField, Q
from django.db.models.expressions import RawSQL

from workspaces.querysets import WorkspaceQuerySet

if TYPE_CHECKING:
    from batches.models import Call, CallBatch, DoNotCallEntry  # noqa: F401 (type parameters)


# Sums over a batch's slots (see batches.models.CallCounter).
_COUNTS = """(
    SELECT jsonb_build_object(
        'total', coalesce(sum(
            pending + in_progress + completed + failed + skipped + unknown + cancelled), 0),
        'picked', coalesce(sum(picked), 0),
        'completed', coalesce(sum(completed), 0))
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
        """Adds `counts`: `{"total", "picked", "completed"}`, in the same statement."""
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
    pass


class DoNotCallQuerySet(WorkspaceQuerySet["DoNotCallEntry"]):
    def living(self) -> Self:
        return self.filter(deleted_at=None)

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

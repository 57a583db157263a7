from typing import TYPE_CHECKING, Self

from django.db.models import Count, Q

from workspaces.querysets import WorkspaceQuerySet

if TYPE_CHECKING:
    from batches.models import CallBatch  # noqa: F401 (the type parameter below)


class CallBatchQuerySet(WorkspaceQuerySet["CallBatch"]):
    def living(self) -> Self:
        return self.filter(deleted_at=None)

    def of_user(self, workspace_id: str, user_id: str) -> Self:
        return self.for_workspace(workspace_id).living().filter(created_by_id=user_id)

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

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

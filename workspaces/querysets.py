"""Reads that every tenant table shares."""

from typing import Self, TypeVar

from django.db import models

Row = TypeVar("Row", bound=models.Model, covariant=True)


class WorkspaceQuerySet(models.QuerySet[Row]):
    def for_workspace(self, workspace_id: str) -> Self:
        """Only this workspace's rows: the one way API code reaches a tenant table."""
        return self.filter(workspace_id=workspace_id)


class WorkspaceManager(models.Manager[Row]):
    def get_queryset(self) -> WorkspaceQuerySet[Row]:
        return WorkspaceQuerySet(self.model, using=self._db)

    def for_workspace(self, workspace_id: str) -> WorkspaceQuerySet[Row]:
        return self.get_queryset().for_workspace(workspace_id)

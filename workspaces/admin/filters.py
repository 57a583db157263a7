"""Filters of lists that know who looks."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from workspaces.back_office.reach import reach_of
from workspaces.ids import is_object_id
from workspaces.models import Workspace

_MOST = 500  # of a longer list one searches instead


class WorkspaceFilter(DropdownFilter):  # type: ignore[misc]
    """By workspace, among those in sight. (Django's own filter would name all of them.)"""

    title = "workspace"
    parameter_name = "workspace"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        in_sight = reach_of(request).narrow(Workspace.objects.order_by("name", "id"), "pk")
        choices = list(in_sight.values_list("pk", "name")[:_MOST])
        chosen = self.value()
        if is_object_id(chosen) and chosen not in dict(choices):
            choices += in_sight.filter(pk=chosen).values_list("pk", "name")
        return choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        in_sight = dict(self.lookup_choices)
        return queryset.filter(workspace=self.value()) if self.value() in in_sight else queryset

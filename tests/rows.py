"""Everything that the database holds of one workspace, to see that nothing of it has changed."""

from typing import Any

from django.apps import apps
from django.db.models import Model, QuerySet

from workspaces.models import User, Workspace

Rows = dict[type[Model], list[dict[str, Any]]]


def everything_of(workspace: Workspace) -> Rows:
    """Every row of a workspace, whatever the table; tables of later apps included."""
    rows = {
        Workspace: values(Workspace.objects.filter(id=workspace.id)),
        User: values(User.objects.filter(memberships__workspace=workspace)),
    }
    for model in apps.get_models():
        if any(field.name == "workspace" for field in model._meta.get_fields()):
            rows[model] = values(model._default_manager.filter(workspace=workspace))
    return rows


def values(rows: QuerySet[Any]) -> list[dict[str, Any]]:
    """Without the last use of a credential, which a refused request writes as well."""
    found = list(rows.order_by("pk").values())
    for row in found:
        row.pop("last_used_at", None)
    return found

"""Who sees what: a superuser all workspaces, anybody else in the back office those of a membership.

A member reads; an admin or owner of the workspace changes, too, unless it is suspended. Everybody looks
at one world at a time: at live workspaces, or at their sandboxes, whose members are the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest

from workspaces.back_office.worlds import is_in_sandbox
from workspaces.callers import Role
from workspaces.models import Membership

Row = TypeVar("Row", bound=models.Model)


@dataclass(frozen=True, slots=True)
class Reach:
    """`roles`: by workspace id; None: everything, everywhere in this world. `is_sandbox`: which."""

    roles: Mapping[str, Role] | None
    is_sandbox: bool = False

    @property
    def is_all(self) -> bool:
        return self.roles is None

    @property
    def sees_any(self) -> bool:
        return self.roles is None or bool(self.roles)

    @property
    def leads_any(self) -> bool:
        return self.roles is None or any(role.leads for role in self.roles.values())

    @property
    def seen(self) -> list[str]:
        """The ids of the workspaces, of somebody who does not see all."""
        return sorted(self.roles or ())

    @property
    def led(self) -> list[str]:
        return sorted(id_ for id_, role in (self.roles or {}).items() if role.leads)

    def sees(self, workspace_id: str | None) -> bool:
        return self.roles is None or workspace_id in self.roles

    def leads(self, workspace_id: str | None) -> bool:
        if self.roles is None:
            return True
        role = self.roles.get(workspace_id or "")
        return role is not None and role.leads

    def role_in(self, workspace_id: str) -> Role:
        """With which right a person acts there; a superuser as an owner. Ask `sees` before."""
        return Role.OWNER if self.roles is None else self.roles[workspace_id]

    def narrow(self, rows: QuerySet[Row], path: str) -> QuerySet[Row]:
        """Only the rows in sight; `path` leads from a row to its workspace (`workspace`, `pk`)."""
        return self._narrow(rows, path, self.seen)

    def narrow_to_led(self, rows: QuerySet[Row], path: str) -> QuerySet[Row]:
        return self._narrow(rows, path, self.led)

    def _narrow(self, rows: QuerySet[Row], path: str, ids: list[str]) -> QuerySet[Row]:
        if self.roles is not None:
            return rows.filter(**{f"{path}__in": ids})
        # What belongs to no workspace counts as live.
        live_one = "sandbox_of" if path == "pk" else f"{path}__sandbox_of"
        return rows.filter(**{f"{live_one}__isnull": not self.is_sandbox})


_NOTHING = Reach({})


def reach_of(request: HttpRequest) -> Reach:
    """Asked once a request. Only for who may enter the back office; others reach nothing."""
    reach = getattr(request, "_reach", None)
    if reach is None:
        reach = request._reach = _reach_of(request)  # type: ignore[attr-defined]
    return reach


def _reach_of(request: HttpRequest) -> Reach:
    user = request.user
    if not (user.is_active and user.is_staff):
        return _NOTHING
    is_sandbox = is_in_sandbox(request)
    if user.is_superuser:
        return Reach(None, is_sandbox)
    id_of = "workspace__sandbox__id" if is_sandbox else "workspace_id"
    memberships = Membership.objects.filter(user_id=str(user.pk), **{f"{id_of}__isnull": False})
    roles = memberships.values_list(id_of, "role", "workspace__is_active")
    return Reach(
        {id_: Role(role) if is_open else Role.MEMBER for id_, role, is_open in roles}, is_sandbox
    )

"""What an action asks of its caller. Deny by default: an action that declares nothing is refused."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from workspaces.callers import Caller, Scope

if TYPE_CHECKING:  # rest_framework.views imports this module through the settings
    from rest_framework.views import APIView


class Access(Enum):
    """Declared once per action, with `@endpoint`."""

    PUBLIC = "public"  # no credentials are looked at
    ANY = "any"  # every valid credential, whatever its scope or role
    READ = "read"  # key: calling:read or calling:manage; token: any role
    WRITE = "write"  # key: calling:manage; token: any role (create, update, add)
    STEER = "steer"  # key: calling:manage; token: admin or owner
    KEYS = "keys"  # API-key management: no key; token of an admin or owner
    TOKEN = "token"  # noqa: S105 (a kind) only a token, any role

    def allows(self, caller: Caller) -> bool:
        if self is Access.ANY:
            return True
        if caller.scopes is not None:
            return not caller.scopes.isdisjoint(_SCOPES.get(self, ()))
        return caller.role.leads or self in _FOR_EVERY_ROLE


_SCOPES = {
    Access.READ: (Scope.READ.value, Scope.MANAGE.value),
    Access.WRITE: (Scope.MANAGE.value,),
    Access.STEER: (Scope.MANAGE.value,),
}
_FOR_EVERY_ROLE = {Access.READ, Access.WRITE, Access.TOKEN}


class EndpointAccess(BasePermission):
    """Lets a caller through when the endpoint's declared `Access` allows it."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        endpoint = getattr(view, "endpoint", None)
        if endpoint is None:
            return False
        if endpoint.access is Access.PUBLIC:
            return True
        return isinstance(request.auth, Caller) and endpoint.access.allows(request.auth)

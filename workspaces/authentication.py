"""The one authentication class: x-api-key first, then Bearer."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from workspaces.callers import Actor, Caller, CredentialKind, Role
from workspaces.client import client_ip, request_id_of
from workspaces.credentials import CredentialPrefix, StoredSecret, matches, public_id_of
from workspaces.lookups import CredentialRow, find_credential, touch_credential
from workspaces.models import User

# One text for every bad credential: which part was wrong is the caller's secret.
BAD_CREDENTIAL = "Send a valid workspace key (x-api-key) or Bearer token (Authorization)."
_LAST_USE_EVERY = timedelta(minutes=1)
_KINDS = {
    CredentialPrefix.API_KEY: CredentialKind.API_KEY,
    CredentialPrefix.TEST_API_KEY: CredentialKind.API_KEY,
    CredentialPrefix.ACCESS_TOKEN: CredentialKind.ACCESS_TOKEN,
    CredentialPrefix.TEST_ACCESS_TOKEN: CredentialKind.ACCESS_TOKEN,
}


class WorkspaceAuthentication(BaseAuthentication):
    """Sets `request.user` and `request.auth` (a `Caller`).

    Raises `AuthenticationFailed` for a missing, malformed, unknown, expired or revoked credential
    and for one whose user is inactive or no longer a member; `PermissionDenied` for a good
    credential of a suspended workspace or with another workspace's `x-workspace-id`.
    """

    def authenticate(self, request: Request) -> tuple[User, Caller]:
        prefix, text = _presented(request)
        public_id = public_id_of(text, prefix)
        now = timezone.now()
        last_touch = now - _LAST_USE_EVERY
        row = (
            find_credential(prefix, public_id, now=now, last_touch=last_touch)
            if public_id
            else None
        )
        stored = StoredSecret(public_id or "", row.digest, row.pepper) if row else None
        is_match = matches(text, stored)  # first: an unknown one must cost what a wrong one costs
        if not is_match or row is None or not row.is_usable:
            raise AuthenticationFailed(BAD_CREDENTIAL)
        if not row.workspace_is_active:
            raise PermissionDenied("This workspace is suspended.")
        workspace_id = row.workspace_id.hex()
        if request.META.get("HTTP_X_WORKSPACE_ID", workspace_id) != workspace_id:
            raise PermissionDenied("x-workspace-id is not the workspace of this credential.")
        if row.is_touch_due:
            touch_credential(prefix, row.credential_id, last_touch, now)
        actor = Actor(
            user_id=row.user_id.hex(),
            kind=_KINDS[prefix],
            credential=public_id or "",
            ip=client_ip(request._request),
            request_id=request_id_of(request._request),
        )
        return _user(row), _caller(row, actor)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _presented(request: Request) -> tuple[CredentialPrefix, str]:
    """The credential that decides: a present x-api-key, even an empty one, beats the token."""
    key = request.META.get("HTTP_X_API_KEY")
    if key is not None:
        is_test = key.startswith(CredentialPrefix.TEST_API_KEY)
        return CredentialPrefix.TEST_API_KEY if is_test else CredentialPrefix.API_KEY, key
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else ""
    is_test = token.startswith(CredentialPrefix.TEST_ACCESS_TOKEN)
    return CredentialPrefix.TEST_ACCESS_TOKEN if is_test else CredentialPrefix.ACCESS_TOKEN, token


def _user(row: CredentialRow) -> User:
    """Made when somebody asks, from what the look-up read; further fields load as needed."""
    names, values = ["id", "is_active"], [row.user_id.hex(), True]
    user: Any = SimpleLazyObject(lambda: User.from_db(connection.alias, names, values))
    return user  # type: ignore[no-any-return]


def _caller(row: CredentialRow, actor: Actor) -> Caller:
    return Caller(
        workspace_id=row.workspace_id.hex(),
        workspace_timezone=row.workspace_timezone,
        user_id=row.user_id.hex(),
        role=Role(row.role),
        scopes=None if row.scopes is None else frozenset(row.scopes),
        credential_id=row.credential_id.hex(),
        actor=actor,
        rate_limit=_or_default(row.rate_limit, settings.API_RATE_LIMIT),
        key_rate_limit=_or_default(row.key_rate_limit, settings.API_KEY_RATE_LIMIT),
    )


def _or_default(limit: int | None, default: int) -> int:
    return default if limit is None else limit

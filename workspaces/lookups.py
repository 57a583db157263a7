"""The one statement that authenticates a request.

Plain SQL because it runs in every request, where compiling it through the ORM would cost more than
running it. The statement joins what decides (workspace, user, membership), so that a suspension, a
deactivated user or a lost membership counts at once and nothing is cached. A sandbox has the members
of its live workspace, and is suspended with it: both are read there, and so are limits that it has not
of its own.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import InterfaceError, OperationalError, connection

from workspaces.credentials import CredentialPrefix
from workspaces.sql import fetch_row

_COLUMNS = """
    credential.id, credential.digest, credential.pepper, {scopes},
    credential.revoked_at IS NULL AND coalesce(credential.expires_at > %s, true)
        AND account.is_active,
    coalesce(credential.last_used_at <= %s, true),
    workspace.id, workspace.timezone, workspace.is_active AND home.is_active, account.id,
    membership.role, coalesce(workspace.rate_limit, home.rate_limit),
    coalesce(workspace.key_rate_limit, home.key_rate_limit)
"""
_STATEMENT = """
SELECT {columns}
FROM {table} AS credential
JOIN workspaces_workspace AS workspace ON workspace.id = credential.workspace_id
JOIN workspaces_workspace AS home ON home.id = coalesce(workspace.sandbox_of_id, workspace.id)
JOIN workspaces_user AS account ON account.id = credential.{owner}
JOIN workspaces_membership AS membership
  ON membership.user_id = account.id AND membership.workspace_id = home.id
WHERE credential.public_id = %s AND workspace.sandbox_of_id {world}
"""
# Table, scopes, owner.
_KEYS = ("workspaces_apikey", "credential.scopes", "created_by_id")
_TOKENS = ("workspaces_accesstoken", "NULL", "user_id")
_KINDS = {
    CredentialPrefix.API_KEY: _KEYS,
    CredentialPrefix.TEST_API_KEY: _KEYS,
    CredentialPrefix.ACCESS_TOKEN: _TOKENS,
    CredentialPrefix.TEST_ACCESS_TOKEN: _TOKENS,
}
_TABLES = {prefix: table for prefix, (table, *_) in _KINDS.items()}
# The prefix says where a credential works: one that says it wrongly is not found.
_LOOKUPS = {
    prefix: _STATEMENT.format(
        columns=_COLUMNS.format(scopes=scopes),
        table=table,
        owner=owner,
        world="IS NOT NULL" if prefix.is_test else "IS NULL",
    )
    for prefix, (table, scopes, owner) in _KINDS.items()
}
_TOUCHES = {
    prefix: f"""
UPDATE {table} SET last_used_at = %s
WHERE id = %s AND (last_used_at IS NULL OR last_used_at <= %s)
"""  # noqa: S608 (our own table names)
    for prefix, table in _TABLES.items()
}


@dataclass(frozen=True, slots=True)
class CredentialRow:
    credential_id: bytes
    digest: bytes
    pepper: int
    scopes: list[str] | None  # None: an access token, whose role decides
    is_usable: bool  # neither revoked nor expired, and its user is active
    is_touch_due: bool
    workspace_id: bytes
    workspace_timezone: str
    workspace_is_active: bool
    user_id: bytes
    role: str
    rate_limit: int | None  # None: the installation's
    key_rate_limit: int | None


def find_credential(
    prefix: CredentialPrefix, public_id: str, *, now: datetime, last_touch: datetime
) -> CredentialRow | None:
    """The credential with all that decides about it; None when it or its user's membership is not
    there. `is_touch_due` says that its last use was written at or before `last_touch`, or never.

    A request's first statement, and one that only reads: when the database was restarted since the
    last request, this connection is dead and a second try on a new one hides it from the client.
    """
    statement, params = _LOOKUPS[prefix], [now, last_touch, public_id]
    try:
        row = fetch_row(statement, params)
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()
        row = fetch_row(statement, params)
    return None if row is None else CredentialRow(*row)


def touch_credential(
    prefix: CredentialPrefix, credential_id: bytes, before: datetime, now: datetime
) -> None:
    """Write the last use; a no-op when another request wrote one since `before`."""
    with connection.cursor() as cursor:
        cursor.execute(_TOUCHES[prefix], [now, credential_id, before])

"""Who acts: the caller of a request, and what an audit event keeps of an actor."""

from dataclasses import dataclass
from enum import StrEnum

from django.db import models


class Role(models.TextChoices):
    """What a member may do: a member reads, creates, updates and adds; the others steer too."""

    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    MEMBER = "member", "Member"

    @property
    def leads(self) -> bool:
        """Owner or admin."""
        return self is not Role.MEMBER


class Scope(models.TextChoices):
    """What an API key may do. Manage includes read."""

    MANAGE = "calling:manage", "Calling Management"
    READ = "calling:read", "Calling, read only"


class Environment(models.TextChoices):
    """Where a credential works: in a live workspace, or in its sandbox."""

    LIVE = "live", "Live"
    TEST = "test", "Sandbox"


class CredentialKind(StrEnum):
    API_KEY = "api_key"
    ACCESS_TOKEN = "access_token"  # noqa: S105 (a kind, not a secret)
    SESSION = "session"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, with which credential, from where. `credential` is a public id, never a secret."""

    user_id: str | None = None
    kind: CredentialKind = CredentialKind.NONE
    credential: str = ""
    ip: str | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated caller of an API request: a user in one workspace, or a key of one.

    With a key, `user_id` and `role` are those of the user who created it, as they are now.
    `scopes` is None for a user's token: its role decides instead.
    """

    workspace_id: str
    workspace_timezone: str
    user_id: str
    role: Role
    scopes: frozenset[str] | None
    credential_id: str
    actor: Actor
    # Requests a minute, 0: no limit.
    rate_limit: int = 0  # of all credentials of the workspace together
    key_rate_limit: int = 0  # of this credential

    @property
    def is_key(self) -> bool:
        return self.scopes is not None

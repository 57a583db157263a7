from datetime import datetime
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from workspaces.callers import Scope
from workspaces.credentials import PUBLIC_ID_PATTERN, CredentialPrefix, StoredSecret
from workspaces.ids import ObjectIdField
from workspaces.models.user import User
from workspaces.models.workspace import Workspace
from workspaces.querysets import WorkspaceManager


class Credential(models.Model):
    """What API keys and access tokens have in common. The secret itself is never stored."""

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    public_id = models.CharField(
        max_length=12, editable=False, validators=[RegexValidator(PUBLIC_ID_PATTERN)]
    )
    digest = models.BinaryField(max_length=32, editable=False)
    pepper = models.PositiveSmallIntegerField(editable=False)
    created_at = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    PREFIX: ClassVar[CredentialPrefix]
    TEST_PREFIX: ClassVar[CredentialPrefix]  # in a sandbox

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="%(class)s_public_id_once"),
        ]

    @classmethod
    def prefix_in(cls, workspace: Workspace) -> CredentialPrefix:
        return cls.TEST_PREFIX if workspace.is_sandbox else cls.PREFIX

    @property
    def prefix(self) -> str:
        """The part that may be shown: enough to recognise the credential, useless to a thief.

        Reads the workspace: a list of credentials selects it along.
        """
        return f"{self.prefix_in(self.workspace)}_{self.public_id}"

    @property
    def stored_secret(self) -> StoredSecret:
        return StoredSecret(self.public_id, bytes(self.digest), self.pepper)

    def is_usable(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class ApiKey(Credential):
    """A workspace's key (`x-api-key`). It acts as the user who created it."""

    PREFIX = CredentialPrefix.API_KEY
    TEST_PREFIX = CredentialPrefix.TEST_API_KEY

    name = models.CharField(max_length=200)
    scopes = ArrayField(models.CharField(max_length=32, choices=Scope.choices))
    created_by = models.ForeignKey(User, models.CASCADE, related_name="api_keys")

    objects: ClassVar[WorkspaceManager["ApiKey"]] = WorkspaceManager()

    class Meta(Credential.Meta):
        verbose_name = "API key"
        constraints = [
            *Credential.Meta.constraints,
            models.CheckConstraint(
                condition=Q(scopes__contained_by=Scope.values) & Q(scopes__len__gte=1),
                name="apikey_scopes_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"


class AccessToken(Credential):
    """A Bearer token: one user in one workspace, made by a login."""

    PREFIX = CredentialPrefix.ACCESS_TOKEN
    TEST_PREFIX = CredentialPrefix.TEST_ACCESS_TOKEN

    user = models.ForeignKey(User, models.CASCADE, related_name="access_tokens", editable=False)

    objects: ClassVar[WorkspaceManager["AccessToken"]] = WorkspaceManager()

    class Meta(Credential.Meta):
        indexes = [
            # The nightly clean-up asks for what has expired.
            models.Index(fields=["expires_at"], name="accesstoken_expires_at"),
        ]

    def __str__(self) -> str:
        return self.prefix

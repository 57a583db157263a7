from typing import ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Subquery
from django.db.models.functions import Coalesce

from workspaces.callers import Environment, Role
from workspaces.ids import ObjectIdField
from workspaces.models.calling_window import CallingWindow
from workspaces.models.kill_switch import KillSwitch
from workspaces.models.user import User
from workspaces.querysets import WorkspaceManager, WorkspaceQuerySet
from workspaces.timezones import validate_timezone


class Workspace(CallingWindow, KillSwitch):
    """A tenant. A suspended one (`is_active` false) keeps its data and loses its API and its dialing.

    Its calling window holds for every batch, whose own can only narrow it.
    """

    id = ObjectIdField(primary_key=True)
    name = models.CharField(max_length=200)
    timezone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_timezone],
        help_text="IANA name; the time zone of a batch that names none.",
    )
    called_countries = ArrayField(
        models.CharField(max_length=2),
        default=list,
        db_default=[],
        blank=True,
        help_text="ISO 3166 codes of the countries that may be called; none: those of its numbers.",
    )
    start_when_calls_added = models.BooleanField(
        default=False, db_default=False, help_text="Adding calls to a batch starts it."
    )
    dnc_enabled = models.BooleanField(
        "honour do-not-call",
        default=True,
        db_default=True,
        help_text="For every batch; else for those that ask for it.",
    )
    concurrency_limit = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Calls at a time, over all batches; 0: no limit."
    )
    contact_daily_cap = models.PositiveSmallIntegerField(
        default=0,
        db_default=0,
        help_text="Attempts on one contact's number in 24 hours, over all batches; 0: no limit.",
    )
    rate_limit = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="API requests a minute; empty: the installation's limit; 0: no limit.",
    )
    key_rate_limit = models.PositiveIntegerField(
        "rate limit of a key",
        null=True,
        blank=True,
        help_text="The same, for each API key and each sign-in of a person.",
    )
    # The workspace whose sandbox this is: a tenant of its own, so that nothing is ever mixed.
    sandbox_of = models.OneToOneField(
        "self", models.CASCADE, null=True, related_name="sandbox", editable=False
    )
    is_active = models.BooleanField("active", default=True)
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    class Meta:
        constraints = [
            *CallingWindow.Meta.constraints,
            *KillSwitch.Meta.constraints,
            models.CheckConstraint(
                condition=~models.Q(sandbox_of=models.F("id")), name="workspace_not_its_own_sandbox"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_sandbox(self) -> bool:
        return self.sandbox_of_id is not None

    @property
    def environment(self) -> Environment:
        return Environment.TEST if self.is_sandbox else Environment.LIVE

    @property
    def sandbox_id(self) -> str | None:
        """Of a live workspace; a statement each time."""
        return Workspace.objects.filter(sandbox_of=self.pk).values_list("id", flat=True).first()


class MembershipQuerySet(WorkspaceQuerySet["Membership"]):
    def for_workspace(self, workspace_id: str) -> Self:
        """The members of a workspace. A sandbox has those of its live workspace, and none of its own."""
        workspace = Workspace.objects.filter(id=workspace_id)
        home = workspace.values_list(Coalesce("sandbox_of_id", "id"))
        return self.filter(workspace_id=Subquery(home))


class MembershipManager(WorkspaceManager["Membership"]):
    def get_queryset(self) -> MembershipQuerySet:
        return MembershipQuerySet(self.model, using=self._db)


class Membership(models.Model):
    """A user in a workspace. Leaving deletes the row; the user's keys and tokens end with it."""

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships", db_index=False)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)
    created_at = models.DateTimeField(editable=False)

    objects: ClassVar[MembershipManager] = MembershipManager()

    class Meta:
        verbose_name = "member"
        constraints = [
            # Also finds a user's workspaces at login, hence the user first.
            models.UniqueConstraint(fields=["user", "workspace"], name="membership_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="membership_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"

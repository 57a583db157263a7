from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from calling.numbers import E164_PATTERN
from calling.querysets import PhoneNumberQuerySet
from workspaces.encryption import EncryptedJSONField
from workspaces.ids import ObjectIdField
from workspaces.models import KillSwitch, User, Workspace
from workspaces.querysets import WorkspaceManager


class ConnectionType(models.TextChoices):
    """What an answered call is connected to."""

    MESSAGE = "message", "Spoken message"
    STREAM = "stream", "Media stream"
    SIP = "sip", "SIP"


class OnVoicemail(models.TextChoices):
    """What is done when an answering machine takes a call. Anything but `ignore` lets the carrier
    find out who answers, before the agent is connected."""

    IGNORE = "ignore", "Do not find out"
    LEAVE_MESSAGE = "leave_message", "Wait for the greeting's end, then connect the agent"
    HANG_UP = "hang_up", "Hang up, do not call again"
    RETRY = "retry", "Hang up, try again later"


class VariableType(models.TextChoices):
    """What an agent's variable must be."""

    STRING = "string", "String"
    NUMBER = "number", "Number"
    BOOLEAN = "boolean", "Boolean"
    DATE = "date", "Date"
    ENUM = "enum", "One of a list"


class Agent(models.Model):
    """Who speaks when a call is answered, and what it has to know of each contact."""

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="agents", db_index=False)
    name = models.CharField(max_length=200)
    language = models.CharField(max_length=35, blank=True, help_text="BCP 47: en-US")
    # [{"key", "type": VariableType, "required", "description", "enum"}], validated by the API.
    variables = models.JSONField(default=list, blank=True)
    connection_type = models.CharField(max_length=16, choices=ConnectionType.choices)
    connection_target = models.TextField(
        help_text="The text to speak, with {variables}; the wss:// URL; or the sip: URI."
    )
    on_voicemail = models.CharField(
        max_length=16,
        choices=OnVoicemail.choices,
        default=OnVoicemail.IGNORE,
        db_default=OnVoicemail.IGNORE,
    )
    records_calls = models.BooleanField(
        default=False, db_default=False, help_text="Mind the law of those who are called."
    )
    opt_out_key = models.CharField(
        max_length=1,
        blank=True,
        default="",
        db_default="",
        help_text="Of a spoken message: who presses this digit is not called again.",
    )
    opt_out_message = models.TextField(
        blank=True, default="", db_default="", help_text="What is said to confirm that."
    )
    created_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", db_index=False, editable=False
    )
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    objects: ClassVar[WorkspaceManager["Agent"]] = WorkspaceManager()

    class Meta:
        indexes = [
            # The list, newest first.
            models.Index(fields=["workspace", "-created_at", "-id"], name="agent_newest"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(connection_type__in=ConnectionType.values),
                name="agent_connection_known",
            ),
            models.CheckConstraint(
                condition=Q(on_voicemail__in=OnVoicemail.values), name="agent_on_voicemail_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class CarrierAccount(KillSwitch):
    """An account with a carrier, as verified with it. Its credentials are never shown."""

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, db_index=False)
    carrier = models.CharField(max_length=16)  # of the registry
    # HMAC of carrier and account id: finds the account without keeping the id readable.
    digest = models.BinaryField(max_length=32)
    credentials = EncryptedJSONField()  # {"accSId", "authToken", "publicKey"}
    calls_per_second = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Call starts a second; 0: no limit."
    )
    concurrency_limit = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Calls at a time on the account; 0: no limit."
    )
    # The circuit breaker (services/accounts.py).
    failures = models.PositiveIntegerField(
        default=0, db_default=0, help_text="One after the other."
    )
    resting_until = models.DateTimeField(null=True, help_text="No call is placed before.")
    last_error = models.CharField(max_length=200, default="", db_default="", blank=True)
    last_error_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects: ClassVar[WorkspaceManager["CarrierAccount"]] = WorkspaceManager()

    class Meta:
        constraints = [
            *KillSwitch.Meta.constraints,
            models.UniqueConstraint(
                fields=["workspace", "carrier", "digest"], name="carrieraccount_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.carrier.capitalize()} {self.id}"


class CarrierLimiter(models.Model):
    """The pace of one account with a carrier, over all workspaces that it was added to.

    GCRA with one timestamp: `next_slot_at` is the first moment that nobody has reserved yet.
    """

    id = ObjectIdField(primary_key=True)
    digest = models.BinaryField(max_length=32)  # as CarrierAccount's
    next_slot_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["digest"], name="carrierlimiter_once"),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.next_slot_at}"


class PhoneNumber(KillSwitch):
    """A number that the workspace may call from."""

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(
        Workspace, models.CASCADE, related_name="phone_numbers", db_index=False
    )
    number = models.CharField(
        max_length=16, validators=[RegexValidator(E164_PATTERN)], help_text="E.164: +12125551234"
    )
    label = models.CharField(max_length=200, blank=True)
    agent = models.ForeignKey(
        Agent,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="numbers",
        help_text="Who speaks when a call from this number is answered.",
    )
    carrier = models.CharField(max_length=16)  # of the registry
    account = models.ForeignKey(
        CarrierAccount,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="numbers",
        editable=False,
    )
    concurrency_limit = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Calls at a time from this number; 0: no limit."
    )
    daily_cap = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Calls a day from this number; 0: no limit."
    )
    is_active = models.BooleanField("active", default=True)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    objects: ClassVar[PhoneNumberQuerySet] = PhoneNumberQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            *KillSwitch.Meta.constraints,
            models.UniqueConstraint(fields=["workspace", "number"], name="phonenumber_once"),
            models.CheckConstraint(
                condition=Q(number__regex=E164_PATTERN), name="phonenumber_e164"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.label}".rstrip()


class SimulatedCall(models.Model):
    """A call as the simulator knows it, and what it has yet to report.

    Frozen when it rang (`called_before`, `time_scale`): what becomes of a call is computed from this
    row alone, by whoever asks.
    """

    id = ObjectIdField(primary_key=True)
    request_uuid = models.UUIDField()
    from_number = models.CharField(max_length=16)
    to_number = models.CharField(max_length=16)
    callback_url = models.TextField()
    # Sandboxes may have the same numbers, and are not to learn of each other's calls.
    sandbox = models.CharField(
        max_length=24, default="", db_default="", help_text="The id of the sandbox; empty: live."
    )
    called_before = models.BooleanField(help_text="From the same number.")
    time_scale = models.FloatField()
    rang_at = models.DateTimeField()
    hung_up_at = models.DateTimeField(null=True)
    # Null: there is nothing left to report. A sender at work moves it ahead, so that another one
    # takes over if it dies.
    next_callback_at = models.DateTimeField(null=True)
    callbacks_sent = models.PositiveSmallIntegerField(default=0)
    callback_failures = models.PositiveSmallIntegerField(
        default=0, help_text="Of the next callback."
    )

    class Meta:
        indexes = [
            # Was this number called before?
            models.Index(fields=["to_number", "from_number"], name="simulatedcall_to_number"),
            # The sender: what has to be reported now, and when is the next one?
            models.Index(
                fields=["next_callback_at"],
                name="simulatedcall_callback_due",
                condition=Q(next_callback_at__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["request_uuid"], name="simulatedcall_once"),
        ]

    def __str__(self) -> str:
        return str(self.request_uuid)

from typing import ClassVar

from django.db import models
from django.db.models import Q

from batches.querysets import CallBatchQuerySet
from calling.models import PhoneNumber
from workspaces.ids import ObjectIdField
from workspaces.models import CallingWindow, User, Workspace
from workspaces.timezones import validate_timezone

MAX_RETRY = 10
MAX_DELAY = 7 * 24 * 60 * 60


class BatchStatus(models.TextChoices):
    DRAFT = "draft", "Draft"
    ACTIVE = "active", "Active"
    STOPPED = "stopped", "Stopped"
    PAUSED = "paused", "Paused"
    COMPLETED = "completed", "Completed"


class PauseReason(models.TextChoices):
    """Why the system paused a batch."""

    NO_NUMBER = "no_number", "No calling number left"
    CARRIER_REFUSED = "carrier_refused", "The carrier refused us"
    CARRIER_FAILING = "carrier_failing", "The carrier is failing"
    KILL_SWITCH = "kill_switch", "Kill switch"


class BatchType(models.TextChoices):
    """Stored and returned; changes nothing."""

    OUTBOUND = "outbound", "Outbound"
    MIXED = "mixed", "Mixed"


class CallBatch(CallingWindow):
    """Contacts to call, with the hours, pauses, retries and caller numbers to do it with."""

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(
        Workspace, models.CASCADE, related_name="batches", db_index=False, editable=False
    )
    created_by = models.ForeignKey(
        User, models.PROTECT, related_name="batches", db_index=False, editable=False
    )
    name = models.CharField(max_length=200)
    numbers: models.ManyToManyField[PhoneNumber, "BatchNumber"] = models.ManyToManyField(
        PhoneNumber, through="BatchNumber", related_name="batches"
    )

    retry = models.PositiveSmallIntegerField(
        default=0, help_text="Extra attempts after a failed one."
    )
    delay = models.PositiveIntegerField(
        default=60, help_text="Seconds between attempts on one contact."
    )
    timezone = models.CharField(max_length=64, validators=[validate_timezone])
    batch_type = models.CharField(
        max_length=16, choices=BatchType.choices, default=BatchType.OUTBOUND
    )
    enable_dnc = models.BooleanField("honour do-not-call", default=True)

    status = models.CharField(
        max_length=16, choices=BatchStatus.choices, default=BatchStatus.DRAFT, editable=False
    )
    status_reason = models.CharField(
        max_length=32, choices=PauseReason.choices, blank=True, editable=False
    )
    # What the last start asked for; null until the first one.
    session = models.ForeignKey(
        "DialingSession",
        models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        editable=False,
    )
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[CallBatchQuerySet] = CallBatchQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name_plural = "call batches"
        indexes = [
            # GET /api/call/batches/{userId}: a user's batches, newest first.
            models.Index(
                fields=["workspace", "created_by", "-created_at", "-id"],
                name="callbatch_of_user",
                condition=Q(deleted_at__isnull=True),
            ),
            # The dialer: the batches of a workspace that are being dialed.
            models.Index(
                fields=["workspace"],
                name="callbatch_dialed",
                condition=Q(status=BatchStatus.ACTIVE, deleted_at__isnull=True),
            ),
            # The front page: what the system paused.
            models.Index(
                fields=["workspace", "-updated_at"],
                name="callbatch_paused",
                condition=Q(status=BatchStatus.PAUSED, deleted_at__isnull=True),
            ),
        ]
        constraints = [
            *CallingWindow.Meta.constraints,
            models.CheckConstraint(
                condition=Q(retry__range=(0, MAX_RETRY)), name="callbatch_retry_range"
            ),
            models.CheckConstraint(
                condition=Q(delay__range=(0, MAX_DELAY)), name="callbatch_delay_range"
            ),
            models.CheckConstraint(
                condition=Q(batch_type__in=BatchType.values), name="callbatch_type_known"
            ),
            models.CheckConstraint(
                condition=Q(status__in=BatchStatus.values), name="callbatch_status_known"
            ),
            models.CheckConstraint(
                condition=Q(status=BatchStatus.PAUSED, status_reason__in=PauseReason.values)
                | (~Q(status=BatchStatus.PAUSED) & Q(status_reason="")),
                name="callbatch_reason_when_paused",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class BatchNumber(models.Model):
    """A batch's caller numbers, in the order of rotation."""

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, db_index=False, editable=False)
    batch = models.ForeignKey(CallBatch, models.CASCADE, related_name="rotation", db_index=False)
    phone = models.ForeignKey(PhoneNumber, models.PROTECT, related_name="rotations")
    position = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            # Also the reading order of a batch's rotation.
            models.UniqueConstraint(fields=["batch", "position"], name="batchnumber_position_once"),
            models.UniqueConstraint(fields=["batch", "phone"], name="batchnumber_phone_once"),
        ]

    def __str__(self) -> str:
        return f"{self.position}: {self.phone_id}"


class RotationCursor(models.Model):
    """Where a batch's rotation stands, and when its turn was.

    A row of its own: it is written by the claim, which never waits for the lock of a batch.
    """

    batch = models.OneToOneField(
        CallBatch, models.CASCADE, primary_key=True, related_name="rotation_cursor"
    )
    workspace = models.ForeignKey(Workspace, models.CASCADE, db_index=False)
    position = models.PositiveSmallIntegerField(
        help_text="Of the number that the last new contact was given."
    )
    claimed_at = models.DateTimeField(help_text="When a call of the batch was last claimed.")

    def __str__(self) -> str:
        return f"{self.batch_id} {self.position}"


class BatchVariable(models.Model):
    """A name under which a batch's contacts carry data, in the order in which the names came.

    It gives `jsonb`, which sorts keys its own way, their order back, and the export its columns
    before it has read a row. Only the first `MAX_NAMED` names of a batch are kept.
    """

    MAX_NAMED: ClassVar[int] = 500

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, db_index=False, editable=False)
    batch = models.ForeignKey(CallBatch, models.CASCADE, related_name="variables", db_index=False)
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=64)

    class Meta:
        constraints = [
            # Also the reading order.
            models.UniqueConstraint(
                fields=["batch", "position"], name="batchvariable_position_once"
            ),
            models.UniqueConstraint(fields=["batch", "name"], name="batchvariable_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class DialingSession(models.Model):
    """One start of a batch: who asked for it, under which reference of theirs.

    `only_its_calls`: the calls given with this start are dialed, other pending ones wait.
    """

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, db_index=False)
    batch = models.ForeignKey(CallBatch, models.CASCADE, related_name="sessions", db_index=False)
    started_by = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    uuid = models.CharField(max_length=128, blank=True, help_text="The integrator's own reference.")
    only_its_calls = models.BooleanField(default=False)
    started_at = models.DateTimeField()

    class Meta:
        indexes = [
            # A batch's starts, newest first.
            models.Index(
                fields=["workspace", "batch", "-started_at"], name="dialingsession_of_batch"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.batch_id} {self.started_at:%Y-%m-%d %H:%M}"


class CallCounter(models.Model):
    """How many of a batch's calls have which status: the sum over the batch's slots.

    One row a batch would let one transaction at a time record an outcome; a transaction picks one of
    16 slots instead. A slot alone may be negative. `batches.services.counters` changes them, in the
    transaction that changes the calls; `manage.py check_counters` compares them with the calls.
    """

    SLOTS: ClassVar[int] = 16

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, db_index=False)
    batch = models.ForeignKey(CallBatch, models.CASCADE, related_name="counters", db_index=False)
    slot = models.PositiveSmallIntegerField()
    pending = models.IntegerField(default=0)
    in_progress = models.IntegerField(default=0)
    completed = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    skipped = models.IntegerField(default=0)
    unknown = models.IntegerField(default=0)
    cancelled = models.IntegerField(default=0)
    picked = models.IntegerField(default=0, help_text="Answered at least once.")

    class Meta:
        indexes = [
            # The front page: which batches have unknown calls? Costs only who changes their number.
            models.Index(
                fields=["workspace", "batch"],
                name="callcounter_with_unknown",
                condition=~Q(unknown=0),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["batch", "slot"], name="callcounter_slot_once"),
        ]

    def __str__(self) -> str:
        return f"{self.batch_id} {self.slot}"

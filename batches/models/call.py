from datetime import UTC, datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q

from batches.models.batch import CallBatch, DialingSession
from batches.querysets import CallQuerySet
from calling.models import PhoneNumber
from calling.numbers import E164_PATTERN
from workspaces.ids import ObjectIdField
from workspaces.models import User, Workspace
from workspaces.querysets import WorkspaceManager

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class CallStatus(models.TextChoices):
    PENDING = "pending", "Pending"
    IN_PROGRESS = "in-progress", "In progress"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Skipped (do not call)"
    UNKNOWN = "unknown", "Unknown (it may have rung)"
    CANCELLED = "cancelled", "Cancelled"


class AttemptStatus(models.TextChoices):
    """The carriers' common words."""

    QUEUED = "queued", "Queued"
    RINGING = "ringing", "Ringing"
    IN_PROGRESS = "in-progress", "In progress"
    COMPLETED = "completed", "Completed"
    BUSY = "busy", "Busy"
    NO_ANSWER = "no-answer", "No answer"
    FAILED = "failed", "Failed"
    CANCELED = "canceled", "Canceled"
    UNKNOWN = "unknown", "Unknown"
    VOICEMAIL = "voicemail", "Voicemail"  # completed, but an answering machine took it


def workspace_of_the_batch() -> "models.ForeignKey[Workspace, Workspace]":
    """The workspace of a row that hangs on a batch, on tables of many millions of rows.

    Without a constraint of its own: the key to the batch is checked for every row, which takes a tenth
    of an import, and a second check would take as much.
    """
    return models.ForeignKey(
        Workspace, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )


class Call(models.Model):
    """One contact in one batch: whom to call, with what, and how far it is."""

    id = ObjectIdField(primary_key=True)
    workspace = workspace_of_the_batch()
    batch = models.ForeignKey(CallBatch, models.CASCADE, related_name="calls", db_index=False)
    phone_number = models.CharField(max_length=16, help_text="E.164: +12125551234")
    variables = models.JSONField(default=dict)
    external_id = models.CharField(
        max_length=128,
        blank=True,
        default="",
        db_default="",
        help_text="The integrator's own id of the contact; also its variable `externalId`.",
    )
    timezone = models.CharField(max_length=64, blank=True, help_text="Else the batch's.")
    status = models.CharField(max_length=16, choices=CallStatus.choices, default=CallStatus.PENDING)
    attempts_made = models.PositiveSmallIntegerField(default=0, help_text="In this round.")
    is_picked = models.BooleanField(default=False, help_text="Answered at least once.")
    # The start that asked for this call by name (`callData`); no constraint, as for the workspace.
    session = models.ForeignKey(
        DialingSession,
        models.DO_NOTHING,
        null=True,
        related_name="calls",
        db_index=False,
        db_constraint=False,
    )
    # When the next attempt is due, leaving the calling window aside; only meaningful while pending.
    next_attempt_at = models.DateTimeField(default=LONG_AGO, db_default=LONG_AGO)
    # The number of the last attempt: a contact is called from the same one again.
    caller = models.ForeignKey(
        PhoneNumber,
        models.DO_NOTHING,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    # The attempt under way, or the last one. What is recorded of another one changes nothing here.
    last_attempt = models.ForeignKey(
        "CallAttempt",
        models.DO_NOTHING,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    is_cancel_requested = models.BooleanField(
        default=False, db_default=False, help_text="Taken out while it was being dialed."
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects: ClassVar[CallQuerySet] = CallQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [
            # batch-details in its usual order, and the export.
            models.Index(fields=["batch", "created_at", "id"], name="call_in_order"),
            # batch-details of one status, or sorted by it; what retry-calls looks for.
            models.Index(fields=["batch", "status", "created_at", "id"], name="call_by_status"),
            # The claim: the due calls of a batch in one time zone.
            models.Index(
                fields=["batch", "timezone", "next_attempt_at", "id"],
                name="call_due",
                condition=Q(status=CallStatus.PENDING),
            ),
            # The same of a start with `callData`, which dials only its own calls.
            models.Index(
                fields=["session", "timezone", "next_attempt_at", "id"],
                name="call_due_of_session",
                condition=Q(status=CallStatus.PENDING, session__isnull=False),
            ),
        ]
        constraints = [
            # Also batch-details sorted by number, and the look-up of one.
            models.UniqueConstraint(fields=["batch", "phone_number"], name="call_number_once"),
            models.UniqueConstraint(
                fields=["batch", "external_id"],
                name="call_external_id_once",
                condition=~Q(external_id=""),
            ),
            models.CheckConstraint(
                condition=Q(phone_number__regex=E164_PATTERN), name="call_number_e164"
            ),
            models.CheckConstraint(
                condition=Q(status__in=CallStatus.values), name="call_status_known"
            ),
        ]

    def __str__(self) -> str:
        return self.phone_number


class CallAttempt(models.Model):
    """One ring. Written before the carrier is asked, so that a fast callback finds it."""

    id = ObjectIdField(primary_key=True)
    workspace = workspace_of_the_batch()
    batch = models.ForeignKey(CallBatch, models.CASCADE, related_name="attempts", db_index=False)
    call = models.ForeignKey(Call, models.CASCADE, related_name="attempts", db_index=False)
    session = models.ForeignKey(
        DialingSession,
        models.DO_NOTHING,
        null=True,
        related_name="attempts",
        db_index=False,
        db_constraint=False,
    )
    request_uuid = models.UUIDField("request UUID")
    phone = models.ForeignKey(
        PhoneNumber,
        models.DO_NOTHING,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    from_number = models.CharField(max_length=16, help_text="E.164")
    to_number = models.CharField(max_length=16, default="", db_default="", help_text="E.164")
    status = models.CharField(
        max_length=16, choices=AttemptStatus.choices, default=AttemptStatus.QUEUED
    )
    carrier_call_id = models.CharField(max_length=128, blank=True)
    talk_seconds = models.PositiveIntegerField(default=0)
    hangup_cause = models.CharField(max_length=128, blank=True)
    answered_by = models.CharField(
        max_length=16, blank=True, default="", db_default="", help_text="human, machine, or unknown"
    )
    recording_url = models.TextField(blank=True)
    transcript = models.TextField(blank=True)
    created_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[WorkspaceManager["CallAttempt"]] = WorkspaceManager()

    class Meta:
        indexes = [
            # The phone logs of a page of calls, and the last attempt of each exported one.
            models.Index(fields=["call", "created_at", "id"], name="callattempt_of_call"),
            # batch-stats: attempts an hour.
            models.Index(fields=["batch", "created_at"], name="callattempt_of_batch"),
            # The daily cap of a number.
            models.Index(
                fields=["workspace", "phone", "created_at"], name="callattempt_from_number"
            ),
            # The cap of a contact's number over all batches.
            models.Index(
                fields=["workspace", "to_number", "created_at"], name="callattempt_to_number"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["request_uuid"], name="callattempt_uuid_once"),
            models.CheckConstraint(
                condition=Q(status__in=AttemptStatus.values), name="callattempt_status_known"
            ),
        ]

    def __str__(self) -> str:
        return str(self.request_uuid)


class Lease(models.Model):
    """An attempt under way: from its claim until its outcome is recorded.

    What changes often or is counted for limits stands here, in a table as small as what is in flight,
    and not in the attempts, which are history. Deleting the row is what fences a finish.
    """

    id = ObjectIdField(primary_key=True)  # the attempt's
    workspace = workspace_of_the_batch()
    batch = models.ForeignKey(
        CallBatch, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    call = models.ForeignKey(
        Call, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    phone = models.ForeignKey(
        PhoneNumber, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    to_number = models.CharField(max_length=16)
    sent_at = models.DateTimeField(null=True, help_text="The carrier was or is being asked.")
    # When somebody has to look after it: the claim's holder is late, or a callback is missing.
    look_at = models.DateTimeField()
    looks = models.PositiveSmallIntegerField(default=0, help_text="In vain, one after the other.")
    unsure_since = models.DateTimeField(null=True)

    objects: ClassVar[WorkspaceManager["Lease"]] = WorkspaceManager()

    class Meta:
        indexes = [
            # What has to be looked after?
            models.Index(fields=["look_at"], name="lease_look_at"),
            # What is in flight from a number; of an account, over all its workspaces.
            models.Index(fields=["phone"], name="lease_of_phone"),
        ]
        constraints = [
            # Nobody is rung twice at the same time. Also what is in flight in a workspace.
            models.UniqueConstraint(
                fields=["workspace", "to_number"], name="lease_one_for_a_contact"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} until {self.look_at:%H:%M:%S}"


class EventReason(models.TextChoices):
    """Why a call moved, or did not."""

    ADDED_AGAIN = "added_again", "Added again"
    RETRY_REQUESTED = "retry_requested", "Retry requested"
    CANCEL_REQUESTED = "cancel_requested", "Cancelled by request"
    # Of the dialer:
    CLAIMED = "claimed", "Its turn has come"
    ANSWERED = "answered", "Answered"
    RETRY_LATER = "retry_later", "Will be tried again"
    ATTEMPTS_USED_UP = "attempts_used_up", "Attempts used up"
    PERMANENT_FAILURE = "permanent_failure", "Cannot be reached"
    OUTCOME_UNKNOWN = "outcome_unknown", "Nobody can tell whether it rang"
    DO_NOT_CALL = "do_not_call", "On the do-not-call list"
    NOT_DIALED = "not_dialed", "Put back before it was dialed"
    NEVER_PLACED = "never_placed", "The carrier never got it"
    CARRIER_REFUSED = "carrier_refused", "The carrier did not take it"
    VOICEMAIL = "voicemail", "An answering machine took it"
    CARRIER_CANCELED = "carrier_canceled", "The carrier canceled it"
    RESOLVED_LATE = "resolved_late", "The carrier told late how it ended"
    CALLBACK_IGNORED = "callback_ignored", "A callback that changed nothing"


class CallEvent(models.Model):
    """A move of a call from one status to another, or something that moved nothing (both the same).

    Append-only: the timeline that people read.
    """

    id = ObjectIdField(primary_key=True)
    workspace = workspace_of_the_batch()
    call = models.ForeignKey(Call, models.CASCADE, related_name="events", db_index=False)
    from_status = models.CharField(max_length=16, choices=CallStatus.choices)
    to_status = models.CharField(max_length=16, choices=CallStatus.choices)
    reason = models.CharField(max_length=32, choices=EventReason.choices)
    request_uuid = models.UUIDField("request UUID", null=True, help_text="Of which attempt.")
    detail = models.CharField(max_length=64, default="", db_default="", blank=True)
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    created_at = models.DateTimeField()

    objects: ClassVar[WorkspaceManager["CallEvent"]] = WorkspaceManager()

    class Meta:
        indexes = [
            # The timeline of one call.
            models.Index(fields=["call", "created_at", "id"], name="callevent_of_call"),
        ]

    def __str__(self) -> str:
        return f"{self.from_status} → {self.to_status}"

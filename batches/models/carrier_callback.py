from typing import ClassVar

from django.db import models

from batches.models.call import CallAttempt, workspace_of_the_batch
from workspaces.ids import ObjectIdField
from workspaces.querysets import WorkspaceManager


class CarrierCallback(models.Model):
    """A request of a carrier about one attempt, as it came: written before anybody reads its body.

    Only signed ones about attempts of ours, so that nobody else can fill the table.
    """

    id = ObjectIdField(primary_key=True)
    workspace = workspace_of_the_batch()
    attempt = models.ForeignKey(
        CallAttempt, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    carrier = models.CharField(max_length=16)
    url = models.TextField(help_text="Which of our addresses was asked.")
    body = models.BinaryField()
    effect = models.CharField(max_length=16, blank=True, help_text="Empty: it could not be read.")
    received_at = models.DateTimeField()

    objects: ClassVar[WorkspaceManager["CarrierCallback"]] = WorkspaceManager()

    class Meta:
        indexes = [
            # What was said of an attempt, in order.
            models.Index(fields=["attempt", "received_at"], name="carriercallback_of_attempt"),
            # The nightly clean-up.
            models.Index(fields=["received_at"], name="carriercallback_received"),
        ]

    def __str__(self) -> str:
        return f"{self.carrier} {self.received_at:%H:%M:%S}"

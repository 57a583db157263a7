from typing import ClassVar

from django.db import models
from django.db.models import Q

LONGEST_REASON = 200


class KillSwitch(models.Model):
    """Something that no call is placed for while its switch is thrown, whatever else is said of it.

    Thrown and released by `batches.services.kill_switches` alone.
    """

    killed_at = models.DateTimeField(null=True, editable=False)
    kill_reason = models.CharField(
        max_length=LONGEST_REASON, blank=True, default="", db_default="", editable=False
    )

    class Meta:
        abstract = True
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(killed_at__isnull=True, kill_reason="")
                | (Q(killed_at__isnull=False) & ~Q(kill_reason="")),
                name="%(class)s_kill_reason_given",
            ),
        ]

    @property
    def is_killed(self) -> bool:
        return self.killed_at is not None

from dataclasses import dataclass
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Q

EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)  # 0 = Sunday … 6 = Saturday
MINUTES_PER_DAY = 24 * 60


def every_day() -> list[int]:
    return list(EVERY_DAY)


@dataclass(frozen=True, slots=True)
class CallingHour:
    """Minutes of the day, `end` exclusive: 0 <= start < end <= 1440."""

    start: int
    end: int

    def columns(self) -> dict[str, int]:
        """By the fields of `CallingWindow`."""
        return {"calling_hour_start": self.start, "calling_hour_end": self.end}


class DaysAreDistinct(Func):
    """Every value 0 to 6 and none twice: as many values as days that occur.

    A null among them makes that null, which a CHECK would let pass.
    """

    template = "COALESCE(cardinality(%(expressions)s) = " + (
        " + ".join(f"({day} = ANY(%(expressions)s))::int" for day in EVERY_DAY) + ", false)"
    )
    output_field = models.BooleanField()


class CallingWindow(models.Model):
    """When contacts may be called, by the clock and the calendar of their own time zone.

    Minutes of the day, because PostgreSQL's 24:00 has no counterpart in Python's `time`; both null:
    all day.
    """

    calling_hour_start = models.PositiveSmallIntegerField(null=True, blank=True)
    calling_hour_end = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Exclusive."
    )
    allowed_days = ArrayField(
        models.PositiveSmallIntegerField(), default=every_day, db_default=list(EVERY_DAY)
    )

    class Meta:
        abstract = True
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(calling_hour_start__isnull=True, calling_hour_end__isnull=True)
                | Q(
                    calling_hour_start__isnull=False,
                    calling_hour_end__isnull=False,
                    calling_hour_start__gte=0,
                    calling_hour_start__lt=F("calling_hour_end"),
                    calling_hour_end__lte=MINUTES_PER_DAY,
                ),
                name="%(class)s_calling_hour_order",
            ),
            models.CheckConstraint(
                condition=Q(allowed_days__len__gte=1) & Q(DaysAreDistinct("allowed_days")),
                name="%(class)s_allowed_days_distinct",
            ),
        ]

    @property
    def has_calling_window(self) -> bool:
        """Whether anything is ruled out at all."""
        is_all_day = self.calling_hour_start in (None, 0) and self.calling_hour_end in (
            None,
            MINUTES_PER_DAY,
        )
        return not is_all_day or len(self.allowed_days) < len(EVERY_DAY)

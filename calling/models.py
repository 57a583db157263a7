from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from calling.querysets import PhoneNumberQuerySet
from workspaces.ids import ObjectIdField
from workspaces.models import User, Workspace

E164_PATTERN = r"^\+[1-9][0-9]{6,14}$"


class Carrier(models.TextChoices):
    """Who places the calls of a number. The simulator owns every number and rings nobody."""

    SIMULATOR = "simulator", "Simulator"


class PhoneNumber(models.Model):
    """A number that the workspace may call from."""

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(
        Workspace, models.CASCADE, related_name="phone_numbers", db_index=False
    )
    number = models.CharField(
        max_length=16, validators=[RegexValidator(E164_PATTERN)], help_text="E.164: +12125551234"
    )
    label = models.CharField(max_length=200, blank=True)
    carrier = models.CharField(max_length=16, choices=Carrier.choices)
    is_active = models.BooleanField("active", default=True)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    objects: ClassVar[PhoneNumberQuerySet] = PhoneNumberQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "number"], name="phonenumber_once"),
            models.CheckConstraint(
                condition=Q(number__regex=E164_PATTERN), name="phonenumber_e164"
            ),
            models.CheckConstraint(
                condition=Q(carrier__in=Carrier.values), name="phonenumber_carrier_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.label}".rstrip()

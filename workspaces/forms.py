"""Forms of the back office."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from workspaces.clock import clock_time, minutes_of
from workspaces.models import EVERY_DAY, Workspace

_DAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


class ClockTimeField(forms.Field):
    """`HH:MM`, 24-hour, for minutes of the day."""

    def prepare_value(self, value: Any) -> Any:
        return clock_time(value) if isinstance(value, int) else value

    def to_python(self, value: Any) -> int | None:
        if value in self.empty_values:
            return None
        minutes = minutes_of(str(value).strip())
        if minutes is None:
            raise ValidationError("Must be a time as HH:MM, 24-hour.", "invalid_time")
        return minutes


class WorkspaceForm(forms.ModelForm[Workspace]):
    calling_hour_start = ClockTimeField(
        required=False, help_text="HH:MM. No batch calls before; blank: all day."
    )
    calling_hour_end = ClockTimeField(
        required=False, help_text="HH:MM, up to 24:00. No batch calls from then on."
    )
    allowed_days = forms.TypedMultipleChoiceField(
        choices=list(zip(EVERY_DAY, _DAY_NAMES, strict=True)),
        coerce=int,
        initial=list(EVERY_DAY),
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = Workspace
        fields = [
            *("name", "is_active", "timezone", "calling_hour_start", "calling_hour_end"),
            *("allowed_days", "start_when_calls_added", "concurrency_limit", "contact_daily_cap"),
            *("called_countries", "dnc_enabled"),
        ]

    def clean_allowed_days(self) -> list[int]:
        return sorted(set(self.cleaned_data["allowed_days"]))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if self.errors.keys() & {"calling_hour_start", "calling_hour_end"}:
            return values
        start, end = values["calling_hour_start"], values["calling_hour_end"]
        if (start is None) != (end is None):
            missing = "calling_hour_start" if start is None else "calling_hour_end"
            self.add_error(missing, "Give both times, or none.")
        elif start is not None and start >= end:
            self.add_error("calling_hour_end", "Must be later than the start.")
        return values

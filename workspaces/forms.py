"""Forms of the back office."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.contrib.auth.forms import SetPasswordForm
from django.core.exceptions import ValidationError
from django.utils import timezone
from phonenumbers import SUPPORTED_REGIONS
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from workspaces.back_office.reach import Reach
from workspaces.callers import Role, Scope
from workspaces.clock import clock_time, minutes_of
from workspaces.models import EVERY_DAY, ApiKey, Membership, User, Workspace

DAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

SCOPE_WORDS = {
    Scope.MANAGE: "Manage: create, fill, start and stop batches, change the workspace, and look",
    Scope.READ: "Read: look at everything, change nothing",
}
ROLE_WORDS = {
    Role.MEMBER: "Member: looks; through the API also creates batches and adds contacts",
    Role.ADMIN: "Admin: the same, and changes everything, keys and members included",
    Role.OWNER: "Owner: the same, and makes and unmakes owners",
}
_OWN_DATE, _NEVER = "date", "never"
EXPIRIES = {
    "30": "In 30 days",
    "90": "In 90 days",
    "365": "In a year",
    _OWN_DATE: "At the end of the day below",
    _NEVER: "Never",
}


def led_workspaces(reach: Reach) -> Any:
    return reach.narrow_to_led(Workspace.objects.all(), "pk").order_by("name", "id")


class WorkspaceChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Among the workspaces that the person leads; the only one is chosen already."""

    def __init__(self, reach: Reach) -> None:
        workspaces = led_workspaces(reach)
        first = list(workspaces.values_list("pk", flat=True)[:2])
        only = first[0] if len(first) == 1 else None
        super().__init__(workspaces, initial=only, widget=UnfoldAdminSelectWidget())


class ClockTimeField(forms.Field):
    """`HH:MM`, 24-hour, for minutes of the day."""

    widget = UnfoldAdminTextInputWidget

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
        label="Call from",
        required=False,
        help_text="HH:MM. No batch calls before; blank: all day.",
    )
    calling_hour_end = ClockTimeField(
        label="Call until",
        required=False,
        help_text="HH:MM, up to 24:00. No batch calls from then on.",
    )
    allowed_days = forms.TypedMultipleChoiceField(
        choices=list(zip(EVERY_DAY, DAY_NAMES, strict=True)),
        coerce=int,
        initial=list(EVERY_DAY),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = Workspace
        fields = [
            *("name", "is_active", "timezone", "calling_hour_start", "calling_hour_end"),
            *("allowed_days", "start_when_calls_added", "concurrency_limit", "contact_daily_cap"),
            *("called_countries", "dnc_enabled", "rate_limit", "key_rate_limit"),
        ]
        widgets = {"called_countries": UnfoldAdminTextInputWidget(attrs={"placeholder": "GB, US"})}

    def clean_called_countries(self) -> list[str]:
        codes = {code.strip().upper() for code in self.cleaned_data["called_countries"] or ()}
        if unknown := sorted(codes - SUPPORTED_REGIONS):
            raise ValidationError(f"No ISO 3166 code: {', '.join(unknown)}.", "unknown_country")
        return sorted(codes)

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


class NewApiKeyForm(forms.Form):
    """A key acts as the person who makes it; a superuser may name another member instead.

    Nobody else may: a key has the role of the member as whom it acts, perhaps an owner's.
    """

    name = forms.CharField(
        max_length=200,
        help_text="What the key is for, as in “CRM import”.",
        widget=UnfoldAdminTextInputWidget,
    )
    scopes = forms.ChoiceField(
        label="What it may do",
        choices=list(SCOPE_WORDS.items()),
        initial=Scope.MANAGE.value,
        widget=UnfoldAdminRadioSelectWidget,
    )
    expires = forms.ChoiceField(
        label="It ends",
        choices=list(EXPIRIES.items()),
        initial="90",
        widget=UnfoldAdminRadioSelectWidget,
    )
    expires_on = forms.DateField(
        label="Day",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text="In your time zone.",
    )

    def __init__(self, data: Any, *, reach: Reach, user: User) -> None:
        super().__init__(data)
        self._user = user
        self.fields = {"workspace": WorkspaceChoice(reach), **self.fields}
        if reach.is_all:
            field = ApiKey._meta.get_field("created_by")
            self.fields["created_by"] = forms.ModelChoiceField(
                User.objects.all(),
                label="Acts as",
                required=False,
                widget=AutocompleteSelect(field, admin.site),
                help_text="A member of the workspace; blank: you.",
            )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if "expires" in values and "expires_on" in values:
            values["expires_at"] = self._expiry(values["expires"], values["expires_on"])
        workspace, acts_as = values.get("workspace"), values.get("created_by") or self._user
        if workspace and not _is_active_member(workspace, acts_as):
            where = "created_by" if "created_by" in self.fields else "workspace"
            self.add_error(where, "A key acts as a member of its workspace.")
        values["acts_as"] = acts_as
        return values

    def _expiry(self, choice: str, day: date | None) -> datetime | None:
        now = timezone.now()
        if choice == _NEVER:
            return None
        if choice != _OWN_DATE:
            return now + timedelta(days=int(choice))
        if day is None or day < timezone.localdate(now) or day.year > 9000:
            self.add_error("expires_on", "Give a day that is not over yet.")
            return None
        return timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min))


def _is_active_member(workspace: Workspace, user: User) -> bool:
    members = Membership.objects.for_workspace(workspace.pk)
    return members.filter(user=user, user__is_active=True).exists()


class RoleForm(forms.Form):
    role = forms.ChoiceField(
        choices=list(ROLE_WORDS.items()),
        initial=Role.MEMBER.value,
        widget=UnfoldAdminRadioSelectWidget,
    )

    def clean_role(self) -> Role:
        return Role(self.cleaned_data["role"])


class InvitationForm(RoleForm):
    email = forms.EmailField(
        label="E-mail", max_length=254, widget=UnfoldAdminEmailInputWidget, required=True
    )
    name = forms.CharField(
        max_length=200,
        required=False,
        help_text="Of somebody who is new; whoever has an account keeps their name.",
        widget=UnfoldAdminTextInputWidget,
    )
    opens_back_office = forms.BooleanField(
        label="May use the back office",
        required=False,
        initial=True,
        help_text=(
            "These pages, as their role allows, for the workspaces that they are a member of."
            " Without it the person has the API only. Only a superuser can take it back."
        ),
        widget=UnfoldBooleanWidget,
    )
    field_order = ("workspace", "email", "name", "role", "opens_back_office")

    def __init__(self, data: Any, *, reach: Reach) -> None:
        super().__init__(data)
        self.fields["workspace"] = WorkspaceChoice(reach)
        self.order_fields(self.field_order)


class AskForResetForm(forms.Form):
    email = forms.EmailField(
        label="E-mail",
        max_length=254,
        widget=UnfoldAdminEmailInputWidget(attrs={"autocomplete": "username", "autofocus": True}),
    )


class NewPasswordForm(SetPasswordForm):  # type: ignore[type-arg]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("new_password1", "new_password2"):
            self.fields[name].widget = UnfoldAdminPasswordWidget(
                attrs={"autocomplete": "new-password"}
            )

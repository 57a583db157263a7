"""The pages of the kill switch, on the page of a workspace, a number, a carrier account."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from batches.models import BatchStatus, CallBatch, Lease, PauseReason
from batches.services.kill_switches import Switched, Target, engage, release
from calling.models import CarrierAccount, PhoneNumber
from workspaces.back_office.base import AuditedAdmin, actor_of
from workspaces.back_office.confirm import Confirmation, confirmed, row_to_steer
from workspaces.back_office.theme import action
from workspaces.models import LONGEST_REASON, AuditEvent, KillSwitch, Workspace
from workspaces.templatetags.back_office import moment

MOST_NAMED = 5


class KillForm(forms.Form):
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="Shown to those whose calls wait, in the back office and by the API.",
    )


class ReleaseForm(forms.Form):
    resume = forms.BooleanField(
        label="Resume the batches that a kill switch has paused",
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="One that another switch holds stays paused. Otherwise start them one by one.",
    )


@dataclass(frozen=True, slots=True)
class Thrown:
    """A switch that is on. `by`: None when the event is gone."""

    reason: str
    at: datetime
    by: str | None
    what: str


class KillSwitchPages(AuditedAdmin[Any]):
    """Mixed in before the admin of a model with a kill switch: two buttons, their pages, a banner."""

    actions_detail = ["kill", "release"]
    change_form_outer_before_template = "outdial/kill_switch_head.html"

    @property
    def head_template(self) -> Any:
        """What the page itself shows before its form."""
        return getattr(super(), "change_form_outer_before_template", None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        if isinstance(row, KillSwitch):
            context = {"thrown": _thrown(row), "may_steer": self.may_steer(request, row)}
            extra_context = {**context, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, extra_context)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Of the two buttons the one that would do something, for who leads."""
        row = self.get_object(request, str(object_id))
        if row is None or not self.may_steer(request, row):
            return []
        useless = self.kill if row.is_killed else self.release
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [one for one in actions if one.method != useless]

    @action(description="Kill switch", icon="power_settings_new", variant=ActionVariant.DANGER)
    def kill(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = row_to_steer(self, request, object_id)

        def act(target: Target, values: dict[str, Any]) -> str:
            switched = engage(
                target=target,
                reason=values["reason"],
                actor=actor_of(request),
                now=timezone.now(),
            )
            return _said_of_kill(switched)

        confirmation = Confirmation(
            title=f"Stop all calls of {_name_of(row)}?",
            text="No further call is placed, except what is on its way to the carrier at this moment:"
            " such a call may still go out. Calls that a carrier has been given are left to end:"
            " nobody is cut off, and a phone that rings may still be answered. It stays like that"
            " until somebody releases the switch.",
            button="Throw the kill switch",
            form=KillForm,
            is_dangerous=True,
            facts=_facts(row),
        )
        return confirmed(self, request, row, confirmation, act)

    @action(
        description="Release the kill switch", icon="play_circle", variant=ActionVariant.PRIMARY
    )
    def release(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = row_to_steer(self, request, object_id)

        def act(target: Target, values: dict[str, Any]) -> str:
            switched = release(
                target=target,
                resume=values["resume"],
                actor=actor_of(request),
                now=timezone.now(),
            )
            return _said_of_release(switched)

        paused = _batches(row).filter(
            status=BatchStatus.PAUSED, status_reason=PauseReason.KILL_SWITCH
        )
        confirmation = Confirmation(
            title=f"Let {_name_of(row)} place calls again?",
            text="Calls of active batches go out at once, as hours and limits allow.",
            button="Release the kill switch",
            form=ReleaseForm,
            facts=[*_facts_of_thrown(row), _named(paused, "paused by a kill switch")],
        )
        return confirmed(self, request, row, confirmation, act)


def counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _said_of_kill(switched: Switched) -> str:
    if not switched.is_changed:
        return "The kill switch was on already, with the reason that it has."
    paused = "No batch had to be paused."
    if switched.batch_ids:
        paused = f"{counted(len(switched.batch_ids), 'batch was', 'batches were')} paused."
    on_its_way = "A call that was on its way to the carrier at that moment may still go out."
    return f"The kill switch is on: no further call is placed. {on_its_way} {paused}"


def _said_of_release(switched: Switched) -> str:
    if not switched.is_changed:
        return "The kill switch was off already."
    if not switched.batch_ids:
        return "The kill switch is off."
    resumed = counted(len(switched.batch_ids), "batch goes", "batches go")
    return f"The kill switch is off. {resumed} on."


def _facts(row: Target) -> list[str]:
    active = _batches(row).filter(status=BatchStatus.ACTIVE)
    becomes = "They are paused."
    if not isinstance(row, Workspace):
        becomes = "One that has other numbers goes on with them; any other is paused."
    facts = [_named(active, "active", becomes)]
    flying = _in_flight(row)
    if not flying:
        return [*facts, "No call is in flight at this moment."]
    calls = counted(flying, "call is", "calls are")
    return [*facts, f"{calls} in flight at this moment, to be left to end."]


def _facts_of_thrown(row: Target) -> list[str]:
    thrown = _thrown(row)
    if thrown is None:
        return ["The kill switch is off already."]
    by = f", by {thrown.by}" if thrown.by else ""
    return [f"On since {moment(thrown.at)}{by}.", f"Why: {thrown.reason}"]


def _named(batches: QuerySet[CallBatch], how: str, then: str = "") -> str:
    """How many, and the newest by their names."""
    number = batches.count()
    if not number:
        return f"No batch of it is {how}."
    newest = batches.order_by("-created_at", "-id")
    names = ", ".join(newest.values_list("name", flat=True)[:MOST_NAMED])
    rest = f" and {number - MOST_NAMED:,} more" if number > MOST_NAMED else ""
    return f"{counted(number, 'batch is', 'batches are')} {how}: {names}{rest}. {then}".strip()


def _batches(row: Target) -> QuerySet[CallBatch]:
    """The living ones that call by it."""
    if isinstance(row, Workspace):
        return CallBatch.objects.for_workspace(row.id).living()
    batches = CallBatch.objects.for_workspace(row.workspace_id).living()
    if isinstance(row, PhoneNumber):
        numbers = PhoneNumber.objects.filter(id=row.id)
    else:
        numbers = PhoneNumber.objects.filter(account=row)
    return batches.filter(rotation__phone__in=numbers.filter(is_active=True)).distinct()


def _in_flight(row: Target) -> int:
    if isinstance(row, Workspace):
        return Lease.objects.for_workspace(row.id).count()
    leases = Lease.objects.for_workspace(row.workspace_id)
    of_account = isinstance(row, CarrierAccount)
    return leases.filter(**{"phone__account" if of_account else "phone": row}).count()


def _name_of(row: Target) -> str:
    if isinstance(row, Workspace):
        return f"the workspace {row.name}"
    return row.number if isinstance(row, PhoneNumber) else f"the account {row}"


def _thrown(row: Any) -> Thrown | None:
    if row.killed_at is None:
        return None
    events = AuditEvent.objects.filter(
        target_id=row.pk, action=f"{row._meta.model_name}.kill"
    ).select_related("user")
    event = events.order_by("-created_at", "-id").first()
    by = event.user if event else None
    return Thrown(
        reason=row.kill_reason,
        at=row.killed_at,
        by=str(by) if by else None,
        what=_name_of(row),
    )

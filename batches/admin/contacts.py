"""All that was done with one phone number, over every batch in sight."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django import forms
from django.db.models import Count, Max, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminTextInputWidget

from batches.admin.provenance import origins_of
from batches.models import Call, CallAttempt, CallBatch, DoNotCallEntry
from calling.numbers import NumberRefused, normalise
from workspaces.back_office.base import AuditedAdmin
from workspaces.back_office.reach import Reach, reach_of
from workspaces.models import Workspace

MOST = 200


class NumberForm(forms.Form):
    number = forms.CharField(
        label="Phone number",
        max_length=64,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "search", "autocomplete": "off"}),
        help_text="With its country code, however it is written: +1 (212) 555-1234.",
    )

    def clean_number(self) -> str:
        try:
            return normalise(self.cleaned_data["number"])
        except NumberRefused as refused:
            raise forms.ValidationError(refused.message, refused.code) from refused


@dataclass(frozen=True, slots=True)
class History:
    """The newest calls first, `MOST` at most; `attempts`, `answered`, `talk`, `last` are of those."""

    number: str
    calls: list[Call]
    attempts: dict[str, Any]
    entries: list[tuple[DoNotCallEntry, str]]

    @property
    def is_cut(self) -> bool:
        return len(self.calls) == MOST

    @property
    def quoted(self) -> str:
        return quote(self.number)

    @property
    def talk_time(self) -> str:
        minutes, seconds = divmod(self.attempts["talk"] or 0, 60)
        return f"{minutes}:{seconds:02}"

    @property
    def is_listed(self) -> bool:
        return any(entry.deleted_at is None for entry, _ in self.entries)


def contact_page(admin: AuditedAdmin[Call], request: HttpRequest) -> HttpResponse:
    """`?number=`: however it is written."""
    form = NumberForm(request.GET if "number" in request.GET else None)
    history = None
    if form.is_bound and form.is_valid():
        history = history_of(form.cleaned_data["number"], reach_of(request))
    context = {
        **admin.admin_site.each_context(request),
        "title": "Number history",
        "opts": admin.opts,
        "form": form,
        "history": history,
        "may_lead": reach_of(request).leads_any,
    }
    return TemplateResponse(request, "admin/batches/call/contact.html", context)


def history_of(number: str, reach: Reach) -> History:
    """Four statements. Each begins with what its index begins with: the batches, or the workspaces."""
    calls = list(
        Call.objects.filter(batch__in=batches_in_sight(reach), phone_number=number)
        .select_related("batch", "workspace", "last_attempt")
        .defer("variables")
        .order_by("-created_at", "-id")[:MOST]
    )
    attempts = CallAttempt.objects.filter(call__in=[call.id for call in calls]).aggregate(
        made=Count("id"),
        answered=Count("answered_at"),
        talk=Sum("talk_seconds"),
        last=Max("created_at"),
    )
    halves = Q(deleted_at=None) | Q(deleted_at__isnull=False)
    entries = DoNotCallEntry.objects.filter(
        halves, workspace__in=_workspaces(reach), phone_number=number
    )
    newest_first = entries.select_related("workspace", "created_by").order_by("-created_at", "-id")
    listings = list(newest_first[:MOST])
    origins = origins_of(listings)
    return History(number, calls, attempts, [(entry, origins[entry.id].text) for entry in listings])


def batches_in_sight(reach: Reach) -> QuerySet[CallBatch]:
    """To reach calls by, whose indexes begin with the batch."""
    return reach.narrow(CallBatch.objects.all(), "workspace").values("id")  # type: ignore[return-value]


def _workspaces(reach: Reach) -> QuerySet[Workspace]:
    return reach.narrow(Workspace.objects.all(), "pk").values("id")  # type: ignore[return-value]

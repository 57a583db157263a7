"""Making and changing a batch, held to the rules of createBatch and updateBatch."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import APIException, ValidationError
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from batches.api.serializers.batches import CreateBatchSerializer, UpdateBatchSerializer
from batches.models import EVERY_DAY, BatchType, CallBatch
from batches.services.batches import create_batch, update_batch
from batches.wording import window_in_words, window_of_row
from calling.models import PhoneNumber
from workspaces.back_office.base import actor_of
from workspaces.back_office.confirm import row_to_steer
from workspaces.back_office.reach import reach_of
from workspaces.callers import Caller
from workspaces.clock import clock_time
from workspaces.errors import flatten
from workspaces.models import Workspace
from workspaces.timezones import timezone_names

_DAYS = [
    *((1, "Monday"), (2, "Tuesday"), (3, "Wednesday"), (4, "Thursday")),
    *((5, "Friday"), (6, "Saturday"), (0, "Sunday")),
]
_CLOCK = {"placeholder": "HH:MM", "inputmode": "numeric"}
# The fields of the API by those of the form, and where a problem of one is told.
_NAMES = {
    "name": "batchName",
    "numbers": "callingNumbers",
    "retry": "retry",
    "delay": "delay",
    "timezone": "timezone",
    "days": "allowedDays",
    "batch_type": "batchType",
    "enable_dnc": "enableDNC",
}
_FIELDS = {**{api: own for own, api in _NAMES.items()}, "callingHour": "opens"}


class WorkspaceForm(forms.Form):
    """The first step for who leads several: numbers and hours depend on the workspace."""

    workspace = forms.ModelChoiceField(
        Workspace.objects.none(), empty_label=None, widget=UnfoldAdminSelectWidget
    )


class BatchForm(forms.Form):
    name = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget)
    numbers = forms.TypedMultipleChoiceField(
        label="Calling numbers",
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="New contacts are called from them in turn, in this order.",
        error_messages={"required": "Choose at least one number."},
    )
    retry = forms.IntegerField(
        label="Retries",
        initial=0,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Extra attempts after a failed one, 0 to 10.",
    )
    delay = forms.IntegerField(
        label="Seconds between attempts", initial=60, widget=UnfoldAdminIntegerFieldWidget
    )
    timezone = forms.ChoiceField(
        label="Time zone",
        widget=UnfoldAdminSelectWidget,
        help_text="Of contacts who have none of their own.",
    )
    opens = forms.CharField(
        label="Calls from",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs=_CLOCK),
        help_text="By the clock of each contact, as 09:00. Both empty: all day.",
    )
    closes = forms.CharField(
        label="Calls until",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs=_CLOCK),
        help_text="The last call starts before this time; 24:00 is the end of the day.",
    )
    days = forms.TypedMultipleChoiceField(
        label="Days",
        choices=_DAYS,
        coerce=int,
        initial=list(EVERY_DAY),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        error_messages={"required": "Choose at least one day."},
    )
    enable_dnc = forms.BooleanField(
        label="Honour the do-not-call list",
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget,
    )
    batch_type = forms.ChoiceField(
        label="Type",
        choices=BatchType.choices,
        widget=UnfoldAdminSelectWidget,
        help_text="A label of yours: it changes nothing.",
    )

    def __init__(self, caller: Caller, batch: CallBatch | None, data: Any) -> None:
        self.caller, self.batch = caller, batch
        self.checked: Any = None
        first: dict[str, Any] = (
            {"timezone": caller.workspace_timezone} if batch is None else _values_of(batch)
        )
        super().__init__(data, initial=first)
        zones = [(name, name) for name in sorted(timezone_names())]
        self._choices("timezone", zones)
        self._choices("numbers", _numbers(caller.workspace_id, first.get("numbers", [])))

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field: Any = self.fields[name]
        field.choices = choices

    def clean(self) -> dict[str, Any]:
        """`checked` becomes what the API's serializer makes of it."""
        values = super().clean() or {}
        if self.errors:
            return values
        serializer = CreateBatchSerializer if self.batch is None else UpdateBatchSerializer
        try:
            self.checked = serializer(context={"caller": self.caller}).run_validation(self._body())
        except ValidationError as error:
            self.refuse(error)
        return values

    def _body(self) -> dict[str, Any]:
        """In the words of the API; of a batch that exists only what was changed."""
        values, new = self.cleaned_data, self.batch is None
        body = {api: values[own] for own, api in _NAMES.items() if new or own in self.changed_data}
        hour = {"start": values["opens"].strip(), "end": values["closes"].strip()}
        if any(hour.values()):
            if new or {"opens", "closes"} & set(self.changed_data):
                body["callingHour"] = hour
        elif not new and {"opens", "closes"} & set(self.changed_data):
            body["callingHour"] = {"start": "00:00", "end": "24:00"}
        return body

    def refuse(self, error: APIException) -> None:
        for problem in flatten(error.detail):
            name, _, rest = problem["field"].partition(".")
            name = name.partition("[")[0]
            own = "closes" if rest == "end" else _FIELDS.get(name, name)
            self.add_error(own if own in self.fields else None, problem["message"])


def create(model_admin: Any, request: HttpRequest) -> HttpResponse:
    if not model_admin.has_add_permission(request):
        raise PermissionDenied
    workspace = _workspace(request)
    if workspace is None:
        return _ask_for_workspace(model_admin, request)
    form = BatchForm(_caller(request, workspace), None, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            batch = create_batch(
                workspace_id=workspace.id,
                user_id=str(request.user.pk),
                settings=form.checked,
                actor=actor_of(request),
                now=timezone.now(),
            )
        except APIException as error:
            form.refuse(error)
        else:
            messages.success(request, "The batch is there. Now upload its contacts.")
            return HttpResponseRedirect(_page("change", batch.id))
    return _render(model_admin, request, form, workspace, "Create a batch", _page("changelist"))


def edit(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    batch = row_to_steer(model_admin, request, object_id)
    if batch.deleted_at:
        raise Http404
    form = BatchForm(_caller(request, batch.workspace), batch, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            _save(request, batch, form)
        except APIException as error:
            form.refuse(error)
        else:
            return HttpResponseRedirect(_page("change", batch.id))
    back = _page("change", batch.id)
    return _render(
        model_admin, request, form, batch.workspace, f"Change “{batch.name}”", back, batch
    )


def _save(request: HttpRequest, batch: CallBatch, form: BatchForm) -> None:
    checked = form.checked
    if not checked["changes"] and checked["phone_ids"] is None:
        messages.info(request, "Nothing was changed.")
        return
    update_batch(
        workspace_id=batch.workspace_id,
        batch_id=batch.id,
        changes=checked["changes"],
        phone_ids=checked["phone_ids"],
        actor=actor_of(request),
        now=timezone.now(),
    )
    messages.success(request, "Saved. Calls made from now on follow the new settings.")


def _workspace(request: HttpRequest) -> Workspace | None:
    """The one that was chosen, or the only one. Raises Http404 for one that the person does not lead."""
    led = reach_of(request).narrow_to_led(Workspace.objects.all(), "pk")
    if chosen := request.GET.get("workspace", ""):
        form = WorkspaceForm({"workspace": chosen})
        form.fields["workspace"].queryset = led  # type: ignore[attr-defined]
        if not form.is_valid():
            raise Http404
        found: Workspace = form.cleaned_data["workspace"]
        return found
    few = list(led[:2])
    return few[0] if len(few) == 1 else None


def _ask_for_workspace(model_admin: Any, request: HttpRequest) -> HttpResponse:
    form = WorkspaceForm()
    led = reach_of(request).narrow_to_led(Workspace.objects.all(), "pk")
    form.fields["workspace"].queryset = led.order_by("name", "id")  # type: ignore[attr-defined]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Create a batch",
        "opts": model_admin.opts,
        "form": form,
        "back": _page("changelist"),
    }
    return TemplateResponse(request, "admin/batches/callbatch/choose_workspace.html", context)


def _render(
    model_admin: Any,
    request: HttpRequest,
    form: BatchForm,
    workspace: Workspace,
    title: str,
    back: str,
    batch: CallBatch | None = None,
) -> HttpResponse:
    window = window_of_row(workspace)
    numbers: Any = form.fields["numbers"]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "original": batch,
        "form": form,
        "heading": title if batch else f"A new batch in {workspace}",
        "of_workspace": "" if window.is_always else window_in_words(window),
        "has_numbers": bool(numbers.choices),
        "back": back,
    }
    return TemplateResponse(request, "admin/batches/callbatch/form.html", context)


def _caller(request: HttpRequest, workspace: Workspace) -> Caller:
    """As whom the person would call the API."""
    return Caller(
        workspace_id=workspace.id,
        workspace_timezone=workspace.timezone,
        user_id=str(request.user.pk),
        role=reach_of(request).role_in(workspace.id),
        scopes=None,
        credential_id="",
        actor=actor_of(request),
    )


def _values_of(batch: CallBatch) -> dict[str, Any]:
    start, end = batch.calling_hour_start, batch.calling_hour_end
    return {
        "name": batch.name,
        "numbers": list(batch.rotation.order_by("position").values_list("phone_id", flat=True)),
        "retry": batch.retry,
        "delay": batch.delay,
        "timezone": batch.timezone,
        "opens": "" if start is None else clock_time(start),
        "closes": "" if end is None else clock_time(end),
        "days": list(batch.allowed_days),
        "enable_dnc": batch.enable_dnc,
        "batch_type": batch.batch_type,
    }


def _numbers(workspace_id: str, chosen: list[str]) -> list[tuple[str, str]]:
    """Those of the rotation first, in its order; of the others the active ones."""
    phones = PhoneNumber.objects.for_workspace(workspace_id).select_related("agent")
    found = {phone.id: phone for phone in phones.order_by("number", "id")}
    first = [found.pop(id_) for id_ in chosen if id_ in found]
    others = [phone for phone in found.values() if phone.is_active]
    return [(phone.id, _described(phone)) for phone in [*first, *others]]


def _described(phone: PhoneNumber) -> str:
    agent = phone.agent.name if phone.agent else "no agent"
    about = [*([phone.label] if phone.label else []), agent]
    return f"{phone.number} ({', '.join(about)}{'' if phone.is_active else '; not active'})"


def _page(name: str, *args: str) -> str:
    return reverse(f"admin:batches_callbatch_{name}", args=args)

"""Numbers that are put on the do-not-call list by hand: one, pasted ones, a file of them."""

import csv
import io
import re
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.exceptions import APIException
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from batches.api.serializers.contacts import LARGEST_FILE
from batches.api.serializers.do_not_call import AddNumberSerializer
from batches.imports.pipeline import SentFile
from batches.models import DoNotCallEntry
from batches.services.do_not_call import Listing, list_number
from batches.services.do_not_call_import import ImportedNumbers, import_numbers
from workspaces.back_office.base import actor_of
from workspaces.back_office.confirm import tell
from workspaces.back_office.reach import Reach, reach_of
from workspaces.callers import Caller
from workspaces.models import Workspace

LONGEST_TYPE = 64
LONGEST_PASTE = 2_000_000  # characters
_between_numbers = re.compile(r"[\n\r,;]+")


class _LedForm(forms.Form):
    """Of a workspace that the person leads; it is not asked for where there is one only."""

    workspace = forms.ModelChoiceField(
        Workspace.objects.none(), widget=UnfoldAdminSelectWidget, empty_label="Choose a workspace"
    )

    def __init__(self, reach: Reach, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        led = reach.narrow_to_led(Workspace.objects.order_by("name", "id"), "pk")
        field: Any = self.fields["workspace"]
        field.queryset = led
        first = list(led[:2])
        if len(first) == 1:
            field.initial, field.widget = first[0].pk, forms.HiddenInput()


class ListNumberForm(_LedForm):
    number = forms.CharField(
        label="Phone number",
        max_length=64,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="With its country code, however it is written: +1 (212) 555-1234.",
    )
    type = forms.CharField(
        label="Why",
        required=False,
        max_length=LONGEST_TYPE,
        widget=UnfoldAdminTextInputWidget,
        help_text="In your own words, as “asked by e-mail”. It stays with the entry.",
    )

    _FIELDS = {"phoneNumber": "number"}

    def save(self, request: HttpRequest) -> DoNotCallEntry | None:
        """By the rules of the API. None: it was refused, which the form tells."""
        values = self.cleaned_data
        workspace: Workspace = values["workspace"]
        try:
            return list_number(
                workspace_id=workspace.pk,
                user_id=str(request.user.pk),
                listing=self._listing(caller_in(workspace, request)),
                actor=actor_of(request),
                now=timezone.now(),
            )
        except APIException as error:
            tell(self, _renamed(error, self._FIELDS))
            return None

    def _listing(self, caller: Caller) -> Listing:
        values = self.cleaned_data
        body = {"phoneNumber": values["number"]}
        if values["type"]:
            body["type"] = values["type"]
        serializer = AddNumberSerializer(data=body, context={"caller": caller})
        serializer.is_valid(raise_exception=True)
        listing: Listing = serializer.validated_data
        return listing


class ImportNumbersForm(_LedForm):
    file = forms.FileField(
        label="A file",
        required=False,
        allow_empty_file=True,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.xlsx,.xls"}),
        help_text="CSV or Excel with a column phoneNumber, perhaps a column type (why).",
    )
    pasted = forms.CharField(
        label="Or numbers",
        required=False,
        max_length=LONGEST_PASTE,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6}),
        help_text="One a line, or with commas between them, each with its country code.",
    )
    type = forms.CharField(
        label="Why (of pasted numbers)",
        required=False,
        max_length=LONGEST_TYPE,
        widget=UnfoldAdminTextInputWidget,
    )
    dry_run = forms.BooleanField(
        label="Only check, list nothing", required=False, widget=UnfoldBooleanWidget
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        file, pasted = values.get("file"), values.get("pasted")
        if file and pasted:
            self.add_error(None, "Send a file or paste numbers, not both.")
        elif not file and not pasted and not self.errors:
            self.add_error(None, "Choose a file, or paste numbers.")
        elif file and file.size > LARGEST_FILE:
            self.add_error("file", f"The file is over {LARGEST_FILE:,} bytes.")
        return values

    def save(self, request: HttpRequest) -> ImportedNumbers | None:
        """None: it was refused, which the form tells."""
        values = self.cleaned_data
        file = values["file"] or _as_csv(values["pasted"], values["type"])
        try:
            return import_numbers(
                workspace_id=values["workspace"].pk,
                file=SentFile(
                    content=file,
                    name=file.name,
                    user_id=str(request.user.pk),
                    dry_run=values["dry_run"],
                ),
                actor=actor_of(request),
                clock=timezone.now,
            )
        except APIException as error:
            tell(self, error if values["file"] else _renamed(error, {"file": "pasted"}))
            return None


def caller_in(workspace: Workspace, request: HttpRequest) -> Caller:
    """The person as the API's serializers know one."""
    return Caller(
        workspace_id=workspace.pk,
        workspace_timezone=workspace.timezone,
        user_id=str(request.user.pk),
        role=reach_of(request).role_in(workspace.pk),
        scopes=None,
        credential_id="",
        actor=actor_of(request),
    )


class _Pasted(io.BytesIO):
    name = "pasted numbers.csv"


def _as_csv(pasted: str, why: str) -> _Pasted:
    rows = io.StringIO()
    writer = csv.writer(rows)
    writer.writerow(["phoneNumber", "type"])
    writer.writerows(
        [number.strip(), why] for number in _between_numbers.split(pasted) if number.strip()
    )
    return _Pasted(rows.getvalue().encode())


def _renamed(error: APIException, names: dict[str, str]) -> APIException:
    """The error with the form's names of its fields."""
    if isinstance(error.detail, dict):
        detail: Any = {names.get(name, name): value for name, value in error.detail.items()}
        error.detail = detail
    return error

"""A deed of the back office that asks first: what will happen, perhaps a reason, one button.

A page of its own and not a dialog: it works by keyboard, can be linked to, and needs no script.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from rest_framework.exceptions import APIException

from workspaces.back_office.base import AuditedAdmin
from workspaces.errors import WHOLE_BODY, flatten

# What becomes of it, told to the person afterwards. Raises APIException for what cannot be done.
Act = Callable[[Any, dict[str, Any]], str]
# What is no field to anybody who looks at a page: the row's own id stands in its address.
_UNNAMED = {WHOLE_BODY, "id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """`title`: the question. `text`: what will happen. `facts`: sentences to decide by."""

    title: str
    text: str
    button: str
    form: Callable[[Any], forms.Form] = forms.Form
    is_dangerous: bool = False
    facts: list[str] = field(default_factory=list)


def row_to_steer(admin: AuditedAdmin[Any], request: HttpRequest, object_id: str) -> Any:
    """The row, for somebody who may change it. Raises Http404 (not in sight), PermissionDenied."""
    row = admin.get_object(request, object_id)
    if row is None:
        raise Http404
    if not admin.may_steer(request, row):
        raise PermissionDenied
    return row


def confirmed(
    admin: AuditedAdmin[Any],
    request: HttpRequest,
    row: Any,
    confirmation: Confirmation,
    act: Act,
) -> HttpResponse:
    """Ask; when it is confirmed do it and go back to the row's page. What fails is told here."""
    page_of_row = reverse(
        f"admin:{admin.opts.app_label}_{admin.opts.model_name}_change", args=[row.pk]
    )
    form = confirmation.form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            sentence = act(row, form.cleaned_data)
        except APIException as error:
            tell(form, error)
        else:
            messages.success(request, sentence)
            return HttpResponseRedirect(page_of_row)
    context = {
        **admin.admin_site.each_context(request),
        "title": confirmation.title,
        "opts": admin.opts,
        "original": row,
        "confirmation": confirmation,
        "form": form,
        "back": page_of_row,
    }
    return TemplateResponse(request, "outdial/confirm.html", context)


def tell(form: forms.Form, error: APIException) -> None:
    """Put what a service refused where the person looks: at the field, else above the form."""
    for problem in flatten(error.detail):
        name, sentence = problem["field"], problem["message"]
        if name in form.fields:
            form.add_error(name, sentence)
        else:
            form.add_error(None, sentence if name in _UNNAMED else f"{name}: {sentence}")

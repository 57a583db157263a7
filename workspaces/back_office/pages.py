"""Pages of the back office that are no list and no row."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from workspaces.back_office.base import AuditedAdmin


def list_page(admin: AuditedAdmin[Any]) -> str:
    return reverse(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_changelist")


def form_page(
    admin: AuditedAdmin[Any],
    request: HttpRequest,
    form: forms.Form,
    *,
    title: str,
    button: str,
    text: str = "",
    back: str = "",
) -> TemplateResponse:
    """A form in a card, with what is wrong at its fields. `back`: an address; that of the list."""
    context = {
        **admin.admin_site.each_context(request),
        "title": title,
        "opts": admin.opts,
        "form": form,
        "text": text,
        "button": button,
        "back": back or list_page(admin),
    }
    return TemplateResponse(request, "outdial/form.html", context)

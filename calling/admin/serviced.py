"""Pages whose writes go through the services of the API, which tell the audit log themselves."""

from typing import Any, TypeVar

from django.contrib import messages
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from rest_framework.exceptions import APIException

from workspaces.back_office.base import AuditedAdmin
from workspaces.errors import flatten

Row = TypeVar("Row", bound=models.Model)


class ServicedAdmin(AuditedAdmin[Row]):
    """A service may still refuse what the form has taken: something has changed in between."""

    def _audit(self, request: HttpRequest, verb: str, rows: Any, message: Any) -> None:
        """The service has told it."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except APIException as error:
            return _refused(request, error)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except APIException as error:
            return _refused(request, error)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Each is deleted on its page, where it is told what that does."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Row]) -> None:
        for row in queryset:
            self.delete_model(request, row)


def _refused(request: HttpRequest, error: APIException) -> HttpResponse:
    for problem in flatten(error.detail):
        messages.error(request, problem["message"])
    return HttpResponseRedirect(request.get_full_path())

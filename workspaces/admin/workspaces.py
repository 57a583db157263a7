from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from workspaces.back_office.base import DialingAdmin, ReadOnlyInline, actor_of
from workspaces.back_office.reach import reach_of
from workspaces.back_office.theme import display
from workspaces.back_office.worlds import enter_world
from workspaces.clock import clock_time
from workspaces.forms import DAY_NAMES, WorkspaceForm
from workspaces.models import EVERY_DAY, Membership, Workspace
from workspaces.services.workspaces import store_workspace, update_workspace

_GRANTED = ("is_active", "rate_limit", "key_rate_limit")
_MEMBERS = "Members"
_LISTS = {
    "Batches": "batches_callbatch",
    "Phone numbers": "calling_phonenumber",
    "Agents": "calling_agent",
    "API keys": "workspaces_apikey",
    _MEMBERS: "workspaces_membership",
}
_SHOWN_MEMBERS = 50


class MembershipInline(ReadOnlyInline[Membership]):
    """To look at; who joins and who leaves is settled on the page of members, where keys end, too."""

    model = Membership
    verbose_name_plural = "members"
    fields = ["user", "role", "created_at"]
    show_change_link = True
    per_page = _SHOWN_MEMBERS

    def get_queryset(self, request):  # type: ignore[no-untyped-def]
        return super().get_queryset(request).select_related("user").order_by("user__email")


@admin.register(Workspace)
class WorkspaceAdmin(DialingAdmin[Workspace]):
    form = WorkspaceForm
    workspace_path = "pk"
    list_display = ["name", "state", "timezone", "window", "limits", "created_at"]
    list_filter = ["is_active"]
    list_select_related = ["sandbox_of"]
    search_fields = ["name"]
    ordering = ["-created_at", "-id"]
    readonly_fields = ["id", "created_at", "updated_at"]
    inlines = [MembershipInline]
    fieldsets = [
        (None, {"fields": ["id", "name", "is_active"]}),
        (
            "When",
            {
                "fields": [
                    "timezone",
                    "calling_hour_start",
                    "calling_hour_end",
                    "allowed_days",
                    "start_when_calls_added",
                ]
            },
        ),
        (
            "Limits",
            {
                "fields": [
                    "concurrency_limit",
                    "contact_daily_cap",
                    "called_countries",
                    "dnc_enabled",
                    "rate_limit",
                    "key_rate_limit",
                ]
            },
        ),
        ("Times", {"fields": ["created_at", "updated_at"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Workspace]:
        return super().get_queryset(request).select_related("sandbox_of")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A sandbox comes with its workspace."""
        reach = reach_of(request)
        return reach.is_all and not reach.is_sandbox

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it would take calls and audit events along: suspend it instead

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """What the installation grants is not the tenant's to say; a sandbox follows its workspace."""
        fields = [*self.readonly_fields]
        if not reach_of(request).is_all:
            fields += _GRANTED
        if obj is not None and obj.is_sandbox:
            fields += ["name", "is_active"]
        return fields

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not obj.is_sandbox:
            return fieldsets
        # Whether it is suspended is told by the page: its own flag says nothing.
        return [(None, {"fields": ["id", "name"]}), *fieldsets[1:]]

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [] if obj is not None and obj.is_sandbox else super().get_inlines(request, obj)

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [] if reach_of(request).is_sandbox else super().get_list_filter(request)

    def create(self, request: HttpRequest, workspace: Workspace) -> None:
        """Without furniture: for an app that knows what calls."""
        store_workspace(workspace=workspace, actor=actor_of(request), now=timezone.now())

    def save_model(self, request: HttpRequest, obj: Workspace, form: Any, change: bool) -> None:
        if not change:
            self.create(request, obj)
        elif form.changed_data:
            update_workspace(
                workspace_id=obj.pk,
                changes={name: getattr(obj, name) for name in form.changed_data},
                actor=actor_of(request),
                now=timezone.now(),
            )

    def _audit(self, request: HttpRequest, verb: str, rows: Any, message: Any) -> None:
        """The services have told it, with the values."""

    @display(
        description="state", ordering="is_active", label={"active": "success", "off": "danger"}
    )
    def state(self, workspace: Workspace) -> tuple[str, str]:
        home = workspace.sandbox_of or workspace
        return ("active", "active") if home.is_active else ("off", "suspended")

    # --- live or sandbox ---

    def get_urls(self) -> list[Any]:
        enter = path(
            "world/",
            self.admin_site.admin_view(require_POST(self.enter_world)),
            name="workspaces_workspace_world",
        )
        return [enter, *super().get_urls()]

    def enter_world(self, request: HttpRequest) -> HttpResponse:
        """To the front page: a row of one world is not there in the other."""
        enter_world(request, request.POST.get("world", ""))
        return HttpResponseRedirect(reverse("admin:index"))

    # --- what is shown ---

    @display(description="calls")
    def window(self, workspace: Workspace) -> str:
        return f"{_hours(workspace)}, {_days(workspace.allowed_days)}"

    @display(description="limits")
    def limits(self, workspace: Workspace) -> str:
        return "; ".join(_limits(workspace)) or "none"

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> Any:
        workspace = kwargs.get("obj") or context.get("original")
        if workspace is not None:
            context["summary"] = {
                "Calls": f"{self.window(workspace)} ({workspace.timezone})",
                "Limits": self.limits(workspace),
                "Countries": ", ".join(workspace.called_countries) or "those of its own numbers",
                "Do not call": "honoured by every batch"
                if workspace.dnc_enabled
                else "honoured by batches that ask for it",
            }
            context["lists"] = [
                (name, f"{reverse(f'admin:{page}_changelist')}?workspace__id__exact={workspace.pk}")
                for name, page in _LISTS.items()
                if not (workspace.is_sandbox and name == _MEMBERS)
            ]
        return super().render_change_form(request, context, *args, **kwargs)


def _hours(workspace: Workspace) -> str:
    start, end = workspace.calling_hour_start, workspace.calling_hour_end
    if start is None or end is None:
        return "all day"
    return f"{clock_time(start)} to {clock_time(end)}"


def _days(days: Iterable[int]) -> str:
    allowed = sorted(days)
    if allowed == list(EVERY_DAY):
        return "every day"
    if allowed == [1, 2, 3, 4, 5]:
        return "Monday to Friday"
    return ", ".join(DAY_NAMES[day] for day in allowed)


def _limits(workspace: Workspace) -> Iterable[str]:
    if limit := workspace.concurrency_limit:
        yield f"{limit} call{'s' if limit > 1 else ''} at a time"
    if cap := workspace.contact_daily_cap:
        yield f"{cap} attempt{'s' if cap > 1 else ''} on a number in 24 hours"

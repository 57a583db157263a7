from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.views.decorators.http import require_POST

from calling.admin.agent_form import AgentForm
from calling.admin.agent_preview import default_samples, posted_preview, preview_of
from calling.admin.serviced import ServicedAdmin
from calling.carriers.registry import CARRIERS
from calling.models import Agent, VariableType
from calling.services.agents import create_agent, delete_agent, update_agent
from workspaces.back_office.base import actor_of

MOST_NUMBERS = 50  # shown on the page of an agent


@admin.register(Agent)
class AgentAdmin(ServicedAdmin[Agent]):
    form = AgentForm
    list_display = ["name", "workspace", "connection_type", "language", "used_by", "created_at"]
    list_filter = ["connection_type", "on_voicemail"]
    search_fields = ["name", "workspace__name"]
    autocomplete_fields = ["workspace"]
    ordering = ["-created_at", "-id"]
    change_form_template = "admin/calling/agent/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        agents = super().get_queryset(request).select_related("workspace", "created_by")
        return agents.annotate(number_count=Count("numbers"))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        is_steered = obj is None or self.has_change_permission(request, obj)
        who = ["name", "language"] if obj else ["workspace", "name", "language"]
        end = ["on_voicemail", "records_calls", "opt_out_key", "opt_out_message"]
        return [
            ("Who it is", {"fields": who}),
            (
                "What it has to know of each contact",
                {"fields": ["variables" if is_steered else "variables_told"]},
            ),
            (
                "How an answered call is connected",
                {"fields": ["connection_type", "connection_target"]},
            ),
            ("Answering machines, recording, opting out", {"fields": end}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["variables_told"] if obj else []

    def get_urls(self) -> list[Any]:
        preview = path(
            "preview/", self.admin_site.admin_view(self.preview), name="calling_agent_preview"
        )
        return [preview, *super().get_urls()]

    @method_decorator(require_POST)
    def preview(self, request: HttpRequest) -> HttpResponse:
        """Of what was sent and of nothing stored; a POST, because texts are longer than addresses."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {"preview": posted_preview(request.POST)}
        return TemplateResponse(request, "admin/calling/agent/preview.html", context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        agent = self.get_object(request, object_id) if object_id else None
        numbers = list(agent.numbers.order_by("number", "id")[: MOST_NUMBERS + 1]) if agent else []
        asking = [name for name, one in CARRIERS.items() if one.asks_back]
        used = {one.carrier for one in numbers}
        carriers = [name for name in asking if name in used] or asking
        context = {
            "numbers": numbers[:MOST_NUMBERS],
            "more_numbers": len(numbers) > MOST_NUMBERS,
            "carriers": carriers,
            **({"title": str(agent), "subtitle": None} if agent else {}),
            "samples": {name.value: text for name, text in default_samples().items()},  # type: ignore[attr-defined]
            "preview": preview_of(agent, {}, carriers) if agent else None,
            "variable_types": VariableType.choices,
            "saved": _saved(agent) if agent else None,
        }
        extra_context = {**context, **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: Agent, form: Any, change: bool) -> None:
        actor, now = actor_of(request), timezone.now()
        values = {name: value for name, value in form.cleaned_data.items() if name != "workspace"}
        if change:
            changes = {name: value for name, value in values.items() if value != form.initial[name]}
            if changes:
                update_agent(
                    workspace_id=obj.workspace_id,
                    agent_id=obj.id,
                    changes=changes,
                    actor=actor,
                    now=now,
                )
            return
        agent = create_agent(
            workspace_id=obj.workspace_id,
            user_id=str(request.user.pk),
            values=values,
            actor=actor,
            now=now,
        )
        obj.pk, obj._state.adding = agent.pk, False

    def delete_model(self, request: HttpRequest, obj: Agent) -> None:
        delete_agent(
            workspace_id=obj.workspace_id,
            agent_id=obj.id,
            actor=actor_of(request),
            now=timezone.now(),
        )

    @admin.display(description="used by", ordering="number_count")
    def used_by(self, agent: Any) -> str:
        number = int(agent.number_count)
        if not number:
            return "no number"
        address = reverse("admin:calling_phonenumber_changelist")
        word = "number" if number == 1 else "numbers"
        return format_html(
            '<a class="od-link" href="{}?agent__id__exact={}">{} {}</a>',
            *(address, agent.pk, number, word),
        )

    @admin.display(description="variables")
    def variables_told(self, agent: Agent) -> str:
        """For who only reads."""
        lines = [
            (
                one["key"],
                one["type"] + (f" ({', '.join(one['enum'])})" if one.get("enum") else ""),
                ", required" if one.get("required") else "",
                f": {one['description']}" if one.get("description") else "",
            )
            for one in agent.variables
        ]
        return format_html_join("", "<div><strong>{}</strong> {}{}{}</div>", lines) or "None"


def _saved(agent: Agent) -> dict[str, Any]:
    """By the names of the form, for a preview where there is none."""
    return {name: getattr(agent, name) for name in AgentForm.Meta.fields if name != "workspace"}

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import APIException, ValidationError

from calling.admin.forms import TYPE_AGAIN, AddPhoneForm, PhoneNumberForm, as_fields
from calling.admin.serviced import ServicedAdmin
from calling.admin.states import state_of_account, state_of_number, title_of
from calling.models import Agent, PhoneNumber
from calling.services.phones import add_phone, update_phone
from workspaces.back_office.base import MADE, actor_of
from workspaces.back_office.confirm import Confirmation, tell
from workspaces.back_office.reach import reach_of
from workspaces.back_office.theme import display
from workspaces.callers import Role
from workspaces.errors import field_error
from workspaces.models import Membership, Workspace

_ADD = Confirmation(
    title="Add a phone number",
    text="The carrier is asked whether it takes the credentials and whether the number is theirs."
    " Nothing is stored before. Credentials are kept encrypted and never shown again; those of an"
    " account that is known already replace the old ones.",
    button="Add the number",
)


class PhoneNumberAdmin(ServicedAdmin[PhoneNumber]):
    """Registered by the batches app, which knows what calls from a number."""

    form = PhoneNumberForm
    list_display = [
        *("number", "label", "workspace", "carrier_title", "agent", "state"),
        *("concurrency_limit", "daily_cap", "created_at"),
    ]
    list_filter = ["is_active", "carrier"]
    search_fields = ["number", "label", "workspace__name"]
    ordering = ["-created_at", "-id"]
    fieldsets = [
        (None, {"fields": ["label", "agent", "is_active"]}),
        ("Caps", {"fields": ["concurrency_limit", "daily_cap"]}),
        ("Added", {"fields": ["id", *MADE]}),
    ]
    readonly_fields = ["id", *MADE]
    change_form_outer_before_template = "admin/calling/phonenumber/head.html"
    change_form_outer_after_template = "admin/calling/phonenumber/tail.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[PhoneNumber]:
        phones = super().get_queryset(request).select_related("workspace", "agent", "account")
        return phones.defer("account__credentials")

    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if obj and "agent" in form.base_fields:
            agents = Agent.objects.for_workspace(obj.workspace_id).order_by("name", "id")
            form.base_fields["agent"].queryset = agents  # type: ignore[attr-defined]
        return form

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # batches may rotate through it: for the app that knows them

    # --- adding ---

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Not Django's, which holds a transaction: the carrier is asked."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        reach = reach_of(request)
        workspaces = reach.narrow_to_led(Workspace.objects.order_by("name", "id"), "pk")
        form = AddPhoneForm(
            request.POST if request.method == "POST" else None,
            workspaces=workspaces,
            is_sandbox=reach.is_sandbox,
            initial=_initial(request, workspaces),
        )
        if request.method == "POST" and form.is_valid():
            try:
                phone = self._add(request, form)
            except APIException as error:
                is_ours = isinstance(error, ValidationError)
                tell(form, as_fields(error) if isinstance(error, ValidationError) else error)
                if is_ours or form.cleaned_data["auth_token"]:
                    form.add_error(None, TYPE_AGAIN)
            else:
                self._say_added(request, phone)
                page = reverse("admin:calling_phonenumber_change", args=[phone.id])
                return HttpResponseRedirect(page)
        context = {
            **self.admin_site.each_context(request),
            "title": _ADD.title,
            "opts": self.opts,
            "confirmation": _ADD,
            "form": form,
            "back": reverse("admin:calling_phonenumber_changelist"),
        }
        return TemplateResponse(request, "outdial/confirm.html", context)

    def _add(self, request: HttpRequest, form: AddPhoneForm) -> PhoneNumber:
        workspace_id = form.cleaned_data["workspace"].id
        return add_phone(
            workspace_id=workspace_id,
            user_id=_whose(workspace_id, str(request.user.pk)),
            phone=form.phone,
            actor=actor_of(request),
            now=timezone.now(),
        )

    def _say_added(self, request: HttpRequest, phone: PhoneNumber) -> None:
        messages.success(request, f"{phone.number} was added.")
        if phone.agent_id is None:
            messages.info(request, "Choose an agent: it speaks when a call is answered.")

    # --- the page of a number ---

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        phone = self.get_object(request, object_id)
        if phone is not None:
            extra_context = {**self.head_of(request, phone), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, extra_context)

    def head_of(self, request: HttpRequest, phone: PhoneNumber) -> dict[str, Any]:
        """What the page tells beside the form."""
        return {
            "title": str(phone),
            "subtitle": None,
            "carrier_title": title_of(phone.carrier),
            "state": state_of_number(phone),
            "trouble": state_of_account(phone.account, timezone.now()) if phone.account else None,
        }

    def save_model(self, request: HttpRequest, obj: PhoneNumber, form: Any, change: bool) -> None:
        names = {"agent": "agent_id"}
        changed = [names.get(name, name) for name in form.changed_data]
        if changed:
            update_phone(
                workspace_id=obj.workspace_id,
                phone_id=obj.id,
                changes={name: getattr(obj, name) for name in changed},
                actor=actor_of(request),
                now=timezone.now(),
            )

    # --- the list ---

    @admin.display(description="carrier", ordering="carrier")
    def carrier_title(self, phone: PhoneNumber) -> str:
        return title_of(phone.carrier)

    @display(
        description="state",
        label={"active": "success", "off": "danger", "kill switch": "danger"},
    )
    def state(self, phone: PhoneNumber) -> str:
        return state_of_number(phone).word


def _initial(request: HttpRequest, workspaces: QuerySet[Workspace]) -> dict[str, Any]:
    """Who leads one workspace has nothing to choose."""
    first = list(workspaces[:2])
    asked = request.GET.get("workspace", "")
    return {"workspace": asked or (first[0].pk if len(first) == 1 else None), "carrier": ""}


def _whose(workspace_id: str, user_id: str) -> str:
    """The one who adds it; of somebody who is no member there, the workspace's first owner.

    Raises ValidationError when nobody is left in the workspace.
    """
    members = Membership.objects.for_workspace(workspace_id).filter(user__is_active=True)
    if members.filter(user_id=user_id).exists():
        return user_id
    owner = members.filter(role=Role.OWNER).order_by("created_at", "id").first()
    if owner is None:
        message = "It has no owner whose number it could become: add one first."
        raise field_error("workspace", message, "no_owner")
    return owner.user_id

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from rest_framework.exceptions import APIException
from unfold.enums import ActionVariant

from workspaces.admin.filters import WorkspaceFilter
from workspaces.back_office.base import AuditedAdmin, actor_of
from workspaces.back_office.confirm import Confirmation, confirmed, row_to_steer, tell
from workspaces.back_office.pages import form_page, list_page
from workspaces.back_office.reach import reach_of
from workspaces.back_office.theme import action, display
from workspaces.callers import Role
from workspaces.forms import InvitationForm, RoleForm
from workspaces.mails import base_url_of
from workspaces.models import ApiKey, Membership
from workspaces.services.invitations import (
    invite_again,
    invite_member,
    is_invited,
    open_back_office,
)
from workspaces.services.members import change_role, remove_member
from workspaces.templatetags.back_office import moment

_ROLES = {Role.OWNER.value: "primary", Role.ADMIN.value: "info", Role.MEMBER.value: ""}
_STATES = {"active": "success", "invited": "warning", "never": "", "deactivated": "danger"}
_WORDS = {"never": "never signed in", "active": "has signed in"}


@admin.register(Membership)
class MembershipAdmin(AuditedAdmin[Membership]):
    """Who belongs to a workspace: invited, given another role and removed, never edited."""

    list_display = ["user", "name", "workspace", "role_label", "state", "since"]
    list_filter = [WorkspaceFilter, "role"]
    list_select_related = ["user", "workspace"]
    search_fields = ["user__email", "user__name", "workspace__name"]
    ordering = ["-created_at", "-id"]
    readonly_fields = [
        "user",
        "name",
        "workspace",
        "role",
        "state_in_words",
        "back_office",
        "since",
    ]
    actions_detail = ["change_role", "invite_again", "open_back_office", "remove"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "workspace")

    # --- who may ---

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not in the sandbox, whose members are those of its live workspace."""
        return not reach_of(request).is_sandbox and super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return not reach_of(request).is_sandbox and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # `remove` does it, where keys end, too

    def _row(self, request: HttpRequest, object_id: Any) -> Membership:
        membership = self.get_object(request, str(object_id))
        if membership is None:
            raise Http404
        return membership

    def has_steer_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.may_steer(request, self._row(request, object_id))

    def has_invite_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        membership = self._row(request, object_id)
        return self.may_steer(request, membership) and is_invited(membership.user)

    def has_let_in_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        membership = self._row(request, object_id)
        user = membership.user
        is_out = not (user.is_staff or user.is_superuser)
        return is_out and self.may_steer(request, membership)

    # --- what is shown ---

    @display(description="name", ordering="user__name")
    def name(self, membership: Membership) -> str:
        return membership.user.name

    @display(description="role", ordering="role", label=_ROLES)
    def role_label(self, membership: Membership) -> tuple[str, str]:
        return membership.role, Role(membership.role).label

    @display(description="state", label=_STATES)
    def state(self, membership: Membership) -> tuple[str, str]:
        state = _state(membership)
        return state, _WORDS.get(state, state)

    @display(description="state")
    def state_in_words(self, membership: Membership) -> str:
        return self.state(membership)[1]

    @display(description="back office", boolean=True)
    def back_office(self, membership: Membership) -> bool:
        return membership.user.is_staff

    @display(description="member since", ordering="created_at")
    def since(self, membership: Membership) -> str:
        return moment(membership.created_at)

    # --- deeds ---

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        reach = reach_of(request)
        form = InvitationForm(request.POST if request.method == "POST" else None, reach=reach)
        if form.is_valid():
            values = form.cleaned_data
            workspace = values["workspace"]
            try:
                membership = invite_member(
                    workspace_id=workspace.id,
                    email=values["email"],
                    name=values["name"],
                    role=values["role"],
                    opens_back_office=values["opens_back_office"],
                    granted_by=reach.role_in(workspace.id),
                    base_url=base_url_of(request),
                    actor=actor_of(request),
                    now=timezone.now(),
                )
            except APIException as error:
                tell(form, error)
            else:
                sentence = (
                    f"{membership.user} is a member of {workspace} now; a mail is on its way."
                )
                messages.success(request, sentence)
                return HttpResponseRedirect(list_page(self))
        text = "Somebody new is mailed a link to choose a password; whoever has an account, a note."
        return form_page(
            self, request, form, title="Invite somebody", button="Send the invitation", text=text
        )

    @action(description="Change role", permissions=["steer"], icon="badge", url_path="role")
    def change_role(self, request: HttpRequest, object_id: str) -> HttpResponse:
        membership = row_to_steer(self, request, object_id)
        question = Confirmation(
            title=f"Another role for {membership.user}?",
            text=f"Their role in {membership.workspace} is {Role(membership.role).label} now.",
            facts=["It counts at once, for their API keys, too."],
            form=RoleForm,
            button="Change the role",
        )

        def act(row: Membership, values: dict[str, Any]) -> str:
            change_role(role=values["role"], **self._by(request, row))
            return f"The role of {row.user} in {row.workspace} is {values['role'].label} now."

        return confirmed(self, request, membership, question, act)

    @action(
        description="Remove",
        permissions=["steer"],
        icon="person_remove",
        url_path="remove",
        variant=ActionVariant.DANGER,
    )
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        membership = row_to_steer(self, request, object_id)
        keys = ApiKey.objects.for_workspace(membership.workspace_id).filter(
            created_by=membership.user_id, revoked_at=None
        )
        count = keys.count()
        question = Confirmation(
            title=f"Remove {membership.user} from {membership.workspace}?",
            text="They lose this workspace at once, in the back office and in the API.",
            facts=[
                f"{count} API key{'s' if count != 1 else ''} that act as them end{'s' * (count == 1)}"
                " for good, and their Bearer tokens.",
                "Batches that they made stay, and go on.",
            ],
            button="Remove",
            is_dangerous=True,
        )
        removed: list[str] = []

        def act(row: Membership, values: dict[str, Any]) -> str:
            remove_member(**self._by(request, row))
            removed.append(row.user_id)
            return f"{row.user} is no member of {row.workspace} any more."

        response = confirmed(self, request, membership, question, act)
        return HttpResponseRedirect(list_page(self)) if removed else response

    @action(
        description="Invite again",
        permissions=["invite"],
        icon="mail",
        url_path="invite-again",
    )
    def invite_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        membership = row_to_steer(self, request, object_id)
        question = Confirmation(
            title=f"Send {membership.user} another invitation?",
            text="They get a new link to choose a password. It lasts three days.",
            button="Send the invitation",
        )

        def act(row: Membership, values: dict[str, Any]) -> str:
            invite_again(base_url=base_url_of(request), **self._by(request, row))
            return f"A mail to {row.user} is on its way."

        return confirmed(self, request, membership, question, act)

    @action(
        description="Let into the back office",
        permissions=["let_in"],
        icon="login",
        url_path="let-in",
    )
    def open_back_office(self, request: HttpRequest, object_id: str) -> HttpResponse:
        membership = row_to_steer(self, request, object_id)
        question = Confirmation(
            title=f"Let {membership.user} into the back office?",
            text="They see these pages, as their role allows, for the workspaces that they are in.",
            facts=["Only a superuser can take it back."],
            button="Let them in",
        )

        def act(row: Membership, values: dict[str, Any]) -> str:
            open_back_office(**self._by(request, row))
            return f"{row.user} may use the back office now."

        return confirmed(self, request, membership, question, act)

    def _by(self, request: HttpRequest, membership: Membership) -> dict[str, Any]:
        """Whom it is done to, by whom, with which right, when."""
        return {
            "workspace_id": membership.workspace_id,
            "user_id": membership.user_id,
            "granted_by": reach_of(request).role_in(membership.workspace_id),
            "actor": actor_of(request),
            "now": timezone.now(),
        }


def _state(membership: Membership) -> str:
    user = membership.user
    if not user.is_active:
        return "deactivated"
    if is_invited(user):
        return "invited"
    return "never" if user.last_login is None else "active"

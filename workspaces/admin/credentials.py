from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.enums import ActionVariant

from workspaces.admin.filters import WorkspaceFilter
from workspaces.back_office.base import AuditedAdmin, actor_of
from workspaces.back_office.confirm import Confirmation, confirmed, row_to_steer
from workspaces.back_office.pages import form_page, list_page
from workspaces.back_office.reach import reach_of
from workspaces.back_office.theme import action, display
from workspaces.callers import Scope
from workspaces.forms import NewApiKeyForm
from workspaces.models import AccessToken, ApiKey
from workspaces.services.credentials import create_api_key, revoke

SOON_DAYS = 14
_SCOPES = {Scope.MANAGE: "manage", Scope.READ: "read"}
_VARIANTS = {"usable": "success", "soon": "warning", "expired": "", "revoked": "danger"}


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("usable", "Usable"), ("expired", "Expired"), ("revoked", "Revoked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "revoked":
            return queryset.exclude(revoked_at=None)
        living, is_over = queryset.filter(revoked_at=None), {"expires_at__lte": timezone.now()}
        if self.value() == "expired":
            return living.filter(**is_over)
        return living.exclude(**is_over) if self.value() == "usable" else queryset


class CredentialAdmin(AuditedAdmin[Any]):
    """Keys and tokens: made once, looked at, revoked; never edited, never deleted."""

    actions = ["revoke_selected"]
    actions_detail = ["revoke"]
    ordering = ["-created_at", "-id"]
    list_filter = [WorkspaceFilter, StateFilter, "last_used_at"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if object_id is None:
            return reach_of(request).leads_any
        credential = self.get_object(request, str(object_id))
        if credential is None:
            raise Http404
        return credential.revoked_at is None and self.may_steer(request, credential)

    @action(
        description="Revoke", permissions=["revoke"], icon="block", variant=ActionVariant.DANGER
    )
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        credential = row_to_steer(self, request, object_id)
        question = Confirmation(
            title=f"Revoke {credential.prefix}?",
            text="It ends at once, for good: whatever still sends it is answered 401.",
            facts=self.facts(credential),
            button="Revoke",
            is_dangerous=True,
        )

        def act(row: Any, values: dict[str, Any]) -> str:
            self._revoke(request, row)
            return f"Revoked {row.prefix}."

        return confirmed(self, request, credential, question, act)

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Asks first: the same form comes back with `confirmed`."""
        usable = queryset.filter(revoked_at=None).select_related("workspace")
        credentials = list(reach_of(request).narrow_to_led(usable, self.workspace_path))
        if not credentials:
            self.message_user(request, "Nothing selected that you may revoke.", messages.WARNING)
            return None
        if "confirmed" not in request.POST:
            return self._ask_about_many(request, credentials)
        revoked = sum(self._revoke(request, credential) for credential in credentials)
        self.message_user(request, f"Revoked: {revoked}.", messages.SUCCESS)
        return None

    def _ask_about_many(self, request: HttpRequest, credentials: list[Any]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Revoke?",
            "opts": self.opts,
            "credentials": credentials,
            "back": list_page(self),
        }
        return TemplateResponse(request, "admin/workspaces/revoke_many.html", context)

    def _revoke(self, request: HttpRequest, credential: Any) -> bool:
        """False: somebody else did it a moment ago."""
        try:
            revoke(
                model=self.model,
                workspace_id=credential.workspace_id,
                credential_id=credential.id,
                actor=actor_of(request),
                now=timezone.now(),
            )
        except Http404:
            return False
        return True

    def facts(self, credential: Any) -> list[str]:
        """Sentences to decide by."""
        return [f"It belongs to the workspace {credential.workspace}.", self._last_use(credential)]

    def _last_use(self, credential: Any) -> str:
        if credential.last_used_at is None:
            return "It was never used."
        days = (timezone.now() - credential.last_used_at).days
        return "It was used today." if days < 1 else f"It was last used {days} days ago."

    @display(description="state", ordering="revoked_at", label=_VARIANTS)
    def state(self, credential: ApiKey | AccessToken) -> Any:
        now = timezone.now()
        if credential.revoked_at:
            return "revoked"
        if not credential.is_usable(now):
            return "expired"
        if credential.expires_at is None:
            return "usable"
        left = credential.expires_at - now
        if left < timedelta(days=1):
            return "soon", "expires within a day"
        days = round(left / timedelta(days=1))
        words = f"expires in {days} day{'s' if days > 1 else ''}"
        return ("soon" if days <= SOON_DAYS else "usable"), words

    @display(description="state")
    def state_in_words(self, credential: ApiKey | AccessToken) -> str:
        state = self.state(credential)
        return str(state[1] if isinstance(state, tuple) else state)


@admin.register(ApiKey)
class ApiKeyAdmin(CredentialAdmin):
    list_display = [
        "prefix",
        "name",
        "workspace",
        "scopes_in_words",
        "state",
        "last_used_at",
        "created_by",
    ]
    list_select_related = ["workspace", "created_by"]
    search_fields = ["public_id", "name", "workspace__name", "created_by__email"]
    fields = [
        *("prefix", "name", "workspace", "scopes_in_words", "acts_as", "state_in_words"),
        *("created_at", "expires_at", "revoked_at", "last_used_at"),
    ]

    @display(description="may", ordering="scopes")
    def scopes_in_words(self, key: ApiKey) -> str:
        return ", ".join(_SCOPES[Scope(scope)] for scope in key.scopes)

    @display(description="acts as")
    def acts_as(self, key: ApiKey) -> str:
        return f"{key.created_by.name} <{key.created_by.email}>".strip()

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        data = request.POST if request.method == "POST" else None
        form = NewApiKeyForm(data, reach=reach_of(request), user=request.user)  # type: ignore[arg-type]
        if form.is_valid():
            return self._created(request, form)
        return form_page(
            self,
            request,
            form,
            title="New API key",
            button="Create the key",
            text="A program sends it as the header x-api-key, and then acts in one workspace.",
        )

    def _created(self, request: HttpRequest, form: forms.Form) -> HttpResponse:
        """Show the key in this very answer: a message would pass through a cookie or the database."""
        values = form.cleaned_data
        text, key = create_api_key(
            workspace_id=values["workspace"].id,
            user_id=values["acts_as"].id,
            name=values["name"],
            scopes=[values["scopes"]],
            expires_at=values["expires_at"],
            actor=actor_of(request),
            now=timezone.now(),
        )
        address = request.build_absolute_uri("/api/auth/me")
        context = {
            **self.admin_site.each_context(request),
            "title": "API key created",
            "opts": self.opts,
            "api_key": key,
            "workspace": values["workspace"],
            "acts_as": values["acts_as"],
            "scope": self.scopes_in_words(key),
            "text": text,
            "curl": f"curl '{address}' --header 'x-api-key: {text}'",
            "back": list_page(self),
        }
        return TemplateResponse(request, "admin/workspaces/apikey/created.html", context)


@admin.register(AccessToken)
class AccessTokenAdmin(CredentialAdmin):
    """Bearer tokens: a login of the API makes one."""

    list_display = ["prefix", "user", "workspace", "state", "last_used_at", "created_at"]
    list_select_related = ["workspace", "user"]
    search_fields = ["public_id", "workspace__name", "user__email"]
    fields = [
        *("prefix", "user", "workspace", "state_in_words"),
        *("created_at", "expires_at", "revoked_at", "last_used_at"),
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a login makes it

    def facts(self, credential: Any) -> list[str]:
        return [f"It signs in {credential.user}.", *super().facts(credential)]

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone

from workspaces.back_office.base import AuditedAdmin, actor_of
from workspaces.back_office.reach import reach_of
from workspaces.callers import Scope
from workspaces.models import AccessToken, ApiKey, Membership
from workspaces.services.credentials import create_api_key, revoke


class NewApiKeyForm(forms.ModelForm[ApiKey]):
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices, widget=forms.CheckboxSelectMultiple, initial=[Scope.MANAGE]
    )

    class Meta:
        model = ApiKey
        fields = ["workspace", "created_by", "name", "scopes", "expires_at"]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        workspace, user = values.get("workspace"), values.get("created_by")
        members = Membership.objects.filter(workspace=workspace, user=user)
        if workspace and user and not members.exists():
            self.add_error("created_by", "A key acts as a member of its workspace.")
        return values


class CredentialAdmin(AuditedAdmin[Any]):
    """Keys and tokens: made once, looked at, revoked; never edited, never deleted."""

    actions = ["revoke_selected"]
    ordering = ["-created_at", "-id"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return reach_of(request).leads_any

    @admin.action(description="Revoke: end at once, for good", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        revoked = 0
        usable = queryset.filter(revoked_at=None)
        for credential in reach_of(request).narrow_to_led(usable, self.workspace_path):
            try:
                revoke(
                    model=self.model,
                    workspace_id=credential.workspace_id,
                    credential_id=credential.id,
                    actor=actor_of(request),
                    now=timezone.now(),
                )
            except Http404:  # somebody else did it a moment ago
                continue
            revoked += 1
        self.message_user(request, f"Revoked: {revoked}.", messages.SUCCESS)

    @admin.display(description="state", ordering="revoked_at")
    def state(self, credential: ApiKey | AccessToken) -> str:
        if credential.revoked_at:
            return "revoked"
        return "usable" if credential.is_usable(timezone.now()) else "expired"


@admin.register(ApiKey)
class ApiKeyAdmin(CredentialAdmin):
    list_display = [
        "prefix",
        "name",
        "workspace",
        "created_by",
        "state",
        "last_used_at",
        "expires_at",
    ]
    list_filter = ["revoked_at", "last_used_at"]
    list_select_related = ["workspace", "created_by"]
    search_fields = ["public_id", "name", "workspace__name", "created_by__email"]
    fields = [
        "prefix",
        "workspace",
        "created_by",
        "name",
        "scopes",
        "state",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    ]
    autocomplete_fields = ["workspace", "created_by"]

    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewApiKeyForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else NewApiKeyForm.Meta.fields

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        text, key = create_api_key(
            workspace_id=obj.workspace_id,
            user_id=obj.created_by_id,
            name=obj.name,
            scopes=obj.scopes,
            expires_at=obj.expires_at,
            actor=actor_of(request),
            now=timezone.now(),
        )
        obj.pk, obj.public_id, obj.created_at = key.pk, key.public_id, key.created_at
        request.new_api_key = text  # type: ignore[attr-defined]  # for this response only

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The service has written the audit event; Django's own history gets its line."""
        return admin.ModelAdmin.log_addition(self, request, obj, message)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        """Show the key in this very answer: a message would pass through a cookie or the database."""
        context = {
            **self.admin_site.each_context(request),
            "title": "API key created",
            "opts": self.opts,
            "api_key": obj,
            "text": request.new_api_key,  # type: ignore[attr-defined]
        }
        return TemplateResponse(request, "admin/workspaces/apikey/created.html", context)


@admin.register(AccessToken)
class AccessTokenAdmin(CredentialAdmin):
    list_display = [
        "prefix",
        "user",
        "workspace",
        "state",
        "created_at",
        "last_used_at",
        "expires_at",
    ]
    list_filter = ["revoked_at", "expires_at"]
    list_select_related = ["workspace", "user"]
    search_fields = ["public_id", "workspace__name", "user__email"]
    fields = [
        "prefix",
        "workspace",
        "user",
        "state",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a login makes it

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from workspaces.back_office.base import AuditedAdmin
from workspaces.back_office.reach import reach_of
from workspaces.models import Membership, User
from workspaces.services.members import revoke_credentials


@admin.register(Membership)
class MembershipAdmin(AuditedAdmin[Membership]):
    list_display = ["user", "workspace", "role", "created_at"]
    list_filter = ["role"]
    list_select_related = ["user", "workspace"]
    search_fields = ["user__email", "workspace__name"]
    autocomplete_fields = ["user", "workspace"]
    ordering = ["-created_at", "-id"]
    readonly_fields = ["created_at"]

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        revoke_credentials(obj, now=timezone.now())
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        for membership in queryset:
            revoke_credentials(membership, now=timezone.now())
        super().delete_queryset(request, queryset)


admin.site.unregister(Group)  # rights come from memberships


class NewUserForm(UserCreationForm):  # type: ignore[misc]
    class Meta:
        model = User
        fields = ["email", "name"]


@admin.register(User)
class PersonAdmin(AuditedAdmin[User], UserAdmin[User]):  # type: ignore[type-var]
    """People, to be edited by superusers; others see with whom they share a workspace."""

    form = UserChangeForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["email", "name", "is_active", "is_staff", "last_login", "created_at"]
    list_filter = ["is_active", "is_staff"]
    search_fields = ["email", "name"]
    ordering = ["-created_at", "-id"]
    readonly_fields = ["id", "last_login", "created_at"]
    filter_horizontal = []
    fieldsets = [
        (None, {"fields": ["id", "email", "name", "password"]}),
        (
            "Back office",
            {"fields": ["is_active", "is_staff", "is_superuser"]},
        ),
        ("Times", {"fields": ["last_login", "created_at"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["email", "name", "usable_password", "password1", "password2"]})
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        reach = reach_of(request)
        people = User.objects.all()
        if reach.is_all:
            return people
        members = Membership.objects.filter(workspace__in=reach.seen).values("user")
        return people.filter(id__in=members)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is None:
            return reach_of(request).sees_any
        return self.get_queryset(request).filter(pk=obj.pk).exists()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return reach_of(request).is_all

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return reach_of(request).is_all

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return reach_of(request).is_all

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from workspaces.back_office.base import AuditedAdmin, actor_of
from workspaces.back_office.confirm import Confirmation, confirmed, row_to_steer
from workspaces.back_office.reach import reach_of
from workspaces.back_office.theme import action
from workspaces.mails import base_url_of
from workspaces.models import Membership, User
from workspaces.services.passwords import end_tokens, send_reset, sign_out_everywhere

RIGHTS = ("is_active", "is_staff", "is_superuser")

admin.site.unregister(Group)  # rights come from memberships


class NewUserForm(UserCreationForm):  # type: ignore[misc]
    class Meta:
        model = User
        fields = ["email", "name"]


class PersonForm(UserChangeForm):  # type: ignore[misc]
    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not all(values.get(right) for right in RIGHTS) and self._is_the_last_superuser():
            self.add_error("is_superuser", "The last superuser must stay one, active and let in.")
        return values

    def _is_the_last_superuser(self) -> bool:
        superusers = User.objects.filter(is_active=True, is_staff=True, is_superuser=True)
        pk = self.instance.pk
        return superusers.filter(pk=pk).exists() and not superusers.exclude(pk=pk).exists()


class PersonPasswordForm(AdminPasswordChangeForm):  # type: ignore[misc]
    def save(self, commit: bool = True) -> Any:
        user = super().save(commit=False)
        if commit:
            user.save(update_fields=["password"])  # rights may be taken away meanwhile
        end_tokens(user.pk, now=timezone.now())  # sessions end by themselves
        return user


@admin.register(User)
class PersonAdmin(AuditedAdmin[User], UserAdmin[User]):  # type: ignore[type-var]
    """People, to be edited by superusers; others see with whom they share a workspace."""

    form = PersonForm
    add_form = NewUserForm
    change_password_form = PersonPasswordForm
    list_display = ["email", "name", *RIGHTS, "last_login", "created_at"]
    list_filter = list(RIGHTS)
    search_fields = ["email", "name"]
    ordering = ["-created_at", "-id"]
    readonly_fields = ["id", "last_login", "created_at"]
    filter_horizontal = []
    actions_detail = ["mail_password_link", "sign_out_everywhere"]
    fieldsets = [
        (None, {"fields": ["id", "email", "name", "password"]}),
        ("Rights", {"fields": list(RIGHTS)}),
        ("Times", {"fields": ["last_login", "created_at"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["email", "name", "usable_password", "password1", "password2"]})
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        reach = reach_of(request)
        people = User.objects.order_by(*self.get_ordering(request))
        if reach.is_all:
            return people
        home = "workspace__sandbox" if reach.is_sandbox else "workspace"
        members = Membership.objects.filter(**{f"{home}__in": reach.seen}).values("user")
        return people.filter(id__in=members)

    # --- who may ---

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is None:
            return reach_of(request).sees_any
        return self.get_queryset(request).filter(pk=obj.pk).exists()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return reach_of(request).is_all

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return reach_of(request).is_all

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_own = obj is not None and obj.pk == request.user.pk
        return reach_of(request).is_all and not is_own

    def has_steer_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if object_id and self.get_object(request, str(object_id)) is None:
            raise Http404
        return reach_of(request).is_all

    # --- what is shown ---

    def get_list_display(self, request: HttpRequest) -> Any:
        return self.list_display if reach_of(request).is_all else ["email", "name"]

    def get_list_filter(self, request: HttpRequest) -> Any:
        return self.list_filter if reach_of(request).is_all else []

    def get_ordering(self, request: HttpRequest) -> list[str]:
        return list(self.ordering or ()) if reach_of(request).is_all else ["email"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if reach_of(request).is_all:
            return super().get_fieldsets(request, obj)
        return [(None, {"fields": ["email", "name"]})]

    # --- deeds ---

    @action(
        description="Mail a link for a new password",
        permissions=["steer"],
        icon="mail",
        url_path="mail-password-link",
    )
    def mail_password_link(self, request: HttpRequest, object_id: str) -> HttpResponse:
        question = Confirmation(
            title="Mail a link for a new password?",
            text="The link lasts an hour. Until it is used, the password stays as it is.",
            facts=["At most one mail goes to an address in five minutes."],
            button="Send the mail",
        )

        def act(user: User, values: dict[str, Any]) -> str:
            send_reset(
                user=user,
                base_url=base_url_of(request),
                actor=actor_of(request),
                now=timezone.now(),
            )
            return f"A mail to {user} is on its way."

        return confirmed(self, request, row_to_steer(self, request, object_id), question, act)

    @action(
        description="Sign out everywhere",
        permissions=["steer"],
        icon="logout",
        url_path="sign-out",
    )
    def sign_out_everywhere(self, request: HttpRequest, object_id: str) -> HttpResponse:
        question = Confirmation(
            title="Sign out everywhere?",
            text="All sessions of the back office and all Bearer tokens of this person end at once.",
            facts=["API keys go on.", "With the password that they have, they can sign in again."],
            button="Sign out",
            is_dangerous=True,
        )

        def act(user: User, values: dict[str, Any]) -> str:
            ended = sign_out_everywhere(user=user, actor=actor_of(request), now=timezone.now())
            return f"Ended: {ended} sign-in{'s' if ended != 1 else ''} of {user}."

        return confirmed(self, request, row_to_steer(self, request, object_id), question, act)

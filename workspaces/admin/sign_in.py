"""The doors of the back office: signing in, being locked out, a forgotten and a changed password."""

from math import ceil
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.contrib.auth.views import (
    INTERNAL_RESET_SESSION_TOKEN,
    PasswordChangeView,
    PasswordResetCompleteView,
    PasswordResetConfirmView,
    PasswordResetDoneView,
    PasswordResetView,
)
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from unfold.forms import AdminOwnPasswordChangeForm

from workspaces.back_office.base import actor_of
from workspaces.callers import Actor
from workspaces.client import client_ip, request_id_of
from workspaces.forms import AskForResetForm, NewPasswordForm
from workspaces.mails import base_url_of
from workspaces.models import User
from workspaces.services.logins import attempted_email, record_sign_in
from workspaces.services.passwords import ask_for_reset, change_password, reset_password
from workspaces.tokens import RESET_LASTS, invitation_tokens, reset_tokens


def sign_in(request: HttpRequest) -> HttpResponse:
    """Django's own page, and an audit event for who came in."""
    before = request.user.pk  # somebody may come in over the session of somebody else
    response = admin.site.login(request)
    if request.method == "POST" and request.user.is_authenticated and request.user.pk != before:
        record_sign_in(user=request.user, actor=actor_of(request), now=timezone.now())
    return response


def locked_out(
    request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """The answer to who failed too often (django-axes asks for it); an unknown e-mail gets it, too."""
    now = timezone.now()
    failures = AccessAttempt.objects.filter(
        username=attempted_email(request, credentials), ip_address=client_ip(request)
    )
    last = failures.order_by("-attempt_time").values_list("attempt_time", flat=True).first()
    again = (last or now) + settings.AXES_COOLOFF_TIME
    seconds = max(1, ceil((again - now).total_seconds()))
    context = {
        **admin.site.each_context(request),
        "title": "Signing in is locked",
        "again": again,
        "minutes": ceil(seconds / 60),
    }
    answer = render(request, "registration/locked_out.html", context, status=429)
    answer["Retry-After"] = str(seconds)
    return answer


class _Page:
    """In the theme; never from a cache."""

    request: HttpRequest

    @method_decorator(never_cache)
    def dispatch(self, *args: Any, **kwargs: Any) -> Any:
        return super().dispatch(*args, **kwargs)  # type: ignore[misc]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        site = admin.site.each_context(self.request)
        return {**site, **super().get_context_data(**kwargs)}  # type: ignore[misc]


class AskForReset(_Page, PasswordResetView):
    """Whoever asks reads the same answer: whether there is such an account is nobody's business."""

    form_class = AskForResetForm
    success_url = reverse_lazy("password_reset_done")
    title = "Set a new password"

    def form_valid(self, form: Any) -> HttpResponse:
        ask_for_reset(email=form.cleaned_data["email"], base_url=base_url_of(self.request))
        return HttpResponseRedirect(self.get_success_url())


class ResetAsked(_Page, PasswordResetDoneView):
    title = "Look into your mailbox"
    extra_context = {"minutes": int(RESET_LASTS.total_seconds() // 60)}


class SetPassword(_Page, PasswordResetConfirmView):
    """By the link of a mail. Its secret moves to the session, out of the address, at once."""

    form_class = NewPasswordForm
    token_generator: PasswordResetTokenGenerator = reset_tokens
    success_url = reverse_lazy("password_reset_complete")
    title = "Set a new password"

    def get_user(self, uidb64: str) -> Any:
        user = super().get_user(uidb64)
        return user if user and user.is_active else None

    def form_valid(self, form: Any) -> HttpResponse:
        user: Any = self.user
        actor = Actor(
            user_id=user.pk, ip=client_ip(self.request), request_id=request_id_of(self.request)
        )
        password = form.cleaned_data["new_password1"]
        reset_password(user=user, password=password, actor=actor, now=timezone.now())
        del self.request.session[INTERNAL_RESET_SESSION_TOKEN]
        return HttpResponseRedirect(self.get_success_url())


class AcceptInvitation(SetPassword):
    token_generator = invitation_tokens
    title = "Choose a password"

    def get_user(self, uidb64: str) -> Any:
        """A password that is there is replaced by a reset alone, whose links end sooner."""
        user: User | None = super().get_user(uidb64)
        return None if user is None or user.has_usable_password() else user


class PasswordIsSet(_Page, PasswordResetCompleteView):
    title = "Your password is set"


class ChangePassword(_Page, PasswordChangeView):
    """One's own, from the menu. Other sessions and all Bearer tokens end with the old one."""

    form_class = AdminOwnPasswordChangeForm
    success_url = reverse_lazy("admin:password_change_done")
    title = "Change your password"

    def form_valid(self, form: Any) -> HttpResponse:
        user: Any = self.request.user
        change_password(
            user=user,
            password=form.cleaned_data["new_password1"],
            actor=actor_of(self.request),
            now=timezone.now(),
        )
        update_session_auth_hash(self.request, user)
        return HttpResponseRedirect(self.get_success_url())

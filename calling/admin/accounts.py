from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from unfold.enums import ActionVariant

from calling.admin.forms import AllCredentialsForm, NewCredentialsForm, as_fields
from calling.admin.states import state_of_account, title_of
from calling.models import CarrierAccount
from calling.services.account_credentials import (
    ask_about_account,
    is_readable,
    renew_credentials,
)
from workspaces.back_office.base import DialingAdmin, actor_of
from workspaces.back_office.confirm import Confirmation, confirmed, row_to_steer
from workspaces.back_office.theme import action, display

MOST_NUMBERS = 50  # shown on the page of an account


class CarrierAccountAdmin(DialingAdmin[CarrierAccount]):
    """Which accounts there are, their limits and how they are. What opens them is never shown.

    Registered by the batches app, which knows what calls by an account.
    """

    list_display = [
        *("account", "workspace", "phone_numbers", "calls_per_second", "concurrency_limit"),
        *("state", "last_error", "last_error_at"),
    ]
    list_filter = ["carrier"]
    list_select_related = ["workspace"]
    search_fields = ["workspace__name"]
    ordering = ["-created_at", "-id"]
    readonly_fields = ["id", "created_at", "updated_at"]
    fieldsets = [
        ("Limits", {"fields": ["calls_per_second", "concurrency_limit"]}),
        ("Added", {"fields": ["id", "created_at", "updated_at"]}),
    ]
    actions_detail = ["renew"]
    change_form_outer_before_template = "admin/calling/carrieraccount/head.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # the first number of an account brings it along

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the last number of it takes it along

    def get_queryset(self, request: HttpRequest) -> QuerySet[CarrierAccount]:
        accounts = super().get_queryset(request).defer("credentials")
        return accounts.annotate(phone_numbers=Count("numbers"))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        if not self.has_steer_permission(request, object_id):
            return []
        return super().get_actions_detail(request, object_id)  # type: ignore[misc,no-any-return]

    # --- the page of an account ---

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        account = self.get_object(request, object_id)
        if account is not None:
            numbers = account.numbers.defer("account").order_by("number", "id")
            context = {
                "title": str(account),
                "subtitle": None,
                "carrier_title": title_of(account.carrier),
                "state": state_of_account(account, timezone.now()),
                "numbers": list(numbers[:MOST_NUMBERS]),
                "more_numbers": max(0, account.phone_numbers - MOST_NUMBERS),  # type: ignore[attr-defined]
                "may_steer": self.may_steer(request, account),
            }
            extra_context = {**context, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, extra_context)

    def get_urls(self) -> list[Any]:
        test = path(
            "<path:object_id>/test/",
            self.admin_site.admin_view(self.test),
            name="calling_carrieraccount_test",
        )
        return [test, *super().get_urls()]

    def test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A GET (the address was typed, or is an old link) asks first."""
        account = row_to_steer(self, request, object_id)
        page = reverse("admin:calling_carrieraccount_change", args=[account.pk])
        if request.method != "POST":
            confirmation = Confirmation(
                title=f"Test the credentials of {account}?",
                text=f"{title_of(account.carrier)} is asked whether it takes them. Nobody is called.",
                button="Test the credentials",
            )
            return confirmed(self, request, account, confirmation, lambda row, values: "")
        tested = ask_about_account(
            workspace_id=account.workspace_id,
            account_id=account.pk,
            actor=actor_of(request),
            asked_at=timezone.now(),
        )
        tell = messages.success if tested.is_taken else messages.error
        tell(request, tested.sentence)
        return HttpResponseRedirect(page)

    @action(description="New credentials", icon="key", variant=ActionVariant.DEFAULT)
    def renew(self, request: HttpRequest, object_id: str) -> HttpResponse:
        account = row_to_steer(self, request, object_id)
        can_read = is_readable(account.pk)
        title = title_of(account.carrier)

        def act(row: CarrierAccount, values: dict[str, Any]) -> str:
            try:
                renew_credentials(
                    workspace_id=row.workspace_id,
                    account_id=row.pk,
                    auth_token=values["auth_token"],
                    public_key=values["public_key"],
                    carriers_id=values.get("account_id", ""),
                    actor=actor_of(request),
                    now=timezone.now(),
                )
            except ValidationError as error:
                raise as_fields(error) from error
            return f"{title} takes the new credentials, and they are stored."

        confirmation = Confirmation(
            title=f"New credentials of {account}",
            text=f"The account stays the same. {title} is asked whether it takes them; only then do"
            " they replace the old ones, for every number of the account.",
            button="Verify and store",
            form=NewCredentialsForm if can_read else AllCredentialsForm,
            facts=[]
            if can_read
            else ["What is stored cannot be decrypted with this server's keys."],
        )
        return confirmed(self, request, account, confirmation, act)

    # --- the list ---

    @admin.display(description="account", ordering="carrier")
    def account(self, account: CarrierAccount) -> str:
        return f"{title_of(account.carrier)} {account.pk}"

    @admin.display(description="numbers", ordering="phone_numbers")
    def phone_numbers(self, account: Any) -> int:
        return int(account.phone_numbers)

    @display(
        description="state",
        label={
            "well": "success",
            **dict.fromkeys(["resting", "failing", "trying again"], "warning"),
            **dict.fromkeys(["refused", "kill switch"], "danger"),
        },
    )
    def state(self, account: CarrierAccount) -> str:
        return (
            "kill switch" if account.is_killed else state_of_account(account, timezone.now()).word
        )

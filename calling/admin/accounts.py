from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from calling.models import CarrierAccount
from workspaces.back_office.base import DialingAdmin


@admin.register(CarrierAccount)
class CarrierAccountAdmin(DialingAdmin[CarrierAccount]):
    """Which accounts there are, and their limits. What opens them is neither shown nor decrypted."""

    list_display = [
        *("id", "carrier", "workspace", "phone_numbers"),
        *("calls_per_second", "concurrency_limit", "failures", "resting_until", "last_error"),
    ]
    list_filter = ["carrier"]
    list_select_related = ["workspace"]
    search_fields = ["workspace__name"]
    ordering = ["-created_at", "-id"]
    readonly_fields = [
        *("id", "carrier", "workspace", "phone_numbers", "created_at", "updated_at"),
        *("failures", "resting_until", "last_error", "last_error_at"),
    ]
    fieldsets = [
        (None, {"fields": ["id", "carrier", "workspace", "phone_numbers"]}),
        ("Limits", {"fields": ["calls_per_second", "concurrency_limit"]}),
        ("Trouble", {"fields": ["failures", "resting_until", "last_error", "last_error_at"]}),
        ("Times", {"fields": ["created_at", "updated_at"]}),
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # the first number of an account brings it along

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the last number of it takes it along

    def get_queryset(self, request: HttpRequest) -> QuerySet[CarrierAccount]:
        accounts = super().get_queryset(request).defer("credentials")
        return accounts.annotate(phone_numbers=Count("numbers"))

    @admin.display(description="phone numbers")
    def phone_numbers(self, account: Any) -> int:
        return int(account.phone_numbers)

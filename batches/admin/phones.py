"""Phone numbers with what calls from them, and taking one away."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from batches.admin.kill_switches import KillSwitchPages, counted
from batches.models import BatchStatus, CallBatch
from batches.services.phones import delete_phone
from calling.admin.numbers import PhoneNumberAdmin
from calling.carriers.registry import CARRIERS
from calling.models import PhoneNumber
from workspaces.back_office.base import actor_of
from workspaces.back_office.confirm import Confirmation, confirmed, row_to_steer
from workspaces.sql import array_literal, fetch_all

NEWEST = 20
MOST_COUNTED = 10_000  # of each number
# Daily caps count from midnight in the workspace, as the dialer does.
_USAGE = """
SELECT phone.id, today.calls, (SELECT count(*) FROM batches_lease WHERE phone_id = phone.id)
FROM calling_phonenumber AS phone
JOIN workspaces_workspace AS workspace ON workspace.id = phone.workspace_id
CROSS JOIN LATERAL (
    SELECT count(*) AS calls FROM (
        SELECT FROM batches_callattempt AS attempt
        WHERE attempt.workspace_id = phone.workspace_id AND attempt.phone_id = phone.id
            AND attempt.created_at >= date_trunc('day', %s::timestamptz, workspace.timezone)
        LIMIT %s
    ) AS counted
) AS today
WHERE phone.id = ANY(%s::bytea[])
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """`today` is counted to a little over MOST_COUNTED."""

    today: int = 0
    in_flight: int = 0

    @property
    def today_text(self) -> str:
        return f"{MOST_COUNTED:,}+" if self.today > MOST_COUNTED else f"{self.today:,}"


def usage_of(phone_ids: list[str], now: datetime) -> dict[str, Usage]:
    """One statement for all of them."""
    ids = array_literal([bytes.fromhex(id_) for id_ in phone_ids])
    rows = fetch_all(_USAGE, [now, MOST_COUNTED + 1, ids])
    return {bytes(id_).hex(): Usage(today, in_flight) for id_, today, in_flight in rows}


@admin.register(PhoneNumber)
class UsedPhoneNumberAdmin(KillSwitchPages, PhoneNumberAdmin):
    list_display = [
        *("number", "label", "workspace", "carrier_title", "agent", "state"),
        *("calls_today", "in_flight", "created_at"),
    ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        page = super().get_changelist_instance(request)
        phones = list(page.result_list)
        usage = usage_of([phone.pk for phone in phones], timezone.now())
        for phone in phones:
            phone.usage = usage.get(phone.pk, Usage())
        page.result_list = phones
        return page

    @admin.display(description="calls today")
    def calls_today(self, phone: Any) -> str:
        cap = f" of {phone.daily_cap:,}" if phone.daily_cap else ""
        return f"{phone.usage.today_text}{cap}"

    @admin.display(description="in flight")
    def in_flight(self, phone: Any) -> str:
        limit = f" of {phone.concurrency_limit:,}" if phone.concurrency_limit else ""
        return f"{phone.usage.in_flight:,}{limit}"

    def head_of(self, request: HttpRequest, phone: PhoneNumber) -> dict[str, Any]:
        newest = list(_batches_of(phone).order_by("-created_at", "-id")[: NEWEST + 1])
        usage = usage_of([phone.id], timezone.now())
        return {
            **super().head_of(request, phone),
            "usage": usage.get(phone.id, Usage()),
            "batches": newest[:NEWEST],
            "more_batches": len(newest) > NEWEST,
            "needs_agent": CARRIERS[phone.carrier].asks_back,
        }

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        phone = row_to_steer(self, request, object_id)

        def act(row: PhoneNumber, values: dict[str, Any]) -> str:
            delete_phone(
                workspace_id=row.workspace_id,
                phone_id=row.id,
                actor=actor_of(request),
                now=timezone.now(),
            )
            return f"{row.number} was deleted."

        confirmation = Confirmation(
            title=f"Delete {phone.number}?",
            text="No batch calls from it any more. Calls in flight are left to end, and the history of"
            " its calls stays. To pause a number only, make it inactive.",
            button="Delete the number",
            is_dangerous=True,
            facts=_facts_of_deletion(phone),
        )
        response = confirmed(self, request, phone, confirmation, act)
        if isinstance(response, HttpResponseRedirect):  # there is no page of it any more
            return HttpResponseRedirect(reverse("admin:calling_phonenumber_changelist"))
        return response


def _batches_of(phone: PhoneNumber) -> Any:
    batches = CallBatch.objects.for_workspace(phone.workspace_id).living()
    return batches.filter(rotation__phone=phone)


def _facts_of_deletion(phone: PhoneNumber) -> list[str]:
    batches = _batches_of(phone)
    active = batches.filter(status=BatchStatus.ACTIVE).count()
    facts = [
        f"It is in the rotation of {counted(batches.count(), 'batch', 'batches')}, {active} of them"
        " active. An active batch that is left without a number is paused."
    ]
    if in_flight := usage_of([phone.id], timezone.now())[phone.id].in_flight:
        facts.append(f"{counted(in_flight, 'call is', 'calls are')} in flight from it.")
    if phone.account is not None and phone.account.numbers.count() == 1:
        facts.append("It is the last number of its carrier account: the credentials go with it.")
    return facts

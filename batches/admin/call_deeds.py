"""What can be done with one call: the API's services, asked for on a page."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextInputWidget

from batches.models import Call, CallStatus
from batches.services.dialing import RETRYABLE, cancel_calls, retry_calls
from batches.services.do_not_call import Listing, list_number
from workspaces.back_office.base import AuditedAdmin, actor_of
from workspaces.back_office.confirm import Confirmation, confirmed, row_to_steer

LONGEST_TYPE = 64


class WhyForm(forms.Form):
    type = forms.CharField(
        label="Why",
        required=False,
        max_length=LONGEST_TYPE,
        widget=UnfoldAdminTextInputWidget,
        help_text="In your own words, as “asked by e-mail”. It stays with the entry.",
    )


def cancel(admin: AuditedAdmin[Call], request: HttpRequest, object_id: str) -> HttpResponse:
    call = row_to_steer(admin, request, object_id)

    def act(row: Call, _: dict[str, Any]) -> str:
        done = cancel_calls(
            workspace_id=row.workspace_id,
            batch_id=row.batch_id,
            call_ids=[row.id],
            actor=actor_of(request),
            now=timezone.now(),
        )
        if done.call_ids:
            return "The contact is taken out of the batch."
        if done.hanging_up:
            return "The call is being hung up, unless it is answered first."
        return "There was nothing to cancel: the call has ended."

    confirmation = Confirmation(
        title=f"Cancel the call to {call.phone_number}?",
        text="The contact is taken out of the batch and is not called by it any more.",
        button="Cancel the call",
        is_dangerous=True,
        facts=[
            f"The call is {CallStatus(call.status).label.lower()} now.",
            "A phone that is ringing is hung up; somebody who is talking already is not cut off.",
        ],
    )
    return confirmed(admin, request, call, confirmation, act)


def retry(admin: AuditedAdmin[Call], request: HttpRequest, object_id: str) -> HttpResponse:
    call = row_to_steer(admin, request, object_id)

    def act(row: Call, _: dict[str, Any]) -> str:
        retried = retry_calls(
            workspace_id=row.workspace_id,
            batch_id=row.batch_id,
            statuses=RETRYABLE,
            call_ids=[row.id],
            actor=actor_of(request),
            now=timezone.now(),
        )
        if not retried:
            return "There was nothing to retry: the call has gone on meanwhile."
        return "The call is pending again, with a fresh count of attempts."

    facts = [f"The batch is {call.batch.get_status_display().lower()} now."]
    if call.status == CallStatus.UNKNOWN:
        facts.append("Nobody can tell whether the phone rang: the contact may be called twice.")
    confirmation = Confirmation(
        title=f"Retry the call to {call.phone_number}?",
        text="It becomes pending again. An active or completed batch dials it when its turn comes;"
        " any other waits for its start.",
        button="Retry the call",
        facts=facts,
    )
    return confirmed(admin, request, call, confirmation, act)


def do_not_call(admin: AuditedAdmin[Call], request: HttpRequest, object_id: str) -> HttpResponse:
    call = row_to_steer(admin, request, object_id)

    def act(row: Call, values: dict[str, Any]) -> str:
        attempt = row.last_attempt
        list_number(
            workspace_id=row.workspace_id,
            user_id=str(request.user.pk),
            listing=Listing(
                phone_number=row.phone_number,
                type=values["type"],
                request_uuid=attempt.request_uuid if attempt else None,
            ),
            actor=actor_of(request),
            now=timezone.now(),
        )
        return f"{row.phone_number} is on the do-not-call list."

    confirmation = Confirmation(
        title=f"Put {call.phone_number} on the do-not-call list?",
        text="No batch of the workspace that honours the list calls the number from now on.",
        button="Put it on the list",
        form=WhyForm,
        is_dangerous=True,
        facts=[
            "Pending calls to it are skipped when their turn comes.",
            "The admins and owners of the workspace get an e-mail.",
        ],
    )
    return confirmed(admin, request, call, confirmation, act)

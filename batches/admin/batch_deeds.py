"""What may be done with a batch: each asks first, and then calls the service that the API calls."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import APIException, ValidationError
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from batches.api.serializers.dialing import CancelCallsSerializer
from batches.api.streams import CSV, NDJSON, download
from batches.exports import calls_as_csv, calls_as_ndjson
from batches.models import BatchStatus, CallBatch, CallStatus
from batches.preflight import WAITS, Preflight, preflight
from batches.services.batches import delete_batch
from batches.services.counters import counts_of, total_of
from batches.services.dialing import (
    RETRYABLE,
    Start,
    cancel_calls,
    retry_calls,
    start_batch,
    stop_batch,
)
from batches.services.sessions import is_dialing_everything
from workspaces.back_office.base import actor_of
from workspaces.back_office.confirm import Confirmation, confirmed, row_to_steer
from workspaces.errors import WHOLE_BODY, field_error, flatten
from workspaces.templatetags.back_office import moment

MOST_LOOKED_AHEAD = 100_000  # calls, while somebody waits for the page
WAITS_IN_WORDS = {
    "window": "Waiting for their calling hours",
    "doNotCall": "On the do-not-call list, never called",
    "retryDelay": "Waiting for their next attempt",
    "contactCap": "Called as often in 24 hours as the workspace allows",
    "contactBusy": "Being called by another batch",
    "numberCap": "Waiting for numbers that made all their calls of the day",
    "noNumber": "Waiting for an active calling number",
    "otherSession": "Not part of the last start",
    "killSwitch": "Waiting for the kill switch",
}
_EXPORTS = {"csv": (calls_as_csv, CSV), "ndjson": (calls_as_ndjson, NDJSON)}


class RetryForm(forms.Form):
    statuses = forms.MultipleChoiceField(
        label="Calls to put back",
        choices=[(status.value, status.label) for status in RETRYABLE],
        initial=[status.value for status in RETRYABLE],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        error_messages={"required": "Choose at least one."},
    )


class CancelForm(forms.Form):
    phoneNumbers = forms.CharField(  # noqa: N815 (the API's name, under which it tells problems)
        label="Phone numbers",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}),
        help_text="One a line, with country code; up to 10,000.",
    )


def start(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    batch = _living(model_admin, request, object_id)
    again = batch.status != BatchStatus.DRAFT

    def act(row: CallBatch, values: dict[str, Any]) -> str:
        _plainly(
            start_batch,
            workspace_id=row.workspace_id,
            batch=row,
            start=Start(user_id=str(request.user.pk)),
            actor=actor_of(request),
            now=timezone.now(),
        )
        return "The batch is active: its calls are dialed."

    confirmation = Confirmation(
        title=f"Start “{batch.name}”{' again' if again else ''}?",
        text="Its calls are dialed from now on, within the calling hours.",
        button="Start the batch",
        facts=_outlook(batch) if request.method == "GET" else [],
    )
    return confirmed(model_admin, request, batch, confirmation, act)


def stop(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    batch = _living(model_admin, request, object_id)

    def act(row: CallBatch, values: dict[str, Any]) -> str:
        stop_batch(
            workspace_id=row.workspace_id,
            batch_id=row.id,
            actor=actor_of(request),
            now=timezone.now(),
        )
        return "The batch is stopped. Calls in flight finish."

    confirmation = Confirmation(
        title=f"Stop “{batch.name}”?",
        text="No new call starts; calls in flight finish. You can start the batch again.",
        button="Stop the batch",
    )
    return confirmed(model_admin, request, batch, confirmation, act)


def retry(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    batch = _living(model_admin, request, object_id)

    def act(row: CallBatch, values: dict[str, Any]) -> str:
        retried = retry_calls(
            workspace_id=row.workspace_id,
            batch_id=row.id,
            statuses=[CallStatus(status) for status in values["statuses"]],
            actor=actor_of(request),
            now=timezone.now(),
        )
        return (
            "1 call is pending again." if retried == 1 else f"{retried:,} calls are pending again."
        )

    counts = counts_of(batch.id)
    dialed = batch.status in (BatchStatus.ACTIVE, BatchStatus.COMPLETED)
    confirmation = Confirmation(
        title=f"Retry calls of “{batch.name}”?",
        text="They become pending again, with a fresh count of attempts; "
        + ("they are dialed at once." if dialed else "they wait for the start of the batch."),
        button="Retry these calls",
        form=RetryForm,
        facts=[f"{status.label}: {counts[status]:,}" for status in RETRYABLE],
    )
    return confirmed(model_admin, request, batch, confirmation, act)


def cancel(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    batch = _living(model_admin, request, object_id)

    def act(row: CallBatch, values: dict[str, Any]) -> str:
        numbers = [line.strip() for line in values["phoneNumbers"].splitlines() if line.strip()]
        checked = _checked_numbers(row, numbers)
        cancelled = cancel_calls(
            workspace_id=row.workspace_id,
            batch_id=row.id,
            phone_numbers=checked,
            actor=actor_of(request),
            now=timezone.now(),
        )
        return (
            f"{len(cancelled.call_ids):,} taken out, {len(cancelled.hanging_up):,} being hung up,"
            f" of {len(numbers):,} given."
        )

    confirmation = Confirmation(
        title=f"Take contacts out of “{batch.name}”?",
        text="Pending calls are cancelled at once; calls that ring are hung up. Who is talking already"
        " is not cut off, but not called again.",
        button="Cancel these calls",
        form=CancelForm,
        is_dangerous=True,
    )
    return confirmed(model_admin, request, batch, confirmation, act)


def delete(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    batch = _living(model_admin, request, object_id)

    def act(row: CallBatch, values: dict[str, Any]) -> str:
        delete_batch(
            workspace_id=row.workspace_id,
            batch_id=row.id,
            actor=actor_of(request),
            now=timezone.now(),
        )
        return "The batch is deleted."

    confirmation = Confirmation(
        title=f"Delete “{batch.name}”?",
        text="It stops calling and is gone from every list, with its calls. This cannot be undone.",
        button="Delete the batch",
        is_dangerous=True,
        facts=[f"It has {total_of(counts_of(batch.id)):,} calls."],
    )
    return confirmed(model_admin, request, batch, confirmation, act)


def export(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponseBase:
    """For whoever sees the batch, as with the API."""
    batch = model_admin.get_object(request, object_id)
    chosen = _EXPORTS.get(request.GET.get("format", "csv"))
    if batch is None or batch.deleted_at or chosen is None:
        raise Http404
    written, media_type = chosen
    extension = request.GET.get("format", "csv")
    try:
        return download(
            request, written(batch), media_type=media_type, name=batch.name, extension=extension
        )
    except APIException as error:
        messages.warning(request, str(error.detail))
        return HttpResponseRedirect(reverse("admin:batches_callbatch_change", args=[batch.id]))


def possible_deeds(batch: CallBatch, counts: dict[str, int]) -> list[str]:
    """The verbs that make sense now, for who steers. Reads `batch.session`."""
    if batch.deleted_at:
        return []
    to_retry = sum(counts[status] for status in RETRYABLE)
    open_calls = counts[CallStatus.PENDING] + counts[CallStatus.IN_PROGRESS]
    verbs = {
        "start": not is_dialing_everything(batch) and open_calls > 0,
        "stop": batch.status == BatchStatus.ACTIVE,
        "upload": True,
        "edit": True,
        "retry": to_retry > 0,
        "cancel": open_calls > 0,
        "delete": True,
    }
    return [verb for verb, is_possible in verbs.items() if is_possible]


def outlook_in_words(found: Preflight) -> list[str]:
    """What a start would do, a sentence a fact."""
    told = [f"Called at once: {found.dial_now:,} of {found.pending:,} pending."]
    told += [
        f"{WAITS_IN_WORDS[name]}: {found.waiting[name]:,}." for name in WAITS if found.waiting[name]
    ]
    if found.earliest:
        told.append(f"The first call: {moment(found.earliest)}.")
    if found.likely_finish:
        told.append(f"Likely finished: {moment(found.likely_finish)}.")
    return [*told, *(f"Mind: {warning.message}" for warning in found.warnings)]


def _outlook(batch: CallBatch) -> list[str]:
    pending = counts_of(batch.id)[CallStatus.PENDING]
    if pending > MOST_LOOKED_AHEAD:
        return [f"{pending:,} calls are pending: too many to look at each of them now."]
    return outlook_in_words(preflight(batch, timezone.now()))


def _living(model_admin: Any, request: HttpRequest, object_id: str) -> CallBatch:
    batch: CallBatch = row_to_steer(model_admin, request, object_id)
    if batch.deleted_at:
        raise Http404
    return batch


def _checked_numbers(batch: CallBatch, numbers: list[str]) -> list[str]:
    """Held to the rules of cancelCalls; a problem names the line."""
    body = {"batchId": batch.id, "phoneNumbers": numbers}
    try:
        checked: list[str] = CancelCallsSerializer().run_validation(body)["phoneNumbers"]
    except ValidationError as error:
        told = [_by_line(problem) for problem in flatten(error.detail)]
        raise ValidationError({"phoneNumbers": told}) from error
    return checked


def _by_line(problem: dict[str, str]) -> str:
    index = problem["field"].partition("[")[2].rstrip("]")
    return f"Number {int(index) + 1}: {problem['message']}" if index else problem["message"]


def _plainly(service: Any, **arguments: Any) -> None:
    """What it refuses is told as a sentence: the form has no field of the API's name."""
    try:
        service(**arguments)
    except ValidationError as error:
        told = " ".join(problem["message"] for problem in flatten(error.detail))
        raise field_error(WHOLE_BODY, told, "refused") from error

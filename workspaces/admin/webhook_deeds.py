"""What can be done with a webhook: each asks first, and is one call of a service."""

from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import APIException

from workspaces.admin.webhook_figures import figures_of
from workspaces.admin.webhook_forms import NewWebhookForm, SpanForm, WebhookForm
from workspaces.back_office.base import AuditedAdmin, actor_of
from workspaces.back_office.confirm import Confirmation, confirmed, row_to_steer, tell
from workspaces.back_office.pages import form_page, list_page
from workspaces.back_office.reach import reach_of
from workspaces.models import WebhookEndpoint
from workspaces.services.webhooks import (
    OLD_SECRET_LIVES,
    create_webhook,
    delete_webhook,
    replay_span,
    rotate_secret,
    send_test,
    update_webhook,
)
from workspaces.templatetags.back_office import moment

Admin = AuditedAdmin[Any]
_FIELDS = ("url", "description", "event_types")
_NOT_SENT_BY_ITSELF = "“Send a span again” sends what happened meanwhile; by itself it is not sent."


def create(model_admin: Admin, request: HttpRequest) -> HttpResponse:
    if not model_admin.has_add_permission(request):
        raise PermissionDenied
    data = request.POST if request.method == "POST" else None
    form = NewWebhookForm(data, reach=reach_of(request))
    if form.is_valid():
        values = form.cleaned_data
        try:
            secret, endpoint = create_webhook(
                workspace_id=values["workspace"].id,
                user_id=str(request.user.pk),
                **{name: values[name] for name in _FIELDS},
                actor=actor_of(request),
                now=timezone.now(),
            )
        except APIException as error:
            tell(form, error)
        else:
            return _secret_page(model_admin, request, endpoint, secret, "Webhook made")
    return form_page(
        model_admin,
        request,
        form,
        title="New webhook",
        button="Make the webhook",
        text="An address of yours that is told what happens, seconds after it has happened.",
    )


def edit(model_admin: Admin, request: HttpRequest, object_id: str) -> HttpResponse:
    endpoint = row_to_steer(model_admin, request, object_id)
    before = {name: getattr(endpoint, name) for name in _FIELDS}
    form = WebhookForm(request.POST if request.method == "POST" else None, initial=before)
    if form.is_valid():
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        try:
            if changes:
                update_webhook(changes=changes, **_by(request, endpoint))
        except APIException as error:
            tell(form, error)
        else:
            sentence = "The webhook is changed." if changes else "Nothing was to be changed."
            messages.success(request, sentence)
            return HttpResponseRedirect(_page_of(endpoint))
    return form_page(
        model_admin,
        request,
        form,
        title="Change the webhook",
        button="Save",
        text="What is waiting goes to the new address, too; the events chosen count from now on.",
        back=_page_of(endpoint),
    )


def switch_off(model_admin: Admin, request: HttpRequest, object_id: str) -> HttpResponse:
    endpoint = row_to_steer(model_admin, request, object_id)
    waiting = figures_of([endpoint.id])[endpoint.id].waiting_text
    question = Confirmation(
        title="Switch the webhook off?",
        text=f"Nothing is sent to {endpoint.url} any more.",
        facts=[f"Waiting and given up: {waiting}.", f"When it is on again: {_NOT_SENT_BY_ITSELF}"],
        button="Switch off",
        is_dangerous=True,
    )

    def act(row: WebhookEndpoint, values: dict[str, Any]) -> str:
        update_webhook(changes={"enabled": False}, **_by(request, row))
        return "The webhook is switched off."

    return confirmed(model_admin, request, endpoint, question, act)


def switch_on(model_admin: Admin, request: HttpRequest, object_id: str) -> HttpResponse:
    endpoint = row_to_steer(model_admin, request, object_id)
    facts = [_NOT_SENT_BY_ITSELF]
    if endpoint.disabled_at:
        facts.insert(0, f"It has been off since {moment(endpoint.disabled_at)}.")
    question = Confirmation(
        title="Switch the webhook on?",
        text=f"What happens from now on is sent to {endpoint.url}.",
        facts=facts,
        button="Switch on",
    )

    def act(row: WebhookEndpoint, values: dict[str, Any]) -> str:
        update_webhook(changes={"enabled": True}, **_by(request, row))
        return "The webhook is switched on."

    return confirmed(model_admin, request, endpoint, question, act)


def rotate(model_admin: Admin, request: HttpRequest, object_id: str) -> HttpResponse:
    endpoint = row_to_steer(model_admin, request, object_id)
    hours = round(OLD_SECRET_LIVES.total_seconds() / 3600)
    facts = [
        f"The secret of today signs, too, for {hours} hours: time to give the new one to the receiver."
    ]
    if endpoint.old_secret_ends_at and endpoint.old_secret_ends_at > timezone.now():
        facts.append("The one before it, which still signs, ends now.")
    question = Confirmation(
        title="Make a new secret?",
        text="You see it once, on the next page.",
        facts=facts,
        button="Make a new secret",
    )
    made: list[str] = []

    def act(row: WebhookEndpoint, values: dict[str, Any]) -> str:
        made.append(rotate_secret(**_by(request, row)))
        return "The webhook has a new secret."

    response = confirmed(model_admin, request, endpoint, question, act)
    if not made:
        return response
    row = row_to_steer(model_admin, request, object_id)  # it says how long the old one signs
    return _secret_page(model_admin, request, row, made[0], "New secret")


def test(model_admin: Admin, request: HttpRequest, object_id: str) -> HttpResponse:
    endpoint = row_to_steer(model_admin, request, object_id)
    question = Confirmation(
        title="Send a test?",
        text=f"An event of the type webhook.test goes to {endpoint.url}, signed like any other.",
        facts=["What is answered stands in the list of deliveries a moment later."],
        button="Send a test",
    )

    def act(row: WebhookEndpoint, values: dict[str, Any]) -> str:
        send_test(**_by(request, row))
        return "A test is on its way: see the newest delivery."

    return confirmed(model_admin, request, endpoint, question, act)


def replay(model_admin: Admin, request: HttpRequest, object_id: str) -> HttpResponse:
    endpoint = row_to_steer(model_admin, request, object_id)
    question = Confirmation(
        title="Send a span again",
        text=f"What happened in a span of time goes to {endpoint.url} once more, in the same order.",
        facts=["An event keeps its id, so a receiver that has it already can tell."],
        form=partial(SpanForm, endpoint=endpoint),
        button="Send again",
    )

    def act(row: WebhookEndpoint, values: dict[str, Any]) -> str:
        queued = replay_span(**values, **_by(request, row))
        if not queued:
            return "There was nothing to send in that span."
        return f"{queued:,} event{'s are' if queued > 1 else ' is'} on the way."

    return confirmed(model_admin, request, endpoint, question, act)


def delete(model_admin: Admin, request: HttpRequest, object_id: str) -> HttpResponse:
    endpoint = row_to_steer(model_admin, request, object_id)
    question = Confirmation(
        title="Delete the webhook?",
        text=f"Nothing is sent to {endpoint.url} any more.",
        facts=["Its deliveries go with it, those that are waiting, too. The events stay."],
        button="Delete",
        is_dangerous=True,
    )
    deleted: list[str] = []

    def act(row: WebhookEndpoint, values: dict[str, Any]) -> str:
        delete_webhook(**_by(request, row))
        deleted.append(row.id)
        return f"The webhook to {row.url} is deleted."

    response = confirmed(model_admin, request, endpoint, question, act)
    return HttpResponseRedirect(list_page(model_admin)) if deleted else response


def _secret_page(
    model_admin: Admin, request: HttpRequest, endpoint: WebhookEndpoint, secret: str, title: str
) -> HttpResponse:
    """Show it in this very answer: a message would pass through a cookie or the database."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "endpoint": endpoint,
        "secret": secret,
        "old_ends_at": endpoint.old_secret_ends_at,
        "back": _page_of(endpoint),
    }
    return TemplateResponse(request, "admin/workspaces/webhookendpoint/secret.html", context)


def _page_of(endpoint: WebhookEndpoint) -> str:
    return reverse("admin:workspaces_webhookendpoint_change", args=[endpoint.id])


def _by(request: HttpRequest, endpoint: WebhookEndpoint) -> dict[str, Any]:
    """To which it is done, by whom, when."""
    return {
        "workspace_id": endpoint.workspace_id,
        "webhook_id": endpoint.id,
        "actor": actor_of(request),
        "now": timezone.now(),
    }

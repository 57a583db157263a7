"""What was sent to a webhook and answered, and the events behind it, in the back office."""

import html

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests import factories
from tests.cast import Person
from tests.workspaces.hooks import attempted, delivered, page_of, text_of
from workspaces.models import Event, WebhookDelivery, WebhookEndpoint


def test_a_delivery_shows_what_was_sent_and_answered_as_text(
    leader: Client, webhook: WebhookEndpoint
) -> None:
    delivery = delivered(webhook, data={"batchId": "6" * 24, "batchName": "<b>Ünal</b>"})
    attempted(delivery, status_code=500, response="<script>alert(1)</script>")
    raw = leader.get(page_of(delivery)).content.decode()
    assert "<script>alert" not in raw
    assert "<b>Ünal" not in raw
    shown = html.unescape(raw)
    assert "<script>alert(1)</script>" in shown
    assert '"batchName": "<b>Ünal</b>"' in shown  # for people
    assert '"batchName":"<b>Ünal</b>"' in shown  # as sent
    assert "500 Internal Server Error" in shown


def test_a_delivery_is_sent_again_under_the_id_of_its_event(
    leader: Client, webhook: WebhookEndpoint
) -> None:
    old = delivered(webhook, "failed")
    assert leader.get(page_of(old, "again")).status_code == 200
    response = leader.post(page_of(old, "again"))
    new = WebhookDelivery.objects.exclude(pk=old.pk).get()
    assert response["Location"] == page_of(new)
    assert (new.event_id, new.status) == (old.event_id, "pending")
    WebhookEndpoint.objects.update(disabled_reason="gone", disabled_at=timezone.now())
    response = leader.post(page_of(old, "again"))
    assert response.context["form"].non_field_errors() == ["This webhook is switched off."]


def test_an_event_leads_to_what_it_is_about_and_to_its_deliveries(
    leader: Client, webhook: WebhookEndpoint, owner: Person
) -> None:
    list_of_events = reverse("admin:workspaces_event_changelist")
    assert "No events yet" in text_of(leader.get(list_of_events))
    batch = factories.CallBatchFactory.create(workspace=owner.workspace, name="Spring")
    data = {"batchId": batch.id, "batchName": "Spring"}
    delivery = delivered(webhook, data=data, position=7)
    odd = factories.EventFactory.create(workspace=owner.workspace, type="dnc.added", data=["odd"])
    event = Event.objects.get(pk=delivery.event_id)

    link = f'href="{reverse("admin:batches_callbatch_change", args=[batch.id])}"'
    address = reverse("admin:workspaces_event_change", args=[event.id])
    for shown in (text_of(leader.get(list_of_events)), text_of(leader.get(address))):
        assert link in shown
    assert page_of(delivery) in text_of(leader.get(address))
    assert leader.post(address).status_code == 403
    odd_page = leader.get(reverse("admin:workspaces_event_change", args=[odd.id]))
    assert "No webhook was told of it." in text_of(odd_page)
    for query, found in (
        ({"type": "dnc.added"}, [odd]),
        ({"q": event.id}, [event]),
        ({"q": "x"}, []),
    ):
        assert list(leader.get(list_of_events, query).context["cl"].result_list) == found

"""The page of a number and the list of them: what calls from it, changing it, taking it away."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from batches.admin import phones as phone_pages
from batches.admin.phones import NEWEST, usage_of
from batches.models import BatchStatus, CallBatch
from batches.services.kill_switches import engage
from calling.models import CarrierAccount, PhoneNumber
from tests import factories
from tests.calling.admin.desk import page
from tests.cast import Person
from workspaces.callers import Actor, CredentialKind
from workspaces.models import AuditEvent

LIST = reverse("admin:calling_phonenumber_changelist")


def edited(phone: PhoneNumber, **changes: Any) -> dict[str, Any]:
    return {
        "label": "",
        "agent": phone.agent_id,
        "is_active": "on",
        "concurrency_limit": 0,
        "daily_cap": 0,
        **changes,
    }


def batch_of(phone: PhoneNumber, **fields: Any) -> CallBatch:
    batch: CallBatch = factories.CallBatchFactory.create(
        workspace=phone.workspace, created_by=phone.created_by, **fields
    )
    factories.BatchNumberFactory.create(batch=batch, phone=phone)
    return batch


def called(phone: PhoneNumber, *, at: Any = None, flying: bool = False) -> None:
    call = factories.CallFactory.create(batch=batch_of(phone))
    attempt = factories.CallAttemptFactory.create(
        call=call, phone=phone, created_at=at or timezone.now()
    )
    if flying:
        factories.LeaseFactory.create(attempt=attempt, phone=phone)


# --- What calls from it ---------------------------------------------------------------------------


def test_calls_are_counted_from_midnight_in_the_workspace(owner: Person) -> None:
    tokyo = factories.WorkspaceFactory.create(timezone="Asia/Tokyo")
    far = factories.PhoneNumberFactory.create(workspace=tokyo)
    near = factories.PhoneNumberFactory.create(workspace=owner.workspace)
    now = timezone.now().replace(hour=16, minute=0)  # 01:00 in Tokyo, noon or so in New York
    for phone in (far, near):
        called(phone, at=now - timedelta(minutes=30))
        called(phone, at=now - timedelta(hours=2), flying=True)
    found = usage_of([far.id, near.id], now)
    assert (found[far.id].today, found[far.id].in_flight) == (1, 1)
    assert (found[near.id].today, found[near.id].in_flight) == (2, 1)


def test_a_number_that_calls_all_day_is_not_counted_to_the_end(
    leader: Client, phone: PhoneNumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone_pages, "MOST_COUNTED", 2)
    for _ in range(4):
        called(phone)
    assert usage_of([phone.id], timezone.now())[phone.id].today_text == "2+"


def test_the_list_tells_how_much_of_the_caps_is_used_at_one_cost(
    leader: Client, owner: Person, phone: PhoneNumber
) -> None:
    PhoneNumber.objects.update(daily_cap=1000, concurrency_limit=5)
    called(phone, flying=True)
    leader.get(LIST)
    with CaptureQueriesContext(connection) as few:
        text = leader.get(LIST).content.decode()
    assert "1 of 1,000" in text
    assert "1 of 5" in text
    for _ in range(4):
        account = factories.CarrierAccountFactory.create(workspace=owner.workspace)
        called(
            factories.PhoneNumberFactory.create(workspace=owner.workspace, account=account),
            flying=True,
        )
    with CaptureQueriesContext(connection) as many:
        assert leader.get(LIST).status_code == 200
    assert len(many) == len(few)
    assert sum("LATERAL" in query["sql"] for query in many.captured_queries) == 1


def test_its_page_shows_the_newest_batches_and_costs_the_same_for_many(
    leader: Client, phone: PhoneNumber
) -> None:
    first = batch_of(phone, name="The very first", created_at=timezone.now() - timedelta(days=9))
    leader.get(page(phone))
    with CaptureQueriesContext(connection) as few:
        assert first.name in leader.get(page(phone)).content.decode()
    gone = batch_of(phone, name="Gone", deleted_at=timezone.now())
    for number in range(NEWEST):
        batch_of(phone, name=f"Newer {number:02}")
    with CaptureQueriesContext(connection) as many:
        text = leader.get(page(phone)).content.decode()
    assert len(many) == len(few)
    assert text.count("Newer ") == NEWEST
    assert first.name not in text
    assert gone.name not in text


def test_trouble_and_switches_are_told(leader: Client, owner: Person, phone: PhoneNumber) -> None:
    now = timezone.now()
    account = factories.CarrierAccountFactory.create(
        workspace=owner.workspace, last_error="No credit.", last_error_at=now
    )
    PhoneNumber.objects.update(account=account)
    text = leader.get(page(phone)).content.decode()
    assert "refuses the account since" in text
    assert "No credit." in text
    actor = Actor(user_id=owner.user.id, kind=CredentialKind.SESSION)
    engage(target=account, reason="Complaints", actor=actor, now=now)
    assert "The kill switch of its carrier account is on: Complaints" in (
        leader.get(page(phone)).content.decode()
    )
    assert "kill switch" in leader.get(LIST).content.decode()


# --- Changing it ----------------------------------------------------------------------------------


def test_a_change_goes_through_the_service_and_is_told_once(
    leader: Client, owner: Person, phone: PhoneNumber
) -> None:
    given = edited(phone, label="Front desk", agent="", daily_cap=50)
    assert leader.post(page(phone), given).status_code == 302
    stored = PhoneNumber.objects.get()
    assert (stored.label, stored.daily_cap) == ("Front desk", 50)
    assert stored.agent is None
    event = AuditEvent.objects.get(target_id=phone.id)
    assert event.action == "phonenumber.update"
    assert event.changes == {"label": "Front desk", "agent_id": None, "daily_cap": 50}


def test_nothing_changed_is_nothing_told(leader: Client, phone: PhoneNumber) -> None:
    assert leader.post(page(phone), edited(phone)).status_code == 302
    assert not AuditEvent.objects.filter(target_id=phone.id).exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"daily_cap": 1_000_001}, "daily_cap"),
        ({"concurrency_limit": 10_001}, "concurrency_limit"),
        ({"daily_cap": -1}, "daily_cap"),
        ({"label": "a" * 201}, "label"),
    ],
)
def test_it_is_held_to_the_rules_of_the_api(
    leader: Client, phone: PhoneNumber, changes: dict[str, Any], field: str
) -> None:
    response = leader.post(page(phone), edited(phone, **changes))
    assert response.status_code == 200
    assert response.context["adminform"].form.errors[field]


def test_a_member_looks_and_a_stranger_finds_nothing(
    reader: Client, outsider: Client, phone: PhoneNumber
) -> None:
    text = reader.get(page(phone)).content.decode()
    assert phone.number in text
    assert 'name="label"' not in text
    assert page(phone, "delete") not in text
    assert reader.post(page(phone), edited(phone)).status_code == 403
    assert outsider.get(page(phone)).status_code == 302  # Django's answer to what is not there
    for client, status in ((reader, 403), (outsider, 404)):
        assert client.get(page(phone, "delete")).status_code == status
        assert client.post(page(phone, "delete")).status_code == status
    assert PhoneNumber.objects.filter(pk=phone.pk).exists()


# --- Taking it away -------------------------------------------------------------------------------


def test_deleting_tells_what_it_does_and_does_it(leader: Client, owner: Person) -> None:
    account = factories.CarrierAccountFactory.create(workspace=owner.workspace)
    phone = factories.PhoneNumberFactory.create(
        workspace=owner.workspace, created_by=owner.user, account=account
    )
    active = batch_of(phone, status=BatchStatus.ACTIVE)
    called(phone, flying=True)

    text = leader.get(page(phone, "delete")).content.decode()
    assert "rotation of 2 batches, 1 of them active" in text
    assert "1 call is in flight" in text
    assert "the credentials go with it" in text
    assert PhoneNumber.objects.filter(pk=phone.pk).exists()

    response = leader.post(page(phone, "delete"), follow=True)
    assert response.redirect_chain == [(LIST, 302)]
    assert not PhoneNumber.objects.filter(pk=phone.pk).exists()
    assert not CarrierAccount.objects.filter(pk=account.pk).exists()
    active.refresh_from_db()
    assert (active.status, active.status_reason) == ("paused", "no_number")
    events = AuditEvent.objects.filter(target_id=phone.pk)
    assert [event.action for event in events] == ["phonenumber.delete"]


def test_numbers_are_not_deleted_by_the_dozen(leader: Client, phone: PhoneNumber) -> None:
    leader.post(LIST, {"action": "delete_selected", "_selected_action": [phone.pk], "post": "yes"})
    assert PhoneNumber.objects.filter(pk=phone.pk).exists()

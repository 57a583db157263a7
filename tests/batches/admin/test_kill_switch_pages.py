"""The kill switch through the pages of a workspace, a number and a carrier account."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from batches.models import BatchStatus, CallBatch
from batches.services.kill_switches import Target
from calling.models import PhoneNumber
from tests import factories
from tests.batches.admin.browsers import browser
from tests.cast import Api, Person
from workspaces.models import AuditEvent

KINDS = ["workspace", "number", "account"]


@pytest.fixture
def phone(owner: Person) -> PhoneNumber:
    account = factories.CarrierAccountFactory.create(workspace=owner.workspace)
    made: PhoneNumber = factories.PhoneNumberFactory.create(
        workspace=owner.workspace, created_by=owner.user, account=account
    )
    return made


@pytest.fixture
def batch(owner: Person, phone: PhoneNumber) -> CallBatch:
    """Active, with a call in flight."""
    made: CallBatch = factories.CallBatchFactory.create(
        workspace=owner.workspace,
        created_by=owner.user,
        name="Winter campaign",
        status=BatchStatus.ACTIVE,
    )
    factories.BatchNumberFactory.create(batch=made, phone=phone)
    made.session = factories.DialingSessionFactory.create(batch=made)
    made.save()
    call = factories.CallFactory.create(batch=made, status="in-progress")
    attempt = factories.CallAttemptFactory.create(call=call, phone=phone)
    factories.LeaseFactory.create(attempt=attempt, phone=phone)
    return made


@pytest.fixture(params=KINDS)
def target(request: pytest.FixtureRequest, owner: Person, phone: PhoneNumber) -> Target:
    assert phone.account is not None
    of_kind: dict[str, Target] = {
        "workspace": owner.workspace,
        "number": phone,
        "account": phone.account,
    }
    return of_kind[request.param]


def page(row: Any, verb: str) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{verb}", args=[row.pk])


def test_from_the_button_to_the_release(
    owner: Person, batch: CallBatch, target: Target, api: Api
) -> None:
    leader = browser(owner)
    assert page(target, "kill") in leader.get(page(target, "change")).content.decode()
    question = leader.get(page(target, "kill")).content.decode()
    assert "1 batch is active: Winter campaign." in question
    assert "1 call is in flight" in question

    response = leader.post(page(target, "kill"), {"reason": " Complaints "}, follow=True)
    assert response.redirect_chain == [(page(target, "change"), 302)]
    text = response.content.decode()
    assert "1 batch was paused." in text
    for part in ("The kill switch is on", "Complaints", f"by {owner.user.email}"):
        assert part in text
    assert page(target, "release") in text
    assert page(target, "kill") not in text
    target.refresh_from_db()
    assert target.kill_reason == "Complaints"
    batch.refresh_from_db()
    assert (batch.status, batch.status_reason) == ("paused", "kill_switch")

    question = leader.get(page(target, "release")).content.decode()
    assert "Why: Complaints" in question
    assert "1 batch is paused by a kill switch: Winter campaign." in question
    response = leader.post(page(target, "release"), {"resume": "on"}, follow=True)
    assert "1 batch goes on." in response.content.decode()
    assert "The kill switch is on" not in response.content.decode()
    target.refresh_from_db()
    batch.refresh_from_db()
    assert (target.killed_at, batch.status) == (None, "active")
    name = target._meta.model_name
    events = AuditEvent.objects.filter(target_id=target.pk).order_by("created_at", "id")
    assert [event.action for event in events] == [f"{name}.kill", f"{name}.release"]


def test_released_without_resuming_the_batches_stay_paused(
    owner: Person, batch: CallBatch, target: Target
) -> None:
    leader = browser(owner)
    leader.post(page(target, "kill"), {"reason": "Complaints"})
    leader.post(page(target, "release"), {})
    target.refresh_from_db()
    batch.refresh_from_db()
    assert (target.killed_at, batch.status) == (None, "paused")


@pytest.mark.parametrize("reason", ["", "   ", "a" * 201, "two\nlines"])
def test_without_a_reason_nothing_happens(
    owner: Person, batch: CallBatch, target: Target, reason: str
) -> None:
    response = browser(owner).post(page(target, "kill"), {"reason": reason})
    assert response.status_code == 200
    assert response.context["form"].errors["reason"]
    target.refresh_from_db()
    assert target.killed_at is None


def test_looking_throws_nothing_and_twice_changes_nothing(
    owner: Person, batch: CallBatch, target: Target
) -> None:
    leader = browser(owner)
    leader.get(page(target, "kill"), {"reason": "x"})
    target.refresh_from_db()
    assert target.killed_at is None
    leader.post(page(target, "kill"), {"reason": "First"})
    leader.get(page(target, "release"))
    response = leader.post(page(target, "kill"), {"reason": "Second"}, follow=True)
    assert "was on already" in response.content.decode()
    target.refresh_from_db()
    assert target.kill_reason == "First"
    leader.post(page(target, "release"), {})
    response = leader.post(page(target, "release"), {}, follow=True)
    assert "was off already" in response.content.decode()


@pytest.mark.parametrize("verb", ["kill", "release"])
def test_it_is_for_who_leads(
    owner: Person, member: Person, stranger: Person, batch: CallBatch, target: Target, verb: str
) -> None:
    reader, outsider = browser(member), browser(stranger)
    if verb == "release":
        browser(owner).post(page(target, "kill"), {"reason": "Complaints"})
        assert "Complaints" in reader.get(page(target, "change")).content.decode()
    target.refresh_from_db()
    before = target.killed_at
    assert page(target, verb) not in reader.get(page(target, "change")).content.decode()
    for client, status in ((reader, 403), (outsider, 404), (Client(), 302)):
        assert client.get(page(target, verb)).status_code == status
        assert client.post(page(target, verb), {"reason": "x"}).status_code == status
    target.refresh_from_db()
    assert target.killed_at == before


def test_a_batch_with_another_number_goes_on(
    owner: Person, batch: CallBatch, phone: PhoneNumber
) -> None:
    leader = browser(owner)
    assert "goes on with them" in leader.get(page(phone, "kill")).content.decode()
    factories.BatchNumberFactory.create(batch=batch, position=1)
    response = leader.post(page(phone, "kill"), {"reason": "Complaints"}, follow=True)
    assert "No batch had to be paused." in response.content.decode()
    batch.refresh_from_db()
    assert batch.status == "active"

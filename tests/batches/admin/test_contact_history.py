"""All that was done with one number, over every batch in sight."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests import factories
from tests.batches.admin.browsers import browser
from tests.cast import Person

PAGE = reverse("admin:batches_call_contact")
NUMBER = "+12125550123"


def history(client: Client, number: str = NUMBER) -> Any:
    response: Any = client.get(PAGE, {"number": number})
    assert response.status_code == 200
    return response.context["history"]


def call_in_new_batch(owner: Person, **fields: Any) -> Any:
    batch = factories.CallBatchFactory.create(workspace=owner.workspace)
    return factories.CallFactory.create(batch=batch, phone_number=NUMBER, **fields)


@pytest.mark.parametrize(
    "written", [NUMBER, "12125550123", " +1 (212) 555-0123 ", "1.212.555.0123"]
)
def test_a_number_is_found_however_it_is_written(owner: Person, written: str) -> None:
    calls = [call_in_new_batch(owner) for _ in range(2)]
    factories.CallFactory.create(batch=calls[0].batch, phone_number="+12125550124")
    found = history(browser(owner), written)
    assert [call.id for call in found.calls] == [call.id for call in reversed(calls)]


@pytest.mark.parametrize("written", ["", "Emily", "212", "%", "0" * 65])
def test_what_is_no_number_is_said_to_be_none(owner: Person, written: str) -> None:
    response: Any = browser(owner).get(PAGE, {"number": written})
    assert response.status_code == 200
    assert response.context["history"] is None
    assert response.context["form"].errors["number"]
    assert f'value="{written}"' in response.content.decode() or not written


def test_the_page_without_a_number_asks_for_one(owner: Person) -> None:
    response: Any = browser(owner).get(PAGE)
    assert response.status_code == 200
    assert not response.context["form"].errors


def test_attempts_and_listings_are_summed_up(owner: Person) -> None:
    for seconds in (61, 0):
        call = call_in_new_batch(owner)
        answered = datetime(2026, 11, 24, tzinfo=UTC) if seconds else None
        factories.CallAttemptFactory.create(call=call, talk_seconds=seconds, answered_at=answered)
    factories.DoNotCallEntryFactory.create(
        workspace=owner.workspace, phone_number=NUMBER, created_by=owner.user
    )
    client = browser(owner)
    found = history(client)
    assert (found.attempts["made"], found.attempts["answered"], found.talk_time) == (2, 1, "1:01")
    assert found.is_listed
    assert f"By {owner.user.email}" in client.get(PAGE, {"number": NUMBER}).content.decode()


def test_an_entry_that_was_taken_off_stays_in_the_history(owner: Person) -> None:
    factories.DoNotCallEntryFactory.create(
        workspace=owner.workspace,
        phone_number=NUMBER,
        deleted_at=datetime(2026, 11, 24, 12, tzinfo=UTC),
    )
    client = browser(owner)
    assert not history(client).is_listed
    html = client.get(PAGE, {"number": NUMBER}).content.decode()
    assert "taken off 24 Nov 2026, 12:00:00 UTC" in html


def test_other_workspaces_rows_are_never_shown(owner: Person, stranger: Person) -> None:
    call = call_in_new_batch(owner)
    factories.CallAttemptFactory.create(call=call)
    factories.DoNotCallEntryFactory.create(workspace=owner.workspace, phone_number=NUMBER)
    found = history(browser(stranger))
    assert (found.calls, found.entries, found.attempts["made"]) == ([], [], 0)
    html = browser(stranger).get(PAGE, {"number": NUMBER}).content.decode()
    assert owner.workspace.name not in html


def test_superusers_see_every_workspace(staff: Client, owner: Person, stranger: Person) -> None:
    calls = {call_in_new_batch(who).id for who in (owner, stranger)}
    assert {call.id for call in history(staff).calls} == calls


def test_it_costs_the_same_for_one_call_and_for_many(owner: Person) -> None:
    client = browser(owner)

    def happen(times: int) -> None:
        for _ in range(times):
            call = call_in_new_batch(owner)
            attempt = factories.CallAttemptFactory.create(call=call)
            type(call).objects.filter(id=call.id).update(last_attempt=attempt)

    happen(1)
    history(client)  # the first page of a session is also noted in it
    with CaptureQueriesContext(connection) as few:
        history(client)
    happen(5)
    with CaptureQueriesContext(connection) as many:
        history(client)
    assert len(few) == len(many)


def test_leaders_are_led_to_the_list(owner: Person, member: Person) -> None:
    address = f"{reverse('admin:batches_donotcallentry_list_number')}?number=%2B12125550123"
    assert address in browser(owner).get(PAGE, {"number": NUMBER}).content.decode()
    assert address not in browser(member).get(PAGE, {"number": NUMBER}).content.decode()

"""The back office's page of calls: what an index serves, whatever the size of the table."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from batches.models import Call
from tests import factories
from workspaces.back_office.paging import ShortPaginator

LIST = reverse("admin:batches_call_changelist")


def found(staff: Client, search: str) -> list[Call]:
    response: Any = staff.get(LIST, {"q": search})
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


@pytest.mark.parametrize("written", ["+12125551234", "12125551234", " +1 (212) 555-1234 "])
def test_a_whole_number_finds_its_calls_in_every_batch(staff: Client, written: str) -> None:
    calls = factories.CallFactory.create_batch(2, phone_number="+12125551234")
    factories.CallFactory.create(phone_number="+121255512345")
    factories.CallFactory.create(phone_number="+12125551235")
    assert {call.id for call in found(staff, written)} == {call.id for call in calls}


@pytest.mark.parametrize("text", ["1212555123", "Emily", "%", "_"])
def test_a_part_of_a_number_or_another_text_finds_nothing(staff: Client, text: str) -> None:
    factories.CallFactory.create(phone_number="+12125551234", variables={"name": "Emily"})
    assert found(staff, text) == []


def test_no_more_calls_are_counted_than_anybody_leafs_through(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ShortPaginator, "MOST_COUNTED", 3)
    factories.CallFactory.create_batch(5)
    response: Any = staff.get(LIST)
    assert response.context["cl"].result_count == 3


def test_a_call_is_shown_with_its_attempts_and_its_timeline(staff: Client) -> None:
    call = factories.CallFactory.create(variables={"name": "Emily <b>"})
    attempt = factories.CallAttemptFactory.create(call=call, hangup_cause="USER_BUSY")
    user = factories.UserFactory.create(email="who.moved.it@example.com")
    factories.CallEventFactory.create(
        call=call, from_status="failed", to_status="pending", reason="retry_requested", user=user
    )
    html = staff.get(reverse("admin:batches_call_change", args=[call.id])).content.decode()
    for text in (str(attempt.request_uuid), "USER_BUSY", "Retry requested", "who.moved.it"):
        assert text in html
    assert "Emily <b>" not in html
    assert '<input type="submit"' not in html

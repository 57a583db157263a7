"""The list of batches: what a row tells, what is hidden, what it costs."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from batches.models import BatchStatus, CallBatch, PauseReason
from tests import factories
from tests.batches.admin.batches import batch_of, html_of, page, words_of
from tests.batches.admin.browsers import browser
from tests.cast import Person

LIST = page("changelist")


@pytest.fixture
def leader(owner: Person) -> Client:
    return browser(owner)


def test_a_row_tells_how_the_batch_is_doing(leader: Client, owner: Person) -> None:
    batch = batch_of(owner, BatchStatus.ACTIVE, pending=2, in_progress=1, failed=1)
    factories.CallFactory.create(batch=batch, status="completed", is_picked=True)
    CallBatch.objects.filter(id=batch.id).update(
        status=BatchStatus.PAUSED,
        status_reason=PauseReason.NO_NUMBER,
        calling_hour_start=540,
        calling_hour_end=1020,
        allowed_days=[1, 2, 3, 4, 5],
        timezone="America/New_York",
    )
    html = words_of(html_of(leader, LIST))
    for text in (
        batch.name,
        "No calling number left",
        "2 of 5",
        "width: 40.0%",
        "50 %",
        "Mon–Fri 09:00–17:00 New York",
    ):
        assert text in html


def test_an_empty_list_says_what_to_do(leader: Client, member: Person) -> None:
    html = html_of(leader, LIST)
    assert "No batches yet" in html
    assert page("add") in html
    of_a_reader = html_of(browser(member), LIST)
    assert "No batches yet" in of_a_reader
    assert page("add") not in of_a_reader


def test_a_search_in_vain_is_not_taken_for_an_empty_list(leader: Client, owner: Person) -> None:
    batch_of(owner)
    assert "No batches yet" not in html_of(leader, LIST, q="nothing is called so")
    assert "No batches yet" not in html_of(leader, LIST, status__exact="completed")


def test_others_batches_and_deleted_ones_are_not_in_it(
    leader: Client, owner: Person, stranger: Person
) -> None:
    mine, foreign, deleted = batch_of(owner), batch_of(stranger), batch_of(owner)
    CallBatch.objects.filter(id=deleted.id).update(deleted_at=timezone.now())
    html = html_of(leader, LIST, q="Batch")
    assert mine.id in html
    assert foreign.id not in html
    assert deleted.id not in html
    only = html_of(leader, LIST, deleted="only")
    assert deleted.id in only
    assert mine.id not in only
    both = html_of(leader, LIST, deleted="too")
    assert mine.id in both
    assert deleted.id in both


def test_filters_and_search_find_a_batch(leader: Client, owner: Person) -> None:
    draft, active = batch_of(owner), batch_of(owner, BatchStatus.ACTIVE)
    assert active.id not in html_of(leader, LIST, status__exact="draft")
    assert active.id in html_of(leader, LIST, q=active.name)
    assert active.id in html_of(leader, LIST, q=active.id)
    assert draft.id in html_of(leader, LIST, batch_type__exact="outbound")
    future = {"created_at__gte": "2100-01-01 00:00:00+00:00"}
    assert draft.id not in html_of(leader, LIST, **future)


def test_a_long_list_costs_as_much_as_a_short_one(leader: Client, owner: Person) -> None:
    batch_of(owner, pending=1)
    html_of(leader, LIST)  # the first visit writes the session
    with CaptureQueriesContext(connection) as few:
        html_of(leader, LIST)
    for _ in range(5):
        batch_of(owner, pending=2, failed=1)
    with CaptureQueriesContext(connection) as many:
        html_of(leader, LIST)
    print([q["sql"][:150] for q in few], [q["sql"][:150] for q in many])
    assert len(many) == len(few) <= 9

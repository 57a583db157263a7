"""The page of a batch: what it tells, how it follows the batch, what it costs."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from batches.backlog import backlog_of
from batches.models import BatchStatus, Call, CallBatch, PauseReason
from tests import factories
from tests.batches.admin.batches import SEEN, batch_of, html_of, page, words_of
from tests.batches.admin.browsers import browser
from tests.cast import Person
from workspaces.models import Workspace


@pytest.fixture
def leader(owner: Person) -> Client:
    return browser(owner)


def shown(client: Client, batch: CallBatch, **query: Any) -> str:
    return words_of(html_of(client, page("change", batch.id), **query))


def attempt(batch: CallBatch, **fields: Any) -> Any:
    call = factories.CallFactory.create(batch=batch, status="completed", is_picked=True)
    phone = batch.rotation.get().phone
    return factories.CallAttemptFactory.create(call=call, phone=phone, **fields)


# --- Who ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SEEN)
def test_a_member_sees_it_and_a_stranger_does_not(
    owner: Person, member: Person, stranger: Person, name: str
) -> None:
    batch = batch_of(owner, pending=1)
    assert browser(member).get(page(name, batch.id)).status_code == 200
    assert browser(stranger).get(page(name, batch.id)).status_code == 404


def test_only_who_steers_has_buttons_and_only_those_that_make_sense(
    leader: Client, owner: Person, member: Person
) -> None:
    batch = batch_of(owner, pending=1)
    html = shown(leader, batch)
    for verb, is_there in (("start", True), ("stop", False), ("retry", False), ("upload", True)):
        assert (f'href="{page(verb, batch.id)}"' in html) is is_there, verb
    CallBatch.objects.filter(id=batch.id).update(status=BatchStatus.ACTIVE)
    factories.CallFactory.create(batch=batch, status="failed")
    html = shown(leader, batch)
    for verb, is_there in (("start", False), ("stop", True), ("retry", True), ("cancel", True)):
        assert (f'href="{page(verb, batch.id)}"' in html) is is_there, verb

    of_a_reader = shown(browser(member), batch)
    assert page("export", batch.id) in of_a_reader
    for verb in ("start", "stop", "retry", "cancel", "delete", "edit", "upload"):
        assert page(verb, batch.id) not in of_a_reader


# --- What it tells --------------------------------------------------------------------------------


def test_settings_progress_and_outcomes_are_told(leader: Client, owner: Person) -> None:
    batch = batch_of(owner, "active", pending=3, failed=2, skipped=1, unknown=1, in_progress=1)
    factories.CallFactory.create_batch(2, batch=batch, status="completed", is_picked=True)
    CallBatch.objects.filter(id=batch.id).update(retry=3, delay=60)
    Workspace.objects.filter(id=owner.workspace.id).update(
        calling_hour_start=480, calling_hour_end=1200
    )
    html = shown(leader, batch)
    for text in (
        "At any time, 3 retries, 60 s apart, do-not-call honoured.",
        "The workspace allows calls every day 08:00–20:00",
        "6 of 10 calls done",
        'aria-valuenow="6"',
        'class="od-completed" style="width: 20.00%"',
        "Failed <span",
        "2 (20 %)",
    ):
        assert text in html


def test_a_paused_batch_says_why(leader: Client, owner: Person) -> None:
    batch = batch_of(owner, pending=1)
    CallBatch.objects.filter(id=batch.id).update(
        status=BatchStatus.PAUSED, status_reason=PauseReason.CARRIER_REFUSED
    )
    html = shown(leader, batch)
    assert "The carrier refused us" in html
    assert "The system paused the batch. 1 call waits for a start." in html


def test_the_calls_of_a_day_are_bars_the_empty_hours_too(leader: Client, owner: Person) -> None:
    batch = batch_of(owner, BatchStatus.ACTIVE)
    now = timezone.now()
    attempt(batch, created_at=now, answered_at=now, ended_at=now)
    attempt(batch, created_at=now)
    attempt(batch, created_at=now - timedelta(days=2), ended_at=now)
    html = shown(leader, batch)
    assert html.count(": 0 calls, 0 answered</span>") == 23
    assert html.count(": 2 calls, 1 answered</span>") == 1
    assert "50 %" in html  # of the two attempts that have ended


def test_what_pending_calls_wait_for_is_told_in_groups(leader: Client, owner: Person) -> None:
    batch = batch_of(owner, BatchStatus.ACTIVE, pending=2)
    factories.CallFactory.create(
        batch=batch,
        timezone="Europe/London",
        next_attempt_at=timezone.now() + timedelta(hours=1),
    )
    html = shown(leader, batch)
    assert '2</span> contacts in <span title="UTC">UTC</span>: next in turn' in html
    assert "London</span>: waiting for the next attempt, the first at" in html


def test_calls_that_are_being_claimed_wait_for_nothing(
    leader: Client, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = batch_of(owner, BatchStatus.ACTIVE, pending=1)
    found = backlog_of(batch, timezone.now())
    monkeypatch.setattr(  # as read a moment after the counters
        "batches.admin.batch_page.backlog_of", lambda *_: replace(found, groups=[])
    )
    assert "they are being dialed" in shown(leader, batch)


def test_calls_that_the_last_start_left_out_are_told(leader: Client, owner: Person) -> None:
    batch = batch_of(owner, BatchStatus.ACTIVE, pending=3)
    session = factories.DialingSessionFactory.create(batch=batch, only_its_calls=True)
    CallBatch.objects.filter(id=batch.id).update(session=session)
    factories.CallFactory.create(batch=batch, session=session)
    html = shown(leader, batch)
    assert "1</span> contact in" in html
    assert "3</span> contacts: not part of the last start" in html
    assert page("start", batch.id) in html


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"is_active": False}, "The workspace is suspended."),
        (
            {"kill_reason": "an audit", "killed_at": timezone.now()},
            "Calling is switched off for the workspace: an audit",
        ),
    ],
)
def test_what_stops_the_whole_workspace_is_told_first(
    leader: Client, owner: Person, fields: dict[str, Any], sentence: str
) -> None:
    batch = batch_of(owner, BatchStatus.ACTIVE, pending=2)
    Workspace.objects.filter(id=owner.workspace.id).update(**fields)
    html = shown(leader, batch)
    assert sentence in html
    assert "next in turn" not in html


def test_the_numbers_are_shown_with_their_use(leader: Client, owner: Person) -> None:
    batch = batch_of(owner, BatchStatus.ACTIVE, pending=1)
    phone = batch.rotation.get().phone
    phone.daily_cap, phone.concurrency_limit, phone.label = 2, 7, "Front desk"
    phone.save()
    for _ in range(2):
        attempt(batch, created_at=timezone.now())
    busy = factories.CallFactory.create(batch=batch, status="in-progress")
    flying = factories.CallAttemptFactory.create(call=busy)
    factories.LeaseFactory.create(attempt=flying, phone=phone)
    html = shown(leader, batch)
    for text in ("Front desk", "made all its calls of the day, until", "2 of 2", "1 of 7"):
        assert text in html


def test_an_inactive_number_is_told(leader: Client, owner: Person) -> None:
    batch = batch_of(owner, pending=1)
    phone = batch.rotation.get().phone
    phone.is_active = False
    phone.save()
    assert "<td>not active</td>" in shown(leader, batch)


def test_before_a_start_the_page_looks_ahead(leader: Client, owner: Person) -> None:
    batch = batch_of(owner, pending=2)
    assert f'hx-get="{page("preflight", batch.id)}"' in shown(leader, batch)
    html = words_of(html_of(leader, page("preflight", batch.id)))
    assert "Called at once: 2 of 2 pending." in html
    assert "No calling hours are set" in html
    CallBatch.objects.filter(id=batch.id).update(status=BatchStatus.ACTIVE)
    assert 'hx-trigger="load"' not in shown(leader, batch)


def test_the_page_does_not_look_ahead_at_a_huge_batch(
    leader: Client, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batches.admin.batch_page.MOST_LOOKED_AHEAD", 1)
    batch = batch_of(owner, pending=2)
    html = words_of(html_of(leader, page("preflight", batch.id)))
    assert "2 calls are pending: too many to look at each of them" in html
    assert "Called at once" not in html


def test_a_deleted_batch_says_so(leader: Client, owner: Person) -> None:
    batch = batch_of(owner, BatchStatus.STOPPED, pending=1)
    CallBatch.objects.filter(id=batch.id).update(deleted_at=timezone.now())
    html = shown(leader, batch)
    assert "This batch was deleted" in html
    assert page("start", batch.id) not in html
    assert page("export", batch.id) not in html


# --- Live -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "is_live"),
    [("draft", False), ("active", True), ("stopped", False), ("completed", False)],
)
def test_it_is_fetched_again_only_while_something_may_change(
    leader: Client, owner: Person, status: str, is_live: bool
) -> None:
    batch = batch_of(owner, status, pending=1)
    for html in (shown(leader, batch), html_of(leader, page("live", batch.id))):
        assert ('hx-trigger="every 3s"' in html) is is_live


def test_a_stopped_batch_is_followed_until_its_last_call_has_ended(
    leader: Client, owner: Person
) -> None:
    batch = batch_of(owner, BatchStatus.STOPPED)
    busy = factories.CallFactory.create(batch=batch, status="in-progress")
    factories.LeaseFactory.create(attempt=factories.CallAttemptFactory.create(call=busy))
    assert 'hx-trigger="every 3s"' in shown(leader, batch)


def test_a_new_status_loads_the_page_again_for_its_buttons(leader: Client, owner: Person) -> None:
    batch = batch_of(owner, BatchStatus.ACTIVE, pending=1)
    address = page("live", batch.id)
    assert "HX-Refresh" not in leader.get(address, {"was": "active"})
    CallBatch.objects.filter(id=batch.id).update(status=BatchStatus.COMPLETED)
    assert leader.get(address, {"was": "active"})["HX-Refresh"] == "true"


# --- Its calls ------------------------------------------------------------------------------------


def numbers_in(html: str) -> set[str]:
    return {
        number for number in Call.objects.values_list("phone_number", flat=True) if number in html
    }


def test_calls_are_found_by_status_number_and_variable(leader: Client, owner: Person) -> None:
    batch = batch_of(owner)
    pending = factories.CallFactory.create(batch=batch, phone_number="+13105550001")
    failed = factories.CallFactory.create(
        batch=batch, phone_number="+13105550002", status="failed", variables={"name": "Emily"}
    )
    other = batch_of(owner)
    factories.CallFactory.create(batch=other, phone_number="+13105550003")

    def found(**query: Any) -> set[str]:
        return numbers_in(html_of(leader, page("change", batch.id), **query))

    both = {pending.phone_number, failed.phone_number}
    assert found() == both
    assert found(status="failed") == {failed.phone_number}
    assert found(status="nonsense") == both
    assert found(q="+1 (310) 555-0001") == {pending.phone_number}
    assert found(q="5550002") == {failed.phone_number}
    assert found(q="emily") == {failed.phone_number}
    assert found(q="emily", status="pending") == set()
    assert found(q="\0 %") == set()
    html = shown(leader, batch)
    assert reverse("admin:batches_call_change", args=[failed.id]) in html
    everything = f"{reverse('admin:batches_call_changelist')}?batch__id__exact={batch.id}"
    assert everything in html


def test_in_a_large_batch_only_a_whole_number_is_looked_up(
    leader: Client, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batches.admin.batch_page.MOST_SEARCHED", 1)
    batch = batch_of(owner, pending=1)
    factories.CallFactory.create(batch=batch, phone_number="+13105559999")
    address = page("change", batch.id)
    assert numbers_in(html_of(leader, address, q="13105559999")) == {"+13105559999"}
    assert numbers_in(html_of(leader, address, q="5559999")) == set()
    assert "Whole number" in html_of(leader, address)


@pytest.mark.parametrize(
    ("wanted", "count"),
    [("1", 2), ("2", 1), ("3", 0), ("0", 2), ("-1", 2), ("x", 2), ("9" * 30, 2)],
)
def test_calls_come_in_pages(
    leader: Client, owner: Person, monkeypatch: pytest.MonkeyPatch, wanted: str, count: int
) -> None:
    monkeypatch.setattr("batches.admin.batch_page.CALLS_A_PAGE", 2)
    batch = batch_of(owner, failed=3)
    html = html_of(leader, page("change", batch.id), page=wanted, status="failed")
    assert len(numbers_in(html)) == count
    if wanted == "1":
        assert "?status=failed&amp;page=2#calls" in html


# --- Cost -----------------------------------------------------------------------------------------


def test_the_page_costs_the_same_for_few_calls_and_for_many(leader: Client, owner: Person) -> None:
    batch = batch_of(owner, BatchStatus.ACTIVE, pending=1)
    attempt(batch)
    shown(leader, batch)  # the first visit writes the session
    costs = []
    for position in (1, 2):
        for name in ("change", "live"):
            with CaptureQueriesContext(connection) as statements:
                html_of(leader, page(name, batch.id))
            costs.append(len(statements))
        factories.CallFactory.create_batch(20, batch=batch, timezone="Europe/London")
        factories.BatchNumberFactory.create(batch=batch, position=position)
        for _ in range(5):
            call = factories.CallFactory.create(batch=batch, status="completed")
            factories.CallAttemptFactory.create(call=call)
    assert costs[:2] == costs[2:]
    assert costs[0] <= 25
    assert costs[1] <= 16


def test_what_took_long_to_count_is_told_again_for_a_while(
    leader: Client, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batches.admin.batch_page._TIMES_AS_LONG", 1_000_000)
    batch = batch_of(owner, BatchStatus.ACTIVE, pending=1)
    shown(leader, batch)
    with CaptureQueriesContext(connection) as statements:
        shown(leader, batch)
    assert not [
        one for one in statements if "batches_callattempt" in one["sql"] and "TRUNC" in one["sql"]
    ]

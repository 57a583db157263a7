"""GET /api/events: the order, the cursor, and what becomes of old events."""

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from tests import factories
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces import tasks
from workspaces.models import (
    Event,
    EventFeed,
    EventType,
    WebhookAttempt,
    WebhookDelivery,
)
from workspaces.services import feed, feed_pages
from workspaces.services.events import body_of, event_of, payload_of
from workspaces.services.feed_pages import delete_old_events, read_feed
from workspaces.sql import insert_rows

PATH = "/api/events"
NOON = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
ADDED, CREATED = EventType.DNC_ADDED, EventType.BATCH_CREATED


def tell(who: Person, *names: str, type_: EventType = ADDED, at: datetime = NOON) -> None:
    for name in names:
        insert_rows(event_of(who.workspace.id, type_, {"name": name}, now=at))


def page(api: Api, who: Person, **query: Any) -> dict[str, Any]:
    data: dict[str, Any] = checked(api.get(PATH, who.with_key, **query), 200)["data"]
    return data


def errors(response: Any, code: int) -> list[tuple[str, str]]:
    found = checked(response, code)["data"]["errors"]
    return [(error["field"], error["code"]) for error in found]


def names(found: dict[str, Any]) -> list[str]:
    return [event["data"]["name"] for event in found["events"]]


@pytest.mark.parametrize("credential", ["with_key", "with_read_key", "with_token"])
def test_the_documented_answer(api: Api, owner: Person, credential: str) -> None:
    tell(owner, "one")
    body = checked(api.get(PATH, getattr(owner, credential)), 200)
    event = Event.objects.get()
    told = {
        "id": event.id,
        "type": "dnc.added",
        "timestamp": "2026-11-24T12:00:00.123Z",
        "data": {"name": "one"},
    }
    assert body == {
        "message": "Events fetched successfully",
        "status": True,
        "code": 200,
        "errorMessage": "",
        "data": {"events": [told], "nextCursor": "1", "hasMore": False},
    }
    assert list(body["data"]["events"][0]) == ["id", "type", "timestamp", "data"]
    # A webhook sends the same.
    assert payload_of(event) == told
    assert body_of(event).startswith(b'{"id":"%b","type":"dnc.added",' % event.id.encode())


def test_pages_follow_each_other_without_a_gap_or_an_end(
    api: Api, owner: Person, stranger: Person
) -> None:
    assert page(api, owner) == {"events": [], "nextCursor": "0", "hasMore": False}
    tell(owner, "late", at=NOON + timedelta(seconds=1))
    tell(owner, "a", "b", "c")
    tell(stranger, "not yours")
    first = page(api, owner, limit=2)
    assert (names(first), first["hasMore"]) == (["a", "b"], True)
    second = page(api, owner, limit=2, after=first["nextCursor"])
    assert (names(second), second["hasMore"]) == (["c", "late"], False)
    end = page(api, owner, after=second["nextCursor"])
    assert end == {"events": [], "nextCursor": second["nextCursor"], "hasMore": False}
    tell(owner, "earlier, but told now", at=NOON - timedelta(hours=1))
    assert names(page(api, owner, after=end["nextCursor"])) == ["earlier, but told now"]
    assert names(page(api, owner)) == ["a", "b", "c", "late", "earlier, but told now"]
    assert names(page(api, stranger)) == ["not yours"]


def test_the_cursor_of_now_leaves_out_what_was(api: Api, owner: Person) -> None:
    assert page(api, owner, after="latest")["nextCursor"] == "0"
    tell(owner, "a", "b")
    now = page(api, owner, after="latest")
    assert now == {"events": [], "nextCursor": "2", "hasMore": False}
    tell(owner, "c")
    assert names(page(api, owner, after=now["nextCursor"])) == ["c"]


def test_types_choose_and_the_cursor_moves_past_the_others(
    api: Api, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_pages, "LOOKED_AT", 4)
    tell(owner, *"abcde")
    tell(owner, "made", type_=CREATED)
    tell(owner, "tried", type_=EventType.WEBHOOK_TEST)
    first = page(api, owner, types="batch.created,call.failed,batch.created")
    assert first == {"events": [], "nextCursor": "4", "hasMore": True}
    second = page(api, owner, types="batch.created", after=4)
    assert (names(second), second["nextCursor"], second["hasMore"]) == (["made"], "7", False)
    # The test of a webhook concerns nobody else.
    assert names(page(api, owner, after=4)) == ["e", "made"]
    for unknown in ("batch.gone", "dnc.added,", "", "webhook.test"):
        refused = api.get(PATH, owner.with_key, types=unknown)
        assert errors(refused, 400) == [("types", "unknown_type" if unknown else "blank")]


def test_one_request_publishes_and_looks_at_no_more_than_its_share(
    api: Api, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (feed, feed_pages):
        monkeypatch.setattr(module, "AT_A_TIME", 2)
    monkeypatch.setattr(feed_pages, "MOST_PUBLISHED", 2)
    tell(owner, *"abcde")
    assert page(api, owner, types="batch.created") == {
        "events": [],
        "nextCursor": "2",
        "hasMore": True,
    }
    assert Event.objects.filter(position=None).count() == 3
    assert page(api, owner, after="latest")["hasMore"] is True
    assert page(api, owner, limit=100)["nextCursor"] == "5"


@pytest.mark.parametrize(
    ("after", "code"),
    [
        *[(text, "invalid_cursor") for text in ("-1", "1.0", "x", " 1", "٣", "Latest", "9" * 19)],
        *[("", "blank"), ("2", "future_cursor"), ("9" * 18, "future_cursor")],
    ],
)
def test_a_cursor_that_was_never_given_is_refused(
    api: Api, owner: Person, stranger: Person, after: str, code: str
) -> None:
    tell(owner, "a")
    tell(stranger, "b", "c", "d")
    page(api, stranger)
    assert errors(api.get(PATH, owner.with_key, after=after), 400) == [("after", code)]


@pytest.mark.parametrize(
    ("limit", "code"), [("0", "min_value"), ("1001", "max_value"), ("x", "invalid")]
)
def test_a_limit_out_of_range_is_refused(api: Api, owner: Person, limit: str, code: str) -> None:
    assert errors(api.get(PATH, owner.with_key, limit=limit), 400) == [("limit", code)]


# --- What is old ----------------------------------------------------------------------------------


def _deliver(who: Person, event: Event) -> None:
    """It was sent to a webhook."""
    endpoint = factories.WebhookEndpointFactory.create(workspace=who.workspace, created_by=who.user)
    delivery = factories.WebhookDeliveryFactory.create(endpoint=endpoint, event=event)
    WebhookAttempt.objects.create(
        workspace=who.workspace, delivery=delivery, url=endpoint.url, started_at=NOON, duration_ms=1
    )


def test_old_events_go_and_who_has_not_read_them_is_told(
    api: Api, owner: Person, stranger: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_pages, "DELETED_AT_A_TIME", 2)
    old = NOON - timedelta(days=30, seconds=1)
    for who in (owner, stranger):
        tell(who, *"abc", at=old)
        page(api, who)
        tell(who, "young")
        page(api, who)
        tell(who, "old, but told late", at=old)
        page(api, who)
    for event in Event.objects.for_workspace(owner.workspace.id).filter(data__name__in="ad"):
        _deliver(owner, event)
    assert delete_old_events(before=NOON - Event.KEPT_FOR) == 6
    assert delete_old_events(before=NOON - Event.KEPT_FOR) == 0

    assert not WebhookDelivery.objects.exists()
    assert not WebhookAttempt.objects.exists()
    assert list(EventFeed.objects.values_list("deleted_through", flat=True)) == [3, 3]
    left = page(api, owner)
    assert (names(left), left["nextCursor"]) == (["young", "old, but told late"], "5")
    assert names(page(api, owner, after=3)) == names(left)
    missed = checked(api.get(PATH, owner.with_key, after=2), 410)
    assert missed["message"] == "Gone"
    [error] = missed["data"]["errors"]
    assert (error["field"], error["code"]) == ("after", "events_missed")


def test_the_nightly_clean_up_publishes_first_and_keeps_the_young(
    api: Api, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "AT_A_TIME", 2)
    page(api, owner)
    now = datetime.now(UTC)
    tell(owner, *"abc", at=now - timedelta(days=31))
    tell(owner, "d", at=now - timedelta(days=29))
    assert tasks.clean_up_events(timestamp=0) == 3
    assert names(page(api, owner)) == ["d"]
    assert errors(api.get(PATH, owner.with_key, after=0), 410) == [("after", "events_missed")]


def test_when_all_have_gone_the_feed_goes_on_where_it_was(api: Api, owner: Person) -> None:
    tell(owner, "a", "b", at=NOON)
    page(api, owner)
    delete_old_events(before=NOON + timedelta(seconds=1))
    assert page(api, owner) == {"events": [], "nextCursor": "2", "hasMore": False}
    tell(owner, "c")
    assert names(page(api, owner, after=2)) == ["c"]


# --- Several at once ------------------------------------------------------------------------------

WRITERS, EACH = 8, 12


def _write(workspace_id: str, writer: int, problems: list[BaseException]) -> None:
    """Transactions that write their events at once, and commit in no order."""
    chance = random.Random(writer)  # noqa: S311 (no secret)
    try:
        for number in range(EACH):
            with transaction.atomic():
                for part in range(2):
                    data = {"name": f"{writer}/{number}/{part}"}
                    insert_rows(event_of(workspace_id, ADDED, data, now=datetime.now(UTC)))
                    time.sleep(chance.random() * 0.02)
                if chance.random() < 0.2:
                    transaction.set_rollback(True)
    except BaseException as problem:
        problems.append(problem)
    finally:
        connection.close()


def _publish_till(stop: threading.Event, problems: list[BaseException]) -> None:
    """As the worker does."""
    try:
        while not stop.is_set():
            feed.publish_all(now=datetime.now(UTC))
    except BaseException as problem:
        problems.append(problem)
    finally:
        connection.close()


def _write_slowly(who: Person, written: threading.Event, may_commit: threading.Event) -> None:
    try:
        with transaction.atomic():
            tell(who, "slow")
            written.set()
            assert may_commit.wait(30)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_reader_misses_nothing_of_transactions_that_commit_in_any_order(owner: Person) -> None:
    """The one that began first commits in the midst: numbered when it wrote, it would be missed."""
    workspace_id, problems, stop = owner.workspace.id, list[BaseException](), threading.Event()
    written, may_commit = threading.Event(), threading.Event()
    slow = threading.Thread(target=_write_slowly, args=(owner, written, may_commit))
    publisher = threading.Thread(target=_publish_till, args=(stop, problems))
    writers = [
        threading.Thread(target=_write, args=(workspace_id, number, problems))
        for number in range(WRITERS)
    ]
    slow.start()
    assert written.wait(30)
    for thread in (*writers, publisher):
        thread.start()
    read, cursor, polls = list[str](), 0, 0
    while True:
        was_over = not any(writer.is_alive() for writer in (*writers, slow))
        found = read_feed(workspace_id, after=cursor, types=(), limit=7, now=datetime.now(UTC))
        read += [event.id for event in found.events]
        cursor, polls = found.cursor, polls + 1
        if len(read) > WRITERS:
            may_commit.set()
        if was_over and not found.has_more:
            break
    stop.set()
    publisher.join(30)

    assert not problems
    committed = Event.objects.for_workspace(workspace_id).order_by("position")
    assert [one.position for one in committed] == list(range(1, len(committed) + 1))
    assert read == [one.id for one in committed]
    assert committed.get(data__name="slow").id in read[WRITERS:]
    assert 0 < len(read) < WRITERS * EACH * 2  # some were rolled back
    assert polls > 20

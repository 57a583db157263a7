"""The front page: what is running, what needs a hand, and whose."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from batches import traffic
from batches.models import BatchStatus, CallStatus, ImportSource, PauseReason
from batches.overview import MOST_OF_A_KIND, calls_in_flight, running_batches
from batches.services import kill_switches
from calling.models import CarrierAccount, PhoneNumber
from tests import factories
from tests.batches.admin.browsers import browser
from tests.cast import Person, person
from workspaces.back_office.reach import Reach
from workspaces.callers import Actor, Role
from workspaces.ids import new_object_id
from workspaces.models import DialSchedule

HOME, LIVE = reverse("admin:index"), f"{reverse('admin:index')}?live"
ALL = Reach(None)
# Session, user; running batches, their counters; leases, attempts; paused, accounts, unknown calls,
# numbers without an agent, webhooks, keys, imports, kill switches.
STATEMENTS = 14


@pytest.fixture(autouse=True)
def _forgets_hours() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def text_of(client: Client, address: str = HOME) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def trouble(owner: Person, number: int) -> None:
    """One of everything that the page tells of."""
    now, of_owner = timezone.now(), {"workspace": owner.workspace, "created_by": owner.user}
    active = factories.CallBatchFactory.create(
        **of_owner, name=f"Running {number}", status=BatchStatus.ACTIVE
    )
    pending = factories.CallFactory.create(batch=active)
    factories.CallFactory.create(batch=active, status=CallStatus.UNKNOWN)
    factories.LeaseFactory.create(attempt__call=pending)
    factories.CallBatchFactory.create(
        **of_owner,
        name=f"Held {number}",
        status=BatchStatus.PAUSED,
        status_reason=PauseReason.CARRIER_REFUSED,
    )
    account = factories.CarrierAccountFactory.create(
        workspace=owner.workspace, carrier="twilio", failures=3, last_error=f"Error {number}"
    )
    phone = factories.PhoneNumberFactory.create(
        **of_owner, carrier="twilio", account=account, agent=None
    )
    kill_switches.engage(target=phone, reason=f"Reason {number}", actor=Actor(), now=now)
    address = f"https://hooks.example/{number}"
    factories.WebhookEndpointFactory.create(
        **of_owner, url=f"{address}/gone", disabled_reason="gone", disabled_at=now
    )
    factories.WebhookEndpointFactory.create(**of_owner, url=f"{address}/ill", failing_since=now)
    factories.ApiKeyFactory(**of_owner, name=f"Key {number}", expires_at=now + timedelta(days=3))
    factories.ImportFactory.create(**of_owner, status="refused", file_name=f"bad{number}.csv")


def test_it_costs_the_same_for_one_of_everything_and_for_many(staff: Client, owner: Person) -> None:
    trouble(owner, 1)
    text_of(staff)
    with CaptureQueriesContext(connection) as few:
        text_of(staff)
    for number in range(2, 9):
        trouble(person() if number % 2 else owner, number)
    with CaptureQueriesContext(connection) as many:
        text_of(staff)
    assert len(few) == len(many) == STATEMENTS


def test_it_says_what_needs_a_hand_and_why(staff: Client, owner: Person) -> None:
    trouble(owner, 7)
    html = text_of(staff)
    for text in (
        "The carrier refuses its calls.",
        "Failed 3 times in a row.",
        "Error 7",
        "Reason 7",
        "1 call of Running 7",
        f"status__exact={CallStatus.UNKNOWN}",
        "Webhook to https://hooks.example/7/gone",
        "It answered 410 Gone, since",
        "Webhook to https://hooks.example/7/ill",
        "API key Key 7",
        "bad7.csv",
        "Nobody would speak",
    ):
        assert text in html


@pytest.mark.parametrize("reason", PauseReason.values)
def test_every_reason_for_a_pause_has_its_words(staff: Client, owner: Person, reason: str) -> None:
    factories.CallBatchFactory.create(
        workspace=owner.workspace, name="Held", status=BatchStatus.PAUSED, status_reason=reason
    )
    assert "Paused since" in text_of(staff)


def test_one_sees_ones_own_workspaces_alone(
    owner: Person, member: Person, stranger: Person
) -> None:
    trouble(owner, 1)
    mine = ["Running 1", "Held 1", "Error 1", "Reason 1", "bad1.csv", "hooks.example/1/gone"]
    theirs = browser(stranger)
    for who in (owner, member):
        assert all(text in text_of(browser(who)) for text in mine)
    for address in (HOME, LIVE):
        html = text_of(theirs, address)
        assert not any(text in html for text in [*mine, owner.workspace.name])


def test_more_of_a_kind_is_a_link(staff: Client, owner: Person) -> None:
    factories.CallBatchFactory.create_batch(
        MOST_OF_A_KIND + 2,
        workspace=owner.workspace,
        status=BatchStatus.PAUSED,
        status_reason=PauseReason.NO_NUMBER,
    )
    html = text_of(staff)
    assert "2 more paused batches" in html
    assert html.count("It has no calling number left.") == MOST_OF_A_KIND


def test_what_is_well_or_long_over_is_not_told(staff: Client, owner: Person) -> None:
    now, of_owner = timezone.now(), {"workspace": owner.workspace, "created_by": owner.user}
    factories.CarrierAccountFactory.create(workspace=owner.workspace)
    factories.WebhookEndpointFactory.create(**of_owner)
    factories.WebhookEndpointFactory.create(
        **of_owner, failing_since=now, disabled_reason="by_hand", disabled_at=now
    )
    factories.PhoneNumberFactory.create(**of_owner, agent=None)  # the simulator's rings nobody
    factories.ApiKeyFactory(**of_owner, expires_at=now + timedelta(days=15))
    factories.ApiKeyFactory(**of_owner, expires_at=now - timedelta(days=15))
    factories.ApiKeyFactory(**of_owner, expires_at=now + timedelta(days=1), revoked_at=now)
    factories.ImportFactory.create(
        **of_owner, status="failed", created_at=now - timedelta(days=8), source=ImportSource.CSV
    )
    factories.ImportFactory.create(**of_owner, status="refused", source=ImportSource.JSON)
    factories.CallBatchFactory.create(
        **of_owner,
        status=BatchStatus.PAUSED,
        status_reason=PauseReason.NO_NUMBER,
        deleted_at=now,
    )
    deleted = factories.CallBatchFactory.create(**of_owner, deleted_at=now)
    factories.CallFactory.create(batch=deleted, status=CallStatus.UNKNOWN)
    factories.CallBatchFactory.create(**of_owner)
    assert "Nothing needs a hand." in text_of(staff)


def test_a_new_installation_is_told_the_next_steps(
    staff: Client, owner: Person, phone: PhoneNumber
) -> None:
    html = text_of(staff)
    assert "Three steps to the first call" in html
    assert html.count("Done: ") == 2  # a number and a key
    assert reverse("admin:batches_callbatch_changelist") in html
    factories.CallBatchFactory.create(workspace=owner.workspace)
    assert "Three steps" not in text_of(staff)


def test_a_member_is_not_sent_where_only_leaders_may_go(member: Person) -> None:
    html = text_of(browser(member))
    assert "Add a number" in html
    assert reverse("admin:calling_phonenumber_add") not in html


def test_the_live_part_is_the_page_without_its_frame(staff: Client) -> None:
    html = text_of(staff, LIVE)
    assert html.strip().startswith('<div id="home"')
    assert f'hx-get="{LIVE}"' in html
    assert "<nav" not in html


def test_a_batch_shows_how_far_it_is(owner: Person) -> None:
    batch = factories.CallBatchFactory.create(workspace=owner.workspace, status=BatchStatus.ACTIVE)
    factories.CallFactory.create_batch(2, batch=batch)
    factories.CallFactory.create(batch=batch, status=CallStatus.COMPLETED, is_picked=True)
    factories.CallFactory.create(batch=batch, status=CallStatus.FAILED)
    ringing = factories.CallFactory.create(batch=batch, status=CallStatus.IN_PROGRESS)
    factories.LeaseFactory.create(attempt__call=ringing)

    [one], active = running_batches(ALL)
    assert (one.total, one.done, one.pending, one.in_flight, one.picked) == (5, 2, 2, 1, 1)
    assert (active, calls_in_flight(ALL)) == (1, 1)


def test_a_batch_outside_of_its_hours_says_until_when(staff: Client, owner: Person) -> None:
    now = timezone.now()
    yesterday = (now.isoweekday() + 6) % 7
    batch = factories.CallBatchFactory.create(
        workspace=owner.workspace, status=BatchStatus.ACTIVE, allowed_days=[yesterday]
    )
    factories.CallFactory.create(batch=batch)
    DialSchedule.objects.create(workspace=owner.workspace, next_dial_at=now + timedelta(days=1))
    assert "outside of its calling hours" in text_of(staff)


# --- Calls per hour -------------------------------------------------------------------------------


def hours(now: datetime, reach: Reach = ALL) -> dict[int, tuple[int, int, int]]:
    """Placed, answered, settled, by hour; empty ones left out."""
    return {
        hour.start.hour: (hour.placed, hour.answered, hour.settled)
        for hour in traffic.calls_today(reach, now)
        if hour.placed
    }


def attempt(at: datetime, owner: Person, **fields: Any) -> None:
    batch = factories.CallBatchFactory.create(workspace=owner.workspace)
    id_ = f"{int(at.timestamp()):08x}" + new_object_id()[8:]
    factories.CallAttemptFactory.create(id=id_, call__batch=batch, created_at=at, **fields)


def test_calls_are_counted_by_the_hours_of_the_viewer(owner: Person) -> None:
    kathmandu = ZoneInfo("Asia/Kathmandu")  # UTC+05:45
    now = datetime(2026, 11, 24, 20, 10, tzinfo=kathmandu)
    for minutes, answered in ((-5, True), (-9, False), (-11, True), (-71, True), (-21 * 60, True)):
        at = now + timedelta(minutes=minutes)
        attempt(at, owner, answered_at=at if answered else None, ended_at=at)
    attempt(now, owner)  # still ringing
    assert hours(now) == {19: (1, 1, 1), 18: (1, 1, 1), 20: (3, 1, 2)}
    assert hours(now, Reach({})) == {}


def test_an_hour_that_is_over_is_counted_once(owner: Person, stranger: Person) -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    attempt(now - timedelta(hours=3), owner)
    attempt(now - timedelta(hours=3), stranger)
    attempt(now - timedelta(minutes=10), owner)
    assert hours(now) == {9: (2, 0, 0), 11: (1, 0, 0)}

    attempt(now - timedelta(minutes=5), owner)
    with CaptureQueriesContext(connection) as statements:
        assert hours(now) == {9: (2, 0, 0), 11: (2, 0, 0)}
    assert len(statements) == 1
    since = (now - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    assert since in statements[0]["sql"].replace(" ", "T")
    mine = Reach({stranger.workspace.id: Role.OWNER})
    assert hours(now, mine) == {9: (1, 0, 0)}


@pytest.mark.usefixtures("db")
def test_a_day_has_the_hours_that_its_clocks_show() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    lengths = [
        len(traffic.calls_today(ALL, datetime(2026, month, day, 12, tzinfo=berlin)))
        for month, day in ((3, 29), (10, 25), (6, 1))
    ]
    assert lengths == [23, 25, 24]


def test_accounts_show_no_credentials(staff: Client, owner: Person) -> None:
    factories.CarrierAccountFactory.create(
        workspace=owner.workspace, failures=1, credentials={"accSId": "AC1", "authToken": "SECRET"}
    )
    with CaptureQueriesContext(connection) as statements:
        assert "SECRET" not in text_of(staff)
    table = CarrierAccount._meta.db_table
    assert not [one for one in statements if f'"{table}"."credentials"' in one["sql"]]

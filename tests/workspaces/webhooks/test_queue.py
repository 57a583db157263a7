"""The deliveries as a queue: who gets their turn, and what follows from an answer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from procrastinate.contrib.django.models import ProcrastinateJob

from tests import factories
from tests.cast import Person
from workspaces.callers import Actor, Role
from workspaces.models import (
    DeliveryStatus,
    Event,
    EventType,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    Workspace,
)
from workspaces.services.feed import publish
from workspaces.services.webhooks import (
    create_webhook,
    delete_webhook,
    replay_span,
    rotate_secret,
    send_test,
    update_webhook,
)
from workspaces.tasks import _tell_leaders, mail_webhook_disabled
from workspaces.webhooks.queue import (
    LEASE,
    PER_ENDPOINT,
    PER_WORKSPACE,
    Claimed,
    claim,
    record,
    release,
)
from workspaces.webhooks.schedule import DELAYS, WHOLE_SCHEDULE, next_attempt
from workspaces.webhooks.sending import Answer

NOW = datetime(2025, 5, 15, 14, 0, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(owner: Person) -> WebhookEndpoint:
    return endpoint_of(owner.workspace)


def endpoint_of(workspace: Workspace, deliveries: int = 1, at: datetime = NOW) -> WebhookEndpoint:
    endpoint: WebhookEndpoint = factories.WebhookEndpointFactory.create(workspace=workspace)
    add_deliveries(endpoint, deliveries, at)
    return endpoint


def add_deliveries(endpoint: WebhookEndpoint, count: int, at: datetime = NOW) -> None:
    for _ in range(count):
        factories.WebhookDeliveryFactory(endpoint=endpoint, created_at=at, next_attempt_at=at)


def take(
    now: datetime = NOW, *, room: int = 1000, busy: dict[str, int] | None = None
) -> list[Claimed]:
    return claim(room=room, busy=busy or {}, now=now)


def answer(status: int | None, at: datetime = NOW, rest: timedelta | None = None) -> Answer:
    return Answer(at, 12, status, "The body", rest, "" if status else "No answer.")


def settle(
    claims: list[Claimed],
    status: int | None,
    now: datetime = NOW,
    rest: timedelta | None = None,
) -> None:
    results = [(claimed, answer(status, now, rest)) for claimed in claims]
    record(results, now=now, tell=_tell_leaders)


def the_delivery(endpoint: WebhookEndpoint) -> WebhookDelivery:
    return WebhookDelivery.objects.get(endpoint=endpoint)


def test_what_is_taken_is_somebody_elses_only_when_its_lease_is_over(
    endpoint: WebhookEndpoint,
) -> None:
    (taken,) = take()
    delivery = the_delivery(endpoint)
    assert (taken.id, taken.endpoint_id) == (delivery.id, endpoint.id)
    assert (taken.message.event_id, taken.message.url) == (delivery.event_id, endpoint.url)
    assert f'"id":"{delivery.event_id}"'.encode() in taken.message.body
    assert take() == take(NOW + LEASE - SECOND) == []
    (again,) = take(NOW + LEASE)

    # The first one was not dead: its failure says nothing any more, its success would.
    settle([taken], 500, NOW + LEASE)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.next_attempt_at) == ("pending", again.lease)
    settle([taken], 200, NOW + LEASE)
    settle([again], 500, NOW + LEASE + SECOND)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.finished_at) == ("succeeded", NOW + LEASE)
    assert (delivery.attempts_made, delivery.attempts.count()) == (3, 3)
    assert take(NOW + DAY) == []


def test_what_is_given_back_is_due_at_once(endpoint: WebhookEndpoint) -> None:
    taken = take()
    release(taken, now=NOW + SECOND)
    (again,) = take(NOW + SECOND)
    assert again.attempts_made == 0
    release(taken, now=NOW + SECOND)  # no more theirs to give
    assert take(NOW + 2 * SECOND) == []


def test_nobody_takes_more_than_their_share(owner: Person, stranger: Person) -> None:
    endpoints = [endpoint_of(owner.workspace, PER_ENDPOINT + 2) for _ in range(5)]
    # These came later, and are few: they are not kept waiting.
    theirs = endpoint_of(stranger.workspace, 3, NOW + SECOND)
    taken = take(NOW + SECOND, room=6)
    assert sorted(c.workspace_id for c in taken) == sorted(
        3 * [owner.workspace.id] + 3 * [stranger.workspace.id]
    )
    assert {c.endpoint_id for c in taken if c.workspace_id == stranger.workspace.id} == {theirs.id}
    busy = {c.endpoint_id: 1 for c in taken if c.workspace_id == owner.workspace.id}
    assert len(take(NOW + SECOND, busy=busy)) == PER_WORKSPACE - len(busy)

    WebhookDelivery.objects.update(next_attempt_at=NOW)
    full = {endpoints[0].id: PER_ENDPOINT}
    taken = take(busy=full)
    assert not [c for c in taken if c.endpoint_id == endpoints[0].id]
    assert len([c for c in taken if c.workspace_id == owner.workspace.id]) == (
        PER_WORKSPACE - PER_ENDPOINT
    )


def test_a_receiver_that_fails_gets_one_at_a_time_until_it_recovers(
    endpoint: WebhookEndpoint,
) -> None:
    add_deliveries(endpoint, 5)
    settle(take(room=1), None)
    endpoint.refresh_from_db()
    assert endpoint.failing_since == NOW
    (only,) = take()
    assert take(busy={endpoint.id: 1}) == []
    settle([only], 500, NOW + SECOND)
    endpoint.refresh_from_db()
    assert endpoint.failing_since == NOW  # the first failure
    (only,) = take(NOW + SECOND)
    settle([only], 204, NOW + 2 * SECOND)
    endpoint.refresh_from_db()
    assert endpoint.failing_since is None
    assert len(take(NOW + 2 * SECOND)) == 3


def test_the_schedule() -> None:
    seconds = [5, 300, 1800, *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24))]
    assert [delay.total_seconds() for delay in DELAYS] == seconds
    for made, delay in enumerate(DELAYS, start=1):
        found = {next_attempt(made, now=NOW) for _ in range(20)}
        assert all(at and delay <= at - NOW <= delay * 1.1 for at in found)
        assert len(found) > 1  # not all at the same moment
    assert next_attempt(len(DELAYS) + 1, now=NOW) is None
    assert timedelta(days=3, hours=3, minutes=35, seconds=5) == WHOLE_SCHEDULE


def test_a_delivery_is_tried_for_three_days_then_its_webhook_is_switched_off(
    owner: Person, member: Person, endpoint: WebhookEndpoint
) -> None:
    owner_too = factories.MembershipFactory.create(workspace=owner.workspace, role=Role.ADMIN)
    now = NOW
    for made in range(1, len(DELAYS) + 2):
        taken = take(now)
        assert [claimed.attempts_made for claimed in taken] == [made - 1], made
        assert WebhookEndpoint.objects.get().is_enabled
        settle(taken, 500 if made % 2 else None, now)
        delivery = the_delivery(endpoint)
        assert delivery.attempts_made == made
        ended, now = now, delivery.next_attempt_at
    assert (delivery.status, delivery.finished_at) == ("failed", ended)
    endpoint.refresh_from_db()
    assert (endpoint.disabled_reason, endpoint.disabled_at) == ("failing", ended)
    jobs = ProcrastinateJob.objects.filter(task_name=mail_webhook_disabled.name)
    assert {job.args["user_id"] for job in jobs} == {owner.user.id, owner_too.user_id}

    for job in jobs:
        assert mail_webhook_disabled(**job.args)
    assert not mail_webhook_disabled(webhook_id=endpoint.id, user_id=member.user.id)
    assert {address for sent in mail.outbox for address in sent.to} == {
        owner.user.email,
        owner_too.user.email,
    }
    assert "hooks.example.com" in mail.outbox[0].body
    assert endpoint.url not in mail.outbox[0].body  # a path may be a secret


def test_one_success_in_between_keeps_it_on(endpoint: WebhookEndpoint) -> None:
    unlucky = the_delivery(endpoint)
    settle(take(), 500)
    add_deliveries(endpoint, 1, NOW - DAY)
    settle(take(), 200)
    WebhookDelivery.objects.filter(id=unlucky.id).update(attempts_made=len(DELAYS))
    settle(take(NOW + 4 * DAY), 500, NOW + 4 * DAY)
    unlucky.refresh_from_db()
    endpoint.refresh_from_db()
    assert (unlucky.status, endpoint.is_enabled) == ("failed", True)
    assert endpoint.failing_since == NOW + 4 * DAY


def test_410_switches_it_off_at_once(owner: Person, endpoint: WebhookEndpoint) -> None:
    add_deliveries(endpoint, 3)
    taken = take(room=2)
    settle(taken[:1], 410)
    endpoint.refresh_from_db()
    assert (endpoint.disabled_reason, endpoint.disabled_at) == ("gone", NOW)
    statuses = set(endpoint.deliveries.values_list("status", "finished_at"))
    assert statuses == {("failed", NOW)}
    assert take(NOW + DAY) == []
    assert ProcrastinateJob.objects.filter(task_name=mail_webhook_disabled.name).count() == 1

    # What was on its way may still arrive; nobody is told a second time.
    settle(taken[1:], 200, NOW + SECOND)
    assert endpoint.deliveries.filter(status=DeliveryStatus.SUCCEEDED).count() == 1
    assert ProcrastinateJob.objects.filter(task_name=mail_webhook_disabled.name).count() == 1


@pytest.mark.parametrize(
    ("status", "rest", "seconds"),
    [
        (429, timedelta(minutes=2), 120),
        (503, 30 * DAY, 6 * 3600),  # no longer, whatever it says
        (500, timedelta(minutes=2), 5),
        (429, None, 5),
    ],
)
def test_a_receiver_is_left_alone_for_as_long_as_it_asks(
    endpoint: WebhookEndpoint, status: int, rest: timedelta | None, seconds: int
) -> None:
    add_deliveries(endpoint, 1)
    settle(take(room=1), status, rest=rest)
    wanted = timedelta(seconds=seconds)
    delivery = endpoint.deliveries.get(attempts_made=1)
    assert wanted <= delivery.next_attempt_at - NOW <= wanted * 1.1
    # The other one is due, and waits as well.
    is_resting = seconds > 5
    assert take(NOW + wanted - SECOND) == [] if is_resting else take(NOW + wanted - SECOND)


def test_both_secrets_sign_for_a_day_and_a_third_ends_the_first(
    owner: Person, endpoint: WebhookEndpoint
) -> None:
    who: dict[str, Any] = {
        "workspace_id": owner.workspace.id,
        "webhook_id": endpoint.id,
        "actor": Actor(),
    }

    def secrets(now: datetime) -> tuple[str, ...]:
        (taken,) = take(now)
        release([taken], now=now)
        return taken.message.secrets

    first = endpoint.secret
    second = rotate_secret(**who, now=NOW)
    assert second.startswith("whsec_")
    assert secrets(NOW + DAY - SECOND) == (second, first)
    assert secrets(NOW + DAY) == (second,)
    third = rotate_secret(**who, now=NOW + HOUR)
    assert secrets(NOW + DAY) == (third, second)
    fourth = rotate_secret(**who, now=NOW + HOUR)
    assert secrets(NOW + 2 * HOUR + DAY) == (fourth,)


def test_what_is_deleted_while_it_is_sent_leaves_nothing(
    owner: Person, stranger: Person, endpoint: WebhookEndpoint
) -> None:
    theirs = endpoint_of(stranger.workspace)
    taken = take()
    settle(taken, 500)
    taken = take(NOW + HOUR)
    delete_webhook(workspace_id=owner.workspace.id, webhook_id=endpoint.id, actor=Actor(), now=NOW)
    settle(taken, 200, NOW + HOUR)
    assert set(WebhookDelivery.objects.values_list("endpoint", "status")) == {
        (theirs.id, "succeeded")
    }
    assert set(WebhookAttempt.objects.values_list("delivery__endpoint")) == {(theirs.id,)}


def test_a_test_event_goes_to_the_webhook_that_it_tests_only(owner: Person) -> None:
    endpoints = [endpoint_of(owner.workspace, 0) for _ in range(2)]
    endpoints[0].event_types = [EventType.BATCH_CREATED]
    endpoints[0].save()
    delivery = send_test(
        workspace_id=owner.workspace.id, webhook_id=endpoints[0].id, actor=Actor(), now=NOW
    )
    publish(owner.workspace.id, now=NOW)
    (taken,) = take()
    assert (taken.id, taken.endpoint_id) == (delivery.id, endpoints[0].id)
    assert b'"type":"webhook.test"' in taken.message.body
    assert Event.objects.get().position == 1


def test_switching_off_gives_up_what_waits_and_a_replay_sends_what_was_missed(
    owner: Person, stranger: Person
) -> None:
    _, endpoint = create_webhook(
        workspace_id=owner.workspace.id,
        user_id=owner.user.id,
        url="https://1.1.1.1/",
        description="",
        event_types=[EventType.BATCH_CREATED, EventType.CALL_COMPLETED],
        actor=Actor(),
        now=NOW,
    )
    who: dict[str, Any] = {
        "workspace_id": owner.workspace.id,
        "webhook_id": endpoint.id,
        "actor": Actor(),
    }
    wanted = [EventType.BATCH_CREATED, EventType.CALL_COMPLETED, EventType.DNC_ADDED]

    def happen(now: datetime) -> None:
        for type_ in wanted:
            factories.EventFactory(workspace=owner.workspace, type=type_, created_at=now)
        factories.EventFactory(workspace=stranger.workspace, created_at=now)
        publish(owner.workspace.id, now=now)
        publish(stranger.workspace.id, now=now)

    happen(NOW)
    settle(take(), 200)
    happen(NOW + HOUR)
    update_webhook(**who, changes={"enabled": False}, now=NOW + HOUR)
    assert set(endpoint.deliveries.values_list("status")) == {("succeeded",), ("failed",)}
    happen(NOW + 2 * HOUR)
    assert endpoint.deliveries.count() == 4
    assert take(NOW + 2 * HOUR) == []
    update_webhook(**who, changes={"enabled": True}, now=NOW + 3 * HOUR)
    assert take(NOW + 3 * HOUR) == []

    def replay(types: list[EventType], only_failed: bool, until: datetime) -> int:
        queued = replay_span(
            **who,
            since=NOW,
            until=until,
            types=types,
            only_failed=only_failed,
            now=NOW + 4 * HOUR,
        )
        taken = take(NOW + 4 * HOUR)
        assert queued == len(taken)
        settle(taken, 200, NOW + 4 * HOUR)
        return queued

    assert replay([EventType.CALL_COMPLETED], True, NOW + HOUR) == 0  # it was taken
    assert replay([EventType.CALL_COMPLETED], True, NOW + HOUR + SECOND) == 1  # it was given up
    assert replay([], True, NOW + 2 * HOUR + SECOND) == 3  # the last two were never delivered
    assert replay([], True, NOW + 2 * HOUR + SECOND) == 0
    assert replay([], False, NOW + 2 * HOUR + SECOND) == 6
    assert replay([EventType.DNC_ADDED], False, NOW + 2 * HOUR + SECOND) == 0  # not wanted

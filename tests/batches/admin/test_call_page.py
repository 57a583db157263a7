"""The page of one call: its timeline, why it waits, what can be done with it, and by whom."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from batches.admin.calls import BATCH, STATUS
from batches.models import (
    BatchStatus,
    Call,
    CallAttempt,
    CallEvent,
    CallStatus,
    DoNotCallEntry,
    EventReason,
)
from batches.services.callback_archive import keep_callback
from batches.services.callbacks import OPT_OUT
from calling.carriers.base import Callback
from tests import factories
from tests.batches.admin.browsers import browser
from tests.cast import Person
from workspaces.models import AuditEvent

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LIST = reverse("admin:batches_call_changelist")
DEEDS = ["cancel", "retry", "do_not_call"]


def call_of(owner: Person, status: str = CallStatus.PENDING, **fields: Any) -> Call:
    batch = fields.pop("batch", None) or factories.CallBatchFactory.create(
        workspace=owner.workspace, created_by=owner.user
    )
    call: Call = factories.CallFactory.create(batch=batch, status=status, **fields)
    return call


def page(call: Call, name: str = "change") -> str:
    return reverse(f"admin:batches_call_{name}", args=[call.id])


def shown(client: Client, address: str) -> Any:
    response = client.get(address)
    assert response.status_code == 200
    return response


def attempt_of(call: Call, at: datetime, **fields: Any) -> CallAttempt:
    attempt: CallAttempt = factories.CallAttemptFactory.create(call=call, created_at=at, **fields)
    return attempt


def titles(response: Any) -> list[str]:
    return [moment.title for moment in response.context["moments"]]


# --- The timeline ---------------------------------------------------------------------------------


def test_the_timeline_tells_everything_in_its_order(owner: Person) -> None:
    call = call_of(owner, CallStatus.FAILED, created_at=NOON, phone_number="+12125550123")
    later = [NOON + timedelta(seconds=number) for number in range(10)]
    attempt = attempt_of(
        call,
        later[1],
        status="completed",
        answered_at=later[3],
        answered_by="machine",
        ended_at=later[4],
        talk_seconds=61,
        hangup_cause="NORMAL_CLEARING",
    )
    body = (
        b'{"callId": "c", "status": "ringing", "at": "2026-11-24T12:00:02+00:00", "answeredAt": null,'
        b' "talkSeconds": 0, "permanent": false, "hangupCause": ""}'
    )
    callback = Callback(
        url="https://x.example/api/carriers/simulator/callback", headers={}, body=body
    )
    keep_callback(attempt, carrier="simulator", callback=callback, now=later[2])
    event = {"call": call, "from_status": "pending", "to_status": "in-progress"}
    factories.CallEventFactory.create(**event, reason=EventReason.CLAIMED, created_at=later[1])
    factories.CallEventFactory.create(
        call=call,
        from_status="in-progress",
        to_status="failed",
        reason=EventReason.ATTEMPTS_USED_UP,
        detail="no-answer",
        created_at=later[5],
    )
    factories.CallEventFactory.create(
        call=call,
        from_status="failed",
        to_status="pending",
        reason=EventReason.RETRY_REQUESTED,
        user=owner.user,
        created_at=later[8],
    )
    factories.DoNotCallEntryFactory.create(
        workspace=owner.workspace,
        phone_number="+12125550123",
        type=OPT_OUT,
        created_at=later[6],
        deleted_at=later[7],
    )
    AuditEvent.objects.create(
        workspace=owner.workspace,
        user=owner.user,
        credential_kind="session",
        action="call.update",
        target_type="call",
        target_id=call.id,
        created_at=later[9],
    )
    response = shown(browser(owner), page(call))
    assert titles(response) == [
        "The contact was added to the batch",
        "Its turn has come",
        "Attempt 1 from +12125550100",
        "Simulator reported how far the call is: ringing",
        "Attempt 1 was answered by an answering machine",
        "Attempt 1 ended: completed",
        "Attempts used up",
        "The number went on the do-not-call list",
        "The number was taken off the do-not-call list",
        "Retry requested",
        "Call changed",
    ]
    html = response.content.decode()
    for text in ("Talk time 1:01", "NORMAL_CLEARING", "Said of the attempt: no answer."):
        assert text in html
    assert [moment.who for moment in response.context["moments"]][-2:] == [owner.user.email] * 2
    assert "Carriers&#x27; callbacks" in html or "Carriers' callbacks" in html


def test_times_are_told_in_the_zones_of_viewer_and_contact(owner: Person) -> None:
    call = call_of(owner, created_at=NOON, timezone="Asia/Tokyo")
    client = browser(owner)
    client.cookies["outdial_zone"] = "Europe/Berlin"
    html = shown(client, page(call)).content.decode()
    assert "24 Nov 2026, 13:00:00 CET" in html
    assert "for the contact 24 Nov 2026, 21:00:00 JST" in html


def test_a_recording_is_fetched_only_when_somebody_plays_it(owner: Person) -> None:
    call = call_of(owner, CallStatus.COMPLETED)
    ended = {"status": "completed", "ended_at": NOON}
    for number, address in enumerate(
        ["https://carrier.example/1.mp3", "http://carrier.example/2.mp3", "javascript:alert(1)"]
    ):
        at = NOON + timedelta(minutes=number)
        attempt_of(call, at, recording_url=address, transcript="Hello <b>you</b>", **ended)
    html = shown(browser(owner), page(call)).content.decode()
    player = '<audio controls preload="none" src="https://carrier.example/1.mp3"'
    assert html.count("<audio") == html.count(player) == 1
    assert 'href="http://carrier.example/2.mp3"' in html
    assert "javascript:alert" not in html
    assert "Hello &lt;b&gt;you&lt;/b&gt;" in html


def test_what_came_with_another_call_or_to_another_workspace_is_not_shown(
    owner: Person, stranger: Person
) -> None:
    call = call_of(owner, phone_number="+12125550123")
    other = call_of(owner, phone_number="+12125550124")
    attempt_of(other, NOON)
    factories.DoNotCallEntryFactory.create(
        workspace=stranger.workspace, phone_number="+12125550123"
    )
    response = shown(browser(owner), page(call))
    assert titles(response) == ["The contact was added to the batch"]
    assert response.context["listed"] is None


def test_the_page_costs_the_same_however_much_happened(owner: Person) -> None:
    def happen(call: Call, times: int) -> None:
        for _ in range(times):
            attempt = attempt_of(call, NOON, ended_at=NOON)
            callback = Callback(url="https://x.example/", headers={}, body=b"")
            keep_callback(attempt, carrier="simulator", callback=callback, now=NOON)
            factories.CallEventFactory.create(
                call=call,
                from_status="pending",
                to_status="pending",
                reason=EventReason.RETRY_REQUESTED,
                user=factories.UserFactory.create(),
            )

    few, many, client = (
        call_of(owner, CallStatus.FAILED),
        call_of(owner, CallStatus.FAILED),
        browser(owner),
    )
    happen(few, 1)
    happen(many, 6)
    shown(client, page(few))  # the first page of a session is also noted in it
    with CaptureQueriesContext(connection) as of_few:
        shown(client, page(few, "live"))
    with CaptureQueriesContext(connection) as of_many:
        shown(client, page(many, "live"))
    # Session, user, membership; the call; attempts, events, callbacks, listings, edits; the names of
    # variables.
    assert len(of_few) == len(of_many) == 10


# --- Why not now ----------------------------------------------------------------------------------


def test_a_pending_call_says_why_it_waits(owner: Person) -> None:
    batch = factories.CallBatchFactory.create(
        workspace=owner.workspace, created_by=owner.user, status=BatchStatus.STOPPED
    )
    html = shown(browser(owner), page(call_of(owner, batch=batch))).content.decode()
    assert "Why not now" in html
    assert "The batch was stopped." in html
    ended = call_of(owner, CallStatus.COMPLETED)
    assert "Why not now" not in shown(browser(owner), page(ended)).content.decode()


@pytest.mark.parametrize(
    ("batch_status", "status", "is_live"),
    [
        (BatchStatus.ACTIVE, CallStatus.PENDING, True),
        (BatchStatus.STOPPED, CallStatus.PENDING, False),
        (BatchStatus.STOPPED, CallStatus.IN_PROGRESS, True),
        (BatchStatus.ACTIVE, CallStatus.COMPLETED, False),
        (BatchStatus.ACTIVE, CallStatus.UNKNOWN, False),
    ],
)
def test_it_is_live_while_something_may_happen(
    owner: Person, batch_status: BatchStatus, status: CallStatus, is_live: bool
) -> None:
    batch = factories.CallBatchFactory.create(workspace=owner.workspace, status=batch_status)
    call = call_of(owner, status, batch=batch)
    html = shown(browser(owner), page(call, "live")).content.decode()
    assert html.strip().startswith('<div id="call"')
    assert (f'hx-get="{page(call, "live")}"' in html) is is_live


def test_variables_come_in_the_order_of_their_names(owner: Person) -> None:
    call = call_of(owner, variables={"a": "<i>", "zip": 12345})
    for position, name in enumerate(["zip", "a"]):
        factories.BatchVariableFactory.create(batch=call.batch, position=position, name=name)
    response = shown(browser(owner), page(call))
    assert list(response.context["variables"].items()) == [("zip", 12345), ("a", "<i>")]
    assert "&lt;i&gt;" in response.content.decode()


# --- Deeds ----------------------------------------------------------------------------------------


def status_of(call: Call) -> str:
    return Call.objects.get(id=call.id).status


def test_a_leader_cancels_a_call(owner: Person) -> None:
    call, client = call_of(owner), browser(owner)
    assert page(call, "cancel") in shown(client, page(call)).content.decode()
    shown(client, page(call, "cancel"))
    assert status_of(call) == CallStatus.PENDING  # to look changes nothing
    assert client.post(page(call, "cancel")).status_code == 302
    assert status_of(call) == CallStatus.CANCELLED
    [event] = AuditEvent.objects.filter(action="batch.cancel_calls")
    assert (event.user_id, event.credential_kind) == (owner.user.id, "session")


def test_a_leader_retries_one_call_and_no_other(owner: Person) -> None:
    call = call_of(owner, CallStatus.FAILED, attempts_made=3)
    other = call_of(owner, CallStatus.FAILED, batch=call.batch)
    client = browser(owner)
    assert client.post(page(call, "retry")).status_code == 302
    assert (status_of(call), status_of(other)) == (CallStatus.PENDING, CallStatus.FAILED)
    assert Call.objects.get(id=call.id).attempts_made == 0
    event = CallEvent.objects.get(call=call)
    assert (event.reason, event.user_id) == (EventReason.RETRY_REQUESTED, owner.user.id)


def test_an_unknown_call_is_retried_with_a_warning(owner: Person) -> None:
    call = call_of(owner, CallStatus.UNKNOWN)
    html = shown(browser(owner), page(call, "retry")).content.decode()
    assert "may be called twice" in html


def test_a_leader_lists_the_number_with_the_call(owner: Person) -> None:
    call = call_of(owner, CallStatus.COMPLETED)
    attempt = attempt_of(call, NOON, transcript="Never again")
    Call.objects.filter(id=call.id).update(last_attempt=attempt)
    client = browser(owner)
    assert client.post(page(call, "do_not_call"), {"type": "asked"}).status_code == 302
    entry = DoNotCallEntry.objects.get()
    assert (entry.phone_number, entry.type, entry.transcription, entry.created_by_id) == (
        call.phone_number,
        "asked",
        "Never again",
        owner.user.id,
    )
    html = shown(client, page(call)).content.decode()
    assert "on the do-not-call list" in html
    assert page(call, "do_not_call") not in html

    again = client.post(page(call, "do_not_call"), {"type": "once more"})
    assert "Is on the do-not-call list already." in again.content.decode()
    assert "once more" in again.content.decode()


@pytest.mark.parametrize("status", [CallStatus.CANCELLED, CallStatus.COMPLETED, CallStatus.SKIPPED])
def test_what_cannot_be_done_is_not_offered_and_changes_nothing(
    owner: Person, status: CallStatus
) -> None:
    call, client = call_of(owner, status), browser(owner)
    html = shown(client, page(call)).content.decode()
    for deed in ("cancel", "retry"):
        assert page(call, deed) not in html
        assert client.post(page(call, deed)).status_code == 302
    assert status_of(call) == status


def test_a_deleted_batch_leaves_its_calls_to_look_at(owner: Person) -> None:
    batch = factories.CallBatchFactory.create(workspace=owner.workspace, deleted_at=NOON)
    call, client = call_of(owner, batch=batch), browser(owner)
    html = shown(client, page(call)).content.decode()
    assert page(call, "cancel") not in html
    assert client.post(page(call, "cancel")).status_code == 404


@pytest.mark.parametrize("deed", DEEDS)
def test_a_member_looks_and_does_nothing(owner: Person, member: Person, deed: str) -> None:
    call, client = call_of(owner, CallStatus.FAILED), browser(member)
    html = shown(client, page(call)).content.decode()
    assert page(call, deed) not in html
    for answer in (client.get(page(call, deed)), client.post(page(call, deed))):
        assert answer.status_code == 403
    assert status_of(call) == CallStatus.FAILED
    assert not DoNotCallEntry.objects.exists()


@pytest.mark.parametrize("name", ["live", *DEEDS])
def test_a_stranger_finds_nothing(owner: Person, stranger: Person, name: str) -> None:
    call, client = call_of(owner, CallStatus.FAILED), browser(stranger)
    for answer in (client.get(page(call, name)), client.post(page(call, name))):
        assert answer.status_code == 404
    assert client.get(page(call)).status_code == 302  # to the front page: there is no such call
    nothing = reverse(f"admin:batches_call_{name}", args=["nonsense"])
    assert client.get(nothing).status_code == 404


# --- The list -------------------------------------------------------------------------------------


def listed(client: Client, **query: str) -> set[str]:
    response: Any = client.get(LIST, query)
    assert response.status_code == 200
    return {call.id for call in response.context["cl"].result_list}


def test_calls_are_listed_by_batch_and_status(owner: Person) -> None:
    failed, client = call_of(owner, CallStatus.FAILED), browser(owner)
    pending, other = call_of(owner, batch=failed.batch), call_of(owner, CallStatus.FAILED)
    batch = {BATCH: failed.batch_id}
    assert listed(client) == {failed.id, pending.id, other.id}
    assert listed(client, **batch) == {failed.id, pending.id}
    assert listed(client, **batch, **{STATUS: "failed"}) == {failed.id}
    # Without a batch no index serves it, and it is left aside.
    assert listed(client, **{STATUS: "failed"}) == {failed.id, pending.id, other.id}
    html = shown(client, f"{LIST}?{BATCH}={failed.batch_id}").content.decode()
    assert failed.batch.name in html
    assert f"?{BATCH}={failed.batch_id}&amp;{STATUS}=failed" in html


def test_another_workspaces_batch_shows_nothing_of_it(owner: Person, stranger: Person) -> None:
    call, client = call_of(owner), browser(stranger)
    assert listed(client, **{BATCH: call.batch_id}) == set()
    assert listed(client, q=call.phone_number) == set()
    html = client.get(LIST, {BATCH: call.batch_id}).content.decode()
    assert call.batch.name not in html
    assert client.get(LIST, {BATCH: "nonsense"}).status_code == 302


def test_the_order_is_that_of_an_index(owner: Person) -> None:
    call, client = call_of(owner), browser(owner)
    for query, order in (({}, '"id" DESC'), ({BATCH: call.batch_id}, '"created_at" DESC')):
        with CaptureQueriesContext(connection) as statements:
            shown(client, f"{LIST}?" + "&".join(f"{k}={v}" for k, v in query.items()))
        pages = [
            one["sql"] for one in statements if "LIMIT 51" in one["sql"] or "LIMIT" in one["sql"]
        ]
        assert any(f'ORDER BY "batches_call".{order}' in sql for sql in pages)

"""Each cause tells integrators once, and a cause that was rolled back tells nothing."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.utils import timezone

from batches.api.serializers.events import EVENT_DATA
from batches.models import BatchStatus, Call, CallBatch, CallStatus, DoNotCallEntry, EventReason
from batches.services import kill_switches
from batches.services.carrier_trouble import FAILURES_TO_PAUSE, Exchange, note_exchanges
from batches.services.returns import Return, close_if_idle, skip_listed
from calling.carriers.base import AnsweredBy, CallProgress
from calling.models import CarrierAccount, PhoneNumber
from tests import factories
from tests.batches.contacts import ADD, contacts, ready_batch
from tests.batches.dialer.steps import (
    NOW,
    after,
    claim,
    dialed_batch,
    end,
    heard,
    nobody_knows,
    number_of,
    put_back,
    record,
    ring,
)
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.callers import Actor
from workspaces.models import Event, EventType

COMPLETED, BUSY, FAILED = CallProgress.COMPLETED, CallProgress.BUSY, CallProgress.FAILED


def told(*, data: bool = False) -> list[Any]:
    """What was told since the last time: types, or with their data; every shape as documented."""
    events = list(Event.objects.order_by("created_at", "id"))
    Event.objects.all().delete()
    for event in events:
        _check_shape(event.data, EVENT_DATA[EventType(event.type)]())
    return [(event.type, event.data) if data else event.type for event in events]


def _check_shape(data: dict[str, Any], shape: Any) -> None:
    fields = shape.fields
    assert data.keys() <= fields.keys()
    assert {name for name, field in fields.items() if field.required} <= data.keys()
    assert None not in data.values()
    if "attempt" in data:
        _check_shape(data["attempt"], fields["attempt"])


# --- Batches --------------------------------------------------------------------------------------


def test_a_new_batch_is_told_of_with_the_contacts_that_came_with_it(
    api: Api, owner: Person
) -> None:
    phone = number_of(owner, agent=factories.AgentFactory.create(workspace=owner.workspace))
    sent = {"batchName": "May", "callingNumbers": [phone.id]}
    id_ = checked(api.post("/api/call/createBatch", sent, owner.with_key), 201)["data"]
    batch = {"batchId": id_, "batchName": "May", "queue_status": "draft"}
    assert told(data=True) == [
        ("batch.created", {**batch, "userId": owner.user.id, "totalCalls": 0})
    ]
    file = SimpleUploadedFile("c.csv", b"phoneNumber\n12125551234\n13105552002\n", "text/csv")
    form = {"batchName": "June", "callingNumbers": f'["{phone.id}"]', "file": file}
    answer = api.post("/api/call/upload", {**form, "userId": owner.user.id}, owner.with_key)
    assert answer.status_code in (200, 201), answer.content
    [(type_, data)] = told(data=True)
    assert (type_, data["batchName"], data["totalCalls"]) == ("batch.created", "June", 2)


def test_what_moves_a_batch_is_told_once(api: Api, owner: Person) -> None:
    batch = ready_batch(owner)

    def post(path: str, code: int = 200, **more: Any) -> list[str]:
        sent = {"batchId": batch.id, **more}
        if path != "cancel-calls":
            sent["userId"] = owner.user.id
        checked(api.post(f"/api/call/{path}", sent, owner.with_key), code)
        return told()

    def add(*numbers: int, **more: Any) -> list[str]:
        sent = {"batchId": batch.id, "call_data": contacts(1, *numbers), **more}
        assert api.post(ADD, sent, owner.with_key).status_code < 300
        return told()

    assert post("start-calling", 400) == []  # no call to make: rolled back
    assert add(startCalling=False) == []
    assert post("start-calling") == ["batch.started"]
    assert post("start-calling") == []  # it changes nothing
    assert add(10, startCalling=True) == []
    assert post("start-calling", callData=contacts(1, 20), uuid="x") == ["batch.started"]
    assert post("stop-calling") == ["batch.stopped"]
    assert post("stop-calling") == []
    assert add(30, startCalling=True) == ["batch.started"]
    ids = list(batch.calls.values_list("id", flat=True))
    assert post("cancel-calls", callIds=ids) == ["batch.completed"]
    assert add(40, startCalling=False) == ["batch.started"]  # it goes on


@pytest.mark.parametrize("starts", [True, False])
def test_a_batch_that_goes_on_after_a_start_of_some_calls_is_started_once(
    api: Api, owner: Person, starts: bool
) -> None:
    batch = ready_batch(owner)
    sent = {"batchId": batch.id, "userId": owner.user.id, "uuid": "run-1"}
    given = {**sent, "callData": contacts(1)}
    checked(api.post("/api/call/start-calling", given, owner.with_key), 200)
    ids = list(batch.calls.values_list("id", flat=True))
    cancelled = {"batchId": batch.id, "callIds": ids}
    checked(api.post("/api/call/cancel-calls", cancelled, owner.with_key), 200)
    started, completed = told(data=True)
    counts = {status.value: 0 for status in CallStatus} | {"cancelled": 1}
    name = {"batchId": batch.id, "batchName": batch.name, "uuid": "run-1"}
    assert started == ("batch.started", {**name, "queue_status": "active"})
    numbers = {"totalCalls": 1, "calls": counts, "callsPicked": 0}
    assert completed == ("batch.completed", {**name, "queue_status": "completed", **numbers})
    more = {"batchId": batch.id, "call_data": contacts(1, 10), "startCalling": starts}
    assert api.post(ADD, more, owner.with_key).status_code < 300
    [(type_, data)] = told(data=True)
    assert (type_, data.get("uuid")) == ("batch.started", None if starts else "run-1")


def test_deleting_an_active_batch_stops_it_and_deleting_another_tells_nothing(
    api: Api, owner: Person
) -> None:
    for status, types in (("active", ["batch.stopped"]), ("draft", [])):
        batch = factories.CallBatchFactory.create(
            workspace=owner.workspace, created_by=owner.user, status=status
        )
        answer = api.request("DELETE", f"/api/call/delete-batch/{batch.id}", None, owner.with_key)
        assert answer.status_code == 200, answer.content
        assert told() == types


def test_a_pause_is_told_with_its_reason_and_a_release_as_a_start(owner: Person) -> None:
    batch = dialed_batch(owner, 1)
    phone = PhoneNumber.objects.get()
    kill_switches.engage(target=phone, reason="Too many", actor=Actor(), now=NOW)
    [(type_, data)] = told(data=True)
    assert (type_, data["statusReason"], data["calls"]["pending"]) == (
        *("batch.paused", "kill_switch"),
        1,
    )
    kill_switches.release(target=phone, actor=Actor(), now=after(1), resume=True)
    assert told() == ["batch.started"]
    PhoneNumber.objects.update(is_active=False)
    for _ in range(2):
        close_if_idle(batch_id=batch.id, now=after(2))
    [(type_, data)] = told(data=True)
    assert (type_, data["statusReason"]) == ("batch.paused", "no_number")


# --- Calls ----------------------------------------------------------------------------------------


def test_an_ended_call_is_told_of_in_the_words_of_its_details(api: Api, owner: Person) -> None:
    batch = dialed_batch(owner)
    session = factories.DialingSessionFactory.create(batch=batch, uuid="run-1")
    batch.session = session
    batch.save()
    Call.objects.update(external_id="crm-7", variables={"name": "Ada", "externalId": "crm-7"})
    one = ring()
    record(one, heard(one, CallProgress.RINGING, after(2)))
    assert told() == []
    extra = {"talk_seconds": 42, "hangup_cause": "normal", "answered_by": AnsweredBy.HUMAN}
    moments = {"answered_at": after(5.1239), "recording_url": "https://example.com/r"}
    record(one, heard(one, COMPLETED, after(47.5), **extra, **moments))

    (type_, data), (ended, _) = told(data=True)
    assert (type_, ended) == ("call.completed", "batch.completed")
    call = Call.objects.get()
    path = f"/api/call/call-details/{call.id}"
    details = checked(api.get(path, owner.with_key), 200)["data"]
    [attempt] = details["attempts"]
    same = ("requestUUID", "from", "callStatus", "callDuration", "hangupCause", "createdAt")
    expected = {name: attempt[name] for name in (*same, "answeredAt", "endedAt")}
    assert expected["answeredAt"].endswith("05.123Z")
    assert data == {
        "callId": call.id,
        "batchId": batch.id,
        "batchName": batch.name,
        "phoneNumber": details["phoneNumber"],
        "externalId": "crm-7",
        "callStatus": details["callStatus"],
        "reason": details["events"][-1]["reason"],
        "attemptsMade": details["attemptsMade"],
        "uuid": "run-1",
        "attempt": {**expected, "answeredBy": "human"},
    }


def test_only_the_end_of_a_call_is_told_and_a_late_word_once_more(owner: Person) -> None:
    dialed_batch(owner, retry=1, delay=0)
    one = ring()
    busy = heard(one, BUSY, after(1))
    record(one, busy)
    record(one, busy)
    assert told() == []  # it is tried again
    two = ring(after(2))
    record(two, nobody_knows(two, after(3)))
    assert told() == ["call.unknown", "batch.completed"]
    record(two, heard(two, COMPLETED, after(9)))
    [(type_, data)] = told(data=True)
    assert (type_, data["reason"], data["attempt"]["callStatus"]) == (
        *("call.completed", "answered"),
        "completed",
    )
    assert record(two, heard(two, COMPLETED, after(9)))
    assert told() == []


def test_what_comes_together_is_told_of_every_call_once(owner: Person) -> None:
    batch = dialed_batch(owner, 5)
    claimed = claim().calls
    listed, refused, *others = claimed
    put_back(listed, Return(CallStatus.SKIPPED, EventReason.DO_NOT_CALL))
    put_back(refused, Return(CallStatus.PENDING, EventReason.NOT_DIALED, "batch_not_active"))
    [(type_, data)] = told(data=True)
    assert (type_, data["reason"], "attempt" in data) == ("call.skipped", "do_not_call", False)
    entry = Call.objects.get(id=refused.call_id.hex())
    factories.DoNotCallEntryFactory.create(
        workspace=owner.workspace, phone_number=entry.phone_number
    )
    ids = [one.call_id.hex() for one in claimed]
    assert skip_listed(batch_id=batch.id, call_ids=ids, now=after(1)) == 1
    assert told() == ["call.skipped"]
    for one, progress in zip(others, (COMPLETED, FAILED, BUSY), strict=True):
        end(one, progress, after(2))
    assert Counter(told()) == {"call.completed": 1, "call.failed": 2, "batch.completed": 1}


def test_a_transaction_that_is_rolled_back_tells_nothing(owner: Person) -> None:
    batch = dialed_batch(owner)
    one = ring()

    class Lost(Exception):
        pass

    def record_and_lose() -> None:
        with transaction.atomic():
            record(one, heard(one, COMPLETED, after(1)))
            assert Event.objects.count() == 2
            raise Lost

    with pytest.raises(Lost):
        record_and_lose()
    assert told() == []
    assert CallBatch.objects.get(id=batch.id).status == BatchStatus.ACTIVE


# --- The do-not-call list, and carriers -----------------------------------------------------------


def test_a_listed_number_is_told_of_and_a_file_of_them_as_one(api: Api, owner: Person) -> None:
    one = {"phoneNumber": "12125551234", "type": "asked"}
    for code in (201, 400):
        assert api.post("/api/dnc/add", one, owner.with_key).status_code in (code, 200)
    entry = DoNotCallEntry.objects.get()
    data = {**one, "entryId": entry.id, "userId": owner.user.id}
    assert told(data=True) == [("dnc.added", data)]
    content = b"phoneNumber\n12125551234\n13105552002\n13105552003\n"
    for dry_run, events in (("true", []), ("false", ["dnc.added"]), ("false", [])):
        form = {"file": SimpleUploadedFile("n.csv", content, "text/csv"), "dryRun": dry_run}
        found = checked(api.request("POST", "/api/dnc/import", form, owner.with_key))["data"]
        imported = told(data=True)
        assert [type_ for type_, _ in imported] == events
        for _, data in imported:
            known = {"importId": found["importId"], "added": 2, "userId": owner.user.id}
            assert data == known


def _account(who: Person) -> CarrierAccount:
    made: CarrierAccount = factories.CarrierAccountFactory.create(workspace=who.workspace)
    return made


def _fail(account: CarrierAccount, at: Any, **fields: Any) -> None:
    exchange = Exchange(account_id=account.id, asked_at=at, error="It refuses.", **fields)
    note_exchanges([exchange, exchange], now=at)


def test_an_account_that_is_given_up_is_told_of_once_for_all_of_its_batches(
    owner: Person, stranger: Person
) -> None:
    account, other = _account(owner), _account(stranger)
    phone = number_of(owner, account=account)
    batches: Sequence[CallBatch] = [dialed_batch(owner, 1, phones=[phone]) for _ in range(2)]
    dialed_batch(stranger, 1, phones=[number_of(stranger, account=other)])
    now = timezone.now()
    _fail(account, now, is_refused=True)
    events = told(data=True)
    assert Counter(type_ for type_, _ in events) == {"batch.paused": 2, "carrier.paused": 1}
    [data] = [data for type_, data in events if type_ == "carrier.paused"]
    assert data == {
        "accountId": account.id,
        "integration": account.carrier,
        "reason": "carrier_refused",
    }
    _fail(account, now, is_refused=True)  # a call that was under way
    assert told() == []
    CallBatch.objects.filter(id=batches[0].id).update(status="active", status_reason="")
    _fail(account, now + timedelta(minutes=2), is_refused=True)  # somebody has tried it again
    assert Counter(told()) == {"batch.paused": 1, "carrier.paused": 1}


def test_an_account_that_keeps_failing_is_told_of_when_its_batches_are_paused(
    owner: Person,
) -> None:
    account = _account(owner)
    dialed_batch(owner, 1, phones=[number_of(owner, account=account)])
    now = timezone.now()
    for number in range(FAILURES_TO_PAUSE):
        assert told() == []
        _fail(account, now + timedelta(minutes=2 * number))
    paused, carrier = sorted(told(data=True), key=lambda event: event[0])
    assert paused[1]["statusReason"] == carrier[1]["reason"] == "carrier_failing"
    assert Event.objects.count() == 0

"""What each outcome makes of an attempt, its call, the counters and the batch."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from batches.models import BatchStatus, Call, CallAttempt, CallBatch, CallStatus, Lease
from batches.services.counters import counts_of, drifts
from batches.services.dialing import retry_calls
from batches.services.outcomes import Heard, record_reports
from calling.carriers.base import CallProgress
from tests import factories
from tests.batches.contacts import counted
from tests.batches.dialer.steps import (
    NOW,
    PATIENCE,
    after,
    call_of,
    claim,
    claim_one,
    dialed_batch,
    end,
    heard,
    nobody_knows,
    record,
    ring,
    send,
    status_of,
    timeline,
)
from tests.cast import Person, person
from workspaces.callers import Actor

COMPLETED, BUSY, NO_ANSWER = CallProgress.COMPLETED, CallProgress.BUSY, CallProgress.NO_ANSWER
FAILED, CANCELED = CallProgress.FAILED, CallProgress.CANCELED
RINGING, IN_PROGRESS = CallProgress.RINGING, CallProgress.IN_PROGRESS

ENDS = [
    # outcome, permanent, retries left: becomes, because
    *[(COMPLETED, False, left, "completed", "answered") for left in (True, False)],
    *[(end_, False, True, "pending", "retry_later") for end_ in (BUSY, NO_ANSWER, FAILED)],
    *[(end_, False, False, "failed", "attempts_used_up") for end_ in (BUSY, NO_ANSWER, FAILED)],
    *[(FAILED, True, left, "failed", "permanent_failure") for left in (True, False)],
    *[(CANCELED, False, left, "failed", "carrier_canceled") for left in (True, False)],
    *[(None, False, left, "unknown", "outcome_unknown") for left in (True, False)],
]


@pytest.mark.parametrize(("progress", "permanent", "has_retry", "becomes", "reason"), ENDS)
def test_every_outcome_makes_of_the_call_what_it_must(
    owner: Person,
    progress: CallProgress | None,
    permanent: bool,
    has_retry: bool,
    becomes: str,
    reason: str,
) -> None:
    batch = dialed_batch(owner, retry=2, delay=90)
    Call.objects.update(attempts_made=1 if has_retry else 2)
    one = ring()
    if progress is None:
        what, word = nobody_knows(one, after(30)), "unknown"
    else:
        what, word = heard(one, progress, after(30), permanent=permanent), progress.value

    assert record(one, what, now=after(31)) == []

    call, attempt = call_of(one), CallAttempt.objects.get()
    assert (call.status, call.attempts_made) == (becomes, 2 if has_retry else 3)
    assert (attempt.status, attempt.ended_at) == (word, after(30))
    assert not Lease.objects.exists()
    assert timeline(call) == [("in-progress", "claimed", ""), (becomes, reason, word)]
    assert call.is_picked is (becomes == "completed")
    picked = {"picked": 1} if becomes == "completed" else {}
    assert counted(batch) == {becomes: 1, **picked}
    if becomes == "pending":
        assert call.next_attempt_at == after(30 + 90)
        assert status_of(batch) == BatchStatus.ACTIVE
    else:
        assert status_of(batch) == BatchStatus.COMPLETED


def test_an_answered_call_keeps_what_the_carrier_told_of_it(owner: Person) -> None:
    dialed_batch(owner)
    one = ring()
    fields = {"talk_seconds": 42, "hangup_cause": "normal", "carrier_call_id": "c-1"}
    told = {**fields, "recording_url": "https://example.com/r.mp3", "transcript": "Hello."}
    record(one, heard(one, IN_PROGRESS, after(5)))
    record(one, heard(one, COMPLETED, after(47), **{**told, "answered_at": after(6)}))
    attempt = CallAttempt.objects.get()
    assert {name: getattr(attempt, name) for name in told} == told
    assert (attempt.answered_at, attempt.ended_at) == (after(5), after(47))


def test_an_end_in_the_future_by_the_carriers_clock_is_now(owner: Person) -> None:
    dialed_batch(owner, retry=1, delay=60)
    one = ring()
    record(one, heard(one, BUSY, after(3600)), now=after(10))
    assert call_of(one).next_attempt_at == after(70)


def test_a_call_is_tried_once_and_so_often_again(owner: Person) -> None:
    batch = dialed_batch(owner, retry=2, delay=10)
    for turn in range(3):
        assert status_of(batch) == BatchStatus.ACTIVE
        end(claim_one(after(10 * turn)), NO_ANSWER, after(10 * turn))
    assert (status_of(batch), counted(batch)) == (BatchStatus.COMPLETED, {"failed": 1})
    assert CallAttempt.objects.count() == 3


def test_it_is_picked_when_it_is_answered_and_once_only(owner: Person) -> None:
    batch = dialed_batch(owner, retry=1, delay=0)
    one = ring()
    record(one, heard(one, RINGING))
    assert counted(batch) == {"in-progress": 1}
    record(one, heard(one, IN_PROGRESS, after(1)))
    assert counted(batch) == {"in-progress": 1, "picked": 1}
    record(one, heard(one, FAILED, after(2)))
    again = ring(after(3))
    record(again, heard(again, COMPLETED, after(4)))
    assert counted(batch) == {"completed": 1, "picked": 1}


def test_a_call_that_goes_on_is_looked_after_when_nothing_more_is_heard(owner: Person) -> None:
    dialed_batch(owner)
    one = ring()
    Lease.objects.update(looks=2, unsure_since=NOW)
    record(one, heard(one, RINGING, after(5)), now=after(6))
    lease = Lease.objects.get()
    assert (lease.look_at, lease.looks, lease.unsure_since) == (after(6) + PATIENCE, 0, None)


# --- Late, repeated, out of order -----------------------------------------------------------------


@pytest.mark.parametrize("first", [COMPLETED, BUSY, FAILED, CANCELED])
@pytest.mark.parametrize("then", [RINGING, IN_PROGRESS, COMPLETED, BUSY, FAILED])
def test_what_is_heard_after_the_end_changes_nothing(
    owner: Person, first: CallProgress, then: CallProgress
) -> None:
    batch = dialed_batch(owner, 2, retry=1)
    [one, _] = claim().calls
    end(one, first)
    before = (Call.objects.values().get(id=one.call_id.hex()), counted(batch))
    attempt = CallAttempt.objects.values().get(id=one.attempt_id.hex())
    late = heard(one, then, after(9), talk_seconds=7, permanent=True)

    assert record(one, late) == [late]

    assert (Call.objects.values().get(id=one.call_id.hex()), counted(batch)) == before
    assert CallAttempt.objects.values().get(id=one.attempt_id.hex()) == attempt


def test_ringing_after_the_answer_changes_nothing(owner: Person) -> None:
    dialed_batch(owner)
    one = ring()
    answered, ringing = heard(one, IN_PROGRESS, after(2)), heard(one, RINGING, after(1))
    assert record(one, answered, ringing) == [ringing]
    assert CallAttempt.objects.get().status == "in-progress"


def test_reports_of_one_attempt_that_come_together_are_taken_in_their_order(owner: Person) -> None:
    batch = dialed_batch(owner)
    one = ring()
    told = [heard(one, RINGING), heard(one, IN_PROGRESS, after(1)), heard(one, COMPLETED, after(9))]
    assert record(one, *told, *told) == told
    assert counted(batch) == {"completed": 1, "picked": 1}


def test_an_unknown_call_that_turns_out_completed_is_completed(owner: Person) -> None:
    batch = dialed_batch(owner, retry=1)
    one = ring()
    record(one, nobody_knows(one))
    assert (status_of(batch), counted(batch)) == (BatchStatus.COMPLETED, {"unknown": 1})
    assert record(one, heard(one, COMPLETED, after(300))) == []
    call = call_of(one)
    assert (call.status, call.attempts_made, call.is_picked) == ("completed", 1, True)
    assert counted(batch) == {"completed": 1, "picked": 1}
    assert timeline(call)[-1] == ("completed", "answered", "completed")


@pytest.mark.parametrize("progress", [BUSY, NO_ANSWER, FAILED, CANCELED])
def test_an_unknown_call_is_never_dialed_again_by_itself(
    owner: Person, progress: CallProgress
) -> None:
    batch = dialed_batch(owner, retry=5)
    one = ring()
    record(one, nobody_knows(one))
    assert record(one, heard(one, progress, after(300))) == []
    assert (call_of(one).status, counted(batch)) == ("failed", {"failed": 1})


def test_an_unknown_call_does_not_begin_to_talk_again(owner: Person) -> None:
    dialed_batch(owner)
    one = ring()
    record(one, nobody_knows(one))
    late = heard(one, IN_PROGRESS, after(1))
    assert record(one, late) == [late]


def test_a_report_of_an_attempt_before_the_last_changes_only_that_attempt(owner: Person) -> None:
    batch = dialed_batch(owner)
    first = ring()
    record(first, nobody_knows(first))
    retry_calls(
        workspace_id=owner.workspace.id,
        batch_id=batch.id,
        statuses=[CallStatus.UNKNOWN],
        actor=Actor(),
        now=after(1),
    )
    ring(after(2))
    before = Call.objects.values().get()
    assert record(first, heard(first, COMPLETED, after(3))) == []
    assert Call.objects.values().get() == before
    assert CallAttempt.objects.get(id=first.attempt_id.hex()).status == "completed"
    assert counted(batch) == {"in-progress": 1}
    assert Lease.objects.count() == 1


def test_attempts_of_another_batch_are_left_alone(owner: Person, stranger: Person) -> None:
    dialed_batch(owner)
    one = ring()
    foreign = dialed_batch(stranger, 0)
    told = heard(one, COMPLETED)
    assert record_of(foreign, told) == [told]
    assert call_of(one).status == "in-progress"


def record_of(batch: CallBatch, told: Heard) -> list[Heard]:
    return record_reports(batch_id=batch.id, reports=[told], patience=PATIENCE, now=NOW)


# --- The end of a batch ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["pending", "in-progress"])
def test_a_batch_with_another_call_to_make_goes_on(owner: Person, status: str) -> None:
    batch = dialed_batch(owner, 1)
    one = ring()
    factories.CallFactory.create(batch=batch, status=status)
    record(one, heard(one, COMPLETED))
    assert status_of(batch) == BatchStatus.ACTIVE


def test_a_batch_ends_with_the_last_of_several_that_end_together(owner: Person) -> None:
    batch = dialed_batch(owner, 3)
    calls = claim().calls
    send(calls)
    ends = [COMPLETED, BUSY, FAILED]
    record(calls[0], *map(heard, calls, ends))
    assert status_of(batch) == BatchStatus.COMPLETED
    assert counted(batch) == {"completed": 1, "failed": 2, "picked": 1}


@pytest.mark.parametrize("status", ["stopped", "paused"])
def test_only_an_active_batch_is_completed(owner: Person, status: str) -> None:
    batch = dialed_batch(owner)
    one = ring()
    reason = "no_number" if status == "paused" else ""
    CallBatch.objects.update(status=status, status_reason=reason)
    record(one, heard(one, COMPLETED))
    assert (status_of(batch), counted(batch)) == (status, {"completed": 1, "picked": 1})


@pytest.mark.django_db(transaction=True)
def test_two_who_record_the_last_two_calls_at_once_complete_the_batch() -> None:
    batch = dialed_batch(person(), 2)
    calls = claim().calls
    send(calls)
    ready = threading.Barrier(2, timeout=30)

    def record_beside(number: int) -> None:
        one = calls[number]
        try:
            ready.wait()
            record(one, heard(one, COMPLETED, NOW + timedelta(seconds=number)))
        finally:
            connection.close()

    threads = [threading.Thread(target=record_beside, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert status_of(batch) == BatchStatus.COMPLETED
    assert counts_of(batch.id)[CallStatus.COMPLETED] == 2
    assert list(drifts()) == []

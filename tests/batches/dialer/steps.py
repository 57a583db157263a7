"""The steps of the dialer, taken one by one with a clock of the test's own."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from batches.dialer.claim import Claim, claim_calls
from batches.dialer.gate import pass_gate
from batches.dialer.store import Claimed
from batches.dialer.timing import Timing
from batches.models import AttemptStatus, BatchStatus, Call, CallBatch, CallEvent, CallStatus
from batches.services.counters import change_counts
from batches.services.outcomes import Heard, record_reports
from batches.services.returns import Return, give_back
from calling.carriers.base import CallProgress, CallReport
from calling.models import PhoneNumber
from tests import factories
from tests.cast import Person
from workspaces.models import DialSchedule, Workspace
from workspaces.services.dialing import wake

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday; New York shows 07:00
LEASE = timedelta(seconds=20)
PATIENCE = timedelta(seconds=60)
TIMING = Timing(
    lease=LEASE, patience=PATIENCE, place_within=10, look_up_after=[0, 5, 15, 30], stop_within=1
)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def number_of(who: Person, **fields: Any) -> PhoneNumber:
    """A number of the person's workspace."""
    made: PhoneNumber = factories.PhoneNumberFactory.create(
        workspace=who.workspace, created_by=who.user, **fields
    )
    return made


def dialed_batch(
    who: Person, calls: int = 1, *, phones: Iterable[PhoneNumber] | None = None, **fields: Any
) -> CallBatch:
    """An active batch with numbers, one unless they are given, and so many calls that are due."""
    batch: CallBatch = factories.CallBatchFactory.create(
        workspace=who.workspace,
        created_by=who.user,
        **{"status": BatchStatus.ACTIVE, **fields},
    )
    for position, phone in enumerate([number_of(who)] if phones is None else phones):
        factories.BatchNumberFactory.create(batch=batch, phone=phone, position=position)
    add_calls(batch, calls)
    wake(who.workspace.id, NOW)
    return batch


def add_calls(batch: CallBatch, number: int) -> None:
    """Quicker than the factory, for many."""
    if number < 20:
        factories.CallFactory.create_batch(number, batch=batch)
        return
    Call.objects.bulk_create(factories.CallFactory.build_batch(number, batch=batch))
    change_counts(
        workspace_id=batch.workspace_id,
        batch_id=batch.id,
        changes={CallStatus.PENDING: number},
    )


def claim(now: datetime = NOW, most: int = 100) -> Claim:
    """Of a workspace that has to be due."""
    claimed = claim_calls(now=now, most=most, lease=LEASE)
    assert claimed is not None, "no workspace is due"
    return claimed


def claim_one(now: datetime = NOW) -> Claimed:
    """Wake the workspace that has a batch, claim the only call that can be dialed."""
    wake(DialSchedule.objects.get().workspace_id, now)
    [claimed] = claim(now).calls
    return claimed


def send(calls: Sequence[Claimed], now: datetime = NOW) -> None:
    """Through the gate, all of them."""
    passed = pass_gate([one.attempt_id for one in calls], now=now)
    assert passed.sent == {one.attempt_id for one in calls}


def ring(now: datetime = NOW) -> Claimed:
    """Claim and send the only call that can be dialed."""
    claimed = claim_one(now)
    send([claimed], now)
    return claimed


def report(progress: CallProgress, at: datetime = NOW, **fields: Any) -> CallReport:
    if progress in (CallProgress.COMPLETED, CallProgress.IN_PROGRESS):
        fields = {"answered_at": at, **fields}
    return CallReport(progress=progress, at=at, **fields)


def heard(call: Claimed, progress: CallProgress, at: datetime = NOW, **fields: Any) -> Heard:
    return Heard.of(call.attempt_id.hex(), report(progress, at, **fields))


def nobody_knows(call: Claimed, at: datetime = NOW) -> Heard:
    """That the carrier will never tell."""
    nothing = CallReport(progress=CallProgress.FAILED, at=at, hangup_cause="unknown")
    return Heard(call.attempt_id.hex(), AttemptStatus.UNKNOWN, nothing)


def record(call: Claimed, *reports: Heard, now: datetime | None = None) -> list[Heard]:
    """Those that changed nothing."""
    return record_reports(
        batch_id=call.batch_id.hex(),
        reports=reports,
        patience=PATIENCE,
        now=now or max(one.report.at for one in reports),
    )


def end(call: Claimed, progress: CallProgress, at: datetime = NOW, **fields: Any) -> None:
    """Send and end it."""
    send([call], at)
    assert record(call, heard(call, progress, at, **fields)) == []


def put_back(call: Claimed, why: Return, now: datetime = NOW) -> int:
    return give_back(batch_id=call.batch_id.hex(), returns={call.attempt_id.hex(): why}, now=now)


def call_of(claimed: Claimed) -> Call:
    return Call.objects.get(id=claimed.call_id.hex())


def next_dial_at(workspace: Workspace) -> datetime | None:
    return DialSchedule.objects.get(workspace=workspace).next_dial_at


def timeline(call: Call) -> list[tuple[str, str, str]]:
    """(status after, reason, detail) of a call's events, in their order."""
    events = CallEvent.objects.filter(call=call).order_by("created_at", "id")
    return list(events.values_list("to_status", "reason", "detail"))


def status_of(batch: CallBatch) -> str:
    return CallBatch.objects.get(id=batch.id).status

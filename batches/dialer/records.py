"""Results into the database, in bulk: called in the dialer's recording thread."""

from collections.abc import Sequence
from datetime import datetime

import psycopg
import structlog

from batches.dialer.looks import Later, Unknown, note_accepted, note_unsure, postpone
from batches.dialer.placing import Result
from batches.dialer.timing import Timing
from batches.models import AttemptStatus
from batches.services.carrier_trouble import note_exchanges
from batches.services.outcomes import Heard, record_reports
from batches.services.returns import Return, give_back
from calling.carriers.base import CallProgress, CallReport
from workspaces.sql import AWAY

log = structlog.get_logger(__name__)


def record_results(results: Sequence[Result], timing: Timing, *, now: datetime) -> list[Result]:
    """Record what came of attempts. Returns those that have to wait: somebody holds their batch.

    Everything here may be repeated: what was recorded before changes nothing. Raises `AWAY`.
    """
    if unsure := [bytes.fromhex(one.attempt_id) for one in results if one.outcome is None]:
        note_unsure(unsure, now=now)
    if accepted := {
        bytes.fromhex(one.attempt_id): one.outcome.carrier_call_id
        for one in results
        if isinstance(one.outcome, CallReport) and one.outcome.progress is CallProgress.QUEUED
    }:
        note_accepted(accepted, look_at=now + timing.patience)
    by_batch: dict[str, list[Result]] = {}
    for one in results:
        if one.outcome is not None and bytes.fromhex(one.attempt_id) not in accepted:
            by_batch.setdefault(one.batch_id, []).append(one)
    left: list[Result] = []
    for batch_id, of_batch in by_batch.items():
        try:
            _record(batch_id, of_batch, timing, now)
        except AWAY as error:
            if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                raise
            left += of_batch
        except Exception:  # one batch's fault; its attempts are looked after when their leases end
            log.exception("dialer.not_recorded", batch=batch_id)
    # Last: what is wrong with one account must not keep the outcomes of others from being recorded.
    note_exchanges([one.exchange for one in results if one.exchange is not None], now=now)
    return left


def _record(batch_id: str, results: Sequence[Result], timing: Timing, now: datetime) -> None:
    returns = {one.attempt_id: one.outcome for one in results if isinstance(one.outcome, Return)}
    if returns:
        give_back(batch_id=batch_id, returns=returns, now=now)
    reports = [heard for one in results if (heard := _heard(one, now)) is not None]
    if not reports:
        return
    ignored = record_reports(
        batch_id=batch_id, reports=reports, patience=timing.patience, now=now, notify=False
    )
    # Still as far as we knew: wait for a callback again.
    if waiting := [one for one in ignored if not one.report.progress.is_final]:
        later = Later(now + timing.patience, 0, None)
        postpone({bytes.fromhex(one.attempt_id): later for one in waiting})


def _heard(result: Result, now: datetime) -> Heard | None:
    if isinstance(result.outcome, CallReport):
        return Heard.of(result.attempt_id, result.outcome)
    if isinstance(result.outcome, Unknown):
        nothing = CallReport(progress=CallProgress.FAILED, at=now, hangup_cause="unknown")
        return Heard(result.attempt_id, AttemptStatus.UNKNOWN, nothing)
    return None

"""What each of the dialer's threads does in one go. The clock is read here, once a step."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.utils import timezone

from batches.dialer.claim import Claim, ClaimFailed, claim_calls, next_due, postpone_workspace
from batches.dialer.gate import Passed, is_switched_off, pass_gate
from batches.dialer.looks import Look, take_due_looks
from batches.dialer.placing import Result
from batches.dialer.records import record_results
from batches.dialer.timing import Timing
from batches.services.returns import close_if_idle, skip_listed
from workspaces.sql import AWAY

LOOKS_AT_A_TIME = 100
POLL_EVERY = timedelta(seconds=5)  # a notification that was lost costs no more
SHORTEST_WAIT = timedelta(seconds=0.02)  # while another dialer claims what is due

log = structlog.get_logger(__name__)


def look_for_work(timing: Timing, most: int) -> Claim | float:
    """A claim, or how many seconds to wait for the next."""
    now = timezone.now()
    try:
        claim = claim_calls(now=now, most=most, lease=timing.lease)
    except ClaimFailed as failed:
        log.exception("dialer.claim_failed", workspace=failed.workspace_id)
        postpone_workspace(failed.workspace_id, now=now)
        return 0.0
    if claim is None:
        due = next_due()
        wait = POLL_EVERY if due is None else min(POLL_EVERY, max(SHORTEST_WAIT, due - now))
        return wait.total_seconds()
    try:
        _settle(claim, now)
    except AWAY as error:  # the calls are ours all the same; the rest is found by the next look
        log.warning("dialer.not_settled", error=type(error).__name__)
    return claim


def _settle(claim: Claim, now: datetime) -> None:
    """What a claim may not do, because it takes the locks of batches."""
    for batch_id, call_ids in claim.listed.items():
        skip_listed(batch_id=batch_id.hex(), call_ids=[id_.hex() for id_ in call_ids], now=now)
    for batch_id in [*claim.without_number, *claim.idle]:
        close_if_idle(batch_id=batch_id.hex(), now=now)


def look_again(attempt_ids: Sequence[bytes]) -> Passed:
    return pass_gate(attempt_ids, now=timezone.now())


def look_at_switches(attempt_id: bytes) -> datetime | None:
    """The moment as of which no kill switch is thrown for it; None: one is."""
    now = timezone.now()  # before the database is asked: waiting for it counts
    return None if is_switched_off(attempt_id) else now


def take_looks(timing: Timing) -> list[Look]:
    return take_due_looks(now=timezone.now(), most=LOOKS_AT_A_TIME, lease=timing.lease)


def record(results: Sequence[Result], timing: Timing) -> list[Result]:
    return record_results(results, timing, now=timezone.now())

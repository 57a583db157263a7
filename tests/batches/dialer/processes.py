"""What became of a stage of real processes, call by call: the simulator's books against ours.

`stage.judge_rings` tells what must not have happened; here each call must have gone as its number says.
"""

import os
import signal
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from calling.carriers.base import CallProgress, CallReport
from calling.carriers.simulator.script import Plan, script_for, timeline
from tests.batches.dialer.stage import Stage

RINGS = "SELECT count(*) FROM calling_simulatedcall"
LEASES = "SELECT count(*) FROM batches_lease"
UNSENT = "SELECT count(*) FROM batches_lease WHERE sent_at IS NULL"
SENT = "SELECT count(*) FROM batches_lease WHERE sent_at IS NOT NULL"
_CALLS = "SELECT phone_number, status, attempts_made FROM batches_call ORDER BY phone_number"
_RINGS = """
SELECT to_number, request_uuid, rang_at, called_before, time_scale, hung_up_at
FROM calling_simulatedcall ORDER BY to_number, rang_at
"""
_ATTEMPTS = "SELECT to_number, request_uuid, status, ended_at FROM batches_callattempt"
_RETURNED = """
SELECT reason, detail, count(*) FROM batches_callevent
WHERE reason IN ('never_placed', 'not_dialed') GROUP BY 1, 2 ORDER BY 1, 2
"""
_LAST_EVENTS = """
SELECT call.phone_number, event.from_status, event.to_status, event.reason, event.detail,
    event.request_uuid, event.created_at
FROM batches_callevent AS event JOIN batches_call AS call ON call.id = event.call_id
WHERE {which} ORDER BY event.created_at DESC LIMIT 30
"""
_OPEN = "call.status IN ('pending', 'in-progress')"


@dataclass(slots=True)
class Verdict:
    """How many calls ended how, and what is wrong with which numbers."""

    calls: Counter[str] = field(default_factory=Counter)
    rings: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.rings} rings, {dict(self.calls)}"


def judge_calls(found: Stage) -> Verdict:
    """Each call rang as often as its number and one retry say, its outcome is that of its last ring,
    and there is exactly one attempt for each ring, which ended as the ring did."""
    rings = defaultdict(list)
    for number, request_uuid, *rest in found.rows(_RINGS):
        rings[number].append((request_uuid, _plan(number, request_uuid, *rest)))
    attempts: dict[str, dict[Any, tuple[str, datetime]]] = defaultdict(dict)
    for number, request_uuid, status, ended_at in found.rows(_ATTEMPTS):
        attempts[number][request_uuid] = status, ended_at
    verdict = Verdict(rings=sum(map(len, rings.values())))
    for number, status, made in found.rows(_CALLS):
        verdict.calls[status] += 1
        mine = rings.pop(number, [])
        problems = [*_of_rings([plan for _, plan in mine]), *_of_attempts(mine, attempts[number])]
        if made != len(mine):
            problems.append(f"{made} attempts counted")
        if mine and status != (expected := _outcome(mine[-1][1], len(mine))):
            problems.append(f"is {status} and should be {expected}")
        if problems:
            verdict.wrong.append(f"{number}, {len(mine)} rings: {'; '.join(problems)}")
    verdict.wrong += [f"{number}: rang, and there is no such call" for number in rings]
    return verdict


def assert_as_the_ledger_says(found: Stage) -> Verdict:
    verdict = judge_calls(found)
    if verdict.wrong:
        shown = "\n".join(verdict.wrong[:10])
        events = [
            found.rows(_LAST_EVENTS.format(which=f"call.phone_number = '{one.split(',')[0]}'"))
            for one in verdict.wrong[:2]
        ]
        raise AssertionError(f"{len(verdict.wrong)} calls went wrong:\n{shown}\n{events}")
    return verdict


def returned(found: Stage) -> dict[str, int]:
    """Claims that came to nothing, by the reason."""
    return {f"{reason} {detail}".strip(): n for reason, detail, n in found.rows(_RETURNED)}


def story(found: Stage) -> str:
    """For a stage that does not come to an end: where it stands, and what happened last."""
    last = "\n".join(map(str, found.rows(_LAST_EVENTS.format(which=_OPEN))))
    return f"{found.dump()}\nleases: {found.value(LEASES)}\n{last}"


@contextmanager
def frozen(process: subprocess.Popen[bytes]) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


# --- One number ---------------------------------------------------------------------------------------


def _plan(
    number: str,
    request_uuid: Any,
    rang_at: datetime,
    called_before: bool,
    scale: float,
    hung_up_at: datetime | None,
) -> Plan:
    script = script_for(to_number=number, request_uuid=request_uuid, called_before=called_before)
    return Plan(script=script, call_id="", rang_at=rang_at, scale=scale, hung_up_at=hung_up_at)


def _end(plan: Plan) -> CallReport:
    return timeline(plan)[-1]


def _may_ring_again(plan: Plan) -> bool:
    end = _end(plan)
    is_reached = end.progress is CallProgress.COMPLETED
    return not (is_reached or end.permanent or plan.script.is_lost)


def _of_rings(plans: list[Plan]) -> list[str]:
    if not plans:
        return ["never rang"]
    wanted = 2 if _may_ring_again(plans[0]) else 1
    wrong = [] if len(plans) == wanted else [f"should have rung {wanted} times"]
    for earlier, later in pairwise(plans):
        if later.rang_at < _end(earlier).at:
            wrong.append(f"rang at {later.rang_at}, until {_end(earlier).at} it was ringing")
    return wrong


def _of_attempts(
    mine: list[tuple[Any, Plan]], attempts: dict[Any, tuple[str, datetime]]
) -> list[str]:
    wrong = []
    ended_before: datetime | None = None
    for request_uuid, plan in mine:
        status, ended_at = attempts.pop(request_uuid, ("", None))
        expected = "unknown" if plan.script.is_lost else _end(plan).progress.value
        if status != expected:
            wrong.append(f"{request_uuid} ended {expected}, its attempt is {status or 'gone'}")
        if ended_before is not None and plan.rang_at < ended_before:
            wrong.append(f"{request_uuid} rang before the attempt before it had ended")
        ended_before = ended_at
    return wrong + [
        f"{request_uuid} never rang: {attempts[request_uuid]}" for request_uuid in attempts
    ]


def _outcome(plan: Plan, rings: int) -> str:
    if plan.script.is_lost:
        return "unknown"
    if _end(plan).progress is CallProgress.COMPLETED:
        return "completed"
    return "pending" if rings == 1 and _may_ring_again(plan) else "failed"

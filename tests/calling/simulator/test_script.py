"""What becomes of a simulated call: the table of the contract, row by row, without a clock."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from calling.carriers.base import CallReport
from calling.carriers.simulator.script import (
    Plan,
    Script,
    callbacks,
    report_at,
    script_for,
    timeline,
)

RANG_AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
REQUEST = UUID("550e8400-e29b-41d4-a716-446655440000")
ANSWERED = "queued ringing in-progress completed"
IN_ORDER = "ringing in-progress completed"


def script(digits: str, *, called_before: bool = False, request_uuid: UUID = REQUEST) -> Script:
    number = f"+121255512{digits}"
    return script_for(to_number=number, request_uuid=request_uuid, called_before=called_before)


def plan(digits: str, *, scale: float = 1, hung_up: float | None = None) -> Plan:
    hung_up_at = None if hung_up is None else RANG_AT + timedelta(seconds=hung_up)
    return Plan(
        script=script(digits), call_id="1", rang_at=RANG_AT, scale=scale, hung_up_at=hung_up_at
    )


def words(reports: list[CallReport]) -> str:
    return " ".join(report.progress for report in reports)


def told(one: Plan) -> str:
    return words([report for _, report in callbacks(one)])


def seconds(report: CallReport) -> float:
    return (report.at - RANG_AT).total_seconds()


@pytest.mark.parametrize(
    ("digits", "happens", "is_told"),
    [
        ("01", "queued ringing busy", "ringing busy"),
        ("02", "queued ringing no-answer", "ringing no-answer"),
        ("03", "queued ringing failed", "ringing failed"),
        ("04", "queued ringing failed", "ringing failed"),
        ("05", "queued ringing busy", "ringing busy"),
        ("06", ANSWERED, ""),
        ("07", ANSWERED, "completed in-progress ringing completed"),
        ("08", ANSWERED, ""),
        ("09", ANSWERED, ""),
        *((digits, ANSWERED, IN_ORDER) for digits in ("10", "11", "00", "34", "99")),
    ],
)
def test_the_last_two_digits_say_what_happens_and_what_is_told(
    digits: str, happens: str, is_told: str
) -> None:
    assert words(timeline(plan(digits))) == happens
    assert told(plan(digits)) == is_told


def test_05_is_busy_the_first_time_only() -> None:
    assert script("05").end == "busy"
    assert script("05", called_before=True) == script("34")


def test_only_04_is_not_worth_another_try() -> None:
    permanent = [f"{n:02}" for n in range(100) if timeline(plan(f"{n:02}"))[-1].permanent]
    assert permanent == ["04"]


def test_only_08_and_09_fail_after_they_rang_and_only_09_is_never_found() -> None:
    scripts = {f"{n:02}": script(f"{n:02}") for n in range(100)}
    assert [digits for digits, one in scripts.items() if one.fault] == ["08", "09"]
    assert [digits for digits, one in scripts.items() if one.is_lost] == ["09"]


def test_10_rings_for_8_seconds_and_talks_for_20() -> None:
    *_, answer, end = timeline(plan("10"))
    assert (seconds(answer), seconds(end), end.talk_seconds) == (8, 28, 20)


def test_an_ordinary_call_takes_1_to_2_seconds_and_not_always_the_same() -> None:
    lengths = [
        one.ring + one.talk for one in (script("34", request_uuid=uuid4()) for _ in range(100))
    ]
    assert all(1 <= length <= 2 for length in lengths)
    assert max(lengths) - min(lengths) > 0.3
    assert script("34") == script("34")


def test_an_answered_call_says_when_and_for_how_long() -> None:
    _, ringing, answer, end = timeline(plan("34"))
    assert (ringing.answered_at, ringing.talk_seconds) == (None, 0)
    assert (answer.answered_at, answer.talk_seconds) == (answer.at, 0)
    assert (end.answered_at, end.talk_seconds) == (answer.at, 1)
    assert {report.carrier_call_id for report in timeline(plan("34"))} == {"1"}
    busy = timeline(plan("01"))[-1]
    assert (busy.answered_at, busy.talk_seconds, busy.hangup_cause) == (None, 0, "user_busy")


@pytest.mark.parametrize(("scale", "talk"), [(0.05, 1), (0.5, 10), (1, 20), (3, 60)])
def test_the_scale_stretches_everything(scale: float, talk: int) -> None:
    plain, scaled = timeline(plan("10")), timeline(plan("10", scale=scale))
    assert [seconds(one) for one in scaled] == pytest.approx([seconds(o) * scale for o in plain])
    assert scaled[-1].talk_seconds == talk
    dues = [(due - RANG_AT).total_seconds() for due, _ in callbacks(plan("10", scale=scale))]
    assert dues == pytest.approx([seconds(one) * scale for one in plain[1:]])


@pytest.mark.parametrize(
    ("after", "progress"),
    [
        *((-5, "queued"), (0, "queued"), (0.05, "queued"), (0.1, "ringing"), (7.9, "ringing")),
        *((8, "in-progress"), (27.9, "in-progress"), (28, "completed"), (9999, "completed")),
    ],
)
def test_a_look_up_tells_how_far_the_call_is(after: float, progress: str) -> None:
    assert report_at(plan("10"), RANG_AT + timedelta(seconds=after)).progress == progress


def test_callbacks_are_due_when_they_become_true() -> None:
    for digits in ("01", "34"):
        assert all(due == report.at for due, report in callbacks(plan(digits)))
    one = plan("07")
    assert {due for due, _ in callbacks(one)} == {timeline(one)[-1].at}


@pytest.mark.parametrize(
    ("digits", "after", "happens", "is_told"),
    [
        ("34", 0.05, "queued canceled", "canceled"),
        ("34", 0.2, "queued ringing canceled", "ringing canceled"),
        ("01", 0.2, "queued ringing canceled", "ringing canceled"),
        ("06", 0.2, "queued ringing canceled", ""),
        ("07", 0.2, "queued ringing canceled", "canceled ringing canceled"),
    ],
)
def test_a_call_that_was_hung_up_goes_no_further(
    digits: str, after: float, happens: str, is_told: str
) -> None:
    one = plan(digits, hung_up=after)
    end = timeline(one)[-1]
    assert words(timeline(one)) == happens
    assert told(one) == is_told
    assert (seconds(end), end.talk_seconds, end.answered_at) == (after, 0, None)

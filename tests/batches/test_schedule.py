"""When a contact may be called, in every zone and around every change of its clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batches.schedule import Window, allowed_until, is_allowed, next_allowed, open_spans

SUNDAY, MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY = range(7)
NEW_YORK, APIA, LORD_HOWE = "America/New_York", "Pacific/Apia", "Australia/Lord_Howe"
BUSINESS = Window(9 * 60, 17 * 60, frozenset({MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY}))
INSTANT = timedelta(microseconds=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def between(start: str, end: str, *days: int) -> Window:
    """`between("02:00", "24:00")`: those hours on those days, on every day if none is named."""
    first, last = (int(time[:2]) * 60 + int(time[3:]) for time in (start, end))
    return Window(first, last, frozenset(days or range(7)))


def spans(
    at: str, zone: str, window: Window | None, count: int
) -> list[tuple[datetime, datetime | None]]:
    return list(islice(open_spans(utc(at), zone, window), count))


# --- Hours and days -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "allowed"),
    [
        ("2025-06-02T12:59:59.999999", False),
        ("2025-06-02T13:00", True),  # Monday, 09:00 in New York
        ("2025-06-02T20:59:59.999999", True),
        ("2025-06-02T21:00", False),
        ("2025-06-07T15:00", False),  # a Saturday
        ("2025-12-01T13:30", False),  # 08:30 in winter
    ],
)
def test_business_hours_are_those_of_the_contact_and_exclude_their_end(
    at: str, allowed: bool
) -> None:
    assert is_allowed(utc(at), NEW_YORK, BUSINESS) is allowed


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        ("2025-06-02T09:00", "2025-06-02T13:00"),  # before work
        ("2025-06-02T15:00:00.000001", "2025-06-02T15:00:00.000001"),  # at work: now
        ("2025-06-02T21:00", "2025-06-03T13:00"),  # after work
        ("2025-06-06T21:00", "2025-06-09T13:00"),  # over the weekend
        ("2025-03-07T22:00", "2025-03-10T13:00"),  # and into summer time
    ],
)
def test_a_closed_window_opens_at_the_next_start_of_work(at: str, opens: str) -> None:
    assert next_allowed(utc(at), NEW_YORK, BUSINESS) == utc(opens)


def test_an_open_window_closes_at_the_end_of_work() -> None:
    assert allowed_until(utc("2025-06-02T13:00"), NEW_YORK, BUSINESS) == utc("2025-06-02T21:00")


def test_the_end_of_a_closed_window_is_a_mistake() -> None:
    for window in (BUSINESS, None):
        with pytest.raises(ValueError, match="outside of the window in America/New_York"):
            allowed_until(utc("2025-06-02T21:00"), NEW_YORK, window)


def test_a_window_until_24_00_includes_the_last_instant_of_the_day_and_nothing_of_the_next() -> (
    None
):
    window = between("22:00", "24:00", MONDAY)

    assert is_allowed(utc("2025-06-02T23:59:59.999999"), "UTC", window)
    assert not is_allowed(utc("2025-06-03T00:00"), "UTC", window)
    assert allowed_until(utc("2025-06-02T23:00"), "UTC", window) == utc("2025-06-03T00:00")


def test_weekdays_are_those_of_the_local_calendar() -> None:
    at = utc("2025-06-01T10:30")  # Saturday 23:30 in Pago Pago, Monday 00:30 on Kiritimati
    on = {day: between("00:00", "24:00", day) for day in (SATURDAY, SUNDAY, MONDAY)}

    def days(zone: str) -> list[int]:
        return [day for day, window in on.items() if is_allowed(at, zone, window)]

    assert days("Pacific/Pago_Pago") == [SATURDAY]
    assert days("UTC") == [SUNDAY]
    assert days("Pacific/Kiritimati") == [MONDAY]
    assert next_allowed(at, "Pacific/Pago_Pago", on[SUNDAY]) == utc("2025-06-01T11:00")
    assert next_allowed(at, "Pacific/Kiritimati", on[SUNDAY]) == utc("2025-06-07T10:00")


def test_a_leap_day_and_a_new_year_are_days_like_others() -> None:
    tuesdays, fridays = between("09:00", "17:00", TUESDAY), between("09:00", "17:00", FRIDAY)

    assert next_allowed(utc("2028-02-28T18:00"), "UTC", tuesdays) == utc("2028-02-29T09:00")
    assert next_allowed(utc("2028-02-29T17:00"), "UTC", tuesdays) == utc("2028-03-07T09:00")
    assert next_allowed(utc("2026-12-31T18:00"), "Asia/Kolkata", fridays) == utc("2027-01-01T03:30")


def test_answers_are_in_utc_whatever_zone_the_question_is_in() -> None:
    at = datetime(2025, 6, 2, 18, 30, tzinfo=ZoneInfo("Asia/Tokyo"))  # 05:30 in New York

    opens = next_allowed(at, NEW_YORK, BUSINESS)
    unchanged = next_allowed(at, NEW_YORK, Window())

    assert (opens, unchanged) == (utc("2025-06-02T13:00"), at)
    assert opens is not None
    assert unchanged is not None
    assert opens.tzinfo is unchanged.tzinfo is UTC


# --- Changes of the clock -------------------------------------------------------------------------


def test_a_window_whose_start_a_gap_swallows_opens_right_after_the_gap() -> None:
    """New York's clock went from 02:00 to 03:00 at 07:00 UTC."""
    window = between("02:30", "04:00")

    assert spans("2025-03-09T05:00", NEW_YORK, window, 2) == [
        (utc("2025-03-09T07:00"), utc("2025-03-09T08:00")),
        (utc("2025-03-10T06:30"), utc("2025-03-10T08:00")),
    ]


def test_a_window_whose_end_a_gap_swallows_closes_at_the_gap() -> None:
    at = utc("2025-03-09T06:45")

    assert allowed_until(at, NEW_YORK, between("01:00", "02:30")) == utc("2025-03-09T07:00")


def test_a_window_that_a_gap_swallows_whole_opens_on_the_next_day() -> None:
    at = utc("2025-03-09T05:00")

    assert next_allowed(at, NEW_YORK, between("02:00", "03:00")) == utc("2025-03-10T06:00")
    assert next_allowed(at, NEW_YORK, between("02:15", "02:45", SUNDAY)) == utc("2025-03-16T06:15")


def test_a_window_that_only_lacks_what_a_gap_swallows_stays_open_across_it() -> None:
    at = utc("2025-03-09T05:00")  # 00:00, and 02:00 to 03:00 does not exist

    assert allowed_until(at, NEW_YORK, between("00:00", "05:00")) == utc("2025-03-09T09:00")


def test_a_window_within_a_repeated_hour_opens_twice() -> None:
    """New York's clock went from 02:00 back to 01:00 at 06:00 UTC."""
    assert spans("2025-11-02T04:00", NEW_YORK, between("01:15", "01:45"), 3) == [
        (utc("2025-11-02T05:15"), utc("2025-11-02T05:45")),
        (utc("2025-11-02T06:15"), utc("2025-11-02T06:45")),
        (utc("2025-11-03T06:15"), utc("2025-11-03T06:45")),
    ]


def test_a_window_around_a_repeated_hour_is_an_hour_longer() -> None:
    assert spans("2025-11-02T04:00", NEW_YORK, between("01:00", "03:00"), 1) == [
        (utc("2025-11-02T05:00"), utc("2025-11-02T08:00"))
    ]


def test_a_day_that_does_not_exist_is_never_open() -> None:
    """Samoa skipped Friday, 30 December 2011, and Kwajalein Saturday, 21 August 1993."""
    thursday = utc("2011-12-29T20:00")

    assert next_allowed(thursday, APIA, between("09:00", "17:00", FRIDAY)) == utc(
        "2012-01-05T19:00"
    )
    assert spans("2011-12-30T09:00", APIA, between("00:00", "24:00", THURSDAY, SATURDAY), 1) == [
        (utc("2011-12-30T09:00"), utc("2011-12-31T10:00"))  # Thursday ends as Saturday begins
    ]
    assert next_allowed(
        utc("1993-08-21T00:00"), "Pacific/Kwajalein", between("09:00", "17:00", SATURDAY)
    ) == utc("1993-08-27T21:00")


def test_a_change_may_be_half_an_hour() -> None:
    """Lord Howe's clock goes from 02:00 to 02:30 in October, and back to 01:30 in April."""
    window = between("01:45", "02:15")

    assert spans("2025-10-04T12:00", LORD_HOWE, window, 2) == [
        (utc("2025-10-04T15:15"), utc("2025-10-04T15:30")),
        (utc("2025-10-05T14:45"), utc("2025-10-05T15:15")),
    ]
    assert spans("2025-04-05T12:00", LORD_HOWE, window, 2) == [
        (utc("2025-04-05T14:45"), utc("2025-04-05T15:00")),
        (utc("2025-04-05T15:15"), utc("2025-04-05T15:45")),
    ]


def test_an_offset_may_have_seconds() -> None:
    """Monrovia was 44 minutes and 30 seconds behind until 1972."""
    opens = next_allowed(utc("1971-06-01T00:00"), "Africa/Monrovia", between("09:00", "17:00"))

    assert opens == utc("1971-06-01T09:44:30")


# --- Windows --------------------------------------------------------------------------------------


def test_narrowing_leaves_what_both_allow() -> None:
    other = between("08:00", "12:00", SATURDAY, MONDAY)

    assert BUSINESS.narrowed_by(other) == between("09:00", "12:00", MONDAY)
    assert other.narrowed_by(BUSINESS) == between("09:00", "12:00", MONDAY)
    assert BUSINESS.narrowed_by(Window()) == BUSINESS


def test_narrowing_may_leave_nothing() -> None:
    assert between("09:00", "12:00").narrowed_by(between("12:00", "13:00")) is None
    assert BUSINESS.narrowed_by(between("09:00", "17:00", SUNDAY)) is None


def test_no_window_is_never_open() -> None:
    at = utc("2025-06-02T15:00")

    assert not is_allowed(at, NEW_YORK, None)
    assert next_allowed(at, NEW_YORK, None) is None
    assert list(open_spans(at, NEW_YORK, None)) == []


def test_a_window_of_all_hours_and_days_is_always_open() -> None:
    at = utc("2025-06-02T15:00")

    assert Window().is_always
    assert next_allowed(at, NEW_YORK, Window()) == at
    assert allowed_until(at, NEW_YORK, Window()) is None
    assert list(open_spans(at, NEW_YORK, Window())) == [(at, None)]


@pytest.mark.parametrize(
    "window", [Window(start=1), Window(end=1439), Window(days=frozenset(range(1, 7)))]
)
def test_a_window_that_lacks_a_minute_or_a_day_is_not_always_open(window: Window) -> None:
    assert not window.is_always


@pytest.mark.parametrize(("start", "end"), [(-1, 60), (60, 60), (61, 60), (0, 1441)])
def test_a_window_needs_minutes_of_a_day(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="no minutes of a day"):
        Window(start, end)


@pytest.mark.parametrize("days", [[], [7], [-1, 0]])
def test_a_window_needs_days_of_a_week(days: list[int]) -> None:
    with pytest.raises(ValueError, match="no days of a week"):
        Window(days=frozenset(days))


def test_spans_that_meet_at_midnight_are_one() -> None:
    weekend = between("00:00", "24:00", SATURDAY, SUNDAY)  # Sunday and Saturday are 0 and 6

    assert spans("2025-06-04T00:00", "UTC", weekend, 2) == [
        (utc("2025-06-07T00:00"), utc("2025-06-09T00:00")),
        (utc("2025-06-14T00:00"), utc("2025-06-16T00:00")),
    ]


# --- Any zone, any instant, any window ------------------------------------------------------------


ZONES = sorted(available_timezones())
Steps = list[timedelta]
STEPS = [timedelta(hours=12), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)]


class Case(NamedTuple):
    zone: str
    at: datetime
    window: Window


def offset(at: datetime, zone: str) -> timedelta | None:
    return at.astimezone(ZoneInfo(zone)).utcoffset()


def open_by_the_wall_clock(case: Case, at: datetime) -> bool:
    local, window = at.astimezone(ZoneInfo(case.zone)), case.window
    since_midnight = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)
    opens, closes = timedelta(minutes=window.start), timedelta(minutes=window.end)
    return opens <= since_midnight < closes and (local.weekday() + 1) % 7 in window.days


def changes(zone: str, start: datetime, end: datetime, steps: Steps) -> Iterator[datetime]:
    """When the offset changes: found in steps, then in finer steps within one; perhaps past the end."""
    step, *finer = steps
    at = start
    while at < end:
        then = at + step
        if offset(at, zone) != offset(then, zone):
            yield from changes(zone, at, then, finer) if finer else [then]
        at = then


def wall_minutes(case: Case, end: datetime) -> Iterator[datetime]:
    """From the case's instant on, the starts of minutes on the wall and the changes of its clock.

    What is open can change at no other instant.
    """
    at = case.at
    jumps = changes(case.zone, at.replace(microsecond=0), end, STEPS[1:])
    for stop in [*(jump for jump in jumps if jump < end), end]:
        local = at.astimezone(ZoneInfo(case.zone))
        minute = at - timedelta(seconds=local.second, microseconds=local.microsecond)
        while at < stop:
            yield at
            at = minute = minute + timedelta(minutes=1)
        at = stop


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Half of them are within days of a change of the clock, if it changed that year."""
    zone = draw(st.sampled_from(ZONES))
    at = utc("1970-01-02T00:00") + draw(st.timedeltas(timedelta(), timedelta(days=47_000)))
    if draw(st.booleans()):
        year = datetime(at.year, 1, 1, tzinfo=UTC)
        found = list(changes(zone, year, year + timedelta(days=365), STEPS))
        offsets = st.timedeltas(timedelta(days=-3), timedelta(hours=3)) | st.sampled_from(
            [timedelta(), -INSTANT, INSTANT, timedelta(hours=-1), timedelta(days=-1)]
        )
        at = draw(st.sampled_from(found)) + draw(offsets) if found else at
    start = draw(st.integers(0, 1439) | st.integers(0, 240))
    end = draw(st.integers(start + 1, 1440) | st.integers(start + 1, min(start + 60, 1440)))
    days = draw(st.just(range(7)) | st.sets(st.integers(0, 6), min_size=1))
    return Case(zone, at, Window(start, end, frozenset(days)))


three_hundred = settings(max_examples=300, deadline=None)
ODDITIES = [
    Case(APIA, utc("2011-12-30T09:00"), between("00:00", "24:00", FRIDAY)),
    Case("Africa/Monrovia", utc("1972-01-06T20:00"), between("00:00", "00:45")),
    Case("Africa/Casablanca", utc("2087-05-10T00:00"), between("01:30", "03:30")),
]


@three_hundred
@given(cases())
@example(ODDITIES[0])
@example(ODDITIES[1])
@example(ODDITIES[2])
def test_the_next_allowed_instant_is_the_first_that_is_open(case: Case) -> None:
    opens = next_allowed(case.at, case.zone, case.window)

    assert opens is not None
    assert case.at <= opens <= case.at + timedelta(days=15)
    assert open_by_the_wall_clock(case, opens)
    for at in wall_minutes(case, opens):
        assert not open_by_the_wall_clock(case, at)


@three_hundred
@given(cases())
@example(ODDITIES[0])
@example(ODDITIES[1])
@example(ODDITIES[2])
def test_spans_hold_whatever_is_open_and_nothing_else(case: Case) -> None:
    found = open_spans(case.at, case.zone, case.window)
    start, end = next(found)

    for at in wall_minutes(case, case.at + timedelta(days=2)):
        while end is not None and at >= end:
            start, end = next(found)
        expected = open_by_the_wall_clock(case, at)
        assert (start <= at) is is_allowed(at, case.zone, case.window) is expected


@three_hundred
@given(cases())
def test_spans_begin_and_end_exactly_and_do_not_touch(case: Case) -> None:
    zone, window = case.zone, case.window
    last_end = None

    for start, end in islice(open_spans(case.at, zone, window), 20):
        if end is None:
            assert (window.is_always, start, last_end) == (True, case.at, None)
            return
        assert (last_end or case.at - INSTANT) < start < end
        assert start.tzinfo is end.tzinfo is UTC
        assert is_allowed(start, zone, window)
        assert start == case.at or not is_allowed(start - INSTANT, zone, window)
        assert is_allowed(end - INSTANT, zone, window)
        assert not is_allowed(end, zone, window)
        assert allowed_until(start, zone, window) == end
        assert allowed_until(end - INSTANT, zone, window) == end
        last_end = end

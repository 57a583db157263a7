from datetime import UTC, datetime, timedelta
from time import process_time
from zoneinfo import available_timezones

import pytest

from batches.forecast import Load, Pace, expected_attempts, likely_finish
from batches.schedule import Window

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday
MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)
OFFICE = Window(9 * 60, 17 * 60)


def pace(per_second: float, per_day: float | None = None, today: float = 0.0) -> Pace:
    return Pace(per_second=per_second, per_day=per_day, today=today, day_ends=MIDNIGHT)


@pytest.mark.parametrize(
    ("missed", "retry", "attempts"),
    [(0.0, 3, 1.0), (0.5, 0, 1.0), (0.5, 1, 1.5), (0.5, 2, 1.75), (1.0, 3, 4.0)],
)
def test_misses_are_tried_again(missed: float, retry: int, attempts: float) -> None:
    assert expected_attempts(missed, retry) == attempts


def test_without_hours_it_is_a_division() -> None:
    finish = likely_finish([Load("UTC", 600)], Window(), pace(2), NOON)
    assert finish == NOON + timedelta(seconds=300)


def test_what_does_not_fit_before_the_evening_goes_on_the_next_morning() -> None:
    """Five hours left today at one call a second, and one call more than that."""
    fits = likely_finish([Load("UTC", 5 * 3600)], OFFICE, pace(1), NOON)
    assert fits == datetime(2026, 11, 24, 17, tzinfo=UTC)
    rest = likely_finish([Load("UTC", 5 * 3600 + 60)], OFFICE, pace(1), NOON)
    assert rest == datetime(2026, 11, 25, 9, 1, tzinfo=UTC)


def test_what_is_closed_waits_while_others_are_called() -> None:
    loads = [Load("Europe/London", 3600), Load("America/Los_Angeles", 60)]
    assert likely_finish(loads, OFFICE, pace(1), NOON) == datetime(2026, 11, 24, 17, 1, tzinfo=UTC)


def test_zones_that_are_open_share_the_pace_and_the_one_that_closes_first_goes_first() -> None:
    loads = [Load("UTC", 5 * 3600), Load("Atlantic/Azores", 3600)]  # an hour behind
    assert likely_finish(loads, OFFICE, pace(1), NOON) == datetime(2026, 11, 24, 18, tzinfo=UTC)


def test_a_daily_cap_spreads_it_over_days() -> None:
    finish = likely_finish([Load("UTC", 250)], Window(), pace(10, per_day=100, today=50), NOON)
    assert finish == datetime(2026, 11, 26, tzinfo=UTC) + timedelta(seconds=10)


@pytest.mark.parametrize(
    ("window", "speed"),
    [(None, pace(1)), (Window(), pace(0)), (Window(), pace(1e-6)), (Window(), pace(1, 0.001, 0))],
)
def test_what_never_ends_has_no_finish(window: Window | None, speed: Pace) -> None:
    assert likely_finish([Load("UTC", 1000)], window, speed, NOON) is None


def test_zones_that_keep_the_same_hours_are_one() -> None:
    apart = [Load("Europe/Paris", 1800), Load("Europe/Berlin", 1800)]
    finish = likely_finish(apart, OFFICE, pace(1), NOON)
    assert finish == likely_finish([Load("Europe/Rome", 3600)], OFFICE, pace(1), NOON)


@pytest.mark.parametrize("per_day", [0.001, 2000, 20_000])
def test_all_time_zones_of_the_world_for_a_year_are_no_work(per_day: float) -> None:
    """One request must not keep a web process busy; each zone for itself took 24 seconds."""
    loads = [Load(zone, 1000) for zone in sorted(available_timezones() - {"Factory", "localtime"})]
    weekdays = Window(9 * 60, 17 * 60, frozenset(range(1, 6)))
    before = process_time()
    likely_finish(loads, weekdays, pace(1000, per_day, per_day), NOON)
    assert process_time() - before < 6

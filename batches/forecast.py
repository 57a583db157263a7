"""When so many calls would be over, at a pace and within calling hours. Pure: no clock, no database."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from batches.schedule import Window, open_spans

FURTHEST = timedelta(days=366)  # what takes longer has no finish that is worth telling
_ALIKE = 10  # openings: time zones that share so many are taken as one
_DAY = timedelta(days=1)

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Load:
    """Attempts to be made to contacts of one time zone."""

    timezone: str
    attempts: float


@dataclass(frozen=True, slots=True)
class Pace:
    """Attempts a second, and a day at most (None: no cap). `today`: of it, what is left until
    `day_ends`."""

    per_second: float
    per_day: float | None
    today: float
    day_ends: datetime


def expected_attempts(missed: float, retry: int) -> float:
    """Attempts a call, when a share of attempts (0 to 1) is missed and each miss is tried again."""
    return sum(missed**number for number in range(retry + 1))


def likely_finish(
    loads: Sequence[Load], window: Window | None, pace: Pace, now: datetime
) -> datetime | None:
    """When the last attempt starts; None when that is never, or not within a year.

    Whatever is open shares the pace, the time zones that close first before the others.
    """
    if window is None or _is_hopeless(sum(load.attempts for load in loads), pace):
        return None
    walk = _Walk(loads, window, pace, now)
    while walk.at - now <= FURTHEST:
        if (finish := walk.step()) is not None:
            return finish
    return None


def _is_hopeless(attempts: float, pace: Pace) -> bool:
    """Whether a year would not be enough if it were always open; walking through it takes long."""
    year = FURTHEST + _DAY
    if attempts > pace.per_second * year.total_seconds():
        return True
    return pace.per_day is not None and attempts > pace.today + pace.per_day * year.days


class _Walk:
    """From one moment at which something opens, closes or begins anew to the next."""

    def __init__(self, loads: Sequence[Load], window: Window, pace: Pace, now: datetime) -> None:
        self.at, self.pace = now, pace
        self.budget, self.day_ends = pace.today, pace.day_ends
        self.left = _grouped(loads, window, now)
        self.times = {zone: _spans(now, zone, window) for zone in self.left}
        self.spans = {zone: next(times) for zone, times in self.times.items()}

    def step(self) -> datetime | None:
        """Spend the time until the next such moment; returns the finish if it comes before."""
        self._renew()
        spans = [self.spans[zone] for zone in self.left]
        changes = [start if start > self.at else end for start, end in spans]
        until = min([self.day_ends, *changes])
        closing = sorted((self.spans[zone][1], zone) for zone in self.left)
        is_open = [zone for _, zone in closing if self.spans[zone][0] <= self.at]
        done = self._possible(until, sum(self.left[zone] for zone in is_open))
        seconds = done / self.pace.per_second
        self.budget -= done
        for zone in is_open:
            part = min(done, self.left[zone])
            done -= part
            self.left[zone] -= part
        self.left = {zone: attempts for zone, attempts in self.left.items() if attempts > 1e-6}
        if not self.left:
            return self.at + timedelta(seconds=seconds)
        self.at = until
        return None

    def _renew(self) -> None:
        for zone in self.left:
            while self.spans[zone][1] <= self.at:
                self.spans[zone] = next(self.times[zone])
        if self.at >= self.day_ends:
            self.day_ends, self.budget = self.day_ends + _DAY, self.pace.per_day or 0.0

    def _possible(self, until: datetime, wanted: float) -> float:
        possible = (until - self.at).total_seconds() * self.pace.per_second
        if self.pace.per_day is not None:
            possible = min(possible, self.budget)
        return min(wanted, possible)


def _grouped(loads: Sequence[Load], window: Window, now: datetime) -> dict[str, float]:
    """Attempts by time zone, one for all that keep the same hours: there are 600, of some 40 offsets."""
    attempts: dict[tuple[Span, ...], float] = {}
    names: dict[tuple[Span, ...], str] = {}
    for load in loads:
        if load.attempts > 0:
            hours = tuple(islice(_spans(now, load.timezone, window), _ALIKE))
            attempts[hours] = attempts.get(hours, 0.0) + load.attempts
            names.setdefault(hours, load.timezone)
    return {names[hours]: number for hours, number in attempts.items()}


def _spans(now: datetime, timezone: str, window: Window) -> Iterator[Span]:
    for start, end in open_spans(now, timezone, window):
        yield start, end or now + 2 * FURTHEST

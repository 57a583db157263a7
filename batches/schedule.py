"""When a contact may be called: a window of their local day, in instants.

An instant is allowed if the wall clock that it shows in the contact's zone is within the window. The
only question asked of a zone is therefore what an instant shows, which always has one answer; which
instant shows a given time may have none (the clock was put forward) or two (it was put back).
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

DAY_MINUTES = 24 * 60
EVERY_DAY = frozenset(range(7))
_DAY = timedelta(days=1)
_SECONDS_OF_A_DAY = range(24 * 60 * 60 + 1)

Span = tuple[datetime, datetime]  # the end is exclusive


@dataclass(frozen=True, slots=True)
class Window:
    """Minutes of the local day, `end` exclusive, and local weekdays from 0 = Sunday to 6 = Saturday.

    Raises ValueError if it would never open, so that looking for its next opening always ends.
    """

    start: int = 0
    end: int = DAY_MINUTES
    days: frozenset[int] = EVERY_DAY

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= DAY_MINUTES:
            raise ValueError(f"no minutes of a day: {self.start} to {self.end}")
        if not self.days or not self.days <= EVERY_DAY:
            raise ValueError(f"no days of a week: {sorted(self.days)}")

    @property
    def is_always(self) -> bool:
        return self.start == 0 and self.end == DAY_MINUTES and self.days == EVERY_DAY

    def narrowed_by(self, other: "Window") -> "Window | None":
        """What both allow; None if that is nothing."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        days = self.days & other.days
        return Window(start, end, days) if start < end and days else None


def is_allowed(at: datetime, timezone: str, window: Window | None) -> bool:
    """Whether a contact in this IANA zone may be called at this instant. No window is never."""
    if window is None:
        return False
    local = at.astimezone(ZoneInfo(timezone))
    in_hours = window.start <= local.hour * 60 + local.minute < window.end
    return in_hours and local.isoweekday() % 7 in window.days


def next_allowed(at: datetime, timezone: str, window: Window | None) -> datetime | None:
    """The first allowed instant from `at` on, in UTC: `at` itself if it is one. None: never."""
    if window is None:
        return None
    return next(start for start, _ in _pieces(at, timezone, window))


def allowed_until(at: datetime, timezone: str, window: Window | None) -> datetime | None:
    """The first instant after an allowed `at` that is allowed no more, in UTC. None: always open.

    Raises ValueError if `at` is not allowed.
    """
    if not is_allowed(at, timezone, window):
        raise ValueError(f"{at.isoformat()} is outside of the window in {timezone}")
    return next(end for _, end in open_spans(at, timezone, window))


def open_spans(
    at: datetime, timezone: str, window: Window | None
) -> Iterator[tuple[datetime, datetime | None]]:
    """The allowed time from `at` on: spans in UTC without their end, in order, none touching the next.

    Endless, but for a window that is always open, which is one span without an end, and no window,
    which is no span.
    """
    if window is None:
        return
    if window.is_always:
        yield at.astimezone(UTC), None
        return
    pieces = _pieces(at, timezone, window)
    start, end = next(pieces)
    for next_start, next_end in pieces:
        if next_start != end:
            yield start, end
            start = next_start
        end = next_end


def _pieces(at: datetime, timezone: str, window: Window) -> Iterator[Span]:
    """The allowed time from `at` on, in order and endless, in spans that may touch.

    While the offset stays, local time is UTC shifted by it, so the windows of the local days are
    plain spans, of which we keep what lies within the stretch. A gap needs no care: no stretch
    contains what it swallowed. Neither does an overlap: it is in both the stretches that meet there.
    """
    opens, closes = timedelta(minutes=window.start), timedelta(minutes=window.end)
    for start, end, offset in _stretches(at, ZoneInfo(timezone)):
        local = start + offset
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) - offset
        today = local.isoweekday() % 7
        # At most a day long, a stretch reaches no further than into its second local day.
        for day, begins in ((today, midnight), ((today + 1) % 7, midnight + _DAY)):
            first, last = max(begins + opens, start), min(begins + closes, end)
            if day in window.days and first < last:
                yield first, last


def _stretches(at: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The time from `at` on as (start, end, UTC offset within), each a day or less and without a change.

    The same offset at both ends means that it did not change between: since 1970 no zone has
    changed its offset twice within six days. Where it did change, the first second with a different
    offset is the change, for zones change at whole seconds.
    """
    start = at.astimezone(UTC)
    offset = _offset(start, zone)
    while True:
        end = start + _DAY
        following = _offset(end, zone)
        if following != offset:
            end = _first_change(start, offset, zone)
            following = _offset(end, zone)
        yield start, end, offset
        start, offset = end, following


def _first_change(start: datetime, offset: timedelta, zone: ZoneInfo) -> datetime:
    """The instant within a day from `start` from which on the offset is another."""
    base = start.replace(microsecond=0)

    def changed(second: int) -> bool:
        return _offset(base + timedelta(seconds=second), zone) != offset

    return base + timedelta(seconds=bisect_left(_SECONDS_OF_A_DAY, True, key=changed))


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()

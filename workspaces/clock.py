"""Times as texts: of the day, `HH:MM`, also as minutes, 0 to 1440; and moments."""

import re
from datetime import UTC, datetime

CLOCK_TIME_PATTERN = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
_is_clock_time = re.compile(CLOCK_TIME_PATTERN.strip("^$")).fullmatch


def minutes_of(text: str) -> int | None:
    """None: the text is no such time."""
    return int(text[:2]) * 60 + int(text[3:]) if _is_clock_time(text) else None


def clock_time(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC, with milliseconds and `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""When a delivery is tried again, and when an endpoint has failed for too long."""

import random
from datetime import datetime, timedelta

# Those of the Standard Webhooks specification, after the first attempt and each further one.
DELAYS = [
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
]
MOST_ATTEMPTS = len(DELAYS) + 1
# From the first attempt of a delivery to its last: 3 days and 3.6 hours.
WHOLE_SCHEDULE = sum(DELAYS, timedelta())
LONGEST_REST = timedelta(hours=6)  # whatever Retry-After says
_JITTER = 0.1  # what failed together does not come back together


def next_attempt(attempts_made: int, *, now: datetime) -> datetime | None:
    """None: it was the last one."""
    if attempts_made >= MOST_ATTEMPTS:
        return None
    return now + DELAYS[attempts_made - 1] * random.uniform(1, 1 + _JITTER)  # noqa: S311


def failed_for_too_long(failing_since: datetime, *, now: datetime) -> bool:
    """Nothing has succeeded for as long as a delivery is tried: one that is given up now has seen
    only failures, its own and others'.
    """
    return now - failing_since >= WHOLE_SCHEDULE

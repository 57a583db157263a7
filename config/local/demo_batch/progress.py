"""What a poll of the API tells, and what follows from several of them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from config.local.demo_batch.contacts import Contact

RATE_OVER = 5.0  # seconds, for calls a second
PACE_OVER = 15.0  # seconds, for the projected finish
UNFINISHED = ("in-progress", "pending")


@dataclass(frozen=True)
class Sight:
    """The batch at one moment: `at` in seconds since its start. `latest`: calls, newest first."""

    at: float
    statistics: Mapping[str, Any]
    latest: Sequence[Mapping[str, Any]]

    @property
    def status(self) -> str:
        return str(self.statistics["batchStatus"])

    @property
    def total(self) -> int:
        return int(self.statistics["totalCalls"])

    @property
    def calls(self) -> Mapping[str, int]:
        calls: Mapping[str, int] = self.statistics["calls"]
        return calls

    @property
    def done(self) -> int:
        return self.total - sum(self.calls[status] for status in UNFINISHED)

    @property
    def attempts(self) -> int:
        return int(self.statistics["attempts"])

    @property
    def answer_rate(self) -> float | None:
        """Answered by ended attempts."""
        rate: float | None = self.statistics["answerRate"]
        return rate


@dataclass
class Progress:
    """The sights so far. `note`: what the rest waits for, when nothing moves."""

    sights: deque[Sight] = field(default_factory=deque)
    note: str = ""

    def add(self, sight: Sight) -> None:
        self.sights.append(sight)
        while sight.at - self.sights[0].at > PACE_OVER:
            self.sights.popleft()

    @property
    def now(self) -> Sight:
        return self.sights[-1]

    @property
    def calls_a_second(self) -> float:
        then = next(one for one in self.sights if self.now.at - one.at <= RATE_OVER)
        return _rate(self.now.attempts - then.attempts, self.now.at - then.at)

    @property
    def seconds_left(self) -> float | None:
        """At the pace at which calls were done with lately; None when none was."""
        then = self.sights[0]
        pace = _rate(self.now.done - then.done, self.now.at - then.at)
        return (self.now.total - self.now.done) / pace if pace else None

    def stands_still(self, seconds: float) -> bool:
        """Whether no call was made and none came to its end for so long."""
        long_ago = [one for one in self.sights if self.now.at - one.at >= seconds]
        now = (self.now.attempts, self.now.done)
        return bool(long_ago) and (long_ago[-1].attempts, long_ago[-1].done) == now


@dataclass
class EndingTally:
    """What became of the contacts with one ending."""

    contacts: int = 0
    attempts: int = 0
    statuses: Counter[str] = field(default_factory=Counter)


def tally(
    contacts: Iterable[Contact], calls: Iterable[Mapping[str, Any]]
) -> dict[str, EndingTally]:
    """By ending."""
    ending_of = {one.number: one.ending for one in contacts}
    found: dict[str, EndingTally] = {}
    for call in calls:
        of_ending = found.setdefault(ending_of[call["phoneNumber"]], EndingTally())
        of_ending.contacts += 1
        of_ending.attempts += call["attempts"]
        of_ending.statuses[call["callStatus"]] += 1
    return found


def _rate(number: int, seconds: float) -> float:
    return number / seconds if seconds > 0 else 0.0

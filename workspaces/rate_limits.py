"""How many requests a minute a credential and a workspace may send, over all processes.

A minute by the clock is a window. PostgreSQL counts what is taken of it (`RateWindow`); a process takes
blocks and spends them from memory, so that most requests ask nobody. A limit is never exceeded: what a
process holds counts as taken, and what it does not spend is lost with the window. Up to a limit of 100
a block is a single request, and nothing is lost.
"""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

from rest_framework.exceptions import APIException

from workspaces.callers import Caller
from workspaces.models import RateWindow
from workspaces.sql import array_literal, fetch_all

WINDOW = timedelta(minutes=1)
BLOCKS, LARGEST_BLOCK = 100, 100  # to a window; requests
KEY, WORKSPACE = "key", "workspace"

# A process whose clock is behind takes from the window that others have begun; a row from further ahead
# was written by a clock that went wrong.
_IS_THIS_WINDOW = """
held.started_at BETWEEN excluded.started_at AND excluded.started_at + interval '1 minute'
"""
# The credential's row always before the workspace's, whose id is the workspace's: two such statements
# never wait for each other.
_TAKE = f"""
INSERT INTO workspaces_ratewindow AS held (id, workspace_id, started_at, used)
SELECT id, %s, %s, block FROM unnest(%s::bytea[], %s::integer[]) AS asked (id, block)
ON CONFLICT (id) DO UPDATE SET
    used = excluded.used + CASE WHEN {_IS_THIS_WINDOW} THEN held.used ELSE 0 END,
    started_at = CASE WHEN {_IS_THIS_WINDOW} THEN held.started_at ELSE excluded.started_at END
WHERE NOT ({_IS_THIS_WINDOW})
    OR held.used < CASE WHEN held.id = held.workspace_id THEN %s ELSE %s END
RETURNING id, used
"""  # noqa: S608 (our own text)


class TooManyRequests(APIException):
    """`wait`: seconds, for Retry-After."""

    status_code = 429
    default_code = "too_many_requests"

    def __init__(self, whose: str, limit: int, wait: int) -> None:
        seconds = f"{wait} second{'' if wait == 1 else 's'}"
        super().__init__(
            f"More than {limit:,} requests a minute with {whose}. Try again in {seconds}."
        )
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit, and how much of it is known to be left."""

    name: str
    limit: int
    left: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands after a request. `seconds`: until the window ends, rounded up.
    `exceeded`: the limit that was reached already, so that the request is refused.
    """

    quotas: tuple[Quota, ...]
    seconds: int
    exceeded: Quota | None

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers has them (10 and 11)."""
        window = int(WINDOW.total_seconds())
        policies = [f'"{quota.name}";q={quota.limit};w={window}' for quota in self.quotas]
        left = [f'"{quota.name}";r={quota.left};t={self.seconds}' for quota in self.quotas]
        return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}


class _Held:
    """What this process holds of one window. `left`: what nobody had taken when it last asked."""

    __slots__ = ("block", "id", "left", "limit", "name", "tokens")

    def __init__(self, id_: str, name: str, limit: int) -> None:
        self.id, self.name, self.limit = id_, name, limit
        self.block = min(max(1, limit // BLOCKS), LARGEST_BLOCK)
        self.tokens, self.left = 0, limit

    @property
    def is_over(self) -> bool:
        return not self.tokens and not self.left

    def add(self, used: int | None) -> None:
        """A block that was asked for; `used`: what is taken now, None: there was nothing to have."""
        if used is None:
            self.left = 0
            return
        # Of the last block a part may be beyond the limit.
        self.tokens += max(min(self.block, self.limit - used + self.block), 0)
        # Another thread's answer may be newer, and have come before.
        self.left = min(self.left, max(self.limit - used, 0))


class Limiter:
    """The limits as one process keeps them. Any number of threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started = datetime.min.replace(tzinfo=UTC)
        self._held: dict[str, _Held] = {}

    def spend(self, caller: Caller, now: datetime) -> Standing | None:
        """Count a request, or find that a limit is reached; None: the caller has no limits.

        What is refused counts for nothing. Once a limit is reached, nobody is asked until the window
        ends.
        """
        if caller.key_rate_limit <= 0 and caller.rate_limit <= 0:
            return None
        while True:
            with self._lock:
                started = self._turn_to(now)
                held = self._held_by(caller)
                is_over = any(one.is_over for one in held)
                wanting = [] if is_over else [one for one in held if not one.tokens]
                if not wanting:
                    if not is_over:
                        for one in held:
                            one.tokens -= 1
                    return _standing(held, started, now, is_over)
            # Without the lock: other threads go on meanwhile. They may spend what this one gets; then
            # it asks again.
            used = _take(caller, wanting, started)
            with self._lock:
                if started == self._started:
                    for one in wanting:
                        one.add(used.get(one.id))

    def _turn_to(self, now: datetime) -> datetime:
        """The beginning of the window, which may be one that another thread has seen begin."""
        started = now.replace(second=0, microsecond=0)
        if not started <= self._started <= started + WINDOW:
            self._started = started
            self._held.clear()
        return self._started

    def _held_by(self, caller: Caller) -> list[_Held]:
        """The credential's first, as everywhere."""
        held = []
        if caller.key_rate_limit > 0:
            held.append(self._of(caller.credential_id, KEY, caller.key_rate_limit))
        if caller.rate_limit > 0:
            held.append(self._of(caller.workspace_id, WORKSPACE, caller.rate_limit))
        return held

    def _of(self, id_: str, name: str, limit: int) -> _Held:
        held = self._held.get(id_)
        if held is None or held.limit != limit:
            held = self._held[id_] = _Held(id_, name, limit)
        return held


LIMITER = Limiter()


def check_rate(caller: Caller, standing: Standing) -> None:
    """Raises TooManyRequests when a limit was reached before this request."""
    if (quota := standing.exceeded) is None:
        return
    own = "this API key" if caller.is_key else "this token"
    whose = own if quota.name == KEY else "all credentials of this workspace together"
    raise TooManyRequests(whose, quota.limit, standing.seconds)


def delete_old_windows(*, before: datetime) -> int:
    """Of credentials and workspaces that sent nothing since. Returns how many went."""
    return RateWindow.objects.filter(started_at__lt=before).delete()[0]


def _standing(held: list[_Held], started: datetime, now: datetime, is_over: bool) -> Standing:
    seconds = max(ceil((started + WINDOW - now).total_seconds()), 1)
    quotas = tuple(Quota(one.name, one.limit, one.tokens + one.left) for one in held)
    exceeded = next((q for q, one in zip(quotas, held, strict=True) if one.is_over), None)
    return Standing(quotas, seconds, exceeded if is_over else None)


def _take(caller: Caller, wanting: list[_Held], started: datetime) -> dict[str, int]:
    """Ask for a block of each. Returns how much is taken then, by id; without those that had nothing."""
    ids = [bytes.fromhex(one.id) for one in wanting]
    params = [
        *(bytes.fromhex(caller.workspace_id), started),
        *(array_literal(ids), array_literal([one.block for one in wanting])),
        *(caller.rate_limit, caller.key_rate_limit),
    ]
    return {id_.hex(): used for id_, used in fetch_all(_TAKE, params)}

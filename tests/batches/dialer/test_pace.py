"""The pace of an account inside one dialer, after a delay."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from batches.dialer.placing import Placer, Result
from batches.dialer.store import Claimed
from batches.dialer.timing import Timing
from calling.carriers.base import CallProgress, CallReport, Credentials, Detection
from calling.carriers.registry import CARRIERS

ACCOUNT, EVERY = b"account", timedelta(seconds=0.5)
TIMING = Timing(
    lease=timedelta(seconds=2),
    patience=timedelta(seconds=60),
    place_within=1,
    look_up_after=[0, 5],
    stop_within=1,
)


class Carrier:
    async def place(self, *_: Any) -> CallReport:
        return CallReport(progress=CallProgress.QUEUED, at=timezone.now())


def paced(place_at: datetime) -> Claimed:
    ids: dict[str, Any] = dict.fromkeys(
        ("attempt_id", "workspace_id", "batch_id", "call_id", "phone_id"), b"x" * 12
    )
    return Claimed(
        **ids,
        request_uuid=uuid4(),
        session_id=None,
        from_number="+12125550100",
        to_number="+12125551001",
        carrier="simulator",
        account_id=None,
        credentials=Credentials("", ""),
        detection=Detection.NONE,
        records=False,
        place_at=place_at,
        pace=(ACCOUNT, EVERY),
        cursor=0,
    )


def test_a_call_that_comes_too_late_takes_no_turn_from_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Calls that come at the very pace never make up for a delay: all would be too late, for ever."""
    monkeypatch.setitem(CARRIERS, "simulator", Carrier())

    async def two() -> list[Result | None]:
        placer, now = Placer(TIMING), timezone.now()
        placer._next[ACCOUNT] = now + timedelta(seconds=1.2)  # what a stall has left behind
        late = await placer.place(paced(now))  # its time is up after a second
        following = await placer.place(paced(now + EVERY))
        return [late, following]

    late, following = asyncio.run(two())
    assert late is None
    assert following is not None

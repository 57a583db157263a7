"""Who decides whether the dialer kept its promises: by books of its own, and by the wall clock."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from batches.dialer.store import Claimed
from batches.models import BatchStatus, Call, DoNotCallEntry
from calling.models import PhoneNumber
from workspaces.models import CallingWindow, Workspace

DAY = timedelta(hours=24)


@dataclass(slots=True)
class Ring:
    claimed: Claimed
    began: datetime
    ended: datetime | None = None


class Judge:
    """`open`: attempts claimed and not ended; `starts`: all that were not put back."""

    def __init__(self) -> None:
        self.open: dict[bytes, Claimed] = {}
        self.starts: dict[bytes, Claimed] = {}
        self.ringing: dict[bytes, Ring] = {}
        self.last_ring: dict[bytes, Ring] = {}  # by call
        self.in_round: dict[bytes, int] = defaultdict(int)  # by call
        self.checked = 0

    # --- Claims: limits ---------------------------------------------------------------------------

    def claimed(self, calls: Collection[Claimed], now: datetime) -> None:
        """Limits only grow tighter by more calls, so they are looked at once, after all of them."""
        if not calls:
            return
        self.open |= {call.attempt_id: call for call in calls}
        self.starts |= {call.attempt_id: call for call in calls}
        self.checked += len(calls)
        [workspace_id] = {call.workspace_id for call in calls}
        workspace = Workspace.objects.get(id=workspace_id.hex())
        mine = [one for one in self.open.values() if one.workspace_id == workspace_id]
        within(len(mine), workspace.concurrency_limit, "workspace concurrency")
        assert len({one.to_number for one in mine}) == len(mine), "a contact twice at once"
        self._contacts(workspace, {call.to_number for call in calls})
        for phone_id in {call.phone_id for call in calls}:
            self._number(workspace, phone_id, now)

    def _contacts(self, workspace: Workspace, numbers: set[str]) -> None:
        attempts = defaultdict(list)
        for one in self.starts.values():
            if one.to_number in numbers and one.workspace_id.hex() == workspace.id:
                attempts[one.to_number].append(one.place_at)
        for moments in attempts.values():
            last = max(moments)
            in_a_day = [moment for moment in moments if last - moment < DAY]
            within(len(in_a_day), workspace.contact_daily_cap, "contact cap")

    def _number(self, workspace: Workspace, phone_id: bytes, now: datetime) -> None:
        phone = PhoneNumber.objects.select_related("account").get(id=phone_id.hex())
        from_it = [one for one in self.open.values() if one.phone_id == phone_id]
        within(len(from_it), phone.concurrency_limit, "number concurrency")
        zone = ZoneInfo(workspace.timezone)
        today = [
            one
            for one in self.starts.values()
            if one.phone_id == phone_id
            and one.place_at.astimezone(zone).date() == now.astimezone(zone).date()
        ]
        within(len(today), phone.daily_cap, "daily cap")
        if phone.account is not None:
            self._account(phone.account)

    def _account(self, account: Any) -> None:
        """Over all workspaces that use it; each may allow it another pace."""
        numbers = PhoneNumber.objects.filter(account__digest=account.digest)
        ids = {bytes.fromhex(id_) for id_ in numbers.values_list("id", flat=True)}
        on_it = [one for one in self.open.values() if one.phone_id in ids]
        within(len(on_it), account.concurrency_limit, "account concurrency")
        if account.calls_per_second:
            gap = timedelta(seconds=1) / account.calls_per_second - timedelta(microseconds=2)
            paced = [one for one in self.starts.values() if one.phone_id in ids and one.pace]
            moments = sorted(one.place_at for one in paced if one.pace and one.pace[1] >= gap)
            for earlier, later in pairwise(moments):
                assert later - earlier >= gap, f"over {account.calls_per_second} calls a second"

    # --- Rings ------------------------------------------------------------------------------------

    def rings(self, claims: Collection[Claimed], now: datetime) -> None:
        """These are being placed at this moment."""
        ids = [claimed.call_id.hex() for claimed in claims]
        calls = Call.objects.select_related("batch__workspace").in_bulk(ids)
        numbers = {call.phone_number for call in calls.values()}
        living = DoNotCallEntry.objects.filter(deleted_at=None, phone_number__in=numbers)
        listed = set(living.values_list("workspace_id", "phone_number"))
        phones = {claimed.phone_id.hex() for claimed in claims}
        for phone in PhoneNumber.objects.select_related("account").filter(id__in=phones):
            assert phone.is_active
            assert not phone.killed_at, "a number that is switched off"
            assert not (phone.account and phone.account.killed_at), "an account that is"
        for claimed in claims:
            self.checked += 1
            call = calls[claimed.call_id.hex()]
            batch, workspace = call.batch, call.batch.workspace
            assert batch.status == BatchStatus.ACTIVE, "a batch that is not active"
            assert workspace.is_active
            assert not workspace.killed_at, "a workspace that is switched off"
            zone = call.timezone or batch.timezone
            assert opens(batch, zone, now), "outside of the batch's window"
            assert opens(workspace, zone, now), "outside of the workspace's window"
            if workspace.dnc_enabled or batch.enable_dnc:
                assert (workspace.id, call.phone_number) not in listed, "a listed number"
            self._rings(claimed, batch.retry, timedelta(seconds=batch.delay), now)

    def _rings(self, claimed: Claimed, retry: int, delay: timedelta, now: datetime) -> None:
        busy = {(one.claimed.workspace_id, one.claimed.to_number) for one in self.ringing.values()}
        assert (claimed.workspace_id, claimed.to_number) not in busy, "rung twice at once"
        self.in_round[claimed.call_id] += 1
        assert self.in_round[claimed.call_id] <= 1 + retry, "more attempts than asked for"
        if self.in_round[claimed.call_id] > 1:
            ended = self.last_ring[claimed.call_id].ended
            assert ended is not None, "the attempt before has not ended"
            assert now >= ended + delay, "before the delay was over"
        ring = Ring(claimed, now)
        self.ringing[claimed.attempt_id] = self.last_ring[claimed.call_id] = ring

    def ended(self, attempt_id: bytes, at: datetime) -> None:
        self.open.pop(attempt_id, None)
        if ring := self.ringing.pop(attempt_id, None):
            ring.ended = at
        else:  # put back: it never started
            self.starts.pop(attempt_id, None)

    def new_round(self, call_ids: Iterable[bytes]) -> None:
        for call_id in call_ids:
            self.in_round[call_id] = 0


def within(number: int, limit: int, what: str) -> None:
    assert not limit or number <= limit, f"{what}: {number} of {limit}"


def opens(window: CallingWindow, zone: str, at: datetime) -> bool:
    """By the wall clock of that zone."""
    local = at.astimezone(ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    hours = window.calling_hour_start is None or (
        window.calling_hour_start <= minute < (window.calling_hour_end or 0)
    )
    return hours and (local.weekday() + 1) % 7 in window.allowed_days

"""Calling numbers, and what each may still place: its own limits, and those of its account."""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from batches.dialer.tenants import DialedBatch, InFlight, Tenant, called_today
from calling.carriers.base import Credentials, Detection
from calling.carriers.registry import CARRIERS, SANDBOX_CARRIERS
from calling.connecting import detection_for
from calling.limiter import Pace, free_slots, keep_paces, lock_limiters
from calling.models import PhoneNumber
from calling.services.accounts import credentials_of
from workspaces.sql import array_literal, fetch_all

_ON_ACCOUNTS = """
SELECT account.digest, count(*) FROM calling_carrieraccount AS account
JOIN calling_phonenumber AS phone ON phone.account_id = account.id
JOIN batches_lease AS lease ON lease.phone_id = phone.id
WHERE account.digest = ANY(%s::bytea[]) GROUP BY account.digest
"""
# Calls of these accounts that the carrier has been given, or may have been, and has not confirmed.
_TRYING = """
SELECT phone.account_id, count(*) FROM calling_phonenumber AS phone
JOIN batches_lease AS lease ON lease.phone_id = phone.id
JOIN batches_callattempt AS attempt ON attempt.id = lease.id
WHERE phone.account_id = ANY(%s::bytea[]) AND attempt.status = 'queued' AND attempt.carrier_call_id = ''
GROUP BY phone.account_id
"""
_NO_CREDENTIALS = Credentials("", "")


@dataclass(slots=True)
class Account:
    """A carrier account and what is left of its limits. `pace` None: no limit of calls a second.

    `rests_until`: the carrier has failed, or asked for a pause. `left_to_try`: how many calls may find
    out whether it is well again.
    """

    credentials: Credentials
    id: bytes | None = None
    free: float = math.inf
    pace: Pace | None = None
    rests_until: datetime | None = None
    left_to_try: float = math.inf


@dataclass(slots=True)
class Line:
    """A number to call from. `free`: how many more calls at a time; `left_today`: of its daily cap.

    `kill_reason` empty: neither its own kill switch nor that of its account is thrown.
    """

    phone_id: bytes
    number: str
    carrier: str
    account: Account
    free: float
    left_today: float
    day_ends: datetime
    has_agent: bool = True
    detection: Detection = Detection.NONE
    records: bool = False
    kill_reason: str = ""

    @property
    def keeps_its_contacts(self) -> bool:
        """Whether those who were called from it wait for it; else another number may call them."""
        return self.has_agent and not self.kill_reason

    @property
    def blocked_by(self) -> str | None:
        """What keeps it from placing one more call now."""
        if self.kill_reason:
            return "kill_switch"
        if not self.has_agent:
            return "no_agent"
        if self.left_today < 1:
            return "number_cap"
        if self.free < 1:
            return "number_limit"
        if self.account.free < 1:
            return "carrier_limit"
        if self.account.rests_until is not None or self.account.left_to_try < 1:
            return "carrier_failing"
        if self.account.pace is not None and not self.account.pace.has_slot:
            return "carrier_pace"
        return None

    @property
    def free_at(self) -> datetime | None:
        """When it can place a call (again); None: nobody knows, something has to end or to change."""
        if self.kill_reason:
            return None
        if self.left_today < 1:
            return self.day_ends
        if not self.has_agent or min(self.free, self.account.free, self.account.left_to_try) < 1:
            return None
        if self.account.rests_until is not None:
            return self.account.rests_until
        return self.account.pace.has_slot_at if self.account.pace else None

    def take(self, now: datetime) -> datetime:
        """One call from here. Returns when it may start."""
        self.free -= 1
        self.left_today -= 1
        self.account.free -= 1
        self.account.left_to_try -= 1
        return self.account.pace.take() if self.account.pace else now


def lines_of(
    tenant: Tenant, phone_ids: Collection[bytes], flying: InFlight, now: datetime, *, lock: bool
) -> dict[bytes, Line]:
    """These numbers, as far as they are active, by id; of a sandbox only those that ring nobody.

    `lock`: hold the accounts' limiters, for what is counted and reserved to be true until the
    transaction ends; otherwise it is a preview, without credentials.
    """
    phones = (
        PhoneNumber.objects.for_workspace(tenant.id.hex())
        .filter(id__in=[id_.hex() for id_ in phone_ids], is_active=True)
        .select_related("account", "agent")
    )
    if tenant.is_sandbox:
        phones = phones.filter(carrier__in=SANDBOX_CARRIERS)
    found = list(phones if lock else phones.defer("account__credentials"))
    accounts = _accounts(found, now, lock=lock)
    capped = [bytes.fromhex(phone.id) for phone in found if phone.daily_cap]
    today = called_today(tenant, capped, now)
    day_ends = tenant.day_ends(now)
    lines = {}
    for phone in found:
        id_ = bytes.fromhex(phone.id)
        lines[id_] = Line(
            phone_id=id_,
            number=phone.number,
            carrier=phone.carrier,
            account=accounts.get(phone.account_id) or Account(_NO_CREDENTIALS),
            free=_left(phone.concurrency_limit, flying.of_phone.get(id_, 0)),
            left_today=_left(phone.daily_cap, today.get(id_, 0)),
            day_ends=day_ends,
            has_agent=phone.agent is not None or not CARRIERS[phone.carrier].asks_back,
            detection=detection_for(phone.agent),
            records=phone.agent is not None and phone.agent.records_calls,
            kill_reason=phone.kill_reason or (phone.account.kill_reason if phone.account else ""),
        )
    return lines


def keep_reserved(lines: Iterable[Line]) -> None:
    """Store the call starts that were taken."""
    paces = {id(line.account.pace): line.account.pace for line in lines}
    if reserved := [pace for pace in paces.values() if pace is not None]:
        keep_paces(reserved)


def next_line(batch: DialedBatch, lines: dict[bytes, Line], cursor: int) -> Line | None:
    """The first number after this position of the rotation, round its end, that can place a call."""
    ids = list(batch.numbers)
    after = next((i for i, id_ in enumerate(ids) if batch.numbers[id_] > cursor), 0)
    for id_ in ids[after:] + ids[:after]:
        line = lines.get(id_)
        if line is not None and line.blocked_by is None:
            return line
    return None


def _accounts(phones: Iterable[PhoneNumber], now: datetime, *, lock: bool) -> dict[Any, Account]:
    """By id. Two ids of one account with the carrier cannot meet here: a workspace has it once."""
    stored = {phone.account_id: phone.account for phone in phones if phone.account is not None}
    limited = [one for one in stored.values() if one.calls_per_second or one.concurrency_limit]
    digests = {bytes(one.digest) for one in limited}
    slots: dict[bytes, datetime] = {}
    if digests:
        slots = lock_limiters(digests, now) if lock else free_slots(digests)
    counts = {}
    if counted := [bytes(one.digest) for one in limited if one.concurrency_limit]:
        rows = fetch_all(_ON_ACCOUNTS, [array_literal(sorted(counted))])
        counts = {bytes(digest): number for digest, number in rows}
    failing = [bytes.fromhex(one.id) for one in stored.values() if one.failures]
    trying = {}
    if failing:
        rows = fetch_all(_TRYING, [array_literal(failing)])
        trying = {bytes(id_).hex(): number for id_, number in rows}
    accounts = {}
    for id_, one in stored.items():
        digest = bytes(one.digest)
        account = Account(
            credentials_of(one) if lock else _NO_CREDENTIALS,
            id=bytes.fromhex(one.id),
            rests_until=one.resting_until
            if one.resting_until and one.resting_until > now
            else None,
            left_to_try=1 - trying.get(one.id, 0) if one.failures else math.inf,
        )
        account.free = _left(one.concurrency_limit, counts.get(digest, 0))
        if one.calls_per_second:
            account.pace = Pace.of(digest, one.calls_per_second, slots.get(digest, now), now)
        accounts[id_] = account
    return accounts


def _left(limit: int, used: int) -> float:
    return limit - used if limit else math.inf

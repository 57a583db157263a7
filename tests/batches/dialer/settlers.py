"""What a random world begins with: workspaces with numbers, batches, contacts and limits."""

from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from batches.models import Call, CallBatch, CallStatus
from batches.services.counters import change_counts
from calling.models import PhoneNumber
from tests import factories
from workspaces.models import EVERY_DAY, User, Workspace

DAY = 24 * 60


@dataclass(slots=True)
class Settled:
    workspace: Workspace
    user: User
    phones: list[PhoneNumber]
    batches: list[CallBatch]
    contacts: list[str]


def settle(rng: Random, zones: list[str], now: datetime, *, is_busy: bool) -> Settled:
    """A busy workspace has many contacts and loose limits; another one few, and tight ones."""
    loose = [0, 0, 0] if is_busy else []
    workspace = factories.WorkspaceFactory.create(
        timezone=rng.choice(zones),
        concurrency_limit=rng.choice([0, 1, 3, 10, *loose]),
        contact_daily_cap=rng.choice([0, 0, 1, 3, *loose]),
        dnc_enabled=rng.random() < 0.5,
        **(window(rng, wide=True) if rng.random() < 0.4 else {}),
    )
    user = factories.MembershipFactory.create(workspace=workspace).user
    mine: dict[str, Any] = {"workspace": workspace, "created_by": user}
    account = factories.CarrierAccountFactory.create(
        workspace=workspace,
        digest=b"shared account of all".ljust(32),
        calls_per_second=rng.choice([0, 1, 5, 50, *loose]),
        concurrency_limit=rng.choice([0, 0, 2, 7, *loose]),
    )
    phones = [
        factories.PhoneNumberFactory.create(
            **mine,
            account=rng.choice([None, account, account]),
            concurrency_limit=rng.choice([0, 0, 1, 2, *loose]),
            daily_cap=rng.choice([0, 0, 5, 40, *loose]),
            is_active=rng.random() < 0.85,
        )
        for _ in range(rng.randint(1, 4))
    ]
    contacts = [
        f"+1310{5550000 + number}"
        for number in range(rng.randint(600, 1500) if is_busy else rng.randint(5, 30))
    ]
    batches = [_batch(rng, zones, now, mine, phones, contacts) for _ in range(rng.randint(1, 3))]
    for number in contacts:
        if rng.random() < 0.08:
            factories.DoNotCallEntryFactory.create(workspace=workspace, phone_number=number)
    return Settled(workspace, user, phones, batches, contacts)


def _batch(
    rng: Random,
    zones: list[str],
    now: datetime,
    mine: dict[str, Any],
    phones: list[PhoneNumber],
    contacts: list[str],
) -> CallBatch:
    batch: CallBatch = factories.CallBatchFactory.create(
        **mine,
        timezone=rng.choice(zones),
        retry=rng.choice([0, 1, 2]),
        delay=rng.choice([0, 30, 600, 7200]),
        enable_dnc=rng.random() < 0.6,
        **(window(rng) if rng.random() < 0.6 else {}),
    )
    for position, phone in enumerate(rng.sample(phones, rng.randint(1, len(phones)))):
        factories.BatchNumberFactory.create(batch=batch, phone=phone, position=position)
    own_zones = rng.random() < 0.5
    calls = [
        Call(
            workspace=batch.workspace,
            batch=batch,
            phone_number=number,
            timezone=rng.choice([*zones, ""]) if own_zones else "",
            next_attempt_at=now,
            created_at=now,
            updated_at=now,
        )
        for number in rng.sample(contacts, rng.randint(len(contacts) // 2, len(contacts)))
    ]
    Call.objects.bulk_create(calls)
    change_counts(
        workspace_id=batch.workspace_id,
        batch_id=batch.id,
        changes={CallStatus.PENDING: len(calls)},
    )
    return batch


def window(rng: Random, *, wide: bool = False) -> dict[str, Any]:
    """Any two of these have hours and a day in common, so that every world can come to its end."""
    start = rng.randint(0, 9 * 60) if wide else rng.randint(0, 12 * 60)
    end = rng.randint(15 * 60, DAY)
    days = {2, *rng.sample(EVERY_DAY, rng.randint(0, 7))}
    return {
        "calling_hour_start": start,
        "calling_hour_end": end,
        "allowed_days": sorted(days),
    }

"""`python -m tests.batches.dialer.stage_seed CONTACTS CALLS_A_SECOND AT_A_TIME`: a batch to be dialed.

In a process of its own, because the database is not the one of the tests.
"""

import sys

import django

django.setup()

from django.utils import timezone  # noqa: E402 (after the set-up)

from batches.models import BatchStatus, Call, CallStatus  # noqa: E402
from batches.services.counters import change_counts  # noqa: E402
from tests import factories  # noqa: E402
from workspaces.services.dialing import wake  # noqa: E402


def main(contacts: int, calls_a_second: int, at_a_time: int) -> None:
    now = timezone.now()
    user = factories.MembershipFactory.create(workspace__concurrency_limit=at_a_time).user
    workspace = user.memberships.get().workspace
    mine = {"workspace": workspace, "created_by": user}
    account = factories.CarrierAccountFactory.create(
        workspace=workspace, calls_per_second=calls_a_second
    )
    phone = factories.PhoneNumberFactory.create(**mine, account=account)
    batch = factories.CallBatchFactory.create(**mine, status=BatchStatus.ACTIVE, retry=1, delay=0)
    factories.BatchNumberFactory.create(batch=batch, phone=phone)
    Call.objects.bulk_create(
        Call(
            workspace=workspace,
            batch=batch,
            phone_number=f"+1212{5550000 + number}",
            next_attempt_at=now,
            created_at=now,
            updated_at=now,
        )
        for number in range(contacts)
    )
    change_counts(
        workspace_id=workspace.id, batch_id=batch.id, changes={CallStatus.PENDING: contacts}
    )
    wake(workspace.id, now)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

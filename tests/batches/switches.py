"""What the tests of kill switches have in common."""

from django.utils import timezone

from batches.models import CallBatch
from batches.services.kill_switches import Switched, Target, engage, release
from calling.models import PhoneNumber
from tests import factories
from tests.batches.contacts import call, fresh, ready_batch
from tests.cast import Person
from workspaces.callers import Actor
from workspaces.models import Workspace

NUMBER = "12125551001"
WHY = "Complaints about the script."
KINDS = ["workspace", "phonenumber", "carrieraccount"]


def switched_batch(owner: Person) -> CallBatch:
    """Active, with one call to make, from one number with an account."""
    made = ready_batch(owner, status="active")
    account = factories.CarrierAccountFactory.create(workspace=owner.workspace)
    PhoneNumber.objects.filter(rotations__batch=made).update(account=account)
    call(made, NUMBER)
    return made


def target_of(batch: CallBatch, kind: str) -> Target:
    """Read anew, as a page does."""
    if kind == "workspace":
        return Workspace.objects.get(id=batch.workspace_id)
    phone = PhoneNumber.objects.select_related("account").get(rotations__batch=batch)
    if kind == "phonenumber":
        return phone
    assert phone.account is not None
    return phone.account


def throw(target: Target, reason: str = WHY) -> Switched:
    return engage(target=target, reason=reason, actor=Actor(), now=timezone.now())


def let_go(target: Target, *, resume: bool = False) -> Switched:
    return release(target=target, actor=Actor(), now=timezone.now(), resume=resume)


def state_of(batch: CallBatch) -> tuple[str, str]:
    now = fresh(batch)
    return now.status, now.status_reason


def of_other_number(batch: CallBatch) -> PhoneNumber:
    """Give the batch a second number, of no account."""
    added: PhoneNumber = factories.BatchNumberFactory.create(batch=batch, position=1).phone
    return added

"""Taking a number away touches the batches that rotate through it, hence here."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.http import Http404

from batches.models import BatchNumber, BatchStatus, CallBatch, PauseReason
from batches.states import move_batch
from calling.models import CarrierAccount, PhoneNumber
from workspaces.callers import Actor
from workspaces.conditional import Precondition, unconditional
from workspaces.services.audit import audit_event
from workspaces.sql import insert_rows

_TRIES = 3


def delete_phone(
    *,
    workspace_id: str,
    phone_id: str,
    actor: Actor,
    now: datetime,
    precondition: Precondition = unconditional,
) -> None:
    """Delete a number: it leaves every rotation, and the last number of an account its credentials.

    An active batch that is left without an active number is paused. Raises Http404,
    PreconditionFailed.
    """
    for last in (False,) * (_TRIES - 1) + (True,):
        try:
            with transaction.atomic():
                _delete(workspace_id, phone_id, actor, now, precondition)
        except IntegrityError:  # a batch has taken the number into its rotation meanwhile
            if last:
                raise
        else:
            return


def _delete(
    workspace_id: str, phone_id: str, actor: Actor, now: datetime, precondition: Precondition
) -> None:
    phones = PhoneNumber.objects.for_workspace(workspace_id)
    rotations = BatchNumber.objects.filter(phone_id=phone_id)
    batches = list(
        CallBatch.objects.for_workspace(workspace_id)
        .filter(id__in=rotations.values("batch"))
        .order_by("id")
        .select_for_update(no_key=True)
    )
    # After the batches, as everywhere; not for good yet, because a claim that holds the schedule may
    # write leases of it. A number of another workspace is in none of the batches.
    phone = phones.filter(id=phone_id).select_for_update(no_key=True).first()
    if phone is None:
        raise Http404
    precondition(phone)
    # Not all: one that came while this waited for its locks is in the way, and seen the next time.
    rotations.filter(batch__in=batches).delete()
    active = BatchNumber.objects.filter(batch__in=batches, phone__is_active=True)
    provided = set(active.values_list("batch_id", flat=True))
    for batch in batches:
        if batch.id not in provided:
            move_batch(batch, BatchStatus.PAUSED, now=now, reason=PauseReason.NO_NUMBER)
    event = audit_event(
        actor=actor,
        action="phonenumber.delete",
        target=phone,
        workspace_id=workspace_id,
        now=now,
        changes={"number": phone.number, "batches": len(batches)},
    )
    insert_rows(event)
    phone.delete()
    if phone.account_id is not None:
        CarrierAccount.objects.for_workspace(workspace_id).filter(
            id=phone.account_id, numbers__isnull=True
        ).delete()

"""The dialer and sandboxes: only the simulator is asked, and a test key alone gets a batch completed."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from batches.dialer.gate import pass_gate
from batches.dialer.placing import IN_SANDBOX, Placer, Result
from batches.dialer.steps import _settle
from batches.dialer.store import Claimed
from batches.models import BatchStatus, Call, CallStatus, PauseReason
from calling.carriers.registry import CARRIERS
from calling.carriers.simulator import SIMULATOR
from calling.models import PhoneNumber, SimulatedCall
from calling.services.sandboxes import create_workspace
from tests import factories
from tests.batches.dialer.in_process import QUICK, StubCarrier, dialing
from tests.batches.dialer.steps import (
    NOW,
    TIMING,
    claim,
    dialed_batch,
    next_dial_at,
    number_of,
    status_of,
)
from tests.cast import Api, Person, in_sandbox
from tests.envelope import checked
from workspaces.callers import Actor
from workspaces.models import Workspace
from workspaces.services.workspaces import update_workspace


def test_a_number_of_a_real_carrier_is_no_number_in_a_sandbox(owner: Person) -> None:
    """Whoever wrote the row."""
    inside = in_sandbox(owner)
    real = [number_of(inside, carrier="twilio"), number_of(inside, carrier="plivo")]
    only_real = dialed_batch(inside, 2, phones=real)
    mixed = dialed_batch(inside, 2, phones=[*real, number_of(inside)])

    found = claim()
    assert {one.carrier for one in found.calls} == {"simulator"}
    assert {one.batch_id.hex() for one in found.calls} == {mixed.id}
    assert all(one.is_sandbox for one in found.calls)
    _settle(found, NOW)
    only_real.refresh_from_db()
    assert (only_real.status, only_real.status_reason) == (
        BatchStatus.PAUSED,
        PauseReason.NO_NUMBER,
    )


def test_right_before_a_carrier_is_asked_it_is_looked_at_again(
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = in_sandbox(owner)
    dialed_batch(inside, 1, phones=[number_of(inside)])
    carrier = StubCarrier()
    monkeypatch.setitem(CARRIERS, "twilio", carrier)
    [claimed] = claim().calls
    claimed = replace(claimed, place_at=timezone.now(), carrier="twilio")

    def placed(is_sandbox: bool) -> Result | None:
        return asyncio.run(Placer(TIMING).place(replace(claimed, is_sandbox=is_sandbox)))

    refused = placed(True)
    assert refused is not None
    assert refused.outcome is IN_SANDBOX
    assert carrier.rings == []
    rung = placed(False)  # it was not something else that kept it
    assert rung is not None
    assert len(carrier.rings) == 1


def test_a_sandbox_is_dialed_while_its_workspace_is_not_suspended(owner: Person) -> None:
    inside = in_sandbox(owner)
    batch = dialed_batch(inside, 1, phones=[number_of(inside)])

    def suspend(is_active: bool) -> None:
        update_workspace(
            workspace_id=owner.workspace.id,
            changes={"is_active": is_active},
            actor=Actor(),
            now=NOW,
        )

    suspend(True)
    Workspace.objects.filter(id=owner.workspace.id).update(is_active=False)
    assert claim_of(inside.workspace) == []
    assert next_dial_at(inside.workspace) is None
    suspend(True)  # which wakes its sandbox, too
    [claimed] = claim_of(inside.workspace)
    assert status_of(batch) == BatchStatus.ACTIVE
    Workspace.objects.filter(id=owner.workspace.id).update(is_active=False)
    refused = pass_gate([claimed.attempt_id], now=NOW).refused[batch.id]
    assert [why.detail for why in refused.values()] == ["workspace_suspended"]
    Workspace.objects.filter(id=owner.workspace.id).update(is_active=True)
    assert pass_gate([claimed.attempt_id], now=NOW).sent == {claimed.attempt_id}


def claim_of(workspace: Workspace) -> list[Claimed]:
    """The calls claimed of this workspace; it and its live one are due."""
    claims = [claim() for _ in range(2)]
    return [one for each in claims for one in each.calls]


@pytest.mark.django_db(transaction=True)
def test_with_nothing_but_a_test_key_a_batch_is_completed(api: Api) -> None:
    live = factories.WorkspaceFactory.build()
    user = factories.UserFactory.create()
    create_workspace(workspace=live, user_id=user.id, actor=Actor(), now=timezone.now())
    factories.MembershipFactory.create(workspace=live, user=user)
    token = factories.AccessTokenFactory.create(workspace=live, user=user).text
    asked = {"name": "Trying", "scopes": ["calling:manage"], "environment": "test"}
    made = api.post("/api/workspace/api-keys", asked, {"Authorization": f"Bearer {token}"})
    key = {"x-api-key": checked(made, 201)["data"]["apiKey"]}

    me = checked(api.get("/api/auth/me", key), 200)["data"]
    phones = checked(api.get("/api/call/phones", key), 200)["data"]["phones"]
    asked = {"batchName": "First", "callingNumbers": [one["_id"] for one in phones]}
    batch_id = checked(api.post("/api/call/createBatch", asked, key), 201)["data"]
    contacts = [{"phoneNumber": f"121255501{digits}"} for digits in ("04", "23", "24")]
    added = {"batchId": batch_id, "call_data": contacts}
    checked(api.post("/api/call/addCallsToBatch", added, key))
    started = {"batchId": batch_id, "userId": me["user"]["_id"]}
    checked(api.post("/api/call/start-calling", started, key), 200)
    patient = replace(QUICK, patience=timedelta(seconds=0.3))  # nobody calls back here

    async def until_it_is_done() -> None:
        async with dialing(patient) as eyes:
            await eyes.until(lambda: not Call.objects.filter(status="pending").exists())
            await eyes.until(lambda: not Call.objects.filter(status="in-progress").exists())

    try:
        asyncio.run(until_it_is_done())
    finally:
        SIMULATOR.close()
    stats = checked(api.get(f"/api/call/batch-stats/{batch_id}", key), 200)["data"]
    assert stats["batchStatus"] == "completed"
    statuses = dict(Call.objects.values_list("phone_number", "status"))
    assert statuses == {
        "+12125550104": CallStatus.FAILED,
        "+12125550123": CallStatus.COMPLETED,
        "+12125550124": CallStatus.COMPLETED,
    }
    sandbox = Workspace.objects.get(sandbox_of=live)
    rings = set(SimulatedCall.objects.values_list("sandbox", "time_scale"))
    assert rings == {(sandbox.id, 0.1)}
    assert not PhoneNumber.objects.for_workspace(live.id).exists()

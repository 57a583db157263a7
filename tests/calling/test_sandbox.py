"""What a sandbox is furnished with, and what it calls with."""

from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.utils import timezone

from calling.carriers.base import CallProgress, CallRequest
from calling.carriers.registry import CARRIERS, SANDBOX_CARRIERS
from calling.carriers.simulator import ledger
from calling.carriers.simulator.script import report_at, timeline
from calling.models import Agent, CarrierAccount, PhoneNumber, SimulatedCall
from calling.services.accounts import credentials_of
from calling.services.sandboxes import create_workspace
from tests import factories
from tests.calling.test_add_phone import request_of
from tests.cast import Api, Person, in_sandbox
from tests.envelope import checked
from workspaces.callers import Actor
from workspaces.models import AuditEvent, User, Workspace

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def made(user: User, **fields: Any) -> tuple[Workspace, Workspace]:
    """A new workspace and its sandbox."""
    live = factories.WorkspaceFactory.build(**fields)
    actor = Actor(user_id=user.id)
    create_workspace(workspace=live, user_id=user.id, actor=actor, now=timezone.now())
    return live, Workspace.objects.get(sandbox_of=live)


def furniture(sandbox: Workspace) -> list[Any]:
    """What the promise is about, whoever has furnished it."""
    phones = PhoneNumber.objects.for_workspace(sandbox.id).order_by("number")
    account = CarrierAccount.objects.get(workspace=sandbox)
    agent = Agent.objects.get(workspace=sandbox)
    return [
        sandbox.is_active,
        [(one.number, one.label, one.carrier, one.is_active) for one in phones],
        {(one.account_id, one.agent_id) for one in phones} == {(account.id, agent.id)},
        {one.created_by_id for one in phones} == {agent.created_by_id},
        (account.carrier, credentials_of(account).account_id == sandbox.id),
        (agent.name, agent.connection_type, agent.connection_target),
        (account.calls_per_second, account.concurrency_limit),
    ]


def test_a_workspace_is_made_with_its_sandbox(db: None) -> None:
    user = factories.UserFactory.create()
    live, sandbox = made(user, name="Acme", timezone="Europe/London", called_countries=["GB"])

    assert (live.sandbox_id, live.is_sandbox, sandbox.is_sandbox) == (sandbox.id, False, True)
    assert (sandbox.name, sandbox.timezone) == ("Acme (sandbox)", "Europe/London")
    assert sandbox.called_countries == ["GB", "US"]  # its numbers are American
    assert not PhoneNumber.objects.for_workspace(live.id).exists()
    assert furniture(sandbox)[1:4] == [
        [(number, "Sandbox", "simulator", True) for number in ("+12125550100", "+12125550101")],
        True,
        True,
    ]
    events = AuditEvent.objects.filter(action="workspace.create", user=user)
    assert {event.workspace_id for event in events} == {live.id, sandbox.id}
    _, other = made(user)
    assert other.called_countries == []  # those of its numbers
    digests = CarrierAccount.objects.values_list("digest", flat=True)
    assert len({bytes(digest) for digest in digests}) == 2  # limits of one are not the other's


def test_migrations_furnish_what_was_there_before_alike_and_once(db: None) -> None:
    owner, other = factories.MembershipFactory.create(), factories.MembershipFactory.create()
    factories.MembershipFactory.create(workspace=owner.workspace, role="admin")
    british = owner.workspace
    factories.PhoneNumberFactory.create(
        workspace=british, created_by=owner.user, number="+442079460100"
    )
    _, existing = made(owner.user)
    deserted = factories.WorkspaceFactory.create()
    make = import_module("workspaces.migrations.0007_sandboxes").make_sandboxes
    furnish = import_module("calling.migrations.0008_sandboxes").furnish_sandboxes
    for _ in range(2):
        make(apps, None)
        furnish(apps, None)

    assert Workspace.objects.filter(sandbox_of=None).count() == 4
    assert Workspace.objects.exclude(sandbox_of=None).count() == 4
    for membership in (owner, other):
        sandbox = Workspace.objects.get(sandbox_of=membership.workspace)
        assert furniture(sandbox) == furniture(existing)
        assert Agent.objects.get(workspace=sandbox).created_by_id == membership.user_id
        assert sandbox.name == f"{membership.workspace.name} (sandbox)"
    assert Workspace.objects.get(sandbox_of=british).called_countries == ["GB", "US"]
    empty = Workspace.objects.get(sandbox_of=deserted)
    assert not PhoneNumber.objects.for_workspace(empty.id).exists()


@pytest.mark.parametrize("carrier", sorted(set(CARRIERS) - SANDBOX_CARRIERS))
def test_only_numbers_that_ring_nobody_are_added_to_a_sandbox(
    api: Api, owner: Person, carrier: str
) -> None:
    inside = in_sandbox(owner)
    body = request_of(inside, integration=carrier)
    answer = api.post("/api/call/add-phone", body, inside.with_key)
    error = checked(answer, 400)["data"]["errors"][0]
    assert (error["field"], error["code"]) == ("integration", "sandbox_simulator_only")
    assert not PhoneNumber.objects.exists()

    answer = api.post("/api/call/add-phone", request_of(inside), inside.with_key)
    assert PhoneNumber.objects.get(id=checked(answer, 201)["data"]["_id"]).workspace_id == (
        inside.workspace.id
    )


# --- The simulator --------------------------------------------------------------------------------


def ringing(digits: str, sandbox: str = "", request_uuid: UUID | None = None) -> CallRequest:
    return CallRequest(
        request_uuid=request_uuid or uuid4(),
        from_number="+12125550100",
        to_number=f"+131055520{digits}",
        callback_url="http://127.0.0.1:9/",
        sandbox=sandbox,
    )


def ring(*requests: CallRequest) -> list[SimulatedCall]:
    return ledger.ring(requests, time_scale=1, sandbox_scale=0.1, now=NOON)


def test_a_call_of_a_sandbox_takes_a_tenth_of_the_time(db: None) -> None:
    live, test = ring(ringing("02"), ringing("02", "a" * 24))

    def lasts(call: SimulatedCall) -> timedelta:
        return timeline(ledger.plan_of(call))[-1].at - NOON

    assert (lasts(live), lasts(test)) == (timedelta(seconds=2), timedelta(seconds=0.2))
    assert test.next_callback_at == NOON + timedelta(seconds=0.01)


def test_sandboxes_do_not_learn_of_each_others_calls(db: None) -> None:
    """A number that is busy at first is so for each of them, whatever the others have called."""
    worlds = ("", "a" * 24, "b" * 24)

    def outcomes() -> list[CallProgress]:
        calls = ring(*(ringing("05", sandbox) for sandbox in worlds))
        after = NOON + timedelta(minutes=1)
        return [report_at(ledger.plan_of(call), after).progress for call in calls]

    assert outcomes() == [CallProgress.BUSY] * 3
    assert outcomes() == [CallProgress.COMPLETED] * 3
    ring(ringing("05", "c" * 24))
    assert SimulatedCall.objects.filter(sandbox="c" * 24, called_before=False).count() == 1

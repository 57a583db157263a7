"""A carrier of the tests' own, with a number and a batch that calls from it."""

from typing import Any

import pytest

from batches.models import Call, CallBatch
from calling.carriers.registry import CARRIERS
from calling.models import PhoneNumber
from tests import factories
from tests.batches.dialer.steps import dialed_batch
from tests.batches.toy_calls import PUBLIC, TOKEN
from tests.calling.carriers.toy import Toy
from tests.cast import Api, Person
from tests.envelope import checked


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Toy:
    settings.PUBLIC_BASE_URL = PUBLIC
    made = Toy()
    monkeypatch.setitem(CARRIERS, "toy", made)  # the line of the registry
    return made


@pytest.fixture
def toy_phone(toy: Toy, api: Api, owner: Person) -> PhoneNumber:
    """Added as an integrator adds one, with an agent that speaks."""
    agent = factories.AgentFactory.create(
        workspace=owner.workspace,
        created_by=owner.user,
        connection_target="Hello {name}, press 9 to opt out.",
        opt_out_key="9",
        opt_out_message="Goodbye.",
        variables=[{"key": "name", "type": "string"}],
    )
    body = {
        "userId": owner.user.id,
        "phoneNumber": "12125551234",
        "integration": "toy",
        "authToken": TOKEN,
        "accSId": "TOY1",
        "agentId": agent.id,
    }
    added = checked(api.post("/api/call/add-phone", body, owner.with_token), 201)["data"]
    return PhoneNumber.objects.select_related("agent").get(id=added["_id"])


@pytest.fixture
def toy_batch(toy_phone: PhoneNumber, owner: Person) -> CallBatch:
    made = dialed_batch(owner, 1, phones=[toy_phone], retry=1)
    Call.objects.update(variables={"name": "Ada & <Bob>"})
    return made

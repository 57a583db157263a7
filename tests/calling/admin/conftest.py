from typing import Any

import pytest
from django.test import Client

from calling.carriers.registry import CARRIERS
from calling.models import PhoneNumber
from calling.services.accounts import digest_of
from tests import factories
from tests.calling.admin.desk import ACCOUNT, TOKEN, Desk, browser
from tests.cast import Person


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Desk:
    settings.PUBLIC_BASE_URL = "https://outdial.example"
    made = Desk()
    monkeypatch.setitem(CARRIERS, "desk", made)
    return made


@pytest.fixture
def desk_phone(desk: Desk, owner: Person) -> PhoneNumber:
    account = factories.CarrierAccountFactory.create(
        workspace=owner.workspace,
        carrier="desk",
        digest=digest_of("desk", ACCOUNT),
        credentials={"accSId": ACCOUNT, "authToken": TOKEN, "publicKey": "old key"},
    )
    phone: PhoneNumber = factories.PhoneNumberFactory.create(
        workspace=owner.workspace, created_by=owner.user, carrier="desk", account=account
    )
    return phone


@pytest.fixture
def leader(owner: Person) -> Client:
    return browser(owner)


@pytest.fixture
def reader(member: Person) -> Client:
    return browser(member)


@pytest.fixture
def outsider(stranger: Person) -> Client:
    return browser(stranger)

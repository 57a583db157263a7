"""POST /api/call/add-phone."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from calling.carriers.base import CarrierError, Credentials
from calling.carriers.registry import CARRIERS
from calling.models import Agent, CarrierAccount, PhoneNumber
from tests import factories
from tests.cast import Api, Person, person
from tests.envelope import checked
from workspaces.callers import Role
from workspaces.ids import new_object_id
from workspaces.models import AuditEvent, Membership, User

PATH = "/api/call/add-phone"
TOKEN, ACCOUNT = "token-9f8e7d6c", "AC-1a2b3c4d"


def request_of(who: Person, **changes: Any) -> dict[str, Any]:
    return {
        "userId": who.user.id,
        "phoneNumber": "12125551234",
        "integration": "simulator",
        "authToken": TOKEN,
        "accSId": ACCOUNT,
        **changes,
    }


def add(api: Api, who: Person, **changes: Any) -> Any:
    return api.post(PATH, request_of(who, **changes), who.with_token)


def error_of(response: Any) -> tuple[str, str]:
    [error] = checked(response, 400)["data"]["errors"]
    return error["field"], error["code"]


class Script:
    """A carrier that does what the test tells it."""

    title, calls_per_second, asks_back = "Script", 7, False

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []
        self.in_transaction: list[bool] = []
        self.error: Exception | None = None
        self.barrier: threading.Barrier | None = None

    async def verify_credentials(self, credentials: Credentials, number: str) -> Credentials:
        self.seen.append((credentials.account_id, credentials.auth_token, number))
        self.in_transaction.append(connection.in_atomic_block)
        if self.barrier:
            await asyncio.to_thread(self.barrier.wait, 20)
        if self.error:
            raise self.error
        return replace(credentials, public_key="known now")


@pytest.fixture
def carrier(monkeypatch: pytest.MonkeyPatch) -> Script:
    script = Script()
    monkeypatch.setitem(CARRIERS, "simulator", script)
    return script


# --- The documented answer ------------------------------------------------------------------------


def test_the_answer_is_the_documented_one(api: Api, owner: Person) -> None:
    body = checked(add(api, owner), 201)
    assert body["message"] == "Phone number added successfully"
    phone = body["data"]
    assert list(phone) == ["_id", "userId", "phoneNumber", "integration", "createdAt"]
    assert (phone["userId"], phone["phoneNumber"]) == (owner.user.id, "12125551234")
    assert phone["integration"] == "simulator"
    assert phone["createdAt"].endswith("Z")
    stored = PhoneNumber.objects.get(id=phone["_id"])
    assert (stored.number, stored.is_active) == ("+12125551234", True)
    assert (stored.workspace_id, stored.created_by_id) == (owner.workspace.id, owner.user.id)
    assert stored.label == ""
    assert stored.agent_id is None
    create = {"batchName": "x", "callingNumbers": [phone["_id"]]}
    checked(api.post("/api/call/createBatch", create, owner.with_key), 201)


def test_label_and_agent_are_ours(api: Api, owner: Person) -> None:
    agent = factories.AgentFactory.create(workspace=owner.workspace)
    phone_id = checked(add(api, owner, label=" Front desk ", agentId=agent.id), 201)["data"]["_id"]
    stored = PhoneNumber.objects.get(id=phone_id)
    assert (stored.label, stored.agent_id) == ("Front desk", agent.id)


@pytest.mark.parametrize(
    "written", ["+12125551234", "1 (212) 555-1234", "1.212.555.1234", "12125551234"]
)
def test_a_number_may_be_written_in_any_of_the_usual_ways(
    api: Api, owner: Person, written: str
) -> None:
    assert checked(add(api, owner, phoneNumber=written), 201)["data"]["phoneNumber"] == (
        "12125551234"
    )


def test_a_first_number_abroad_is_no_wrong_country(api: Api, owner: Person) -> None:
    checked(add(api, owner), 201)
    checked(add(api, owner, phoneNumber="+442079460100"), 201)
    owner.workspace.called_countries = ["US"]
    owner.workspace.save()
    checked(add(api, owner, phoneNumber="+4930123456"), 201)


def test_the_number_belongs_to_the_user_that_is_named(
    api: Api, owner: Person, member: Person
) -> None:
    data = checked(add(api, owner, userId=member.user.id), 201)["data"]
    assert data["userId"] == member.user.id
    event = AuditEvent.objects.get()
    assert (event.action, event.target_id) == ("phonenumber.create", data["_id"])
    assert event.user_id == owner.user.id
    assert event.changes == {"number": "+12125551234", "carrier": "simulator", "label": ""}


# --- Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["userId", "phoneNumber", "integration", "authToken", "accSId"])
def test_every_documented_field_is_required(api: Api, owner: Person, field: str) -> None:
    request = request_of(owner)
    del request[field]
    assert error_of(api.post(PATH, request, owner.with_token)) == (field, "required")


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"userId": "me"}, "userId", "invalid_id"),
        ({"phoneNumber": "2125551234"}, "phoneNumber", "too_short"),
        ({"phoneNumber": "call me"}, "phoneNumber", "not_a_number"),
        ({"phoneNumber": 12125551234}, "phoneNumber", "invalid"),
        ({"integration": "pigeon"}, "integration", "invalid_choice"),
        ({"integration": "Simulator"}, "integration", "invalid_choice"),
        ({"authToken": ""}, "authToken", "blank"),
        ({"authToken": "x" * 201}, "authToken", "max_length"),
        ({"authToken": "two\nlines"}, "authToken", "control_character"),
        ({"authToken": 7}, "authToken", "invalid"),
        ({"accSId": None}, "accSId", "null"),
        ({"accSid": "AC1"}, "accSid", "unknown_field"),
        ({"label": "x" * 201}, "label", "max_length"),
        ({"agentId": "none"}, "agentId", "invalid_id"),
        ({"agentId": None}, "agentId", "null"),
        ({"authToken": "refused"}, "authToken", "credentials_refused"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_rule_names_its_field(
    api: Api, owner: Person, changes: dict[str, Any], field: str, code: str
) -> None:
    assert error_of(add(api, owner, **changes)) == (field, code)
    assert not PhoneNumber.objects.exists()
    assert not CarrierAccount.objects.exists()


@pytest.mark.parametrize("integration", ["plivo", "twilio", "telnyx"])
def test_a_real_carrier_needs_an_address_to_ask_back(
    api: Api, owner: Person, settings: Any, integration: str
) -> None:
    settings.PUBLIC_BASE_URL = ""
    response = add(api, owner, integration=integration)
    assert error_of(response) == ("integration", "integration_unavailable")
    assert "PUBLIC_BASE_URL" in response.json()["errorMessage"]


def test_a_new_account_gets_the_pace_of_its_carrier_and_what_the_carrier_added(
    api: Api, owner: Person, carrier: Script
) -> None:
    checked(add(api, owner), 201)
    account = CarrierAccount.objects.get()
    assert account.calls_per_second == 7
    assert account.credentials["publicKey"] == "known now"


def test_credentials_that_were_taken_close_the_breaker(
    api: Api, owner: Person, carrier: Script
) -> None:
    checked(add(api, owner), 201)
    CarrierAccount.objects.update(failures=9, resting_until=timezone.now())
    checked(add(api, owner, phoneNumber="12125551299"), 201)
    account = CarrierAccount.objects.get()
    assert (account.failures, account.resting_until) == (0, None)


def test_a_number_is_added_once_and_keeps_its_first_owner(
    api: Api, owner: Person, stranger: Person
) -> None:
    first = checked(add(api, owner), 201)["data"]["_id"]
    again = add(api, owner, phoneNumber="+1 212 555 1234", authToken="other")
    assert error_of(again) == ("phoneNumber", "already_added")
    assert [phone.id for phone in PhoneNumber.objects.all()] == [first]
    account = CarrierAccount.objects.get()
    assert account.credentials["authToken"] == TOKEN  # the refused request changed nothing
    checked(add(api, stranger), 201)  # what another workspace has is no obstacle, and not told


def test_a_carrier_without_this_number_refuses_it(api: Api, owner: Person, carrier: Script) -> None:
    carrier.error = CarrierError(
        "This account has no such number.",
        permanent=True,
        field="phoneNumber",
        code="number_not_owned",
    )
    assert error_of(add(api, owner)) == ("phoneNumber", "number_not_owned")
    assert not CarrierAccount.objects.exists()
    assert not AuditEvent.objects.exists()


def test_a_carrier_that_is_away_is_a_503(api: Api, owner: Person, carrier: Script) -> None:
    carrier.error = CarrierError(
        "The carrier does not answer.", permanent=False, field="integration", code="carrier_away"
    )
    response = add(api, owner)
    assert checked(response, 503)["errorMessage"] == "The carrier does not answer."
    assert response["Retry-After"] == "5"
    assert not PhoneNumber.objects.exists()


def test_an_agent_must_be_one_of_the_workspace(api: Api, owner: Person, stranger: Person) -> None:
    foreign = factories.AgentFactory.create(workspace=stranger.workspace)
    for agent_id in (foreign.id, new_object_id()):
        response = add(api, owner, agentId=agent_id)
        assert error_of(response) == ("agentId", "unknown_agent")
        assert agent_id in response.json()["errorMessage"]
    assert not PhoneNumber.objects.exists()
    assert not CarrierAccount.objects.exists()


def test_only_an_active_member_of_the_workspace_gets_a_number(
    api: Api, owner: Person, member: Person, stranger: Person, carrier: Script
) -> None:
    User.objects.filter(id=member.user.id).update(is_active=False)
    left = factories.MembershipFactory.create(workspace=owner.workspace)
    Membership.objects.filter(id=left.id).delete()
    answers = [
        checked(add(api, owner, userId=user_id), 404)
        for user_id in (member.user.id, left.user_id, stranger.user.id, new_object_id())
    ]
    assert all(answer == answers[0] for answer in answers)
    assert carrier.seen == []


def test_members_and_read_keys_add_nothing(api: Api, owner: Person, member: Person) -> None:
    checked(add(api, member), 403)
    checked(api.post(PATH, request_of(owner), owner.with_read_key), 403)
    checked(add(api, person(owner.workspace, Role.ADMIN)), 201)
    checked(api.post(PATH, request_of(owner, phoneNumber="12125559999"), owner.with_key), 201)


# --- The account ----------------------------------------------------------------------------------


def test_numbers_of_one_account_share_it_and_the_newest_credentials_count(
    api: Api, owner: Person, stranger: Person
) -> None:
    checked(add(api, owner), 201)
    first = CarrierAccount.objects.get()
    checked(add(api, owner, phoneNumber="12125559999", authToken="rotated"), 201)
    account = CarrierAccount.objects.get()
    assert account.credentials == {"accSId": ACCOUNT, "authToken": "rotated"}
    assert account.updated_at > first.updated_at
    assert account.created_at == first.created_at
    assert set(PhoneNumber.objects.values_list("account_id", flat=True)) == {account.id}

    checked(add(api, owner, phoneNumber="12125558888", accSId="AC-other"), 201)
    checked(add(api, stranger), 201)
    assert CarrierAccount.objects.count() == 3  # an account is stored for each workspace by itself


def test_new_credentials_mend_an_account_whose_key_is_lost(
    api: Api, owner: Person, settings: Settings
) -> None:
    checked(add(api, owner), 201)
    settings.ENCRYPTION_KEYS = ["b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3Q="]
    checked(add(api, owner, phoneNumber="12125559999", authToken="new"), 201)
    assert CarrierAccount.objects.get().credentials["authToken"] == "new"


def test_it_costs_a_constant_number_of_statements(
    api: Api, owner: Person, carrier: Script, statements: CaptureQueriesContext
) -> None:
    """1. credential; 2. member; 3. the account, locked; 4. its credentials; 5. number and event."""
    checked(add(api, owner), 201)
    costs = []
    for last in range(3):
        before = len(statements)
        checked(add(api, owner, phoneNumber=f"1212555000{last}"), 201)
        sent = [query["sql"] for query in statements.captured_queries[before:]]
        costs.append([one for one in sent if "SAVEPOINT" not in one])
    assert [len(cost) for cost in costs] == [5, 5, 5]


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_the_carrier_is_asked(api: Api, carrier: Script) -> None:
    checked(add(api, person()), 201)
    assert carrier.seen == [(ACCOUNT, TOKEN, "+12125551234")]
    assert carrier.in_transaction == [False]


@pytest.mark.django_db(transaction=True)
def test_of_two_who_add_a_number_at_once_one_is_told_that_it_is_there(carrier: Script) -> None:
    owner = person()
    carrier.barrier = threading.Barrier(2)
    answers: list[Any] = []

    def work() -> None:
        answers.append(add(Api(), owner))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    first, second = sorted(answers, key=lambda answer: answer.status_code)
    checked(first, 201)
    assert error_of(second) == ("phoneNumber", "already_added")
    assert PhoneNumber.objects.count() == CarrierAccount.objects.count() == 1
    assert AuditEvent.objects.filter(action="phonenumber.create").count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_agent_that_is_being_deleted_gets_no_number() -> None:
    owner = person()
    agent_id = factories.AgentFactory.create(workspace=owner.workspace).id
    answers: list[Any] = []

    def work() -> None:
        answers.append(add(Api(), owner, agentId=agent_id))
        connection.close()

    with transaction.atomic():
        Agent.objects.filter(id=agent_id).delete()
        other = threading.Thread(target=work)
        other.start()
        other.join(0.5)
    other.join()
    assert error_of(answers[0]) == ("agentId", "unknown_agent")

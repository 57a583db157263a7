"""GET and PATCH /api/workspace."""

from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext
from phonenumbers import SUPPORTED_REGIONS

from tests import factories
from tests.cast import Api, Person, person
from tests.envelope import checked
from workspaces.callers import Role
from workspaces.models import AuditEvent, Workspace

PATH = "/api/workspace"


def patch(api: Api, who: Person, **changes: Any) -> Any:
    return api.request("PATCH", PATH, changes, who.with_token)


@pytest.mark.parametrize("credential", ["with_key", "with_read_key", "with_token"])
def test_everybody_reads_their_own(
    api: Api, owner: Person, stranger: Person, credential: str
) -> None:
    body = checked(api.get(PATH, getattr(owner, credential)), 200)
    assert body["message"] == "Workspace fetched successfully"
    assert list(body["data"]) == [
        *("_id", "name", "timezone", "calledCountries", "startWhenCallsAdded", "dncEnabled"),
        *("concurrencyLimit", "contactDailyCap", "callingHour", "allowedDays"),
        *("createdAt", "updatedAt", "environment", "sandboxId"),
    ]
    assert body["data"]["_id"] == owner.workspace.id
    assert body["data"]["name"] == owner.workspace.name
    assert body["data"]["createdAt"].endswith("Z")
    assert body["data"]["calledCountries"] == []
    assert body["data"]["startWhenCallsAdded"] is False
    assert body["data"]["dncEnabled"] is True


def test_reading_costs_three_statements(
    api: Api, owner: Person, statements: CaptureQueriesContext
) -> None:
    """1. SELECT the key; 2. SELECT the workspace."""
    api.get(PATH, owner.with_key)
    before = len(statements)
    checked(api.get(PATH, owner.with_key), 200)
    assert len(statements) - before == 3


def test_who_leads_changes_name_and_timezone(api: Api, owner: Person, stranger: Person) -> None:
    data = checked(patch(api, owner, name="  Renamed ", timezone="Asia/Tokyo"), 200)["data"]
    assert (data["name"], data["timezone"]) == ("Renamed", "Asia/Tokyo")
    assert data["updatedAt"] > data["createdAt"]
    stored = Workspace.objects.get(id=owner.workspace.id)
    assert (stored.name, stored.timezone) == ("Renamed", "Asia/Tokyo")
    untouched = Workspace.objects.get(id=stranger.workspace.id)
    assert (untouched.name, untouched.updated_at) == (
        stranger.workspace.name,
        stranger.workspace.updated_at,
    )


def test_who_leads_changes_the_called_countries_and_when_calls_start(
    api: Api, owner: Person, stranger: Person
) -> None:
    changes = {"calledCountries": ["US", "CA"], "startWhenCallsAdded": True}
    data = checked(patch(api, owner, **changes), 200)["data"]
    assert (data["calledCountries"], data["startWhenCallsAdded"]) == (["CA", "US"], True)
    assert checked(api.get(PATH, owner.with_read_key))["data"] == data
    stored = Workspace.objects.get(id=owner.workspace.id)
    assert (stored.called_countries, stored.start_when_calls_added) == (["CA", "US"], True)
    assert Workspace.objects.get(id=stranger.workspace.id).called_countries == []

    again = {"calledCountries": [], "startWhenCallsAdded": False}
    data = checked(patch(api, owner, **again), 200)["data"]
    assert {name: data[name] for name in again} == again


def test_every_country_may_be_called(api: Api, owner: Person) -> None:
    every = sorted(SUPPORTED_REGIONS)
    assert checked(patch(api, owner, calledCountries=every), 200)["data"]["calledCountries"] == (
        every
    )


def test_what_is_left_out_stays(api: Api, owner: Person) -> None:
    before = owner.workspace
    assert checked(patch(api, owner, name="Only this"))["data"]["timezone"] == before.timezone
    assert checked(patch(api, owner, timezone="UTC"))["data"]["name"] == "Only this"
    assert checked(patch(api, owner))["data"]["name"] == "Only this"


def test_new_batches_take_the_new_timezone_and_old_ones_keep_theirs(
    api: Api, owner: Person
) -> None:
    phone = factories.PhoneNumberFactory.create(workspace=owner.workspace)
    request = {"batchName": "x", "callingNumbers": [phone.id]}
    checked(api.post("/api/call/createBatch", request, owner.with_key), 201)
    patch(api, owner, timezone="Asia/Tokyo")
    checked(api.post("/api/call/createBatch", request, owner.with_key), 201)
    zones = owner.workspace.batches.order_by("id").values_list("timezone", flat=True)
    assert list(zones) == ["America/New_York", "Asia/Tokyo"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": ""}, ("name", "blank")),
        ({"name": None}, ("name", "null")),
        ({"name": "x" * 201}, ("name", "max_length")),
        ({"timezone": "Mars/Base"}, ("timezone", "unknown_timezone")),
        ({"timezone": "localtime"}, ("timezone", "unknown_timezone")),
        ({"timezone": 3}, ("timezone", "invalid")),
        *(
            ({"calledCountries": ["US", code]}, ("calledCountries[1]", "unknown_country"))
            for code in ["us", "USA", "XX", "001", "U", "ÜS"]
        ),
        ({"calledCountries": ["US", ""]}, ("calledCountries[1]", "blank")),
        ({"calledCountries": ["US", 1]}, ("calledCountries[1]", "invalid")),
        ({"calledCountries": ["US", "US"]}, ("calledCountries", "repeated_country")),
        ({"calledCountries": ["US"] * 300}, ("calledCountries", "max_length")),
        ({"calledCountries": "US"}, ("calledCountries", "not_a_list")),
        ({"calledCountries": None}, ("calledCountries", "null")),
        ({"startWhenCallsAdded": "true"}, ("startWhenCallsAdded", "invalid")),
        ({"startWhenCallsAdded": None}, ("startWhenCallsAdded", "null")),
        ({"dncEnabled": False}, ("dncEnabled", "unknown_field")),
        ({"isActive": False}, ("isActive", "unknown_field")),
        ({"_id": "64e5f12345abcdef87654321"}, ("_id", "unknown_field")),
    ],
    ids=lambda value: str(value)[:50],
)
def test_each_rule_names_its_field(
    api: Api, owner: Person, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    error = checked(patch(api, owner, **changes), 400)["data"]["errors"][0]
    assert (error["field"], error["code"]) == expected
    owner.workspace.refresh_from_db()
    assert owner.workspace.timezone == "America/New_York"


def test_a_member_and_a_read_key_may_only_look(api: Api, owner: Person, member: Person) -> None:
    checked(patch(api, member, name="Mine now"), 403)
    checked(api.request("PATCH", PATH, {"name": "x"}, owner.with_read_key), 403)
    checked(patch(api, person(owner.workspace, Role.ADMIN), name="The admin's"), 200)
    checked(api.request("PATCH", PATH, {"name": "The key's"}, owner.with_key), 200)
    checked(api.get(PATH, member.with_token), 200)


def test_the_audit_says_what_was_set(api: Api, owner: Person) -> None:
    patch(api, owner, name="Renamed", calledCountries=["US"])
    event = AuditEvent.objects.get()
    assert event.action == "workspace.update"
    assert event.changes == {"name": "Renamed", "called_countries": ["US"]}
    assert (event.target_id, event.workspace_id) == (owner.workspace.id, owner.workspace.id)

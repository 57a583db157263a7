"""GET /api/call/phones and PATCH /api/call/update-phone/{phoneId}."""

from datetime import timedelta
from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calling.models import PhoneNumber
from tests import factories
from tests.cast import Api, Person, person
from tests.envelope import checked
from workspaces.callers import Role
from workspaces.ids import new_object_id
from workspaces.models import AuditEvent, DialSchedule

LIST = "/api/call/phones"


def patch(api: Api, who: Person, phone: PhoneNumber, **changes: Any) -> Any:
    return api.request("PATCH", f"/api/call/update-phone/{phone.id}", changes, who.with_token)


# --- List -----------------------------------------------------------------------------------------


def test_a_number_shows_all_but_its_credentials(
    api: Api, owner: Person, phone: PhoneNumber
) -> None:
    body = checked(api.get(LIST, owner.with_read_key), 200)
    assert body["message"] == "Phone numbers fetched successfully"
    assert list(body["data"]) == ["phones", "pagination"]
    [shown] = body["data"]["phones"]
    times = [shown.pop("createdAt"), shown.pop("updatedAt")]
    assert all(time.endswith("Z") for time in times)
    assert list(shown.items()) == [
        ("_id", phone.id),
        ("userId", owner.user.id),
        ("phoneNumber", phone.number.removeprefix("+")),
        ("integration", "simulator"),
        ("label", ""),
        ("agentId", phone.agent_id),
        ("active", True),
        ("concurrencyLimit", 0),
        ("dailyCap", 0),
        ("carrierProblem", None),
    ]


def test_a_number_shows_what_is_wrong_with_its_carrier(
    api: Api, owner: Person, phone: PhoneNumber
) -> None:
    at = timezone.now()
    phone.account = factories.CarrierAccountFactory.create(
        workspace=owner.workspace,
        failures=3,
        last_error="The carrier answered 503",
        last_error_at=at,
        resting_until=at,
    )
    phone.save()
    [shown] = checked(api.get(LIST, owner.with_key), 200)["data"]["phones"]
    problem = shown["carrierProblem"]
    assert (problem["message"], problem["failures"]) == ("The carrier answered 503", 3)
    assert problem["at"] == problem["retryAt"]


def test_the_list_is_newest_first_and_ones_own(api: Api, owner: Person, stranger: Person) -> None:
    now = timezone.now()
    ids = [
        factories.PhoneNumberFactory.create(
            workspace=owner.workspace,
            created_at=now - timedelta(hours=hours),
            is_active=hours != 3,
            agent=None,
        ).id
        for hours in (2, 3, 1)
    ]
    factories.PhoneNumberFactory.create(workspace=stranger.workspace)
    data = checked(api.get(LIST, owner.with_token, limit=2), 200)["data"]
    assert [shown["_id"] for shown in data["phones"]] == [ids[2], ids[0]]
    assert data["pagination"] == {"total": 3, "page": 1, "limit": 2, "totalPages": 2}
    [inactive] = checked(api.get(LIST, owner.with_token, limit=2, page=2))["data"]["phones"]
    assert (inactive["_id"], inactive["active"], inactive["agentId"]) == (ids[1], False, None)


def test_the_list_costs_three_statements_whatever_it_holds(
    api: Api, owner: Person, statements: CaptureQueriesContext
) -> None:
    """1. SELECT the credential; 2. count; 3. SELECT the page."""
    api.get(LIST, owner.with_token)
    for phones in (1, 20):
        factories.PhoneNumberFactory.create_batch(phones, workspace=owner.workspace)
        before = len(statements)
        checked(api.get(LIST, owner.with_token, limit=50), 200)
        assert len(statements) - before == 3


# --- Update ---------------------------------------------------------------------------------------


def test_what_is_left_out_stays(api: Api, owner: Person, phone: PhoneNumber) -> None:
    before = checked(api.get(LIST, owner.with_token))["data"]["phones"][0]
    body = checked(patch(api, owner, phone, label=" Front desk "), 200)
    assert body["message"] == "Phone number updated successfully"
    after = body["data"]
    assert after["updatedAt"] > before["updatedAt"]
    assert after == {**before, "label": "Front desk", "updatedAt": after["updatedAt"]}

    changes = {"active": False, "concurrencyLimit": 3, "dailyCap": 500, "label": ""}
    last = checked(patch(api, owner, phone, **changes), 200)["data"]
    assert last == {**before, **changes, "updatedAt": last["updatedAt"]}
    assert checked(api.get(LIST, owner.with_token))["data"]["phones"] == [last]


def test_an_inactive_number_is_no_calling_number_until_it_is_active_again(
    api: Api, owner: Person, phone: PhoneNumber
) -> None:
    request = {"batchName": "x", "callingNumbers": [phone.id]}
    for active, code in ((False, 400), (True, 201)):
        checked(patch(api, owner, phone, active=active), 200)
        checked(api.post("/api/call/createBatch", request, owner.with_key), code)


def test_another_agent_of_the_workspace_takes_over(
    api: Api, owner: Person, stranger: Person, phone: PhoneNumber
) -> None:
    agent = factories.AgentFactory.create(workspace=owner.workspace)
    shown = checked(patch(api, owner, phone, agentId=agent.id), 200)["data"]
    assert shown["agentId"] == agent.id
    foreign = factories.AgentFactory.create(workspace=stranger.workspace)
    for agent_id in (foreign.id, new_object_id()):
        [error] = checked(patch(api, owner, phone, agentId=agent_id), 400)["data"]["errors"]
        assert (error["field"], error["code"]) == ("agentId", "unknown_agent")
    phone.refresh_from_db()
    assert phone.agent_id == agent.id


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"agentId": None}, "agentId", "null"),
        ({"agentId": ""}, "agentId", "invalid_id"),
        ({"label": "x" * 201}, "label", "max_length"),
        ({"label": "two\nlines"}, "label", "control_character"),
        ({"label": None}, "label", "null"),
        ({"active": "false"}, "active", "invalid"),
        ({"active": 0}, "active", "invalid"),
        ({"concurrencyLimit": -1}, "concurrencyLimit", "min_value"),
        ({"concurrencyLimit": 10_001}, "concurrencyLimit", "max_value"),
        ({"concurrencyLimit": 1.5}, "concurrencyLimit", "invalid"),
        ({"dailyCap": -1}, "dailyCap", "min_value"),
        ({"dailyCap": 1_000_001}, "dailyCap", "max_value"),
        ({"dailyCap": "5"}, "dailyCap", "invalid"),
        ({"phoneNumber": "12125551234"}, "phoneNumber", "unknown_field"),
        ({"integration": "simulator"}, "integration", "unknown_field"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_rule_names_its_field(
    api: Api, owner: Person, phone: PhoneNumber, changes: dict[str, Any], field: str, code: str
) -> None:
    [error] = checked(patch(api, owner, phone, **changes), 400)["data"]["errors"]
    assert (error["field"], error["code"]) == (field, code)
    assert PhoneNumber.objects.get(id=phone.id).updated_at == phone.updated_at


def test_the_bounds_themselves_are_stored(api: Api, owner: Person, phone: PhoneNumber) -> None:
    for changes in (
        {"concurrencyLimit": 10_000, "dailyCap": 1_000_000},
        {"concurrencyLimit": 0, "dailyCap": 0},
        {"label": "x" * 200},
        {},
    ):
        shown = checked(patch(api, owner, phone, **changes), 200)["data"]
        assert {name: shown[name] for name in changes} == changes


def test_members_and_read_keys_only_look(
    api: Api, owner: Person, member: Person, phone: PhoneNumber
) -> None:
    checked(api.get(LIST, member.with_token), 200)
    checked(patch(api, member, phone, label="x"), 403)
    path = f"/api/call/update-phone/{phone.id}"
    checked(api.request("PATCH", path, {"label": "x"}, owner.with_read_key), 403)
    checked(patch(api, person(owner.workspace, Role.ADMIN), phone, label="x"), 200)
    checked(api.request("PATCH", path, {"label": "y"}, owner.with_key), 200)


def test_a_strangers_number_reads_like_none(
    api: Api, owner: Person, stranger: Person, phone: PhoneNumber
) -> None:
    about_mine = patch(api, stranger, phone, label="Mine now")
    phone.refresh_from_db()
    assert phone.label == ""
    phone.id = new_object_id()
    assert checked(about_mine, 404) == checked(patch(api, stranger, phone, label="Mine now"), 404)


def test_the_audit_says_what_was_set(api: Api, owner: Person, phone: PhoneNumber) -> None:
    patch(api, owner, phone, label="Front desk", dailyCap=5)
    event = AuditEvent.objects.get()
    assert (event.action, event.target_id) == ("phonenumber.update", phone.id)
    assert event.changes == {"label": "Front desk", "daily_cap": 5}


def test_a_change_has_a_dialer_look_at_the_workspace_at_once(
    api: Api, owner: Person, stranger: Person, phone: PhoneNumber
) -> None:
    before = timezone.now()
    checked(patch(api, owner, phone, active="yes"), 400)
    checked(patch(api, stranger, phone, active=True), 404)
    assert not DialSchedule.objects.exists()
    checked(patch(api, owner, phone, active=True, concurrencyLimit=9), 200)
    schedule = DialSchedule.objects.get()
    assert schedule.workspace_id == owner.workspace.id
    assert schedule.next_dial_at is not None
    assert before <= schedule.next_dial_at <= timezone.now()

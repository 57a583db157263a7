"""PATCH /api/workspace: what holds for the dialing of every batch."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.models import AuditEvent, DialSchedule, Workspace
from workspaces.services import workspaces

PATH = "/api/workspace"
NAMES = ("concurrencyLimit", "contactDailyCap", "callingHour", "allowedDays")


def patch(api: Api, who: Person, **changes: Any) -> Any:
    return api.request("PATCH", PATH, changes, who.with_token)


def shown(api: Api, who: Person) -> dict[str, Any]:
    data = checked(api.get(PATH, who.with_read_key), 200)["data"]
    return {name: data[name] for name in NAMES}


def test_a_new_workspace_limits_nothing(api: Api, owner: Person) -> None:
    assert shown(api, owner) == {
        "concurrencyLimit": 0,
        "contactDailyCap": 0,
        "callingHour": None,
        "allowedDays": [0, 1, 2, 3, 4, 5, 6],
    }
    assert not owner.workspace.has_calling_window


def test_who_leads_sets_limits_and_the_calling_window(
    api: Api, owner: Person, stranger: Person
) -> None:
    before = shown(api, stranger)
    changes = {
        "concurrencyLimit": 20,
        "contactDailyCap": 3,
        "callingHour": {"start": "08:30", "end": "21:00"},
        "allowedDays": [5, 1],
    }
    data = checked(patch(api, owner, **changes), 200)["data"]
    assert {name: data[name] for name in NAMES} == {**changes, "allowedDays": [1, 5]}
    assert shown(api, owner) == {**changes, "allowedDays": [1, 5]}
    stored = Workspace.objects.get(id=owner.workspace.id)
    assert (stored.calling_hour_start, stored.calling_hour_end) == (510, 1260)
    assert stored.has_calling_window
    assert shown(api, stranger) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"concurrencyLimit": 0},
        {"concurrencyLimit": 100_000},
        {"contactDailyCap": 0},
        {"contactDailyCap": 1_000},
        {"callingHour": {"start": "00:00", "end": "00:01"}},
        {"callingHour": {"start": "23:59", "end": "24:00"}},
        {"allowedDays": [6]},
    ],
    ids=str,
)
def test_the_bounds_themselves_are_stored_and_the_rest_stays(
    api: Api, owner: Person, changes: dict[str, Any]
) -> None:
    first = {
        "concurrencyLimit": 7,
        "contactDailyCap": 7,
        "callingHour": {"start": "09:00", "end": "17:00"},
        "allowedDays": [1, 2, 3],
    }
    checked(patch(api, owner, **first), 200)
    checked(patch(api, owner, **changes), 200)
    assert shown(api, owner) == {**first, **changes}


def test_the_whole_day_and_every_day_take_the_window_away(api: Api, owner: Person) -> None:
    day = {"start": "09:00", "end": "17:00"}
    checked(patch(api, owner, callingHour=day, allowedDays=[1]), 200)
    always = {"callingHour": {"start": "00:00", "end": "24:00"}, "allowedDays": list(range(7))}
    checked(patch(api, owner, callingHour=always["callingHour"]), 200)
    assert Workspace.objects.get(id=owner.workspace.id).has_calling_window  # on Mondays only
    checked(patch(api, owner, allowedDays=always["allowedDays"]), 200)
    assert shown(api, owner).items() >= always.items()
    assert not Workspace.objects.get(id=owner.workspace.id).has_calling_window


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        *(
            ({name: value}, (name, code))
            for name, most in (("concurrencyLimit", 100_000), ("contactDailyCap", 1_000))
            for value, code in (
                *((-1, "min_value"), (most + 1, "max_value"), (None, "null")),
                *(("5", "invalid"), (True, "invalid"), (1.0, "invalid")),
            )
        ),
        ({"callingHour": None}, ("callingHour", "null")),
        ({"callingHour": "09:00-17:00"}, ("callingHour", "invalid")),
        ({"callingHour": {}}, ("callingHour.start", "required")),
        ({"callingHour": {"start": "09:00"}}, ("callingHour.end", "required")),
        ({"callingHour": {"start": "9:00", "end": "17:00"}}, ("callingHour.start", "invalid_time")),
        ({"callingHour": {"start": "09:00", "end": "24:01"}}, ("callingHour.end", "invalid_time")),
        ({"callingHour": {"start": "22:00", "end": "06:00"}}, ("callingHour.end", "not_later")),
        (
            {"callingHour": {"start": "09:00", "end": "17:00", "stop": "18:00"}},
            ("callingHour.stop", "unknown_field"),
        ),
        ({"allowedDays": []}, ("allowedDays", "empty")),
        ({"allowedDays": None}, ("allowedDays", "null")),
        ({"allowedDays": [7]}, ("allowedDays[0]", "max_value")),
        ({"allowedDays": [1, "2"]}, ("allowedDays[1]", "invalid")),
        ({"allowedDays": [1, 1]}, ("allowedDays", "repeated_day")),
        ({"allowedDays": list(range(8))}, ("allowedDays", "max_length")),
        ({"concurrency_limit": 5}, ("concurrency_limit", "unknown_field")),
        ({"calling_hour_start": 540}, ("calling_hour_start", "unknown_field")),
    ],
    ids=lambda value: str(value)[:60],
)
def test_each_rule_names_its_field_and_nothing_is_set(
    api: Api, owner: Person, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    response = patch(api, owner, name="Not this", **changes)
    error = checked(response, 400)["data"]["errors"][0]
    assert (error["field"], error["code"]) == expected
    assert Workspace.objects.get(id=owner.workspace.id).name == owner.workspace.name
    assert not DialSchedule.objects.exists()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("callingHours", "callingHour"),
        ("allowedDay", "allowedDays"),
        ("concurrency", "concurrencyLimit"),
        ("dailyCap", "contactDailyCap"),
    ],
)
def test_a_misspelt_limit_is_never_ignored(api: Api, owner: Person, name: str, meant: str) -> None:
    body = checked(patch(api, owner, **{name: 1}), 400)
    assert f"did you mean {meant}?" in body["errorMessage"]


def test_a_member_and_a_read_key_set_no_limit(api: Api, owner: Person, member: Person) -> None:
    checked(patch(api, member, concurrencyLimit=5), 403)
    checked(api.request("PATCH", PATH, {"allowedDays": [1]}, owner.with_read_key), 403)
    assert shown(api, member)["concurrencyLimit"] == 0
    assert not DialSchedule.objects.exists()


def test_the_audit_says_what_was_set(api: Api, owner: Person) -> None:
    hour = {"start": "09:00", "end": "17:00"}
    patch(api, owner, concurrencyLimit=5, contactDailyCap=2, callingHour=hour, allowedDays=[2, 1])
    event = AuditEvent.objects.get()
    assert (event.action, event.workspace_id) == ("workspace.update", owner.workspace.id)
    assert event.changes == {
        "concurrency_limit": 5,
        "contact_daily_cap": 2,
        "calling_hour_start": 540,
        "calling_hour_end": 1020,
        "allowed_days": [1, 2],
    }


@pytest.mark.parametrize("waits", [None, timedelta(hours=3)])
def test_a_change_has_a_dialer_look_at_once_and_at_this_workspace_only(
    api: Api, owner: Person, stranger: Person, waits: timedelta | None
) -> None:
    before = timezone.now()
    later = before + waits if waits else None
    for workspace in (owner.workspace, stranger.workspace):
        DialSchedule.objects.create(workspace=workspace, next_dial_at=later)
    checked(patch(api, owner, concurrencyLimit=50), 200)
    moment = DialSchedule.objects.get(workspace=owner.workspace).next_dial_at
    assert moment is not None
    assert before <= moment <= timezone.now()
    assert DialSchedule.objects.get(workspace=stranger.workspace).next_dial_at == later


def test_a_change_that_no_dialer_hears_of_is_not_made(
    api: Api, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("no dialer hears of it")

    monkeypatch.setattr(workspaces, "wake", fail)
    checked(patch(api, owner, concurrencyLimit=50), 500)
    assert shown(api, owner)["concurrencyLimit"] == 0
    assert not AuditEvent.objects.exists()

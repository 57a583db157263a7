"""The back office's page for a workspace."""

import html
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.cast import Person
from workspaces.models import AuditEvent, DialSchedule, Workspace

ADD = "/admin/workspaces/workspace/add/"


def change(workspace: Workspace) -> str:
    return reverse("admin:workspaces_workspace_change", args=[workspace.id])


def form(**fields: Any) -> dict[str, Any]:
    return {
        "name": "From the back office",
        "timezone": "UTC",
        "is_active": "on",
        "dnc_enabled": "on",
        "allowed_days": ["0", "1", "2", "3", "4", "5", "6"],
        "concurrency_limit": 0,
        "contact_daily_cap": 0,
        "memberships-TOTAL_FORMS": 0,
        "memberships-INITIAL_FORMS": 0,
        **fields,
    }


def test_limits_and_window_are_set_as_a_person_writes_them(
    staff: Client, owner: Person, stranger: Person
) -> None:
    fields = {
        "calling_hour_start": "08:30",
        "calling_hour_end": " 24:00 ",
        "allowed_days": ["5", "1"],
        "concurrency_limit": 20,
        "contact_daily_cap": 3,
    }
    assert staff.post(change(owner.workspace), form(**fields)).status_code == 302
    stored = Workspace.objects.get(id=owner.workspace.id)
    assert (stored.calling_hour_start, stored.calling_hour_end) == (510, 1440)
    assert stored.allowed_days == [1, 5]
    assert (stored.concurrency_limit, stored.contact_daily_cap) == (20, 3)
    assert not Workspace.objects.get(id=stranger.workspace.id).has_calling_window

    response = staff.get(change(owner.workspace))
    sections = [section.name for section in response.context["adminform"]]
    assert sections == [None, "When", "Limits", "Times"]
    page = response.content.decode()
    assert 'value="08:30"' in page
    assert 'value="24:00"' in page
    assert (
        len(re.findall(r"<input[^>]*\schecked(?=[\s>])", page)) == 4
    )  # two days, active, do-not-call


def test_blank_hours_are_all_day(staff: Client, owner: Person) -> None:
    owner.workspace.calling_hour_start, owner.workspace.calling_hour_end = 540, 1020
    owner.workspace.save()
    blank = form(calling_hour_start="", calling_hour_end="")
    assert staff.post(change(owner.workspace), blank).status_code == 302
    stored = Workspace.objects.get(id=owner.workspace.id)
    assert (stored.calling_hour_start, stored.calling_hour_end) == (None, None)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"calling_hour_start": "9", "calling_hour_end": "17:00"}, "Must be a time as HH:MM"),
        ({"calling_hour_start": "540", "calling_hour_end": "1020"}, "Must be a time as HH:MM"),
        ({"calling_hour_start": "09:00", "calling_hour_end": "24:01"}, "Must be a time as HH:MM"),
        ({"calling_hour_start": "09:00"}, "Give both times, or none."),
        ({"calling_hour_end": "09:00"}, "Give both times, or none."),
        ({"calling_hour_start": "09:00", "calling_hour_end": "09:00"}, "Must be later"),
        ({"calling_hour_start": "22:00", "calling_hour_end": "06:00"}, "Must be later"),
        ({"allowed_days": []}, "This field is required."),
        ({"allowed_days": ["7"]}, "7 is not one of the available choices."),
        ({"allowed_days": ["Monday"]}, "Monday is not one of the available choices."),
        ({"concurrency_limit": -1}, "greater than or equal to 0"),
        ({"concurrency_limit": 10**10}, "less than or equal to"),
        ({"concurrency_limit": ""}, "This field is required."),
        ({"contact_daily_cap": -1}, "greater than or equal to 0"),
        ({"contact_daily_cap": 40_000}, "less than or equal to"),
        ({"timezone": "Mars/Base"}, "is not an IANA time zone name"),
    ],
    ids=lambda value: str(value)[:70],
)
def test_a_bad_value_is_told_at_its_field(
    staff: Client, owner: Person, fields: dict[str, Any], sentence: str
) -> None:
    response = staff.post(change(owner.workspace), form(**fields))
    assert response.status_code == 200
    page = html.unescape(response.content.decode())
    assert sentence in page
    assert "Constraint" not in page
    assert Workspace.objects.get(id=owner.workspace.id).name == owner.workspace.name
    assert not DialSchedule.objects.exists()


def test_a_day_that_comes_twice_counts_once(staff: Client, owner: Person) -> None:
    twice = form(allowed_days=["1", "1", "0"])
    assert staff.post(change(owner.workspace), twice).status_code == 302
    assert Workspace.objects.get(id=owner.workspace.id).allowed_days == [0, 1]


def test_a_new_workspace_starts_without_a_window(staff: Client) -> None:
    page = staff.get(ADD).content.decode()
    assert (
        len(re.findall(r"<input[^>]*\schecked(?=[\s>])", page)) == 9
    )  # every day, active, do-not-call
    assert staff.post(ADD, form()).status_code == 302
    assert not any(one.has_calling_window for one in Workspace.objects.all())


def test_saving_has_a_dialer_look_at_once(staff: Client, owner: Person, stranger: Person) -> None:
    before = timezone.now()
    assert staff.post(change(owner.workspace), form(concurrency_limit=5)).status_code == 302
    schedule = DialSchedule.objects.get()
    assert schedule.workspace_id == owner.workspace.id
    assert schedule.next_dial_at is not None
    assert before <= schedule.next_dial_at <= timezone.now()
    event = AuditEvent.objects.get()
    assert (event.action, event.workspace_id) == ("workspace.update", owner.workspace.id)
    assert event.changes["concurrency_limit"] == 5


def test_countries_are_written_as_people_do(staff: Client, owner: Person) -> None:
    countries = form(called_countries="us, GB,us")
    assert staff.post(change(owner.workspace), countries).status_code == 302
    assert Workspace.objects.get(id=owner.workspace.id).called_countries == ["GB", "US"]
    response = staff.post(change(owner.workspace), form(called_countries="GB,XX"))
    assert "No ISO 3166 code: XX." in response.content.decode()


def test_the_page_says_in_words_when_and_how_much_is_called(staff: Client, owner: Person) -> None:
    fields = {
        "calling_hour_start": "08:30",
        "calling_hour_end": "17:00",
        "allowed_days": ["1", "2", "3", "4", "5"],
        "concurrency_limit": 20,
        "contact_daily_cap": 1,
    }
    staff.post(change(owner.workspace), form(timezone="Europe/London", **fields))
    page = html.unescape(staff.get(change(owner.workspace)).content.decode())
    assert "08:30 to 17:00, Monday to Friday (Europe/London)" in page
    assert "20 calls at a time; 1 attempt on a number in 24 hours" in page


def test_its_links_lead_to_its_own_rows(staff: Client, owner: Person, stranger: Person) -> None:
    page = html.unescape(staff.get(change(owner.workspace)).content.decode())
    links = re.findall(r'href="(\S+\?workspace__id__exact=\w+)"', page)
    assert len(links) == 5
    for link in links:
        response = staff.get(link)
        assert response.status_code == 200
        rows = response.context["cl"].result_list
        assert {row.workspace_id for row in rows} <= {owner.workspace.id}

"""The settings of a batch in words."""

import pytest

from batches.models import CallBatch
from batches.wording import (
    days_in_words,
    narrowed_in_words,
    seconds_in_words,
    settings_in_words,
    zone_in_words,
)
from workspaces.models import Workspace


def batch(**fields: object) -> CallBatch:
    workspace = Workspace(dnc_enabled=bool(fields.pop("dnc_enabled", True)))
    return CallBatch(workspace=workspace, timezone="America/New_York", **fields)


OFFICE = {
    "calling_hour_start": 9 * 60,
    "calling_hour_end": 17 * 60,
    "allowed_days": [1, 2, 3, 4, 5],
}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {**OFFICE, "retry": 3, "delay": 60},
            "Mon–Fri 09:00–17:00 New York, 3 retries, 60 s apart, do-not-call honoured",
        ),
        ({}, "At any time, no retries, do-not-call honoured"),
        (
            {**OFFICE, "allowed_days": [0, 6], "retry": 1, "delay": 5400},
            "Sat, Sun 09:00–17:00 New York, 1 retry, 1 hour 30 minutes apart, do-not-call honoured",
        ),
        (
            {"allowed_days": [1, 3, 5, 6, 0]},
            "Mon, Wed, Fri–Sun all day New York, no retries, do-not-call honoured",
        ),
        (
            {"enable_dnc": False, "dnc_enabled": True},
            "At any time, no retries, do-not-call honoured",
        ),
        (
            {"enable_dnc": False, "dnc_enabled": False},
            "At any time, no retries, do-not-call ignored",
        ),
        (
            {"calling_hour_start": 0, "calling_hour_end": 1440},
            "At any time, no retries, do-not-call honoured",
        ),
        (
            {"calling_hour_start": 0, "calling_hour_end": 1439},
            "Every day 00:00–23:59 New York, no retries, do-not-call honoured",
        ),
    ],
)
def test_the_settings_are_one_sentence(fields: dict[str, object], words: str) -> None:
    assert settings_in_words(batch(**fields)) == words


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ([0, 1, 2, 3, 4, 5, 6], "every day"),
        ([0], "Sun"),
        ([1, 2], "Mon, Tue"),
        ([5, 6, 0], "Fri–Sun"),
        ([0, 1], "Mon, Sun"),
        ([1, 2, 3, 5], "Mon–Wed, Fri"),
    ],
)
def test_days_are_told_as_people_tell_them(days: list[int], words: str) -> None:
    assert days_in_words(days) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (60, "60 s"),
        (119, "119 s"),
        (120, "2 minutes"),
        (125, "2 minutes 5 s"),
        (3600, "1 hour"),
        (604800, "7 days"),
    ],
)
def test_pauses_are_told_in_the_largest_units(seconds: int, words: str) -> None:
    assert seconds_in_words(seconds) == words


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("America/New_York", "New York"),
        ("UTC", "UTC"),
        ("America/Argentina/Buenos_Aires", "Buenos Aires"),
    ],
)
def test_a_zone_is_told_by_its_place(zone: str, words: str) -> None:
    assert zone_in_words(zone) == words


def test_the_hours_of_the_workspace_are_told_only_where_they_narrow() -> None:
    office = batch(**OFFICE)
    assert narrowed_in_words(office, Workspace()) == ""
    assert narrowed_in_words(office, Workspace(calling_hour_start=0, calling_hour_end=1440)) == ""
    mornings = Workspace(calling_hour_start=8 * 60, calling_hour_end=12 * 60)
    assert narrowed_in_words(office, mornings) == (
        "The workspace allows calls every day 08:00–12:00: together that is Mon–Fri 09:00–12:00."
    )
    nights = Workspace(calling_hour_start=18 * 60, calling_hour_end=20 * 60)
    assert narrowed_in_words(office, nights).endswith("leaves no time to call at all.")

"""The settings of a batch in the words of a sentence. Pure."""

from collections.abc import Collection

from batches.dialer.tenants import window_of
from batches.models import EVERY_DAY, MINUTES_PER_DAY, CallBatch
from batches.schedule import Window
from workspaces.clock import clock_time
from workspaces.models import CallingWindow, Workspace

DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_WEEK = (1, 2, 3, 4, 5, 6, 0)  # as people read it
_UNITS = ((24 * 3600, "day"), (3600, "hour"), (60, "minute"))


def days_in_words(days: Collection[int]) -> str:
    """`Mon-Fri`, `Mon, Wed, Sat-Sun`, `every day`."""
    if len(days) == len(EVERY_DAY):
        return "every day"
    runs: list[list[int]] = []
    for place, day in enumerate(_WEEK):
        if day not in days:
            continue
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return ", ".join(_run(run) for run in runs)


def _run(places: list[int]) -> str:
    first, last = DAYS[_WEEK[places[0]]], DAYS[_WEEK[places[-1]]]
    if len(places) == 1:
        return first
    return f"{first}–{last}" if len(places) > 2 else f"{first}, {last}"


def hours_in_words(start: int | None, end: int | None) -> str:
    """`09:00-17:00`, `all day`. Minutes of the day."""
    if start is None or end is None or (start == 0 and end == MINUTES_PER_DAY):
        return "all day"
    return f"{clock_time(start)}–{clock_time(end)}"


def window_in_words(window: Window | None) -> str:
    """`Mon-Fri 09:00-17:00`, `at any time`, `never`."""
    if window is None:
        return "never"
    if window.is_always:
        return "at any time"
    return f"{days_in_words(window.days)} {hours_in_words(window.start, window.end)}"


def window_of_row(row: CallingWindow) -> Window:
    return window_of(row.calling_hour_start, row.calling_hour_end, row.allowed_days)


def zone_in_words(name: str) -> str:
    """The place of an IANA name: `New York`, and `UTC` as it is."""
    return name.rpartition("/")[2].replace("_", " ")


def seconds_in_words(seconds: int) -> str:
    """`60 s`, `5 minutes`, `1 hour 30 minutes`."""
    if seconds < 120:
        return f"{seconds} s"
    told = []
    for size, unit in _UNITS:
        number, seconds = divmod(seconds, size)
        if number:
            told.append(f"{number} {unit}{'' if number == 1 else 's'}")
    if seconds:
        told.append(f"{seconds} s")
    return " ".join(told)


def settings_in_words(batch: CallBatch) -> str:
    """`Mon-Fri 09:00-17:00 New York, 3 retries, 60 s apart, do-not-call honoured`.

    Without the hours of the workspace: see `narrowed_in_words`. Reads `batch.workspace`.
    """
    window = window_in_words(window_of_row(batch))
    when = window if window == "at any time" else f"{window} {zone_in_words(batch.timezone)}"
    parts = [when[0].upper() + when[1:], _retries(batch)]
    if batch.enable_dnc or batch.workspace.dnc_enabled:
        parts.append("do-not-call honoured")
    else:
        parts.append("do-not-call ignored")
    return ", ".join(parts)


def _retries(batch: CallBatch) -> str:
    if not batch.retry:
        return "no retries"
    times = "1 retry" if batch.retry == 1 else f"{batch.retry} retries"
    return f"{times}, {seconds_in_words(batch.delay)} apart"


def narrowed_in_words(batch: CallBatch, workspace: Workspace) -> str:
    """What the workspace's own hours leave of the batch's; empty when they leave all."""
    own, of_workspace = window_of_row(batch), window_of_row(workspace)
    left = own.narrowed_by(of_workspace)
    if left == own:
        return ""
    if left is None:
        return (
            f"The workspace allows calls {window_in_words(of_workspace)}: together with the hours of"
            " the batch that leaves no time to call at all."
        )
    return (
        f"The workspace allows calls {window_in_words(of_workspace)}: together that is"
        f" {window_in_words(left)}."
    )

"""The batch as it is drawn in a terminal, and the tables at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from config.local.demo_batch.contacts import ENDINGS
from config.local.demo_batch.progress import EndingTally, Progress, Sight

# Call statuses in the order in which they are drawn.
COLORS = {
    "completed": "green",
    "failed": "red",
    "skipped": "yellow",
    "unknown": "magenta",
    "cancelled": "bright_black",
    "in-progress": "cyan",
    "pending": "bright_black",
}
OUTCOMES = 8  # lines of last outcomes
# With the widths of their longest words: a table that keeps its width does not flicker.
OUTCOME_COLUMNS = {"last outcomes": 13, "carrier": 10, "call": 18, "because its number means": 47}
WIDEST = 100  # columns


class Bar:
    """One line as wide as there is room, divided like the calls are by status."""

    def __init__(self, calls: Mapping[str, int], width: int) -> None:
        self._calls, self._width = calls, width

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        full, empty = ("#", ".") if options.ascii_only else ("█", "░")
        width = min(self._width, options.max_width)
        total = sum(self._calls.values()) or 1
        drawn = seen = 0
        for status, color in COLORS.items():
            seen += self._calls[status]
            until = round(width * seen / total)
            cell = empty if status == "pending" else full
            yield Segment(cell * (until - drawn), Style(color=color))
            drawn = until
        yield Segment.line()


def draw(progress: Progress, title: str, endings: Mapping[str, str], width: int) -> Group:
    """`endings` by number."""
    width = min(width, WIDEST)
    sight = progress.now
    parts: list[Any] = [
        Text(title, style="bold", no_wrap=True, overflow="ellipsis"),
        Bar(sight.calls, width),
        _side_by_side(_statuses(sight), _figures(progress)),
    ]
    if rows := outcomes(sight, endings):
        parts.append(_outcome_table(rows))
    if progress.note:
        parts.append(Text(progress.note, style="yellow"))
    return Group(*parts)


def outcomes(sight: Sight, endings: Mapping[str, str]) -> list[tuple[str, str, str, str]]:
    """The calls of which something was heard last: number, what the carrier said last, status, why."""
    heard = [call for call in sight.latest if call["phoneLogs"] or call["callStatus"] == "skipped"]
    ended = [call for call in heard if call["callStatus"] != "in-progress"]
    rows = []
    for call in ended[:OUTCOMES]:
        said = call["phoneLogs"][-1]["callStatus"] if call["phoneLogs"] else "not dialed"
        status = "will be tried again" if call["callStatus"] == "pending" else call["callStatus"]
        number = call["phoneNumber"]
        rows.append((number, said, status, ENDINGS[endings[number]]))
    return rows


def summary(tallies: Mapping[str, EndingTally]) -> Table:
    """What each ending did."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("last digits", no_wrap=True)
    table.add_column("what the simulator does")
    table.add_column("contacts", justify="right")
    table.add_column("calls", justify="right")
    table.add_column("ended as")
    for ending, meaning in ENDINGS.items():
        if one := tallies.get(ending):
            ended = ", ".join(f"{status} {number}" for status, number in one.statuses.most_common())
            table.add_row(ending, meaning, str(one.contacts), str(one.attempts), ended)
    return table


def figures(progress: Progress) -> dict[str, str]:
    """The numbers beside the counts, by what they are."""
    sight, left = progress.now, progress.seconds_left
    rate = sight.answer_rate
    return {
        "done": f"{sight.done} of {sight.total}",
        "calls made": str(sight.attempts),
        "calls a second": f"{progress.calls_a_second:.1f}",
        "answered": "-" if rate is None else f"{rate:.0%}",
        "elapsed": f"{sight.at:.0f} s",
        "finish": "-" if left is None else f"in about {left:.0f} s",
    }


def _statuses(sight: Sight) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="left")
    table.add_column(justify="right")
    for status, color in COLORS.items():
        number = sight.calls[status]
        table.add_row(
            Text(status, style=color), Text(str(number), style="bold" if number else "dim")
        )
    return table


def _figures(progress: Progress) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in figures(progress).items():
        table.add_row(Text(name, style="dim"), value)
    return table


def _side_by_side(left: Table, right: Table) -> Table:
    table = Table.grid(padding=(0, 4))
    table.add_row(left, right)
    return table


def _outcome_table(rows: list[tuple[str, str, str, str]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name, width in OUTCOME_COLUMNS.items():
        table.add_column(name, min_width=width, no_wrap=True, overflow="ellipsis")
    for number, said, status, why in rows:
        color = COLORS.get(status, "cyan")
        table.add_row(number, said, Text(status, style=color), Text(why, style="dim"))
    return table

"""The demo: create a batch, start it, show it until it is over; Ctrl-C stops it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console, RenderableType
from rich.live import Live

from config.local.demo_batch.contacts import LISTED, Contact, make_contacts
from config.local.demo_batch.customer import Customer, NoAnswer
from config.local.demo_batch.progress import Progress, Sight, tally
from config.local.demo_batch.screen import draw, figures, summary
from config.local.process import StackError

LOOK_EVERY = 0.5  # seconds
LINE_EVERY = 2.0  # seconds, where lines are printed
NO_ANSWER_FOR = 10.0  # seconds, while the stack starts a killed service again
STILL_FOR = 3.0  # seconds without a change, after which the reason is asked for
LATEST = 40  # calls asked for, of which those are shown that have an outcome


@dataclass(frozen=True)
class Wish:
    """`delay`: seconds between two calls to one contact."""

    contacts: int
    retry: int
    delay: int


def play(customer: Customer, console: Console, wish: Wish) -> int:
    """Returns the exit code: 0 for a completed batch. Raises StackError."""
    contacts = make_contacts(wish.contacts)
    name = f"Demo {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"
    batch_id = customer.create_batch(name, retry=wish.retry, delay=wish.delay)
    listed = [one.number for one in contacts if one.ending == LISTED]
    try:
        with _on_the_list(customer, listed):
            customer.add_contacts(batch_id, contacts)
            customer.start(batch_id)
            title = f"{name}: {len(contacts)} contacts, retry {wish.retry} after {wish.delay} s"
            last = _watch(customer, console, batch_id, title, contacts)
        _tell(customer, console, batch_id, contacts, last)
    except KeyboardInterrupt:
        customer.stop(batch_id)
        console.print(
            f"Stopped batch {batch_id}: no further call starts, those under way finish."
            " start-calling goes on with the rest.",
            soft_wrap=True,
        )
        return 130
    return 0 if last.status == "completed" else 1


@contextlib.contextmanager
def _on_the_list(customer: Customer, numbers: Sequence[str]) -> Iterator[None]:
    """Meanwhile these numbers are on the do-not-call list."""
    try:
        for number in numbers:
            customer.list_number(number)
        yield
    finally:
        with contextlib.suppress(StackError):
            for number in numbers:
                customer.unlist_number(number)


def _watch(
    customer: Customer,
    console: Console,
    batch_id: str,
    title: str,
    contacts: Sequence[Contact],
) -> Sight:
    """Show the batch until it is no longer active. Returns how it was then."""
    began, progress = time.monotonic(), Progress()
    endings = {one.number: one.ending for one in contacts}
    with _display(console, title) as show:
        while True:
            sight = _look(customer, batch_id, began)
            progress.add(sight)
            is_over = sight.status != "active"
            progress.note = "" if is_over else _note(customer, batch_id, progress)
            show(progress, endings, is_over)
            if is_over:
                return sight
            time.sleep(LOOK_EVERY)


class _Screen:
    def __init__(self, live: Live, console: Console, title: str) -> None:
        self._live, self._console, self._title = live, console, title

    def __call__(self, progress: Progress, endings: dict[str, str], is_last: bool) -> None:
        drawn: RenderableType = draw(progress, self._title, endings, self._console.width)
        self._live.update(drawn, refresh=True)


class _Lines:
    """For a pipe or a log."""

    def __init__(self, console: Console, title: str) -> None:
        self._console, self._next = console, 0.0
        self._print(title)

    def __call__(self, progress: Progress, endings: dict[str, str], is_last: bool) -> None:
        sight = progress.now
        if sight.at < self._next and not is_last:
            return
        self._next = sight.at + LINE_EVERY
        numbers = figures(progress)
        calls = ", ".join(f"{number} {status}" for status, number in sight.calls.items() if number)
        self._print(
            f"{numbers['elapsed']:>6}  {numbers['done']} done  {numbers['calls a second']} calls/s"
            f"  {numbers['answered']} answered  ({calls})  {progress.note}".rstrip()
        )

    def _print(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, markup=False, highlight=False)


@contextlib.contextmanager
def _display(console: Console, title: str) -> Iterator[_Screen | _Lines]:
    if not console.is_terminal or console.is_dumb_terminal:
        yield _Lines(console, title)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield _Screen(live, console, title)


def _look(customer: Customer, batch_id: str, began: float) -> Sight:
    give_up = time.monotonic() + NO_ANSWER_FOR
    while True:
        try:
            statistics = customer.statistics(batch_id)
            latest = customer.latest_calls(batch_id, LATEST)
        except NoAnswer:
            if time.monotonic() > give_up:
                raise StackError(
                    f"{customer.url} no longer answers; batch {batch_id} goes on when it does again"
                ) from None
            time.sleep(LOOK_EVERY)
        else:
            return Sight(time.monotonic() - began, statistics, latest)


def _note(customer: Customer, batch_id: str, progress: Progress) -> str:
    """Why nothing moves, when nothing does."""
    if not progress.stands_still(STILL_FOR):
        return ""
    if ringing := progress.now.calls["in-progress"]:
        return f"{ringing} with the carrier, {progress.now.calls['pending']} pending."
    with contextlib.suppress(NoAnswer):
        return customer.wait_of_a_pending_call(batch_id)
    return ""


def _tell(
    customer: Customer,
    console: Console,
    batch_id: str,
    contacts: Sequence[Contact],
    last: Sight,
) -> None:
    console.print(summary(tally(contacts, customer.all_calls(batch_id))))
    reason = last.statistics.get("statusReason")
    console.print(
        f"The batch is {last.status}{f' ({reason})' if reason else ''} after {last.at:.0f} s:"
        f" {last.total} contacts, {last.attempts} calls,"
        f" {last.statistics['callsPicked']} contacts reached.",
        soft_wrap=True,
        highlight=False,
    )
    console.print(f"Look closer: {customer.url}/api/call/batch-details/{batch_id}", soft_wrap=True)

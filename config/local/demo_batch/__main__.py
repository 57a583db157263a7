"""`python -m config.local.demo_batch`: what `make demo-batch` calls."""

from __future__ import annotations

import argparse
import signal
import sys

from rich.console import Console

from config.local.demo_batch.contacts import MOST_CONTACTS
from config.local.demo_batch.customer import Customer
from config.local.demo_batch.play import Wish, play
from config.local.place import Place
from config.local.process import StackError


def main() -> int:
    # Ctrl-C and a polite end alike stop the batch, also in a script's background where Ctrl-C is off.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        wish = _parse()
        place = Place.from_environment()
        with Customer(place.data / "demo.json") as customer:
            return play(customer, Console(highlight=False), wish)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141
    except (StackError, OSError) as error:
        print(f"outdial: {error}", file=sys.stderr)
        return 1


def _parse() -> Wish:
    parser = argparse.ArgumentParser(
        prog="make demo-batch ARGS=…",
        description="Play a batch against the running stack, and watch it.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--contacts", type=_number(1, MOST_CONTACTS), default=150, help="default: 150"
    )
    parser.add_argument(
        "--retry", type=_number(0, 10), default=1, help="further attempts on a contact; default: 1"
    )
    parser.add_argument(
        "--delay", type=_number(0, 604_800), default=3, help="seconds between them; default: 3"
    )
    given = parser.parse_args()
    return Wish(given.contacts, given.retry, given.delay)


class _number:  # noqa: N801 (argparse shows its name)
    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = least, most

    def __call__(self, text: str) -> int:
        if not (text.isascii() and text.isdigit() and self._least <= int(text) <= self._most):
            message = f"must be a number from {self._least} to {self._most}"
            raise argparse.ArgumentTypeError(message)
        return int(text)


if __name__ == "__main__":
    sys.exit(main())

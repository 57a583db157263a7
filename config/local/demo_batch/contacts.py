"""Whom the demo calls: numbers whose last two digits tell the simulator what to do with a call."""

from __future__ import annotations

from dataclasses import dataclass
from random import SystemRandom

ANSWERED = "any other"
LISTED = "listed"
ENDINGS = {
    "01": "busy",
    "02": "no answer",
    "03": "failed by the network",
    "04": "number not in service",
    "05": "busy the first time, then answered",
    "06": "answered, no callback ever comes",
    "07": "answered, callbacks come twice and out of order",
    "08": "the carrier fails after it has rung",
    "09": "the carrier cannot tell what happened",
    "10": "answered after a long ring, a long talk",
    ANSWERED: "answered",
    LISTED: "on the do-not-call list",
}
# What 50 contacts get: one of each, then a mixture as on an ordinary day.
DECK = (*ENDINGS, *("01",) * 2, *("02",) * 3, "03", "04", *("05",) * 2, "07")
DECK_SIZE = 50
MOST_CONTACTS = 10_000
AREAS = (
    202,
    206,
    212,
    213,
    214,
    303,
    305,
    310,
    312,
    404,
    415,
    503,
    512,
    617,
    646,
    702,
    713,
    718,
    773,
    917,
)


@dataclass(frozen=True)
class Contact:
    """`ending` is a key of `ENDINGS`."""

    number: str
    ending: str


def make_contacts(count: int) -> list[Contact]:
    """So many contacts in random order, at most one of them to be put on the do-not-call list.

    Random numbers, too: the simulator remembers whom it has called, and answers `05` accordingly.
    """
    chance = SystemRandom()
    by_number: dict[str, Contact] = {}
    while len(by_number) < count:
        place = len(by_number)
        ending = DECK[place % DECK_SIZE] if place % DECK_SIZE < len(DECK) else ANSWERED
        if ending == LISTED and place > DECK_SIZE:
            ending = ANSWERED
        digits = ending if ending.isdigit() else f"{chance.randrange(11, 100)}"
        number = f"1{chance.choice(AREAS)}555{chance.randrange(100):02}{digits}"
        by_number.setdefault(number, Contact(number, ending))
    contacts = list(by_number.values())
    chance.shuffle(contacts)
    return contacts

"""What the columns of somebody's own table are likely meant to be. Pure."""

import re
from collections.abc import Collection, Sequence

from batches.imports.external_ids import EXTERNAL_ID
from batches.imports.records import ERRORS_COLUMN, NUMBER, TIMEZONE, name_problem

_not_letters = re.compile(r"[\W_]+")
# What people call these columns, without blanks and marks.
_NUMBERS = (
    *("phonenumber", "phone", "telephone", "telephonenumber", "telephoneno", "tel", "phoneno"),
    *("mobile", "mobilenumber", "mobilephone", "cell", "cellphone", "msisdn", "number"),
)
_TIMEZONES = ("timezone", "tz", "zone", "timezonename", "ianatimezone")
_EXTERNAL_IDS = ("externalid", "extid")


def likely_columns(header: Sequence[str], variables: Collection[str]) -> list[str | None]:
    """For each column what it is taken as: a variable of the agent, number, time zone, id, or its own.

    None: left out, as a column without a name or with one that no variable may have. Nothing is taken
    twice.
    """
    plain = [_plain(name) for name in header]
    taken: dict[int, str] = {}
    for target, words in _wanted(variables):
        found = _first(header, plain, target, words, taken)
        if found is not None:
            taken[found] = target
    used = set(taken.values())
    columns: list[str | None] = []
    for index, name in enumerate(header):
        own = None if name in used or not may_keep_its_name(name) else name
        columns.append(taken.get(index, own))
    return columns


def may_keep_its_name(name: str) -> bool:
    """Whether a column of this name can be a variable of that name."""
    return bool(name) and name != ERRORS_COLUMN and name_problem(name) is None


def _wanted(variables: Collection[str]) -> list[tuple[str, Sequence[str]]]:
    """The likeliest first: a variable may be named like what else would be the number."""
    own = [(name, (_plain(name),)) for name in variables]
    return [
        (NUMBER, _NUMBERS[:1]),
        *own,
        (NUMBER, _NUMBERS),
        (TIMEZONE, _TIMEZONES),
        (EXTERNAL_ID, _EXTERNAL_IDS),
    ]


def _first(
    header: Sequence[str],
    plain: Sequence[str],
    target: str,
    words: Sequence[str],
    taken: dict[int, str],
) -> int | None:
    if target in taken.values():
        return None
    free = [index for index in range(len(header)) if index not in taken]
    exact = [index for index in free if header[index] == target]
    if exact:
        return exact[0]
    for word in words:
        for index in free:
            if plain[index] == word:
                return index
    return None


def _plain(name: str) -> str:
    return _not_letters.sub("", name).casefold()

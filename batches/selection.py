"""Which calls of a batch somebody wants to see, as conditions on the database."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db import connection
from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

# What people write around and between the digits of a number.
_looks_like_number = re.compile(r"[+0-9\s()./-]*[0-9][+0-9\s()./-]*").fullmatch
_beside_digits = re.compile(r"[^+0-9]")
# These come escaped out of `jsonb`, so a text with one of them is not found in all of it as it is.
_has_escapes = re.compile(r'["\\\x00-\x1f]').search

# Not Django's key transform, which takes the name `1` for the second item of a list.
_VARIABLE_IS = "batches_call.variables -> %s::text = %s::jsonb"
# Whatever is in a value is also in the text of all of them, which is twice as fast to look through.
_VARIABLE_CONTAINS = """
upper(batches_call.variables::text) LIKE upper(%s::text) AND EXISTS (
    SELECT FROM jsonb_each_text(batches_call.variables) AS variable
    WHERE upper(variable.value) LIKE upper(%s::text))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSelection:
    """All of this must be so. `phone_number` is E.164, `variables` has JSON values by name."""

    status: str | None = None
    phone_number: str | None = None
    timezone: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    search: str = ""

    @property
    def is_counted(self) -> bool:
        """Whether the batch's counters know how many there are."""
        return not (self.phone_number or self.timezone or self.variables or self.search)

    def conditions(self) -> Iterator[Q | RawSQL]:
        columns = {
            "status": self.status,
            "phone_number": self.phone_number,
            "timezone": self.timezone,
        }
        yield Q(**{name: value for name, value in columns.items() if value is not None})
        for name, value in self.variables.items():
            yield _condition(_VARIABLE_IS, name, orjson.dumps(value).decode())
        if self.search:
            in_all = "" if _has_escapes(self.search) else self.search
            patterns = containing(in_all), containing(self.search)
            found = Q(_condition(_VARIABLE_CONTAINS, *patterns))
            yield found | number_contains(self.search)


def number_contains(text: str) -> Q:
    """The phone number has these digits: `+1 (212) 555-1234` is found in +12125551234.

    Nothing is found by a text that cannot be (a part of) a number.
    """
    if not _looks_like_number(text):
        return Q()
    return Q(phone_number__contains=_beside_digits.sub("", text))


def containing(text: str) -> str:
    """A pattern of LIKE; the text's `%` and `_` are letters."""
    return f"%{connection.ops.prep_for_like_query(text)}%"


def _condition(statement: str, *params: str) -> RawSQL:
    return RawSQL(statement, params, output_field=BooleanField())  # noqa: S611 (our own text)

"""One contact at a time: normalised and checked, or what is wrong with it."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from batches.imports.external_ids import EXTERNAL_ID, ExternalIds, external_id_problem
from batches.imports.reading import FileRefused
from batches.imports.tracking import RowError, RowRefused
from calling.numbers import NumberRefused, normalise
from calling.variables import RESERVED_NAMES, VariableSchema
from workspaces.timezones import timezone_names

NUMBER, TIMEZONE = "phoneNumber", "timezone"
_exponents = re.compile(rb"[0-9]e[+-]?([0-9]{2,3})").findall
# What a file of refused rows says of each; sent again, it is no variable.
ERRORS_COLUMN = "_errors"
LONGEST_NAME = 64  # characters
LARGEST_RECORD = 16 * 1024  # bytes of JSON
_MAY_BE_MUCH = 1024  # bytes; a shorter record cannot become long
DEEPEST_RECORD = 100  # levels; orjson, which writes the answers around them, ends at 254


class Contact(NamedTuple):
    """A valid contact. `variables` is JSON, `external_id` one of them, or empty."""

    phone_number: str
    variables: bytes
    timezone: str
    external_id: str


class ContactChecker:
    """What a contact of one batch has to satisfy. `names` collects its variables, as they came."""

    def __init__(self, schema: VariableSchema, countries: frozenset[str]) -> None:
        self.schema = schema
        self.countries = countries
        self.names: dict[str, None] = {}
        self._external_ids = ExternalIds()

    def check(self, values: Any) -> Contact:
        """The contact of a JSON object. Raises RowRefused with everything that is wrong."""
        if type(values) is not dict:
            raise RowRefused([_error("", "invalid", "Must be a JSON object.")])
        variables = values.copy()
        raw_number, timezone = variables.pop(NUMBER, None), variables.pop(TIMEZONE, "")
        has_new_names = not variables.keys() <= self.names.keys()
        errors = list(self._name_errors(variables)) if has_new_names else []
        external_id = self._external_id(variables, errors) if EXTERNAL_ID in variables else ""
        number = ""
        try:
            number = self._number(raw_number)
        except NumberRefused as error:
            errors.append(_error(NUMBER, error.code, error.message))
        if timezone != "" and not _is_timezone(timezone):
            errors.append(_error(TIMEZONE, "unknown_timezone", "Must be an IANA time zone name."))
        if not self.schema.accepts(variables):
            errors += [_error(*problem) for problem in self.schema.problems(variables)]
        encoded = b""
        try:
            encoded = _encoded(variables)
        except _Unstorable as problem:
            errors.append(_error("", *problem.args))
        if external_id and not errors and self._external_ids.is_anothers(external_id, number):
            message = "Another contact with another number has this id already."
            errors.append(_error(EXTERNAL_ID, "duplicate_external_id", message))
        if errors:
            raise RowRefused(errors)
        if has_new_names:
            self.names.update(dict.fromkeys(variables))
        return Contact(number, encoded, timezone, external_id)

    def forget_names_after(self, count: int) -> None:
        """Of contacts that will not be stored: keep the first so many of `names`."""
        for name in list(self.names)[count:]:
            del self.names[name]

    def _number(self, value: Any) -> str:
        if value is None:
            raise NumberRefused("required", "This field is required.")
        if type(value) is not str:
            raise NumberRefused("invalid", "Must be a string.")
        return normalise(value, self.countries)

    @staticmethod
    def _external_id(variables: dict[str, Any], errors: list[RowError]) -> str:
        """Trimmed, in `variables` too; empty when it is added to `errors`."""
        value = variables[EXTERNAL_ID]
        if problem := external_id_problem(value):
            errors.append(_error(EXTERNAL_ID, *problem))
            return ""
        trimmed: str = value.strip()
        variables[EXTERNAL_ID] = trimmed
        return trimmed

    @staticmethod
    def _name_errors(variables: Mapping[str, Any]) -> Any:
        for name in variables:
            if problem := name_problem(name):
                yield _error(name[:LONGEST_NAME], *problem)


class _Unstorable(Exception):
    """Arguments: code and message."""


def _encoded(variables: dict[str, Any]) -> bytes:
    """The variables as JSON. Raises _Unstorable."""
    try:
        encoded = orjson.dumps(variables)
        # So many levels have two brackets each; most records are shorter than that.
        too_deep = len(encoded) > 2 * DEEPEST_RECORD and _depth(variables) > DEEPEST_RECORD
    except TypeError:  # orjson's own limit: nothing else comes out of JSON and cannot go in
        too_deep = True
    if too_deep:
        message = f"The record has lists or objects over {DEEPEST_RECORD} levels deep."
        raise _Unstorable("too_deep", message)
    if len(encoded) + _written_out(encoded) > LARGEST_RECORD:
        raise _Unstorable("too_large", f"The record is over {LARGEST_RECORD // 1024} KB of JSON.")
    return encoded


def _written_out(encoded: bytes) -> int:
    """About how many digits more the database makes of numbers like 1e308, of which it writes all."""
    if len(encoded) < _MAY_BE_MUCH:
        return 0
    return sum(map(int, _exponents(encoded)))


def _depth(value: Any) -> int:
    """How many lists and objects stand inside of each other."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, list | dict)]:
        depth += 1
        level = [
            inner for item in level for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return depth


def _is_timezone(value: Any) -> bool:
    return isinstance(value, str) and value in timezone_names()


def name_problem(name: str) -> tuple[str, str] | None:
    """Code and message of what is wrong with a variable's name; None when nothing is."""
    if name in RESERVED_NAMES:
        return "reserved_name", "This name is reserved."
    if not 1 <= len(name) <= LONGEST_NAME:
        return "invalid_name", f"A variable's name has 1 to {LONGEST_NAME} characters."
    return None


@dataclass(frozen=True, slots=True)
class FileColumns:
    """Where a file's columns go: the header, checked once."""

    names: list[str | None]  # None: the column is left out
    readers: dict[str, Any]  # columns whose cells are read as something else than what they are

    @classmethod
    def of(
        cls,
        header: list[str],
        schema: VariableSchema,
        *,
        is_text: bool,
        taken_as: Sequence[str | None] | None = None,
    ) -> "FileColumns":
        """`is_text`: every cell is (CSV). `taken_as`: for each column another name; None: not at all.

        Raises FileRefused for a missing or impossible column.
        """
        # A file of refused rows, come back, has a column that is none of a contact's.
        names = [
            None if name == ERRORS_COLUMN else name
            for name in (header if taken_as is None else taken_as)
        ]
        if NUMBER not in names:
            raise FileRefused("missing_column", f"There is no column {NUMBER}.")
        for name in names:
            if name and (problem := name_problem(name)):
                raise FileRefused(problem[0], f"Column {name[:LONGEST_NAME]}: {problem[1]}")
        if twice := [name for name, times in Counter(filter(None, names)).items() if times > 1]:
            raise FileRefused("duplicate_column", f"Two columns are taken as “{twice[0]}”.")
        if missing := schema.required.difference(filter(None, names)):
            told = ", ".join(sorted(missing))
            raise FileRefused("missing_column", f"The agent requires the columns: {told}.")
        declared = {name: schema.types[name] for name in names if name and name in schema.types}
        readers = {
            name: variable.read
            for name, variable in declared.items()
            if name != EXTERNAL_ID and not (is_text and variable.is_text)
        }
        if not is_text:
            readers |= {NUMBER: _as_text, TIMEZONE: _as_text, EXTERNAL_ID: _as_text}
        return cls(names, readers)

    def values(self, cells: list[Any]) -> dict[str, Any]:
        """A row as an object; empty cells are left out. Raises RowRefused for a nameless cell."""
        names = self.names
        if len(cells) > len(names) or "" in names:
            self._refuse_nameless(cells)
        values: dict[Any, Any] = {
            name: cell for name, cell in zip(names, cells, strict=False) if cell != ""
        }
        values.pop(None, None)
        for name, read in self.readers.items():
            if name in values:
                values[name] = read(values[name])
        return values

    def _refuse_nameless(self, cells: list[Any]) -> None:
        names = [*self.names, *[""] * (len(cells) - len(self.names))]
        errors = [
            _error(f"column {number}", "column_without_name", "The column has no name.")
            for number, (name, cell) in enumerate(zip(names, cells, strict=False), start=1)
            if name == "" and cell != ""
        ]
        if errors:
            raise RowRefused(errors)


def _as_text(cell: Any) -> str:
    return cell if isinstance(cell, str) else str(cell)


def _error(field: str, code: str, message: str) -> RowError:
    return {"field": field, "code": code, "message": message}

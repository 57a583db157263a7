"""What agents have to know of a contact, and whether a contact has it.

Two kinds of contacts: JSON records, whose values have types of their own and are never coerced, and
rows of files, whose cells are mostly text and are read as the type that the agent declares.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from calling.models import Agent, VariableType

# Under these the API shows what it knows of a call itself.
RESERVED_NAMES = frozenset(
    {"_id", "phoneLogs", "callStatus", "createdAt", "updatedAt", "waitingFor"}
)
MISSING = object()
_LONGEST_LIST = 200  # characters
_is_number = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?").fullmatch
_is_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Variable:
    """One declared variable."""

    key: str
    type: VariableType
    is_required: bool
    choices: tuple[str, ...]

    @property
    def is_text(self) -> bool:
        """Whether its values are texts, so that a text needs no reading."""
        return self.type not in (VariableType.NUMBER, VariableType.BOOLEAN)

    def accepts(self, value: Any) -> bool:
        """Whether a JSON value will do; `MISSING` stands for none."""
        if value is MISSING:
            return not self.is_required
        if self.type is VariableType.ENUM:
            return value in self.choices
        return _HAS_TYPE[self.type](value) and not (self.is_required and _is_blank(value))

    def problem(self, value: Any) -> tuple[str, str]:
        """Code and message of what is wrong with a value that is not accepted."""
        if value is MISSING or (self.is_required and _is_blank(value)):
            return "required", "This variable is required."
        if self.type is VariableType.ENUM:
            return "invalid_choice", f"Must be one of: {_shortened(', '.join(self.choices))}."
        return "invalid", _MUST_BE[self.type]

    def read(self, cell: Any) -> Any:
        """The value of a file's cell; the cell itself where it cannot be read as the type."""
        return _READ[self.type](cell)


class VariableSchema:
    """The variables of all agents behind some numbers: a contact must satisfy each."""

    def __init__(self, agents: Iterable[Agent]) -> None:
        declared = [
            Variable(
                key=item["key"],
                type=VariableType(item["type"]),
                is_required=item.get("required", False),
                choices=tuple(item.get("enum") or ()),
            )
            for agent in agents
            for item in agent.variables
        ]
        self.variables = list(dict.fromkeys(declared))
        self.required = {variable.key for variable in self.variables if variable.is_required}
        self.types = {variable.key: variable for variable in self.variables}
        self._checks = [(variable.key, variable.accepts) for variable in self.variables]

    def accepts(self, values: Mapping[str, Any]) -> bool:
        """Whether all is well, which for nearly every contact it is: then `problems` is not asked."""
        for key, accepts in self._checks:  # noqa: SIM110 (a generator costs as much as the checks)
            if not accepts(values.get(key, MISSING)):
                return False
        return True

    def problems(self, values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
        """Key, code and message of each variable that is missing or wrong."""
        for variable in self.variables:
            value = values.get(variable.key, MISSING)
            if not variable.accepts(value):
                yield variable.key, *variable.problem(value)


def _shortened(text: str) -> str:
    """There may be a hundred choices, and a million rows that have none of them."""
    return text if len(text) <= _LONGEST_LIST else f"{text[:_LONGEST_LIST]}…"


def _is_blank(value: Any) -> bool:
    return type(value) is str and not value.strip()


def _is_real_date(value: Any) -> bool:
    if not isinstance(value, str) or not _is_date(value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _text(cell: Any) -> Any:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return cell if isinstance(cell, str) else str(cell)


def _number(cell: Any) -> Any:
    if isinstance(cell, str) and _is_number(text := cell.strip()):
        return float(text) if "." in text else int(text)
    return cell


def _truth(cell: Any) -> Any:
    return cell if isinstance(cell, bool) else _TRUTHS.get(str(cell).strip().lower(), cell)


_HAS_TYPE: dict[VariableType, Callable[[Any], bool]] = {
    VariableType.STRING: lambda value: type(value) is str,
    VariableType.NUMBER: lambda value: type(value) in (int, float),
    VariableType.BOOLEAN: lambda value: type(value) is bool,
    VariableType.DATE: _is_real_date,
    VariableType.ENUM: lambda value: type(value) is str,
}
_MUST_BE = {
    VariableType.STRING: "Must be a string.",
    VariableType.NUMBER: "Must be a number.",
    VariableType.BOOLEAN: "Must be true or false.",
    VariableType.DATE: "Must be a date as YYYY-MM-DD.",
    VariableType.ENUM: "Must be a string.",
}
_READ: dict[VariableType, Callable[[Any], Any]] = {
    VariableType.STRING: _text,
    VariableType.NUMBER: _number,
    VariableType.BOOLEAN: _truth,
    VariableType.DATE: _text,
    VariableType.ENUM: _text,
}

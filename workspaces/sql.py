"""Rows of any mixture of models, written in one statement.

The ORM compiles an INSERT anew each time and sends one per model: for createBatch 1.05 ms of CPU
against 0.28 here. The text is built once per shape (which models, one row or many), so PostgreSQL
keeps it prepared, and one statement is all or nothing without a transaction of its own.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import groupby
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import InterfaceError, OperationalError, connection, models

from workspaces.ids import ObjectIdField

# The database is away, or a lock was not had in time: trying again may help.
AWAY = (OperationalError, InterfaceError)

_length = re.compile(r"\(\d+\)")
# Their Python values are what psycopg takes; Django would look at each again.
_AS_IT_IS = {
    models.BooleanField,
    models.CharField,
    models.DateTimeField,
    models.GenericIPAddressField,
    models.PositiveIntegerField,
    models.PositiveSmallIntegerField,
}
Shape = tuple[tuple[type[models.Model], bool], ...]


def insert_rows(*rows: models.Model) -> None:
    """Insert unsaved instances; neighbours of one model travel as arrays, so the text stays one.

    No signals, no `save()`, no database defaults: every field's value comes from the instance.
    Errors: `IntegrityError` as from the ORM; then none of the rows is stored.
    """
    groups: list[tuple[type[models.Model], list[models.Model]]]
    groups = [(model, list(group)) for model, group in groupby(rows, type)]
    shape: Shape = tuple((model, len(group) > 1) for model, group in groups)
    params: list[Any] = []
    for model, group in groups:
        columns = _columns(model)
        if len(group) == 1:
            params += [to_db(getattr(group[0], name)) for name, to_db in columns]
        else:
            params += [
                array_literal([to_db(getattr(row, name)) for row in group])
                for name, to_db in columns
            ]
    with connection.cursor() as cursor:
        cursor.execute(_insert_statement(shape), params)
    alias = connection.alias
    for row in rows:
        row._state.adding = False
        row._state.db = alias


def array_literal(values: list[Any]) -> str | list[Any]:
    """An array parameter, to be cast in the statement.

    Ids (as bytes) and integers are written as PostgreSQL's own text, many times faster than psycopg
    does it for any type; everything else is left to psycopg.
    """
    kinds = set(map(type, values))  # of an empty list none: psycopg's
    if kinds == {bytes}:
        return "{" + ",".join([f'"\\\\x{value.hex()}"' for value in values]) + "}"
    if kinds == {int}:
        return "{" + ",".join(map(str, values)) + "}"
    return values


@cache
def _columns(model: type[models.Model]) -> list[tuple[str, Callable[[Any], Any]]]:
    """Attribute and conversion of each column."""
    return [(field.attname, _to_db(field)) for field in model._meta.concrete_fields]


def _to_db(field: models.Field[Any, Any]) -> Callable[[Any], Any]:
    if type(field) in _AS_IT_IS:
        return lambda value: value
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    if isinstance(target, ObjectIdField):
        return lambda value: None if value is None else bytes.fromhex(value)
    if isinstance(field, ArrayField):
        return array_literal
    return lambda value: field.get_db_prep_save(value, connection)


@cache
def _insert_statement(shape: Shape) -> str:
    inserts = [_insert(model, many) for model, many in shape]
    if len(inserts) == 1:
        return inserts[0]
    # Data-modifying CTEs run whether read or not; their foreign keys are checked at the end.
    *leading, last = inserts
    parts = (f"row_{number} AS ({text})" for number, text in enumerate(leading))
    return f"WITH {', '.join(parts)} {last}"


def _insert(model: type[models.Model], many: bool) -> str:
    fields = model._meta.concrete_fields
    table = connection.ops.quote_name(model._meta.db_table)
    columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    if not many:
        values = f"VALUES ({_placeholders(fields)})"
    elif any(isinstance(field, ArrayField) for field in fields):
        # unnest() would flatten an array of arrays.
        raise TypeError(f"{model.__name__} has array columns: insert one row at a time.")
    else:
        values = f"SELECT * FROM unnest({_placeholders(fields, '[]')})"  # noqa: S608 (our names)
    return f"INSERT INTO {table} ({columns}) {values}"


def _placeholders(fields: Iterable[models.Field[Any, Any]], suffix: str = "") -> str:
    return ", ".join(f"%s::{_column_type(field)}{suffix}" for field in fields)


def _column_type(field: models.Field[Any, Any]) -> str:
    column_type = field.db_type(connection)
    assert column_type is not None  # noqa: S101 (concrete fields have a column)
    return _length.sub("", column_type)  # varchar(200) → varchar: a cast would cut silently


def fetch_row(statement: str, params: Sequence[Any]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        row: tuple[Any, ...] | None = cursor.fetchone()
        return row


def fetch_all(statement: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def execute(statement: str, params: Sequence[Any]) -> int:
    """Run a statement that returns nothing. Returns how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return int(cursor.rowcount)


@contextmanager
def copy_rows(table: str, columns: Sequence[str]) -> Iterator[Callable[[bytes], None]]:
    """COPY into a table: yields what takes blocks of whole lines in COPY's text format.

    Cells are separated by tabs, each as `copy_cell` writes it. The rows are there when the block ends
    without an error.
    """
    names = ", ".join(map(connection.ops.quote_name, columns))
    statement = f"COPY {connection.ops.quote_name(table)} ({names}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        yield copy.write


def copy_cell(value: bytes) -> bytes:
    """A value as a cell of COPY's text format."""
    if b"\\" in value:
        value = value.replace(b"\\", b"\\\\")
    for character, escape in _COPY_ESCAPES:
        if character in value:
            value = value.replace(character, escape)
    return value


_COPY_ESCAPES = ((b"\t", b"\\t"), (b"\n", b"\\n"), (b"\r", b"\\r"))

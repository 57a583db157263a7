"""Temporary tables: rows wait there, outside of any transaction, for the one that loads them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection

from workspaces.sql import copy_rows
from workspaces.unit_of_work import undo_by


@dataclass(frozen=True, slots=True)
class StagingTable:
    """A table of this connection; `columns` are names with types. Statements call it by its name."""

    name: str
    columns: dict[str, str]

    @contextmanager
    def opened(self) -> Iterator[None]:
        """There and empty; gone when the block ends."""
        columns = ", ".join(f"{name} {kind} NOT NULL" for name, kind in self.columns.items())
        with connection.cursor() as cursor:
            self._drop_if_there()  # of an import that was cut off
            cursor.execute(f"CREATE TEMPORARY TABLE {self.name} ({columns})")
            try:
                yield
            finally:
                if not connection.needs_rollback and connection.is_usable():
                    self._drop_if_there()
                    undo_by(self._drop_if_there)

    def copy(self, lines: Sequence[bytes]) -> None:
        """Add rows, as lines for COPY with a cell for each column."""
        with copy_rows(self.name, list(self.columns)) as write:
            write(b"".join(lines))

    def analyze(self) -> None:
        """Tell the planner how many there are; nobody else does that for a temporary table."""
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE pg_temp.{self.name}")

    def _drop_if_there(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{self.name}")

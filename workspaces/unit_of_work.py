"""The transaction of a write, which may have to stay open until the answer to it is known.

A service says `with unit_of_work():` around all that it stores. That is `transaction.atomic()`, unless
the request is to be answered once only (`workspaces.api.idempotency`): then the transaction stays open
behind the block, for the answer to be stored with what it tells of.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar

from django.db import Error, connection, transaction


class HeldUnit:
    """A unit of work that outlives the block of its service."""

    def __init__(self) -> None:
        self.is_open = False
        self._is_abandoned = False
        self._transaction = ExitStack()
        self._undoings: list[Callable[[], object]] = []

    def abandon(self) -> None:
        """Roll back at the end, although nothing was raised."""
        self._is_abandoned = True

    @contextmanager
    def opened(self) -> Iterator[None]:
        # An error in the block ends the transaction there, as it always does: whoever handles the
        # error has to be able to use the database.
        with ExitStack() as unit:
            unit.enter_context(transaction.atomic())
            yield
            # Otherwise foreign keys are checked by the commit, where no service would see the error.
            connection.check_constraints()
            self._transaction.push(unit.pop_all())
            self.is_open = True

    @contextmanager
    def ended(self) -> Iterator[None]:
        try:
            with self._transaction:
                yield
                if self.is_open and self._is_abandoned:
                    transaction.set_rollback(True)
        except BaseException:
            self._undo()
            raise
        if self._is_abandoned:
            self._undo()

    def undo_by(self, undoing: Callable[[], object]) -> None:
        self._undoings.append(undoing)

    def _undo(self) -> None:
        for undoing in self._undoings:
            with suppress(Error):  # the error that led here says more
                undoing()


_held: ContextVar[HeldUnit | None] = ContextVar("held_unit", default=None)


@contextmanager
def held_unit() -> Iterator[HeldUnit]:
    """In this block the first unit of work stays open until the block ends, and is committed then.

    Rolled back when the block raises, or when it was abandoned. Raises what a commit raises.
    """
    held = HeldUnit()
    token = _held.set(held)
    try:
        with held.ended():
            yield held
    finally:
        _held.reset(token)


@contextmanager
def unit_of_work(*, is_one_statement: bool = False) -> Iterator[None]:
    """All that a request stores, in one transaction. `is_one_statement`: it needs none of its own."""
    held = _held.get()
    if held is not None and not held.is_open:
        with held.opened():
            yield
    elif held is None and is_one_statement:
        yield
    else:
        with transaction.atomic():
            yield


def undo_by(undoing: Callable[[], object]) -> None:
    """Call this if a unit of work is rolled back after its block has ended, as only a held one can be.

    For what was stored outside of it and counts on it. Errors of the database in it are passed over.
    """
    held = _held.get()
    if held is not None:
        held.undo_by(undoing)

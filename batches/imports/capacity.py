"""How many big imports a process runs at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rest_framework.exceptions import APIException

MOST_AT_A_TIME = 2
_slots = threading.BoundedSemaphore(MOST_AT_A_TIME)


class ImportsBusy(APIException):
    """503 with Retry-After: the threads that are left belong to the other requests."""

    status_code = 503
    default_detail = "Other imports are running. Try again in a moment."
    default_code = "imports_busy"
    wait = 10  # seconds, for Retry-After


@contextmanager
def import_slot() -> Iterator[None]:
    """Hold one of this process's slots for a file or a big request. Raises ImportsBusy at once."""
    if not _slots.acquire(blocking=False):
        raise ImportsBusy
    try:
        yield
    finally:
        _slots.release()

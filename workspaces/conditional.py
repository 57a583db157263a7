"""Writes that are made only if nobody has changed the row since it was read."""

from collections.abc import Callable
from typing import Any

from rest_framework.exceptions import APIException

# Called with the row, locked, before anything changes. Raises PreconditionFailed.
Precondition = Callable[[Any], None]


class PreconditionFailed(APIException):
    status_code = 412
    default_detail = "It has changed since you fetched it. Fetch it again, and decide anew."
    default_code = "precondition_failed"
    field = "If-Match"


def unconditional(row: Any) -> None:
    """The precondition of a write that has none."""

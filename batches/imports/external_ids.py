"""The integrator's own id of a contact: unique per batch, so that adding it again adds nothing."""

from typing import Any

from workspaces.texts import is_one_line

EXTERNAL_ID = "externalId"
LONGEST_EXTERNAL_ID = 128  # characters


def external_id_problem(value: Any) -> tuple[str, str] | None:
    """Code and message of what is wrong with an id as it came; None when nothing is."""
    if type(value) is not str:
        return "invalid", "Must be a string."
    if not is_one_line(value):
        return "control_character", "Must not contain control characters."
    length = len(value.strip())
    if not length:
        return "blank", "Must not be blank."
    if length > LONGEST_EXTERNAL_ID:
        return "max_length", f"Must have at most {LONGEST_EXTERNAL_ID} characters."
    return None


class ExternalIds:
    """Those of one request or one file, and whose they are.

    Hashes stand for both, for a file may have a million of 128 characters.
    """

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def is_anothers(self, external_id: str, number: str) -> bool:
        """Whether it came with another number before; if not, it is this number's from now on."""
        own = hash(number)
        return self._numbers.setdefault(hash(external_id), own) != own

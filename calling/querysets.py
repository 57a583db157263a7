from collections.abc import Sequence
from typing import TYPE_CHECKING

from calling.numbers import country_of
from workspaces.querysets import WorkspaceQuerySet
from workspaces.sql import array_literal, fetch_all

if TYPE_CHECKING:
    from calling.models import PhoneNumber  # noqa: F401 (the type parameter below)
    from workspaces.models import Workspace

# Plain SQL: runs in every createBatch (see workspaces.sql). One text whatever the number of ids.
_ACTIVE_IDS = """
SELECT id FROM calling_phonenumber
WHERE workspace_id = %s AND is_active AND id = ANY(%s::bytea[])
"""

_HELD_IDS = f"{_ACTIVE_IDS} ORDER BY id FOR KEY SHARE"


class PhoneNumberQuerySet(WorkspaceQuerySet["PhoneNumber"]):
    def active_ids(self, workspace_id: str, ids: Sequence[str]) -> set[str]:
        """Which of these ids are active numbers of this workspace. One statement."""
        return _ids(_ACTIVE_IDS, workspace_id, ids)

    def held_active_ids(self, workspace_id: str, ids: Sequence[str]) -> set[str]:
        """The same, and none of them can be deleted before the transaction ends."""
        return _ids(_HELD_IDS, workspace_id, ids)

    def called_countries(self, workspace: "Workspace") -> frozenset[str]:
        """The ISO codes that the workspace calls: its own list, else those of all its numbers.

        Empty (no list, no number): any. At most one statement.
        """
        if workspace.called_countries:
            return frozenset(workspace.called_countries)
        numbers = self.for_workspace(workspace.id).values_list("number", flat=True)
        return frozenset(filter(None, map(country_of, numbers)))


def _ids(statement: str, workspace_id: str, ids: Sequence[str]) -> set[str]:
    params = [bytes.fromhex(workspace_id), array_literal([bytes.fromhex(id_) for id_ in ids])]
    return {row[0].hex() for row in fetch_all(statement, params)}

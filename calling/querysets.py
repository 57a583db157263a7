from collections.abc import Sequence
from typing import TYPE_CHECKING

from workspaces.querysets import WorkspaceQuerySet
from workspaces.sql import array_literal, fetch_all

if TYPE_CHECKING:
    from calling.models import PhoneNumber  # noqa: F401 (the type parameter below)

# Plain SQL: runs in every createBatch (see workspaces.sql). One text whatever the number of ids.
_ACTIVE_IDS = """
SELECT id FROM calling_phonenumber
WHERE workspace_id = %s AND is_active AND id = ANY(%s::bytea[])
"""


class PhoneNumberQuerySet(WorkspaceQuerySet["PhoneNumber"]):
    def active_ids(self, workspace_id: str, ids: Sequence[str]) -> set[str]:
        """Which of these ids are active numbers of this workspace. One statement."""
        params = [bytes.fromhex(workspace_id), array_literal([bytes.fromhex(id_) for id_ in ids])]
        return {row[0].hex() for row in fetch_all(_ACTIVE_IDS, params)}

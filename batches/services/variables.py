from collections.abc import Iterable

from batches.models import BatchVariable, CallBatch
from workspaces.sql import insert_rows


def remember_variables(batch: CallBatch, names: Iterable[str]) -> None:
    """Append the names that the batch does not know yet, up to `BatchVariable.MAX_NAMED` in all.

    The caller holds the lock of the batch's row.
    """
    known = set(batch.variables.values_list("name", flat=True))
    room = BatchVariable.MAX_NAMED - len(known)
    new = [name for name in dict.fromkeys(names) if name not in known][:room]
    if new:
        insert_rows(
            *(
                BatchVariable(
                    workspace_id=batch.workspace_id, batch_id=batch.id, position=position, name=name
                )
                for position, name in enumerate(new, start=len(known))
            )
        )

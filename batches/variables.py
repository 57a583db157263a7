"""A contact's variables in the order in which their names came, which `jsonb` does not keep."""

from collections.abc import Sequence
from typing import Any

import orjson

from batches.models import CallBatch


def variable_names(batch: CallBatch) -> list[str]:
    """The batch's own order of its (first) names. One statement."""
    return list(batch.variables.order_by("position").values_list("name", flat=True))


def in_order(variables: str, names: Sequence[str]) -> dict[str, Any]:
    """The values of a JSON object: first those of these names, then any others.

    A whole number beyond 64 bits becomes a float: orjson, which writes the answers, knows no other.
    """
    values: dict[str, Any] = orjson.loads(variables)
    ordered = {name: values[name] for name in names if name in values}
    return ordered if len(ordered) == len(values) else {**ordered, **values}

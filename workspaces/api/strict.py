"""The serializer that all input goes through."""

import threading
from difflib import get_close_matches
from typing import Any, Self

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from workspaces.api.fields import QueryIntegerField

# A hostile megabyte of names must not cost a minute of comparing, nor come back as a megabyte.
_LONGEST_NAME = 100
_MOST_SUGGESTIONS = 20

_instances = threading.local()


class StrictSerializer(serializers.Serializer[Any]):
    """Input that refuses what it does not know: a misspelt calling window is never ignored.

    `self.context["caller"]` is the `Caller`, or None on a public endpoint.
    """

    default_error_messages = {"invalid": "Must be a JSON object."}
    refuse_unknown = True
    # Names of optional fields of which each request has one, and not more.
    exactly_one_of: tuple[str, ...] = ()

    @classmethod
    def of_this_thread(cls) -> Self:
        """One instance per class and thread, for `run_validation`.

        DRF copies every declared field for every instance: a tenth of the time of createBatch.
        Validation keeps its state in the call, so an instance can serve one request after the other.
        """
        instance: Self | None = getattr(_instances, cls.__name__, None)
        if type(instance) is not cls:
            instance = cls()
            setattr(_instances, cls.__name__, instance)
        return instance

    def to_internal_value(self, data: Any) -> Any:
        unknown = self._unknown_fields(data)
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if not unknown or not isinstance(error.detail, dict):
                raise
            raise serializers.ValidationError({**error.detail, **unknown}) from error
        if problems := {**unknown, **self._not_exactly_one(data)}:
            raise serializers.ValidationError(problems)
        return values

    def _not_exactly_one(self, data: Any) -> dict[str, list[ErrorDetail]]:
        names = self.exactly_one_of
        given = [name for name in names if name in data]
        if len(given) == bool(names):
            return {}
        if given:
            message = f"Send {' or '.join(names)}, not both."
            return {given[1]: [ErrorDetail(message, "ambiguous")]}
        return {names[0]: [ErrorDetail("This field is required.", "required")]}

    def _read_only_defaults(self) -> dict[str, Any]:
        """None: input has no read-only fields, and DRF would look at every field for them."""
        return {}

    def _unknown_fields(self, data: Any) -> dict[str, list[ErrorDetail]]:
        if not self.refuse_unknown or not isinstance(data, dict):
            return {}
        unknown = [name[:_LONGEST_NAME] for name in data if name not in self.fields]
        return {
            name: [ErrorDetail(self._refusal(name, position), "unknown_field")]
            for position, name in enumerate(unknown)
        }

    def _refusal(self, name: str, position: int) -> str:
        known = list(self.fields) if position < _MOST_SUGGESTIONS else []
        nearest = get_close_matches(name, known, n=1)
        return f"Unknown field, did you mean {nearest[0]}?" if nearest else "Unknown field."


class QuerySerializer(StrictSerializer):
    """Query parameters. Foreign ones are ignored, as everywhere on the web."""

    refuse_unknown = False


class PageQuery(QuerySerializer):
    page = QueryIntegerField(default=1, min_value=1, help_text="From 1.")
    limit = QueryIntegerField(default=10, min_value=1, max_value=100, help_text="Rows a page.")

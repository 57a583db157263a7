"""Every route of the API, found in the URL conf, with a request for each that would succeed.

A route is known here the day it is registered. What cannot be guessed is a live thing for a new
path parameter, or an example for a new kind of field: then the tests fail with the place to add it.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework import serializers

from tests import factories
from tests.cast import Person
from workspaces.api import fields
from workspaces.api.base import ApiViewSet
from workspaces.api.endpoint import Endpoint
from workspaces.callers import Role

_parameter = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class Route:
    method: str
    template: str  # as in OpenAPI: /api/workspace/members/{id}
    view: type[ApiViewSet]
    action: str

    def __str__(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def declared(self) -> Endpoint | None:
        return getattr(getattr(self.view, self.action), "endpoint", None)

    @property
    def endpoint(self) -> Endpoint:
        assert self.declared is not None, f"{self} has no @endpoint declaration"
        return self.declared

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.template)

    @property
    def names_things(self) -> bool:
        """Whether a request carries ids of things, in its path or in its body."""
        body = self.endpoint.body
        kinds = body().fields.values() if body else []
        return bool(self.parameters or self.required_query) or any(
            isinstance(getattr(field, "child", field), fields.ObjectIdApiField) for field in kinds
        )

    @property
    def required_query(self) -> list[str]:
        """The query parameters without which there is no answer: ids, as in the path."""
        query = self.endpoint.query
        return [name for name, field in query().fields.items() if field.required] if query else []

    def path(self, ids: Mapping[str, str]) -> str:
        """The path with these ids; those that are none of its own become its query."""
        query = {name: id_ for name, id_ in ids.items() if name not in self.parameters}
        return self.template.format(**ids) + (f"?{urlencode(query)}" if query else "")


def views(
    patterns: Sequence[URLPattern | URLResolver] | None = None, prefix: str = "/"
) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every view of the URL conf with the template of its path."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, path)
        else:
            yield _parameter.sub(r"{\1}", path), pattern.callback


def routes() -> list[Route]:
    """HEAD is not listed: Django makes it of GET."""
    found = []
    for template, view in views():
        cls = getattr(view, "cls", None)
        if isinstance(cls, type) and issubclass(cls, ApiViewSet):
            actions: dict[str, str] = view.actions  # type: ignore[attr-defined]
            for method, action in actions.items():
                if method != "head":
                    found.append(Route(method.upper(), template, cls, action))
    return found


# --- Requests -------------------------------------------------------------------------------------


def _user_with_a_batch(person: Person) -> str:
    _batch(person)
    return person.user.id


def _batch(person: Person) -> str:
    return str(factories.CallBatchFactory(workspace=person.workspace, created_by=person.user).id)


def _phone(person: Person) -> str:
    return str(factories.PhoneNumberFactory(workspace=person.workspace, created_by=person.user).id)


def _key(person: Person) -> str:
    return str(factories.ApiKeyFactory(workspace=person.workspace, created_by=person.user).id)


def _colleague(person: Person) -> str:
    membership = factories.MembershipFactory(workspace=person.workspace, role=Role.MEMBER)
    return str(membership.user_id)


# Makes a live thing of the person's workspace, by the name of a path parameter or a field, or by
# the path up to the parameter where a name alone does not tell.
LIVE: dict[str, Callable[[Person], str]] = {
    "batchId": _batch,
    "phoneId": _phone,
    "userId": _user_with_a_batch,
    "callingNumbers": _phone,
    "/api/workspace/api-keys/{id}": _key,
    "/api/workspace/members/{id}": _colleague,
}


def _live(person: Person, *names: str) -> str:
    for name in names:
        if name in LIVE:
            return LIVE[name](person)
    pytest.fail(f"tests/routes.py, LIVE: add what makes a live id for {' or '.join(names)}")


def live_ids(route: Route, person: Person) -> dict[str, str]:
    """An id of a thing of this person for each parameter of path and (required) query."""
    ids = {name: _live(person, name) for name in route.required_query}
    for name in route.parameters:
        up_to_it = route.template.split(f"{{{name}}}")[0] + f"{{{name}}}"
        ids[name] = _live(person, up_to_it, name)
    return ids


def valid_body(route: Route, person: Person) -> Any:
    """What the declared serializer requires; all that it knows when it requires nothing."""
    if route.endpoint.body is None:
        return None
    return _example_of_serializer(route.endpoint.body(), person)


def _example_of_serializer(serializer: serializers.Serializer[Any], person: Person) -> Any:
    required = {name: field for name, field in serializer.fields.items() if field.required}
    chosen = required or serializer.fields
    return {name: _example(field, name, person) for name, field in chosen.items()}


def _example(field: Any, name: str, person: Person) -> Any:
    for kind, value in EXAMPLES:
        if isinstance(field, kind):
            return value(field, name, person)
    pytest.fail(f"tests/routes.py, EXAMPLES: add {type(field).__name__}, the kind of {name}")


# The first that fits, so the special ones stand before the general ones.
EXAMPLES: list[tuple[type, Callable[[Any, str, Person], Any]]] = [
    (fields.ObjectIdApiField, lambda field, name, person: _live(person, name)),
    (fields.TimezoneField, lambda field, name, person: "Asia/Tokyo"),
    (fields.StrictEmailField, lambda field, name, person: "somebody.new@example.com"),
    (fields.StrictCharField, lambda field, name, person: "A text"),
    (fields.StrictChoiceField, lambda field, name, person: list(field.choices)[-1]),
    (fields.StrictBooleanField, lambda field, name, person: True),
    (fields.StrictIntegerField, lambda field, name, person: field.min_value or 1),
    (fields.UtcDateTimeField, lambda field, name, person: "2999-12-31T00:00:00.000Z"),
    (
        fields.BoundedListField,
        lambda field, name, person: [_example(field.child, name, person)],
    ),
    (
        serializers.Serializer,
        lambda field, name, person: _example_of_serializer(field, person),
    ),
]

"""Every route of the API, found in the URL conf, with a request for each that would succeed.

A route is known here the day it is registered. What cannot be guessed is a live thing for a new
path parameter, or an example for a new kind of field: then the tests fail with the place to add it.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework import serializers

from batches.api.serializers.contacts import ContactsField, JsonTextField
from batches.models import BatchStatus, Call, CallStatus
from calling.api.fields import PhoneNumberField
from calling.api.serializers import (
    ConnectionSerializer,
    KeyField,
    LanguageField,
    VariableSerializer,
)
from tests import factories
from tests.cast import Person
from workspaces.api import fields
from workspaces.api.base import ApiViewSet
from workspaces.api.calling_window import ClockTimeField
from workspaces.api.endpoint import Endpoint
from workspaces.api.serializers import CountryField
from workspaces.api.webhook_serializers import WebhookUrlField
from workspaces.callers import Role
from workspaces.models import WebhookEndpoint

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
    def ids(self) -> list[str]:
        """Those of the parameters that are ids; any other is a word."""
        return [name for name in self.parameters if name == "id" or name.endswith("Id")]

    @property
    def names_things(self) -> bool:
        """Whether a request carries ids of things, in its path or in its body."""
        body = self.endpoint.body
        kinds = sent_fields(body()).values() if body else []
        return bool(self.ids or self.required_query) or any(
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
    """With a number, an agent behind it, and somebody to call."""
    batch = factories.CallBatchFactory(workspace=person.workspace, created_by=person.user)
    factories.BatchNumberFactory(batch=batch)
    factories.CallFactory(batch=batch)
    return str(batch.id)


def _call(person: Person) -> str:
    return str(Call.objects.get(batch_id=_batch(person)).id)


def _phone(person: Person) -> str:
    return str(factories.PhoneNumberFactory(workspace=person.workspace, created_by=person.user).id)


def _agent(person: Person) -> str:
    return str(factories.AgentFactory(workspace=person.workspace, created_by=person.user).id)


def _key(person: Person) -> str:
    return str(factories.ApiKeyFactory(workspace=person.workspace, created_by=person.user).id)


def _listed_number(person: Person) -> str:
    entry = factories.DoNotCallEntryFactory(workspace=person.workspace, created_by=person.user)
    return str(entry.id)


def _import(person: Person) -> str:
    return str(factories.ImportFactory(workspace=person.workspace, created_by=person.user).id)


def _file(field: Any, name: str, person: Person) -> SimpleUploadedFile:
    return SimpleUploadedFile("numbers.csv", b"phoneNumber\n12125551234\n", "text/csv")


def _as_json_text(id_: str) -> list[str]:
    """A repeated field of a form, whose last value counts: the first shows which id is in its text."""
    return [id_, json.dumps([id_])]


def _webhook(person: Person) -> str:
    endpoint = factories.WebhookEndpointFactory(workspace=person.workspace, created_by=person.user)
    return str(endpoint.id)


def _delivery(person: Person) -> str:
    """Of the webhook that was made last: the path names it before."""
    webhooks = WebhookEndpoint.objects.for_workspace(person.workspace.id)
    endpoint = webhooks.order_by("created_at", "id").last() or factories.WebhookEndpointFactory(
        workspace=person.workspace, created_by=person.user
    )
    return str(factories.WebhookDeliveryFactory(endpoint=endpoint).id)


def _colleague(person: Person) -> str:
    membership = factories.MembershipFactory(workspace=person.workspace, role=Role.MEMBER)
    return str(membership.user_id)


def _of_one_call(person: Person, status: CallStatus, batch_status: BatchStatus) -> Call:
    batch = factories.CallBatchFactory(
        workspace=person.workspace, created_by=person.user, status=batch_status
    )
    call: Call = factories.CallFactory.create(batch=batch, status=status)
    return call


def _stop(person: Person) -> dict[str, Any]:
    call = _of_one_call(person, CallStatus.PENDING, BatchStatus.ACTIVE)
    return {"batchId": call.batch_id, "userId": person.user.id}


def _retry(person: Person) -> dict[str, Any]:
    call = _of_one_call(person, CallStatus.FAILED, BatchStatus.STOPPED)
    return {"batchId": call.batch_id}


def _cancel(person: Person) -> dict[str, Any]:
    call = _of_one_call(person, CallStatus.PENDING, BatchStatus.STOPPED)
    return {"batchId": call.batch_id, "callIds": [call.id]}


# Bodies whose parts belong together, for the request to do something.
BODIES: dict[str, Callable[[Person], dict[str, Any]]] = {
    "/api/webhooks/{id}/replay": lambda person: {"since": "2025-05-15T14:00:00.000Z"},
    "/api/call/stop-calling": _stop,
    "/api/call/retry-calls": _retry,
    "/api/call/cancel-calls": _cancel,
}


# Makes a live thing of the person's workspace, by the name of a path parameter or a field, or by
# the path up to the parameter where a name alone does not tell.
LIVE: dict[str, Callable[[Person], str]] = {
    "batchId": _batch,
    "callId": _call,
    "phoneId": _phone,
    "userId": _user_with_a_batch,
    "callingNumbers": _phone,
    "agentId": _agent,
    "importId": _import,
    "deliveryId": _delivery,
    "/api/webhooks/{id}": _webhook,
    "/api/agents/{id}": _agent,
    "/api/call/batch-details/{id}": _batch,
    "/api/dnc/delete/{id}": _listed_number,
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
    if route.template in BODIES:
        return BODIES[route.template](person)
    return _example_of_serializer(route.endpoint.body(), person)


def sent_fields(serializer: serializers.Serializer[Any]) -> Mapping[str, Any]:
    """What an example of it has: the required fields, all when none is."""
    chosen = getattr(serializer, "exactly_one_of", ())[:1]
    required = {
        name: field for name, field in serializer.fields.items() if field.required or name in chosen
    }
    return required or serializer.fields


def _example_of_serializer(serializer: serializers.Serializer[Any], person: Person) -> Any:
    chosen = sent_fields(serializer)
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
    (ContactsField, lambda field, name, person: [{"phoneNumber": "12125551234"}]),
    (JsonTextField, lambda field, name, person: _as_json_text(_live(person, name))),
    (ClockTimeField, lambda field, name, person: {"start": "09:00", "end": "17:00"}[name]),
    (PhoneNumberField, lambda field, name, person: "12125551234"),
    (LanguageField, lambda field, name, person: "en-US"),
    (KeyField, lambda field, name, person: "9"),
    (CountryField, lambda field, name, person: "US"),
    (VariableSerializer, lambda field, name, person: {"key": "name", "type": "string"}),
    (
        ConnectionSerializer,
        lambda field, name, person: {"type": "message", "message": "Hello."},
    ),
    # An address needs no look-up.
    (WebhookUrlField, lambda field, name, person: "https://1.1.1.1/outdial"),
    (fields.StrictCharField, lambda field, name, person: "A text"),
    (fields.StrictChoiceField, lambda field, name, person: list(field.choices)[-1]),
    (fields.StrictBooleanField, lambda field, name, person: True),
    (fields.UploadedFileField, _file),
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

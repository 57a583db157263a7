"""Every address of the back office, walked by people who have no business there; none is named here.

A new page is tested the day it is registered.
"""

import html
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from batches.services.callback_archive import keep_callback
from calling.carriers.base import Callback
from tests import factories
from tests.cast import Person, person
from tests.rows import everything_of
from workspaces.back_office.base import AuditedAdmin
from workspaces.callers import Role
from workspaces.models import AuditEvent, User

# What belongs to nobody but superusers (config.admin).
FOREIGN_APPS = {"axes", "procrastinate", "auth"}
OURS = {
    f"{model._meta.app_label}_{model._meta.model_name}": model
    for model in admin.site._registry
    if model._meta.app_label not in FOREIGN_APPS
}

TEXTS = (
    *("Agent Undercover", "+12125550777", "Private line", "Confidential campaign"),
    *("+13105550888", "+13105550999", "Secret list.csv", "hooks.undercover.example"),
)


@dataclass(frozen=True)
class Address:
    """`name` as in the URL conf, `parameters` of the path, `model` whose pages it belongs to."""

    name: str
    parameters: tuple[str, ...]
    model: type[Model] | None

    def __str__(self) -> str:
        return self.name

    def of(self, row: Model) -> str:
        return reverse(f"admin:{self.name}", args=[row.pk for _ in self.parameters])


def patterns(resolver: URLResolver) -> Iterator[URLPattern]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from patterns(entry)
        else:
            yield entry


def addresses() -> list[Address]:
    [back_office] = [
        entry
        for entry in get_resolver().url_patterns
        if isinstance(entry, URLResolver) and entry.namespace == "admin"
    ]
    found = {}
    for pattern in patterns(back_office):
        if not pattern.name:  # old addresses that lead to the new ones
            continue
        # The longest name wins: `batches_call_…` is none of `batches_callbatch_…`.
        owners = [name for name in OURS if pattern.name.startswith(f"{name}_")]
        model = OURS[max(owners, key=len)] if owners else None
        parameters = tuple(pattern.pattern.converters) or tuple(pattern.pattern.regex.groupindex)
        found[pattern.name] = Address(pattern.name, parameters, model)
    return list(found.values())


ALL = addresses()
OF_ROWS = [one for one in ALL if one.model and one.parameters]
WITHOUT_ROWS = [one for one in ALL if not one.parameters and one.name not in {"logout", "jsi18n"}]
every_model = pytest.mark.parametrize("model", OURS.values(), ids=lambda model: model.__name__)
LISTS = [one for one in ALL if one.model and one.name.endswith("_changelist")]


def of_rows(model: type[Model]) -> list[Address]:
    return [one for one in OF_ROWS if one.model is model]


def belongings(owner: Person) -> None:
    """A row of everything."""
    mine = {"workspace": owner.workspace, "created_by": owner.user}
    account = factories.CarrierAccountFactory.create(workspace=owner.workspace)
    agent = factories.AgentFactory.create(**mine, name="Agent Undercover")
    phone = factories.PhoneNumberFactory.create(
        **mine, number="+12125550777", label="Private line", account=account, agent=agent
    )
    batch = factories.CallBatchFactory.create(**mine, name="Confidential campaign")
    factories.BatchNumberFactory.create(batch=batch, phone=phone)
    factories.DoNotCallEntryFactory.create(**mine, batch=batch, phone_number="+13105550888")
    call = factories.CallFactory.create(batch=batch, phone_number="+13105550999")
    attempt = factories.CallAttemptFactory.create(call=call)
    callback = Callback(url="https://outdial.example/", headers={}, body=b"CallStatus=busy")
    keep_callback(attempt, carrier="twilio", callback=callback, now=timezone.now())
    factories.ImportFactory.create(**mine, file_name="Secret list.csv")
    endpoint = factories.WebhookEndpointFactory.create(
        **mine, url="https://hooks.undercover.example"
    )
    data = {"batchId": batch.id, "batchName": "Confidential campaign"}
    event = factories.EventFactory.create(workspace=owner.workspace, data=data)
    factories.WebhookDeliveryFactory.create(endpoint=endpoint, event=event)
    AuditEvent.objects.create(
        workspace=owner.workspace,
        user=owner.user,
        credential_kind="session",
        action="batch.create",
        target_type="callbatch",
        target_id=batch.id,
        created_at=timezone.now(),
    )


@pytest.fixture
def owner(owner: Person) -> Person:
    belongings(owner)
    return owner


def marks(owner: Person) -> set[str]:
    """What would give the owner away on somebody else's page."""
    ids = {row.pk for model in OURS.values() for row in rows_of(owner, model)}
    return {*ids, *TEXTS, owner.workspace.name, owner.user.email}


def rows_of(owner: Person, model: type[Model]) -> list[Model]:
    if model is User:
        return [owner.user]
    path = admin.site._registry[model].workspace_path  # type: ignore[attr-defined]
    return list(model._default_manager.filter(**{path: owner.workspace.pk}))


def signed_in(who: Person) -> Client:
    User.objects.filter(pk=who.user.pk).update(is_staff=True)
    client = Client()
    client.force_login(who.user, "django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def outsider(stranger: Person) -> Client:
    """An owner of another workspace, in the back office."""
    return signed_in(stranger)


def text_of(response: Any) -> str:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return html.unescape(body.decode(errors="replace"))


def assert_refused(response: Any, address: Address) -> None:
    """403, 404, 405, or Django's way of saying 404: back to the home page with a message."""
    if response.status_code == 302:
        assert response["Location"] == reverse("admin:index"), address
    else:
        assert response.status_code in {403, 404, 405}, (address, response.status_code)


def test_the_walk_finds_the_pages() -> None:
    names = {one.name for one in ALL}
    assert {"index", "login", "autocomplete", "batches_callbatch_change"} <= names
    assert len(OURS) == len(LISTS)
    assert len(OF_ROWS) >= 3 * len(OURS)
    assert all(isinstance(admin.site._registry[model], AuditedAdmin) for model in OURS.values())


@every_model
def test_a_stranger_reaches_no_row_by_its_address(
    outsider: Client, owner: Person, model: type[Model]
) -> None:
    before = everything_of(owner.workspace)
    rows, secrets = rows_of(owner, model), marks(owner)
    assert rows, "nothing is walked"
    for row, address, method in itertools.product(rows, of_rows(model), ("get", "post")):
        response = getattr(outsider, method)(address.of(row), {"post": "yes"})
        assert_refused(response, address)
        assert not [mark for mark in secrets - {row.pk} if mark in text_of(response)], address
    assert everything_of(owner.workspace) == before


@pytest.mark.parametrize("address", WITHOUT_ROWS, ids=str)
def test_a_page_tells_a_stranger_nothing(outsider: Client, owner: Person, address: Address) -> None:
    response = outsider.get(reverse(f"admin:{address.name}"))
    assert response.status_code in {200, 302, 400, 403, 404, 405}
    assert not [mark for mark in marks(owner) if mark in text_of(response)]


@pytest.mark.parametrize("address", LISTS, ids=str)
def test_no_search_and_no_filter_finds_a_strangers_rows(
    outsider: Client, owner: Person, address: Address
) -> None:
    assert address.model is not None
    page, secrets = reverse(f"admin:{address.name}"), marks(owner)
    own = {row.pk for row in rows_of(owner, address.model)}
    guesses: list[dict[str, Any]] = [{"q": term} for term in (*TEXTS, owner.user.email, *own)]
    guesses += [{name: owner.workspace.pk} for name in ("workspace", "workspace__id__exact")]
    guesses += [{"id__exact": id_} for id_ in own]
    for guess in guesses:
        response = outsider.get(page, guess, follow=True)
        found = response.context["cl"].queryset if "cl" in (response.context or {}) else []
        assert not {row.pk for row in found} & own
        text, typed = text_of(response), set(guess.values())
        assert not [mark for mark in secrets - typed if mark in text]


def choices() -> list[tuple[type[Model], str]]:
    return [
        (model, name)
        for model in OURS.values()
        for name in admin.site._registry[model].autocomplete_fields
    ]


@pytest.mark.parametrize("choice", choices(), ids=lambda one: f"{one[0].__name__}.{one[1]}")
def test_no_autocomplete_offers_a_strangers_rows(
    outsider: Client, owner: Person, choice: tuple[type[Model], str]
) -> None:
    model, name = choice
    asked: dict[str, Any] = {
        "app_label": model._meta.app_label,
        "model_name": model._meta.model_name,
        "field_name": name,
    }
    for term in ("", *TEXTS, owner.workspace.name, owner.user.email):
        response = outsider.get(reverse("admin:autocomplete"), {**asked, "term": term})
        offered = {one["id"] for one in json.loads(response.content)["results"]}
        assert not offered & marks(owner)


def test_who_is_no_staff_is_asked_to_sign_in(owner: Person) -> None:
    client = Client()
    client.force_login(owner.user, "django.contrib.auth.backends.ModelBackend")
    urls = [reverse(f"admin:{address.name}") for address in WITHOUT_ROWS]
    urls += [
        address.of(row)
        for model in OURS.values()
        for address in of_rows(model)
        for row in rows_of(owner, model)
    ]
    for url in urls:
        text = text_of(client.get(url))
        assert not [mark for mark in marks(owner) if mark in text and mark not in url], url


@every_model
def test_a_member_who_only_reads_changes_nothing(owner: Person, model: type[Model]) -> None:
    reader = signed_in(person(owner.workspace, Role.MEMBER))
    before = everything_of(owner.workspace)
    for row, address in itertools.product(rows_of(owner, model), of_rows(model)):
        reader.post(address.of(row), {"post": "yes", "reason": "because", "confirm": "on"})
        assert everything_of(owner.workspace) == before, address


@pytest.mark.parametrize("address", LISTS, ids=str)
def test_a_member_who_only_reads_sees_the_rows_of_the_workspace(
    owner: Person, address: Address
) -> None:
    assert address.model is not None
    reader = signed_in(person(owner.workspace, Role.MEMBER))
    assert reader.get(reverse(f"admin:{address.name}")).status_code == 200
    for row in rows_of(owner, address.model):
        change = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
        response = reader.get(reverse(change, args=[row.pk]))
        assert response.status_code == 200
        assert "_save" not in text_of(response)

"""Every write through the API leaves one event, whoever writes and with whatever."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from batches.models import Import, ImportStatus
from tests import factories, routes
from tests.cast import JSON, Api, Person
from tests.envelope import checked
from tests.routes import Route
from tests.rows import everything_of
from workspaces.client import client_ip
from workspaces.models import AccessToken, AuditEvent
from workspaces.permissions import Access

GUARDED = [route for route in routes.routes() if route.endpoint.access is not Access.PUBLIC]
WRITES = [route for route in GUARDED if route.method != "GET"]
READS = [route for route in GUARDED if route.method == "GET"]
KEYLESS = (Access.KEYS, Access.TOKEN)


def send(api: Api, route: Route, owner: Person, headers: dict[str, str]) -> Any:
    path = route.path(routes.live_ids(route, owner))
    return api.request(route.method, path, routes.valid_body(route, owner), headers)


@pytest.mark.parametrize("route", WRITES, ids=str)
def test_every_write_leaves_one_event(api: Api, owner: Person, route: Route) -> None:
    headers = {**owner.with_token, "X-Request-Id": "trace-1"}
    checked(send(api, route, owner, headers), route.endpoint.status, route.endpoint)

    event = AuditEvent.objects.get()
    assert (event.workspace_id, event.user_id) == (owner.workspace.id, owner.user.id)
    assert event.credential_kind == "access_token"
    assert event.credential == owner.token.split("_")[2]
    assert (event.ip, event.request_id) == ("127.0.0.1", "trace-1")
    noun, verb = event.action.split(".")
    assert noun
    assert verb
    assert event.target_type
    assert event.target_id


@pytest.mark.parametrize(
    "route", [route for route in WRITES if route.endpoint.access not in KEYLESS], ids=str
)
def test_an_event_names_the_key_that_wrote(api: Api, owner: Person, route: Route) -> None:
    checked(send(api, route, owner, owner.with_key), route.endpoint.status, route.endpoint)
    event = AuditEvent.objects.get()
    assert (event.credential_kind, event.user_id) == ("api_key", owner.user.id)
    assert event.credential == owner.key.split("_")[2]


@pytest.mark.parametrize("route", WRITES, ids=str)
def test_what_was_refused_leaves_no_event(
    api: Api, owner: Person, stranger: Person, route: Route
) -> None:
    checked(send(api, route, owner, {"x-api-key": "nonsense"}), route.endpoint.bad_credentials)
    checked(send(api, route, owner, owner.with_read_key), 403)
    if route.names_things:
        send(api, route, owner, stranger.with_token)
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("route", READS, ids=str)
def test_reading_leaves_no_event(api: Api, owner: Person, route: Route) -> None:
    checked(send(api, route, owner, owner.with_token), 200, route.endpoint)
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("route", WRITES, ids=str)
def test_a_write_whose_event_cannot_be_stored_is_not_done(
    api: Api, owner: Person, route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request id too long for its column, which no client can send, stands for any such failure."""
    monkeypatch.setattr("workspaces.authentication.request_id_of", lambda request: "x" * 200)
    path, body = route.path(routes.live_ids(route, owner)), routes.valid_body(route, owner)
    before = everything_of(owner.workspace)
    checked(api.request(route.method, path, body, owner.with_token), 500)
    # A file that could not be stored leaves the record that says so.
    Import.objects.filter(status=ImportStatus.FAILED).delete()
    assert everything_of(owner.workspace) == before


def test_a_login_is_an_event_of_the_workspace_that_was_chosen(api: Api, owner: Person) -> None:
    body = {"email": owner.user.email, "password": factories.PASSWORD}
    checked(api.post("/api/auth/login", body, {"X-Request-Id": "trace-2"}), 200)
    event = AuditEvent.objects.get()
    assert (event.action, event.target_type) == ("accesstoken.create", "accesstoken")
    assert event.target_id == AccessToken.objects.order_by("-id").values_list("id", flat=True)[0]
    assert (event.workspace_id, event.ip) == (owner.workspace.id, "127.0.0.1")
    assert event.request_id == "trace-2"
    assert event.user_id == owner.user.id


def test_a_failed_login_is_no_event(api: Api, owner: Person) -> None:
    api.post("/api/auth/login", {"email": owner.user.email, "password": "wrong"})
    assert not AuditEvent.objects.exists()


# --- From where -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "203.0.113.9", "198.51.100.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "198.51.100.1"),
        (1, "", None),
        (1, "nonsense", None),
        (1, "2001:DB8::1", "2001:db8::1"),
        (1, "203.0.113.9:1234", None),
    ],
)
def test_only_trusted_proxies_say_where_a_request_comes_from(
    owner: Person, settings: Settings, proxies: int, forwarded: str, expected: str | None
) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies
    client = Client(REMOTE_ADDR="198.51.100.1")
    headers = {**owner.with_token, "X-Forwarded-For": forwarded}
    response = client.patch("/api/workspace", {"name": "x"}, JSON, headers=headers)
    checked(response, 200)
    assert AuditEvent.objects.get().ip == expected
    assert client_ip(response.wsgi_request) == expected

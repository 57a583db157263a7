"""Every route of the URL conf keeps the rules of access; none is named here.

A new route is tested the day it is registered (see tests/routes.py).
"""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import path
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.views import ApiRedocView, ApiSchemaView, ApiSwaggerView, UnknownPath, redoc_script
from tests import routes
from tests.cast import Api, Person, person
from tests.envelope import checked
from tests.routes import Route
from tests.rows import Rows, everything_of
from workspaces.api.base import ApiViewSet
from workspaces.callers import Role
from workspaces.ids import new_object_id
from workspaces.models import Workspace
from workspaces.permissions import Access

ALL = routes.routes()
GUARDED = [route for route in ALL if route.declared and route.declared.access is not Access.PUBLIC]
WITH_IDS = [route for route in ALL if route.ids]
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"}
PUBLIC_PAGES = {ApiSchemaView, ApiSwaggerView, ApiRedocView, redoc_script, UnknownPath}

every_route = pytest.mark.parametrize("route", ALL, ids=str)
every_guarded_route = pytest.mark.parametrize("route", GUARDED, ids=str)
every_route_with_ids = pytest.mark.parametrize("route", WITH_IDS, ids=str)


def having(*accesses: Access) -> pytest.MarkDecorator:
    """The routes that declare one of these."""
    chosen = [route for route in ALL if route.declared and route.declared.access in accesses]
    return pytest.mark.parametrize("route", chosen, ids=str)


def send(api: Api, route: Route, owner: Person, headers: dict[str, str]) -> Any:
    """A request about the owner's own things that is right in all but, perhaps, its credentials."""
    path = route.path(routes.live_ids(route, owner))
    return api.request(route.method, path, routes.valid_body(route, owner), headers)


# --- The walk itself ------------------------------------------------------------------------------


def test_the_walk_finds_the_operations_of_the_schema() -> None:
    schema = ApiSchemaView.generator_class().get_schema(public=True)
    documented = {
        f"{method.upper()} {path}" for path, item in schema["paths"].items() for method in item
    }
    assert {str(route) for route in ALL} == documented
    assert "POST /api/call/createBatch" in documented


def test_nothing_under_api_hides_from_the_walk() -> None:
    for template, view in routes.views():
        if template.startswith(("/api", "/^api")):
            found = getattr(view, "cls", view)
            is_walked = isinstance(found, type) and issubclass(found, ApiViewSet)
            assert is_walked or found in PUBLIC_PAGES, template


@every_route
def test_every_action_says_what_it_asks_of_its_caller(route: Route) -> None:
    assert route.endpoint.message
    assert isinstance(route.endpoint.access, Access)


class Undeclared(ApiViewSet):
    def list(self, request: Request) -> Response:
        return Response("never reached")


urlpatterns = [path("api/undeclared", Undeclared.as_view({"get": "list"}))]


def test_an_action_without_a_declaration_is_refused_to_everybody(
    api: Api, owner: Person, settings: Settings
) -> None:
    settings.ROOT_URLCONF = __name__
    checked(api.get("/api/undeclared", owner.with_key), 403)
    checked(api.get("/api/undeclared", owner.with_token), 403)
    checked(api.get("/api/undeclared"), 401)


# --- Credentials ----------------------------------------------------------------------------------


@every_guarded_route
def test_the_request_that_the_others_vary_is_a_good_one(
    api: Api, owner: Person, route: Route
) -> None:
    checked(send(api, route, owner, owner.with_token), route.endpoint.status, route.endpoint)


@every_guarded_route
def test_no_and_bad_credentials_get_one_and_the_same_answer(
    api: Api, owner: Person, route: Route
) -> None:
    bodies = []
    for headers in (
        {},
        {"x-api-key": ""},
        {"x-api-key": f"{owner.key[:-1]}{'a' if owner.key[-1] != 'a' else 'b'}"},
        {"x-api-key": owner.token},
        {"Authorization": f"Bearer {owner.key}"},
        {"Authorization": "Bearer nonsense"},
        {**owner.with_token, "x-api-key": "bad, so the good token does not count"},
    ):
        response = send(api, route, owner, headers)
        bodies.append(checked(response, route.endpoint.bad_credentials))
    assert all(body == bodies[0] for body in bodies)


@every_guarded_route
def test_nobody_without_credentials_learns_whether_a_request_is_well_formed(
    api: Api, route: Route
) -> None:
    path = route.path(dict.fromkeys(route.parameters, "malformed"))
    response = api.request(route.method, path, "{", {})
    checked(response, route.endpoint.bad_credentials)


@every_guarded_route
@pytest.mark.parametrize("credential", ["with_key", "with_token"])
def test_a_suspended_workspace_is_refused(
    api: Api, owner: Person, route: Route, credential: str
) -> None:
    Workspace.objects.filter(id=owner.workspace.id).update(is_active=False)
    checked(send(api, route, owner, getattr(owner, credential)), 403)


@every_guarded_route
def test_another_workspaces_x_workspace_id_is_refused(
    api: Api, owner: Person, stranger: Person, route: Route
) -> None:
    headers = {**owner.with_token, "x-workspace-id": stranger.workspace.id}
    checked(send(api, route, owner, headers), 403)


# --- Scopes and roles -----------------------------------------------------------------------------


@having(Access.WRITE, Access.STEER)
def test_a_read_key_writes_nothing(api: Api, owner: Person, route: Route) -> None:
    response, before, after = watched(api, route, owner, owner.with_read_key)
    checked(response, 403)
    assert before == after


@having(Access.KEYS, Access.TOKEN)
def test_a_key_manages_no_keys_and_no_tokens(api: Api, owner: Person, route: Route) -> None:
    response, before, after = watched(api, route, owner, owner.with_key)
    checked(response, 403)
    assert before == after


@having(Access.STEER, Access.KEYS)
def test_a_member_steers_nothing(api: Api, owner: Person, member: Person, route: Route) -> None:
    response, before, after = watched(api, route, owner, member.with_token)
    checked(response, 403)
    assert before == after


@having(Access.READ, Access.ANY)
def test_a_read_key_reads(api: Api, owner: Person, route: Route) -> None:
    checked(send(api, route, owner, owner.with_read_key), route.endpoint.status, route.endpoint)


@having(Access.READ, Access.WRITE, Access.STEER, Access.ANY)
def test_a_manage_key_does_what_a_key_may(api: Api, owner: Person, route: Route) -> None:
    checked(send(api, route, owner, owner.with_key), route.endpoint.status, route.endpoint)


@every_guarded_route
def test_an_admin_does_what_an_owner_does_to_others_than_owners(
    api: Api, owner: Person, route: Route
) -> None:
    admin = person(owner.workspace, Role.ADMIN)
    checked(send(api, route, owner, admin.with_token), route.endpoint.status, route.endpoint)


@pytest.mark.parametrize(
    "route", [route for route in ALL if route.method == "GET" and route not in WITH_IDS], ids=str
)
def test_what_reads_changes_nothing(api: Api, owner: Person, route: Route) -> None:
    headers = owner.with_token
    send(api, route, owner, headers)  # writes the last use of the token, once a minute
    response, before, after = watched(api, route, owner, headers)
    checked(response, 200, route.endpoint)
    assert before == after


# --- Workspaces -----------------------------------------------------------------------------------


def watched(api: Api, route: Route, owner: Person, headers: dict[str, str]) -> Any:
    """The answer to a good request about the owner's things, and their rows before and after."""
    path = route.path(routes.live_ids(route, owner))
    body = routes.valid_body(route, owner)
    before = everything_of(owner.workspace)
    response = api.request(route.method, path, body, headers)
    return response, before, everything_of(owner.workspace)


@pytest.mark.parametrize("route", [route for route in GUARDED if route.names_things], ids=str)
@pytest.mark.parametrize("credential", ["with_key", "with_token"])
def test_a_strangers_request_about_my_things_reads_like_one_about_nothing(
    api: Api, owner: Person, stranger: Person, route: Route, credential: str
) -> None:
    headers = getattr(stranger, credential)
    ids, body = routes.live_ids(route, owner), routes.valid_body(route, owner)
    unknown = {id_: new_object_id() for id_ in {*ids.values(), *ids_in(body)}}
    nobodys_path = route.path({name: unknown[id_] for name, id_ in ids.items()})
    before = everything_of(owner.workspace)

    about_mine = api.request(route.method, route.path(ids), body, headers)
    about_nothing = api.request(route.method, nobodys_path, renamed(body, unknown), headers)

    assert about_mine.status_code in (400, 403, 404)
    assert about_mine.status_code == about_nothing.status_code
    assert renamed(checked(about_mine), unknown) == checked(about_nothing)
    assert everything_of(owner.workspace) == before


@every_guarded_route
@pytest.mark.parametrize("credential", ["with_key", "with_token"])
def test_a_stranger_changes_nothing_of_mine_and_learns_nothing_of_it(
    api: Api, owner: Person, stranger: Person, route: Route, credential: str
) -> None:
    sent = routes.live_ids(route, owner)
    body = routes.valid_body(route, owner)
    before = everything_of(owner.workspace)

    response = api.request(route.method, route.path(sent), body, getattr(stranger, credential))

    assert response.status_code < 500
    assert everything_of(owner.workspace) == before
    text = response.content.decode()
    assert not {
        value for value in telling(before) - {*sent.values(), *ids_in(body)} if value in text
    }


def telling(rows: Rows) -> set[str]:
    """What would give a row away."""
    every_row = itertools.chain.from_iterable(rows.values())
    return {
        str(row[name]) for row in every_row for name in ("id", "email", "public_id") if name in row
    }


def ids_in(value: Any) -> set[str]:
    """The ids in a body, wherever they are."""
    if isinstance(value, dict):
        return set(itertools.chain.from_iterable(map(ids_in, value.values())))
    if isinstance(value, list):
        return set(itertools.chain.from_iterable(map(ids_in, value)))
    is_id = isinstance(value, str) and len(value) == 24 and value.isalnum()
    return {value} if is_id else set()


def renamed(value: Any, names: dict[str, str]) -> Any:
    """The value with each id replaced, also inside its texts."""
    if isinstance(value, dict):
        return {name: renamed(item, names) for name, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, names) for item in value]
    if isinstance(value, str):
        for old, new in names.items():
            value = value.replace(old, new)
    return value


# --- The frame ------------------------------------------------------------------------------------


@every_route
def test_a_wrong_method_is_a_405_that_names_the_right_ones(api: Api, route: Route) -> None:
    allowed = {other.method for other in ALL if other.template == route.template}
    allowed |= {"HEAD"} if "GET" in allowed else set()
    path = route.path(dict.fromkeys(route.parameters, new_object_id()))
    for method in sorted(METHODS - allowed):
        response = api.request(method, path)
        checked(response, 405)
        assert response["Allow"] == ", ".join(sorted(allowed)), method


@every_route_with_ids
@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda id_: id_[:-1],
        lambda id_: f"{id_}0",
        lambda id_: f"{id_[:-1]}g",
        lambda id_: f"{id_}%0A",
        lambda id_: f"{id_[:-1]}%00",
        lambda id_: f"{id_[:-1]}%D9%A1",  # a digit, but an Arabic one
        lambda id_: f"{id_[:-1]}%FF",  # no UTF-8
        lambda id_: "%20",
    ],
    ids=["upper", "short", "long", "letter", "newline", "nul", "arabic", "broken", "blank"],
)
def test_a_malformed_id_in_the_path_is_a_400_that_names_it(
    api: Api, owner: Person, route: Route, change: Callable[[str], str]
) -> None:
    live = dict.fromkeys(route.parameters, "64e5f12345abcdef9876543a")
    for name in route.ids:
        path = route.path({**live, name: change(live[name])})
        response = api.request(
            route.method, path, routes.valid_body(route, owner), owner.with_token
        )
        error = checked(response, 400)["data"]["errors"][0]
        assert (error["field"], error["code"]) == (name, "invalid_id")


@pytest.mark.parametrize("route", [route for route in ALL if route.method == "GET"], ids=str)
def test_every_get_answers_head_without_a_body(api: Api, owner: Person, route: Route) -> None:
    path = route.path(routes.live_ids(route, owner))
    response = api.request("HEAD", path, headers=owner.with_token)
    checked(response, 200)


@every_route
def test_a_trailing_slash_is_another_path(api: Api, owner: Person, route: Route) -> None:
    path = route.path(dict.fromkeys(route.parameters, new_object_id()))
    response = api.request(route.method, f"{path}/", None, owner.with_token)
    checked(response, 404)
    assert "Location" not in response

"""`ETag`, `If-None-Match` and `If-Match`: on every endpoint that has them, and for one of each kind."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from batches.models import CallBatch
from calling.models import Agent, PhoneNumber
from tests import factories, routes
from tests.batches.contacts import ready_batch
from tests.cast import Api, Person
from tests.database import wait_for_waiting
from tests.envelope import checked
from tests.routes import Route
from tests.rows import everything_of
from workspaces.models import Workspace

TAGGED = [route for route in routes.routes() if route.endpoint.etag]
# A tag of this form, of nothing.
OTHER = f'"{"0" * 32}"'


def of(*methods: str) -> pytest.MarkDecorator:
    chosen = [route for route in TAGGED if route.method in methods]
    return pytest.mark.parametrize("route", chosen, ids=str)


def test_these_have_tags() -> None:
    assert {str(route) for route in TAGGED} == {
        "DELETE /api/agents/{id}",
        "DELETE /api/call/delete-batch/{batchId}",
        "DELETE /api/call/delete-phone/{phoneId}",
        "GET /api/agents/{id}",
        "GET /api/auth/me",
        "GET /api/call/batch-details/{id}",
        "GET /api/call/batch-stats/{batchId}",
        "GET /api/call/call-details/{callId}",
        "GET /api/call/imports/{importId}",
        "GET /api/call/phones/{phoneId}",
        "GET /api/webhooks/{id}",
        "GET /api/workspace",
        "PATCH /api/agents/{id}",
        "PATCH /api/call/update-batch/{batchId}",
        "PATCH /api/call/update-phone/{phoneId}",
        "PATCH /api/webhooks/{id}",
        "PATCH /api/workspace",
    }


# --- Reading --------------------------------------------------------------------------------------


@of("GET")
def test_who_has_it_already_is_told_so(api: Api, owner: Person, route: Route) -> None:
    path, headers = route.path(routes.live_ids(route, owner)), owner.with_token
    api.get(path, headers)  # its last use is told by auth/me, with a key
    first = api.get(path, headers)
    checked(first, 200)
    tag = first["ETag"]
    assert tag.startswith('"')
    for condition in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        for method in ("GET", "HEAD"):
            known = api.request(method, path, headers={**headers, "If-None-Match": condition})
            assert (known.status_code, known.content, known["ETag"]) == (304, b"", tag)
            assert not {"Content-Type", "Content-Length"} & set(known.headers)
            assert known["X-Request-Id"]
    for condition in (OTHER, tag.strip('"'), "nonsense", '"'):
        again = api.get(path, {**headers, "If-None-Match": condition})
        assert checked(again, 200) == first.json()
        assert again["ETag"] == tag


def test_a_tag_changes_with_what_is_shown(api: Api, owner: Person) -> None:
    batch = ready_batch(owner)
    call = factories.CallFactory.create(batch=batch)
    path = f"/api/call/call-details/{call.id}"
    seen = {api.get(path, owner.with_key)["ETag"] for _ in range(2)}
    assert len(seen) == 1
    factories.CallAttemptFactory.create(call=call)
    seen.add(api.get(path, owner.with_key)["ETag"])
    assert len(seen) == 2
    # The same page of another workspace is another thing.
    assert api.get("/api/workspace", owner.with_key).json()


def test_one_phone_number_is_shown_as_in_the_list(
    api: Api, owner: Person, stranger: Person, phone: PhoneNumber
) -> None:
    account = factories.CarrierAccountFactory.create(
        workspace=owner.workspace, last_error="refused", last_error_at=phone.created_at
    )
    PhoneNumber.objects.filter(id=phone.id).update(account=account)
    path = f"/api/call/phones/{phone.id}"
    shown = checked(api.get(path, owner.with_read_key), 200)["data"]
    listed = checked(api.get("/api/call/phones", owner.with_key), 200)["data"]["phones"]
    assert [shown] == listed
    assert shown["carrierProblem"]
    checked(api.get(path, stranger.with_key), 404)


# --- Writing --------------------------------------------------------------------------------------


def reading(route: Route) -> str:
    """The path of the GET that a write edits."""
    name = route.parameters[0] if route.parameters else ""
    paths = {
        "batchId": "/api/call/batch-details/{batchId}",
        "phoneId": "/api/call/phones/{phoneId}",
    }
    return paths.get(name, route.template)


def patch_of(route: Route, owner: Person) -> tuple[str, str, Any]:
    """Path to write, path to read, and a body."""
    ids = routes.live_ids(route, owner)
    if "agents/{id}" in route.template:
        Agent.objects.filter(id=ids["id"]).update(variables=[])
        body: Any = {"name": "Edited"}
    else:
        body = routes.valid_body(route, owner)
        body and body.pop("connection", None)
    return route.path(ids), reading(route).format(**ids), body


@of("PATCH", "DELETE")
def test_a_write_is_made_only_on_what_was_read(api: Api, owner: Person, route: Route) -> None:
    path, read, body = patch_of(route, owner)
    if "delete-phone" not in path and "agents" in path:
        PhoneNumber.objects.filter(agent_id=path.rpartition("/")[2]).delete()
    before = everything_of(owner.workspace)
    tag = api.get(read, owner.with_token)["ETag"]

    def write(condition: str) -> Any:
        return api.request(route.method, path, body, {**owner.with_token, "If-Match": condition})

    for other in (OTHER, f"W/{tag}", f"{OTHER}, {OTHER}", '""'):
        refused = checked(write(other), 412)
        assert refused["message"] == "Precondition failed"
        assert refused["errorMessage"] == (
            "It has changed since you fetched it. Fetch it again, and decide anew."
        )
        assert refused["data"]["errors"][0]["code"] == "precondition_failed"
    for malformed in (tag.strip('"'), "", '"', f"{tag} {tag}", f"*, {tag}"):
        error = checked(write(malformed), 400)["data"]["errors"][0]
        assert (error["field"], error["code"]) == ("If-Match", "invalid_etag")
    assert everything_of(owner.workspace) == before

    written = write(f"{OTHER}, {tag}")
    checked(written, 200, route.endpoint)
    if route.method == "DELETE":
        assert "ETag" not in written
        checked(write(tag), 404)
        return
    read_again = api.get(read, owner.with_token)["ETag"]
    if "." in tag:  # of a batch: another representation of the same version
        assert written["ETag"].partition(".")[0] == read_again.partition(".")[0]
    else:
        assert written["ETag"] == read_again
    checked(write(written["ETag"]), 200)
    checked(write("*"), 200)
    checked(api.request(route.method, path, body, owner.with_token), 200)


def test_an_editor_of_a_batch_minds_settings_only(api: Api, owner: Person) -> None:
    """Calls come and end, and it starts and stops meanwhile."""
    batch = ready_batch(owner)
    call = factories.CallFactory.create(batch=batch)
    details = f"/api/call/batch-details/{batch.id}"
    tag = api.get(f"{details}?search=1&limit=3", owner.with_key)["ETag"]
    factories.CallAttemptFactory.create(call=call)
    CallBatch.objects.filter(id=batch.id).update(status="active", updated_at=batch.created_at)
    now = api.get(details, owner.with_key)["ETag"]
    assert now != tag

    def edit(condition: str, **body: Any) -> Any:
        headers = {**owner.with_key, "If-Match": condition}
        return api.request("PATCH", f"/api/call/update-batch/{batch.id}", body, headers)

    edited = edit(tag, retry=2)
    checked(edited, 200)
    checked(edit(now, retry=3), 412)
    number = factories.PhoneNumberFactory.create(workspace=owner.workspace)
    rotated = edit(edited["ETag"], callingNumbers=[number.id])
    checked(rotated, 200)
    checked(edit(edited["ETag"], retry=3), 412)
    checked(edit(rotated["ETag"], retry=3), 200)


def test_what_does_not_exist_is_a_404_and_what_is_wrong_a_400_first(
    api: Api, owner: Person, stranger: Person
) -> None:
    agent = factories.AgentFactory.create(workspace=owner.workspace, created_by=owner.user)
    path = f"/api/agents/{agent.id}"
    tag = api.get(path, owner.with_key)["ETag"]
    for condition in (tag, OTHER, "*"):
        headers = {**stranger.with_key, "If-Match": condition}
        checked(api.request("PATCH", path, {"name": "Mine"}, headers), 404)
    headers = {**owner.with_key, "If-Match": OTHER}
    error = checked(api.request("PATCH", path, {"nmae": "Mine"}, headers), 400)["data"]["errors"][0]
    assert error["field"] == "nmae"


# --- At the same time -----------------------------------------------------------------------------


def _agent(owner: Person) -> tuple[Any, str, str]:
    agent = factories.AgentFactory.create(workspace=owner.workspace, created_by=owner.user)
    path = f"/api/agents/{agent.id}"
    return Agent.objects.filter(id=agent.id), path, path


def _phone(owner: Person) -> tuple[Any, str, str]:
    phone = factories.PhoneNumberFactory.create(workspace=owner.workspace, created_by=owner.user)
    row = PhoneNumber.objects.filter(id=phone.id)
    return row, f"/api/call/phones/{phone.id}", f"/api/call/update-phone/{phone.id}"


def _batch(owner: Person) -> tuple[Any, str, str]:
    batch = ready_batch(owner)
    row = CallBatch.objects.filter(id=batch.id)
    return row, f"/api/call/batch-details/{batch.id}", f"/api/call/update-batch/{batch.id}"


def _workspace(owner: Person) -> tuple[Any, str, str]:
    return Workspace.objects.filter(id=owner.workspace.id), "/api/workspace", "/api/workspace"


@pytest.mark.parametrize(
    ("thing", "field"),
    [(_agent, "name"), (_phone, "label"), (_batch, "batchName"), (_workspace, "name")],
)
@pytest.mark.django_db(transaction=True)
def test_of_two_editors_at_once_one_is_told_to_look_again(
    owner: Person, thing: Callable[[Person], tuple[Any, str, str]], field: str
) -> None:
    """Both wait for the row, on connections of their own; whoever gets it second sees what was done."""
    row, read, write = thing(owner)
    tag = Api().get(read, owner.with_key)["ETag"]
    codes: list[int] = []

    def edit(value: str) -> None:
        try:
            headers = {**owner.with_key, "If-Match": tag}
            codes.append(Api().request("PATCH", write, {field: value}, headers).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=edit, args=(value,)) for value in ("One", "Two")]
    with transaction.atomic():
        row.select_for_update(no_key=True).get()
        for thread in threads:
            thread.start()
        wait_for_waiting(2)
    for thread in threads:
        thread.join(30)
    assert sorted(codes) == [200, 412]

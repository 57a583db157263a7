"""Each endpoint that takes an `Idempotency-Key` keeps the same promises."""

import base64
from typing import Any

import pytest
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob
from pytest_django import Settings

from batches.models import Import, ImportErrorRow
from batches.services import batches as services
from calling.models import PhoneNumber
from tests import routes
from tests.batches.contacts import ADD, errors
from tests.batches.keyed import (
    ACCOUNT,
    ADD_PHONE,
    CREATE,
    LIST,
    REQUESTS,
    START,
    TOKEN,
    Keyed,
    send,
    to_add,
    to_add_phone,
    to_create,
    to_list,
    to_start,
    to_upload,
)
from tests.batches.uploads import UPLOAD
from tests.cast import Api, Person, person
from tests.envelope import checked
from tests.rows import everything_of
from workspaces.callers import Role
from workspaces.models import IdempotentRequest

pytestmark = pytest.mark.django_db

every_request = pytest.mark.parametrize("keyed", REQUESTS.values(), ids=REQUESTS.keys())


def test_these_endpoints_take_a_key_and_no_others() -> None:
    taking = {str(route) for route in routes.routes() if route.endpoint.idempotent}
    assert taking == {f"POST {keyed.path}" for keyed in REQUESTS.values()}
    assert len(taking) == 6


@every_request
def test_the_same_request_is_carried_out_once(api: Api, owner: Person, keyed: Keyed) -> None:
    """One that failed keeps nothing; a success is answered again, byte for byte; another is refused."""
    body = keyed.body(owner)
    too_little = {name: value for name, value in body.items() if name == "file"}
    failed = checked(send(api, keyed.path, too_little, owner), 400)
    assert failed["data"]["errors"]
    assert not IdempotentRequest.objects.exists()

    first = send(api, keyed.path, body, owner)
    assert first.status_code == keyed.code, first.content
    assert "Idempotency-Replayed" not in first
    before, jobs = everything_of(owner.workspace), ProcrastinateJob.objects.count()
    assert jobs == (keyed.path == LIST)  # the mail to the owner, queued in the held transaction

    again = send(api, keyed.path, body, owner)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again["Idempotency-Replayed"] == "true"
    new = {"x-request-id", "idempotency-replayed", "ratelimit", "ratelimit-policy"}
    told = [
        {n.lower(): v for n, v in one.items() if n.lower() not in new} for one in (first, again)
    ]
    assert told[0] == told[1]
    assert ("x-import-id" in told[0]) is (keyed.path in (ADD, UPLOAD))

    other = checked(send(api, keyed.path, body | keyed.change, owner), 422)
    [error] = other["data"]["errors"]
    assert (error["field"], error["code"]) == ("Idempotency-Key", "idempotency_key_reused")
    assert everything_of(owner.workspace) == before
    assert ProcrastinateJob.objects.count() == jobs


@every_request
def test_an_error_of_ours_leaves_nothing_behind(
    api: Api, owner: Person, keyed: Keyed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when the service had stored everything already: the answer is part of its transaction."""
    body = keyed.body(owner)
    before = everything_of(owner.workspace)

    def fail(**more: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr("workspaces.api.idempotency.keep_answer", fail)
        checked(send(api, keyed.path, body, owner), 500)
    after = everything_of(owner.workspace)
    imports = {(record["dry_run"], record["status"]) for record in after.pop(Import)}
    assert imports <= {(True, "checked"), (False, "failed")}  # which are told as they come
    del before[Import], before[ImportErrorRow], after[ImportErrorRow]
    assert after == before
    assert not ProcrastinateJob.objects.exists()

    assert send(api, keyed.path, body, owner).status_code == keyed.code


def test_all_refused_is_a_failure_whose_import_stays(api: Api, owner: Person) -> None:
    bad = to_add(0, {"phoneNumber": "1"})(owner)
    response = send(api, ADD, bad, owner)
    assert response.status_code == 400
    assert Import.objects.get(id=response["X-Import-Id"]).status == "refused"
    response = send(api, UPLOAD, to_upload(type="false")(owner), owner)
    assert response.status_code == 422
    assert response.json()["totalInvalid"] == 1
    assert Import.objects.get(id=response["X-Import-Id"]).status == "refused"
    assert not IdempotentRequest.objects.exists()


def test_a_number_that_is_deleted_meanwhile_is_told_as_without_a_key(
    api: Api, owner: Person, phone: PhoneNumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its foreign key is looked at when the statement ends, not when the answer is committed."""

    def delete_it(*arguments: Any) -> Any:
        PhoneNumber.objects.all().delete()
        return rotation_of(*arguments)

    rotation_of = services.rotation_of
    monkeypatch.setattr(services, "rotation_of", delete_it)
    body = {"batchName": "Once", "callingNumbers": [phone.id]}
    assert errors(checked(send(api, CREATE, body, owner), 400)) == [
        ("callingNumbers[0]", "unknown_number")
    ]
    assert not IdempotentRequest.objects.exists()


# --- Whose key it is ------------------------------------------------------------------------------


def test_a_key_is_of_one_workspace_and_one_endpoint(
    api: Api, owner: Person, stranger: Person
) -> None:
    for who in (owner, stranger):
        for path, body in ((LIST, to_list(who)), (CREATE, to_create(who))):
            response = send(api, path, body, who)
            assert response.status_code < 300
            assert "Idempotency-Replayed" not in response
    assert IdempotentRequest.objects.for_workspace(owner.workspace.id).count() == 2
    colleague = person(owner.workspace, Role.MEMBER)
    assert "Idempotency-Replayed" in send(api, LIST, to_list(owner), colleague)


def test_nobody_is_told_an_answer_to_what_they_may_not_ask(
    api: Api, owner: Person, member: Person
) -> None:
    add, start = to_add(1, startCalling=True)(owner), to_start()(owner)
    create = to_create(owner)
    for path, body in ((ADD, add), (START, start), (CREATE, create)):
        assert send(api, path, body, owner).status_code < 300
    as_member = {**member.with_token, "Idempotency-Key": "once"}
    checked(api.post(ADD, add, as_member), 403)
    checked(api.post(START, start, as_member), 403)
    assert api.post(CREATE, create, as_member)["Idempotency-Replayed"] == "true"
    checked(api.post(CREATE, create, {**owner.with_read_key, "Idempotency-Key": "once"}), 403)
    checked(api.post(CREATE, create, {"Idempotency-Key": "once"}), 403)


# --- Secrets --------------------------------------------------------------------------------------


def test_no_secret_is_stored_with_a_key(api: Api, owner: Person, settings: Settings) -> None:
    body = to_add_phone(owner)
    assert send(api, ADD_PHONE, body, owner).status_code == 201
    with connection.cursor() as cursor:
        cursor.execute("SELECT row::text FROM workspaces_idempotentrequest AS row")
        [(row,)] = cursor.fetchall()
    for secret in (TOKEN, ACCOUNT):
        written = secret.encode()
        assert secret not in row
        assert written.hex() not in row
        assert base64.b64encode(written).decode()[:10] not in row

    digest = bytes(IdempotentRequest.objects.get().fingerprint)
    settings.CREDENTIAL_PEPPERS = {**settings.CREDENTIAL_PEPPERS, 99: "a new pepper" * 4}
    assert "Idempotency-Replayed" in send(api, ADD_PHONE, body, owner)  # known by the old one
    send(api, ADD_PHONE, body | {"phoneNumber": "12125551299"}, owner, "another")
    send(api, LIST, to_list(owner), owner)
    digests = {bytes(one.fingerprint) for one in IdempotentRequest.objects.all()}
    assert len(digests) == 3
    assert digest in digests
    assert all(len(one) == 32 for one in digests)

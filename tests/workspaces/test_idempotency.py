"""The key of a request, and how long it counts. What each endpoint keeps: tests/batches."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test.client import encode_multipart
from django.utils import timezone
from pytest_django import Settings

from batches.models import CallBatch
from calling.models import PhoneNumber
from tests import factories
from tests.batches.keyed import CREATE, send, to_add, to_upload
from tests.batches.uploads import UPLOAD, file_of
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.ids import new_object_id
from workspaces.models import IdempotentRequest
from workspaces.services import idempotency
from workspaces.services.idempotency import (
    CLAIM_LASTS,
    LONGEST_WAIT,
    Claim,
    KeptAnswer,
    KeyedRequest,
    StillRunning,
    claim_request,
    give_up_claim,
    keep_answer,
)
from workspaces.tasks import clean_up_idempotent_requests

pytestmark = pytest.mark.django_db

DAY = IdempotentRequest.KEPT_FOR
SECOND = timedelta(seconds=1)
ANSWER = KeptAnswer(201, {"Content-Type": "application/json"}, b"{}")


@pytest.fixture
def body(phone: PhoneNumber) -> dict[str, Any]:
    return {"batchName": "Once", "callingNumbers": [phone.id]}


def is_replayed(response: Any) -> bool:
    assert response.status_code == 201, response.content
    return "Idempotency-Replayed" in response


def batches() -> int:
    return CallBatch.objects.count()


# --- The key --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    ["", " ", "a b", "a\tb", "é", "x" * 256, '"', '""', '"abc', '"a"b"', r'"a\b"', '"a";b', "\x7f"],
)
def test_what_is_no_key_is_a_400_that_names_the_header(
    api: Api, owner: Person, body: Any, key: str
) -> None:
    [error] = checked(send(api, CREATE, body, owner, key), 400)["data"]["errors"]
    assert (error["field"], error["code"]) == ("Idempotency-Key", "invalid_idempotency_key")
    assert not batches()


def test_a_key_in_quotes_is_the_same_key(api: Api, owner: Person, body: Any) -> None:
    for key, same in [
        ("abc", ['"abc"', " abc\t"]),
        ("x" * 255, [f'"{"x" * 255}"']),
        (r"a\b" + '"c', [r'"a\\b\"c"']),
        ("!", ['"!"']),
    ]:
        assert not is_replayed(send(api, CREATE, body, owner, key))
        assert all(is_replayed(send(api, CREATE, body, owner, one)) for one in same)
    assert batches() == 4
    assert not is_replayed(send(api, CREATE, body, owner, "ABC"))


def test_other_endpoints_do_not_look_at_the_header(api: Api, owner: Person) -> None:
    for _ in range(2):
        checked(api.get("/api/auth/me", {**owner.with_key, "Idempotency-Key": ""}), 200)
    assert not IdempotentRequest.objects.exists()


# --- The same request -----------------------------------------------------------------------------


def test_the_same_json_may_be_written_in_another_way(api: Api, owner: Person, body: Any) -> None:
    first = send(api, CREATE, body, owner)
    turned = json.dumps(dict(reversed(body.items())), indent=4)
    assert turned != json.dumps(body)
    assert is_replayed(send(api, CREATE, turned, owner))
    assert send(api, CREATE, turned, owner).json() == first.json()
    checked(send(api, CREATE, [body], owner), 422)


def test_the_same_form_may_have_another_boundary_but_no_other_file(api: Api, owner: Person) -> None:
    def post(fields: Any, boundary: str) -> Any:
        headers = {**owner.with_key, "Idempotency-Key": "once"}
        content = encode_multipart(boundary, fields)
        type_ = f"multipart/form-data; boundary={boundary}"
        return api._client.generic("POST", UPLOAD, content, type_, headers=headers)

    def with_file(content: bytes, name: str = "contacts.csv") -> dict[str, Any]:
        return {**fields, "file": file_of(content, name)}

    fields, good = to_upload()(owner), b"phoneNumber\n12125551234\n"
    assert not is_replayed(post(with_file(good), "first"))
    assert is_replayed(post(dict(reversed(with_file(good).items())), "second"))
    assert post(with_file(good.replace(b"1234", b"1235")), "first").status_code == 422
    assert post(with_file(good, "others.csv"), "first").status_code == 422
    assert post({**with_file(good), "batchName": "Other"}, "first").status_code == 422
    assert batches() == 1


def test_a_body_too_deep_to_be_compared_is_refused(api: Api, owner: Person) -> None:
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    batch = to_add(1, {"phoneNumber": "1", "deep": deep})(owner)
    [error] = checked(send(api, "/api/call/addCallsToBatch", batch, owner), 400)["data"]["errors"]
    assert (error["field"], error["code"]) == ("body", "too_deep")


def test_of_a_request_only_a_digest_under_a_pepper_is_kept(settings: Settings) -> None:
    request = KeyedRequest(workspace_id="", operation="createBatch", key="once", content=b"{}")
    old = request.fingerprint()
    settings.CREDENTIAL_PEPPERS = {**settings.CREDENTIAL_PEPPERS, 99: "a new pepper" * 4}
    assert request.fingerprint() != old
    assert request.is_of(old)
    settings.CREDENTIAL_PEPPERS = {99: "a new pepper" * 4}
    assert not request.is_of(old)
    assert len({request.fingerprint(), old}) == 2


# --- How long it counts ---------------------------------------------------------------------------


def test_a_key_counts_for_24_hours(api: Api, owner: Person, body: Any) -> None:
    first = send(api, CREATE, body, owner).json()["data"]
    rows = IdempotentRequest.objects.for_workspace(owner.workspace.id)
    rows.update(created_at=timezone.now() - DAY + 10 * SECOND)
    assert is_replayed(send(api, CREATE, body, owner))
    assert clean_up_idempotent_requests(0) == 0

    rows.update(created_at=timezone.now() - DAY)
    second = send(api, CREATE, {**body, "batchName": "Later"}, owner)
    assert not is_replayed(second)
    assert second.json()["data"] != first
    assert is_replayed(send(api, CREATE, {**body, "batchName": "Later"}, owner))
    assert (batches(), rows.count()) == (2, 1)

    rows.update(created_at=timezone.now() - DAY - SECOND)
    assert clean_up_idempotent_requests(0) == 1
    assert not rows.exists()


def test_what_runs_is_a_409_until_its_claim_ends(
    api: Api, owner: Person, body: Any, settings: Settings
) -> None:
    send(api, CREATE, body, owner)
    rows, now = IdempotentRequest.objects.for_workspace(owner.workspace.id), timezone.now()
    unfinished = {"status_code": None, "body": None, "finished_at": None}
    for started, wait in ((0, 1), (12, 12), (200, LONGEST_WAIT)):
        created = now - started * SECOND
        rows.update(**unfinished, created_at=created, claimed_until=created + CLAIM_LASTS)
        response = send(api, CREATE, body, owner)
        [error] = checked(response, 409)["data"]["errors"]
        assert (error["field"], error["code"]) == ("Idempotency-Key", "idempotency_key_in_use")
        assert wait <= int(response["Retry-After"]) <= min(wait + 2, LONGEST_WAIT)
    checked(send(api, CREATE, {**body, "batchName": "Other"}, owner), 422)
    assert batches() == 1

    rows.update(claimed_until=timezone.now())
    assert not is_replayed(send(api, CREATE, body, owner))
    assert is_replayed(send(api, CREATE, body, owner))
    assert (batches(), rows.count()) == (2, 1)


def test_whoever_has_lost_a_claim_stores_nothing_and_frees_nothing() -> None:
    """A claim is lost to one of those who come after it has run out, and to nobody else."""
    workspace, now = factories.WorkspaceFactory.create(), timezone.now()
    request = KeyedRequest(workspace_id=workspace.id, operation="x", key="once", content=b"{}")
    first = claim_request(request=request, now=now)
    assert isinstance(first, Claim)
    with pytest.raises(StillRunning):
        claim_request(request=request, now=now + CLAIM_LASTS - SECOND)
    second = claim_request(request=request, now=now + CLAIM_LASTS)
    assert isinstance(second, Claim)
    with pytest.raises(StillRunning):
        claim_request(request=request, now=now + CLAIM_LASTS)

    with pytest.raises(StillRunning):
        keep_answer(claim=first, answer=ANSWER, now=now)
    give_up_claim(first)
    keep_answer(claim=second, answer=ANSWER, now=now + CLAIM_LASTS)
    give_up_claim(second)  # it may have been committed although nobody heard of it
    assert claim_request(request=request, now=now + 2 * CLAIM_LASTS) == ANSWER

    with pytest.raises(StillRunning):
        keep_answer(claim=Claim(new_object_id(), workspace.id), answer=ANSWER, now=now)


def test_an_answer_in_the_last_moment_is_not_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, now = factories.WorkspaceFactory.create(), timezone.now()
    request = KeyedRequest(workspace_id=workspace.id, operation="x", key="once", content=b"{}")
    first = claim_request(request=request, now=now)
    assert isinstance(first, Claim)
    is_over = idempotency._is_over

    def end_meanwhile(row: IdempotentRequest, now: datetime) -> bool:
        if row.finished_at is None:
            keep_answer(claim=first, answer=ANSWER, now=now)
        return is_over(row, now)

    monkeypatch.setattr(idempotency, "_is_over", end_meanwhile)
    assert claim_request(request=request, now=now + CLAIM_LASTS) == ANSWER


def test_a_claim_of_a_request_that_failed_is_free_at_once(
    api: Api, owner: Person, body: Any
) -> None:
    checked(send(api, CREATE, {**body, "retry": -1}, owner), 400)
    assert not is_replayed(send(api, CREATE, body, owner))

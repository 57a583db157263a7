"""POST /api/carriers/{carrier}/callback: signed by the carrier, and never a reason to ring again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone

from batches.dialer.looks import NEVER_PLACED
from batches.dialer.store import Claimed
from batches.models import CallAttempt, CallStatus, CarrierCallback
from batches.services.phones import delete_phone
from calling.carriers.base import CallProgress, CallReport
from calling.carriers.registry import CARRIERS
from calling.carriers.simulator import SIMULATOR
from calling.carriers.simulator.wire import SIGNATURE, TIMESTAMP, encode, signed_headers
from tests.batches.dialer.steps import (
    call_of,
    dialed_batch,
    nobody_knows,
    put_back,
    record,
    ring,
    status_of,
    timeline,
)
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.callers import Actor

PATH = "/api/carriers/simulator/callback"
URL = f"https://outdial.example{PATH}"


@pytest.fixture(autouse=True)
def _public_address(settings: Any) -> None:
    settings.PUBLIC_BASE_URL = "https://outdial.example/"


@pytest.fixture
def claimed(owner: Person) -> Claimed:
    """A call that the carrier was asked for a minute ago."""
    dialed_batch(owner, retry=1)
    return ring(timezone.now() - timedelta(minutes=1))


@dataclass(frozen=True, slots=True)
class Told:
    """A callback about one call, which its address names."""

    call: UUID
    body: bytes

    @property
    def query(self) -> str:
        return f"?call={self.call}"


def said(request_uuid: UUID, progress: CallProgress, **fields: Any) -> Told:
    if progress in (CallProgress.COMPLETED, CallProgress.IN_PROGRESS):
        fields = {"answered_at": timezone.now(), **fields}
    report = CallReport(progress=progress, at=timezone.now(), **fields)
    return Told(request_uuid, encode(report))


def post(
    told: Told,
    *,
    url: str = "",
    signed: bytes | None = None,
    at: datetime | None = None,
    headers: dict[str, str] | None = None,
) -> Any:
    body = told.body
    url = url or URL + told.query
    sent = signed_headers(url, body if signed is None else signed, now=at or timezone.now())
    headers = sent if headers is None else headers
    return Client().generic("POST", PATH + told.query, body, "application/json", headers=headers)


def effect(told: Told) -> str:
    response = post(told)
    assert (response.status_code, response.content) == (200, b"<Response/>")
    return str(response["X-Callback-Effect"])


# --- What it does ---------------------------------------------------------------------------------


def test_the_course_of_a_call_is_recorded(claimed: Claimed) -> None:
    for progress in (CallProgress.RINGING, CallProgress.IN_PROGRESS, CallProgress.COMPLETED):
        assert effect(said(claimed.request_uuid, progress, talk_seconds=7)) == "recorded"
    attempt = CallAttempt.objects.get()
    assert (attempt.status, attempt.talk_seconds) == ("completed", 7)
    call = call_of(claimed)
    assert (call.status, call.is_picked) == ("completed", True)
    assert status_of(call.batch) == "completed"


def test_a_busy_one_is_tried_again(claimed: Claimed) -> None:
    assert effect(said(claimed.request_uuid, CallProgress.BUSY)) == "recorded"
    assert call_of(claimed).status == "pending"


@pytest.mark.parametrize(
    "second", [CallProgress.COMPLETED, CallProgress.RINGING, CallProgress.BUSY]
)
def test_what_comes_again_late_or_in_the_wrong_order_shows_and_changes_nothing(
    api: Api, owner: Person, claimed: Claimed, second: CallProgress
) -> None:
    effect(said(claimed.request_uuid, CallProgress.COMPLETED))
    before = call_of(claimed)

    assert effect(said(claimed.request_uuid, second)) == "ignored"

    after = call_of(claimed)
    assert (after.status, after.attempts_made, after.updated_at) == (
        *("completed", 1, before.updated_at),
    )
    assert timeline(after)[-1] == ("completed", "callback_ignored", second.value)
    shown = api.get(f"/api/call/call-details/{after.id}", owner.with_key)
    event = checked(shown, 200)["data"]["events"][-1]
    assert (event["reason"], event["requestUUID"]) == (
        *("callback_ignored", str(claimed.request_uuid)),
    )


def test_ringing_that_comes_after_the_answer_changes_nothing(claimed: Claimed) -> None:
    effect(said(claimed.request_uuid, CallProgress.IN_PROGRESS))
    assert effect(said(claimed.request_uuid, CallProgress.RINGING)) == "ignored"
    assert CallAttempt.objects.get().status == "in-progress"


def test_one_that_nobody_could_tell_of_is_resolved_when_the_carrier_does(claimed: Claimed) -> None:
    record(claimed, nobody_knows(claimed, timezone.now()))
    assert call_of(claimed).status == CallStatus.UNKNOWN
    assert effect(said(claimed.request_uuid, CallProgress.COMPLETED)) == "recorded"
    assert call_of(claimed).status == CallStatus.COMPLETED


def test_an_outcome_is_recorded_however_long_its_reason_is(claimed: Claimed) -> None:
    long = "\0" + "x" * 500
    body = said(claimed.request_uuid, CallProgress.BUSY, hangup_cause=long, carrier_call_id=long)
    assert effect(body) == "recorded"
    attempt = CallAttempt.objects.get()
    assert attempt.hangup_cause == attempt.carrier_call_id == "x" * 128


def test_a_call_that_is_not_known_is_no_error(claimed: Claimed) -> None:
    assert effect(said(uuid4(), CallProgress.COMPLETED)) == "unknown"
    assert call_of(claimed).status == "in-progress"


def test_a_call_whose_number_was_deleted_meanwhile_is_still_told_of(
    owner: Person, claimed: Claimed
) -> None:
    phone_id = claimed.phone_id.hex()
    now = timezone.now()
    delete_phone(workspace_id=owner.workspace.id, phone_id=phone_id, actor=Actor(), now=now)
    assert effect(said(claimed.request_uuid, CallProgress.COMPLETED)) == "recorded"
    assert call_of(claimed).status == "completed"


def test_a_call_that_was_put_back_is_not_known_any_more(claimed: Claimed) -> None:
    put_back(claimed, NEVER_PLACED)
    assert effect(said(claimed.request_uuid, CallProgress.COMPLETED)) == "unknown"
    assert call_of(claimed).status == "pending"


def test_bad_credentials_beside_a_good_signature_do_no_harm(claimed: Claimed) -> None:
    body = said(claimed.request_uuid, CallProgress.COMPLETED)
    genuine = signed_headers(URL + body.query, body.body, now=timezone.now())
    assert post(body, headers={**genuine, "x-api-key": "nonsense"}).status_code == 200
    assert call_of(claimed).status == "completed"


# --- What it refuses ------------------------------------------------------------------------------


def test_only_what_the_carrier_signed_for_this_address_just_now_is_believed(
    claimed: Claimed,
) -> None:
    body = said(claimed.request_uuid, CallProgress.COMPLETED)
    genuine = signed_headers(URL + body.query, body.body, now=timezone.now())
    refused = [
        post(body, headers={}),
        post(body, headers={**genuine, SIGNATURE: "0" * 64}),
        post(body, headers={**genuine, SIGNATURE: ""}),
        post(body, headers={**genuine, TIMESTAMP: "0"}),
        post(body, headers={**genuine, TIMESTAMP: "soon"}),
        post(body, signed=body.body + b" "),
        post(body, url=f"http://outdial.example{PATH}{body.query}"),
        post(body, url=f"{URL}{body.query}&more=1"),
        post(body, at=timezone.now() - timedelta(minutes=6)),
        post(body, at=timezone.now() + timedelta(minutes=6)),
    ]
    for response in refused:
        assert checked(response, 403)["data"] is None
    assert call_of(claimed).status == "in-progress"
    assert timeline(call_of(claimed))[-1][1] == "claimed"


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"nonsense", b'{"requestUUID": "x"}', b"\xff\xfe"]
)
def test_what_cannot_be_read_is_a_400_and_kept(claimed: Claimed, body: bytes) -> None:
    [error] = checked(post(Told(claimed.request_uuid, body)), 400)["data"]["errors"]
    assert (error["field"], error["code"]) == ("body", "unreadable")
    kept = CarrierCallback.objects.get()
    assert (bytes(kept.body), kept.effect) == (body, "")


def test_an_unknown_carrier_is_a_404_and_another_method_a_405(api: Api, db: None) -> None:
    checked(api.post("/api/carriers/nobody/callback", {}), 404)
    checked(api.get(PATH), 405)


def test_more_than_100_kilobytes_is_a_413(db: None) -> None:
    checked(post(Told(uuid4(), b" " * 100_001)), 413)


def test_a_carrier_is_not_believed_about_the_calls_of_another(
    claimed: Claimed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`other` signs like the simulator here, but the call's number is the simulator's."""
    monkeypatch.setitem(CARRIERS, "other", SIMULATOR)
    told = said(claimed.request_uuid, CallProgress.COMPLETED)
    path = f"/api/carriers/other/callback{told.query}"
    sent = signed_headers(f"https://outdial.example{path}", told.body, now=timezone.now())
    response = Client().generic("POST", path, told.body, "application/json", headers=sent)
    assert (response.status_code, response["X-Callback-Effect"]) == (200, "unknown")
    assert call_of(claimed).status == "in-progress"


def test_without_a_public_address_nothing_is_believed(claimed: Claimed, settings: Any) -> None:
    settings.PUBLIC_BASE_URL = ""
    checked(post(said(claimed.request_uuid, CallProgress.COMPLETED)), 403)
    assert call_of(claimed).status == "in-progress"

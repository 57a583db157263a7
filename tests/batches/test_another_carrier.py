"""A fourth carrier: one module and one line of the registry, and all that a call goes through."""

import asyncio

import pytest
from django.utils import timezone

from batches.dialer.claim import claim_calls
from batches.dialer.placing import Placer
from batches.dialer.records import record_results
from batches.models import Call, CallAttempt, CallBatch, CarrierCallback, DoNotCallEntry
from calling.carriers.base import Detection
from calling.models import CarrierAccount, PhoneNumber
from tests.batches.dialer.steps import LEASE, TIMING
from tests.batches.toy_calls import PUBLIC, agent_is, asked, claimed, place, post, tell
from tests.calling.carriers.toy import Toy, toy_id
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.services.dialing import wake

# --- The course of a call -------------------------------------------------------------------------


def test_it_is_an_integration_with_its_own_pace(toy_phone: PhoneNumber) -> None:
    assert toy_phone.carrier == "toy"
    assert CarrierAccount.objects.get().calls_per_second == Toy.calls_per_second


def test_a_call_is_placed_asked_about_and_told_of(toy: Toy, toy_batch: CallBatch) -> None:
    call, _ = place()
    [ring] = toy.rings
    assert ring.callback_url == f"{PUBLIC}/api/carriers/toy/callback?call={call.request_uuid}"
    assert ring.detection is Detection.NONE

    said = asked(ring.answer_url, {"status": "in-progress", "id": toy_id(ring.request_uuid)})
    assert said == "say 'Hello Ada & <Bob>, press 9 to opt out.' and listen"
    assert CallAttempt.objects.get().status == "in-progress"

    assert tell(ring.callback_url, {"status": "completed"}) == "recorded"
    assert Call.objects.get().status == "completed"
    assert list(CarrierCallback.objects.order_by("id").values_list("effect", flat=True)) == [
        *("recorded", "recorded"),
    ]


def test_a_callback_that_comes_before_the_answer_to_the_request(
    toy: Toy, toy_batch: CallBatch
) -> None:
    call = claimed()

    result = asyncio.run(Placer(TIMING).place(call))
    assert result is not None
    name = toy_id(call.request_uuid)
    told = tell(toy.rings[0].callback_url, {"status": "completed", "id": name})
    assert told == "recorded"
    record_results([result], TIMING, now=timezone.now())
    attempt = CallAttempt.objects.get()
    assert (attempt.status, attempt.carrier_call_id) == ("completed", name)
    assert Call.objects.get().status == "completed"


def test_what_is_said_of_another_call_of_the_carrier_is_not_believed(
    toy: Toy, toy_batch: CallBatch
) -> None:
    place()
    told = tell(toy.rings[0].callback_url, {"status": "completed", "id": "toy-other"})
    assert told == "ignored"
    other = {"status": "in-progress", "id": "toy-other", "by": "machine"}
    assert asked(toy.rings[0].answer_url, other) == "hang up"
    assert CallAttempt.objects.get().answered_by == ""
    assert Call.objects.get().status == "in-progress"


def test_only_the_account_of_the_call_signs_for_it(toy: Toy, toy_batch: CallBatch) -> None:
    place()
    [ring] = toy.rings
    for url in (ring.callback_url, ring.answer_url, ring.answer_url.replace("/answer", "/key")):
        checked(post(url, {"status": "completed", "key": "9"}, token="other"), 403)
    assert Call.objects.get().status == "in-progress"
    assert not CarrierCallback.objects.exists()
    assert not DoNotCallEntry.objects.exists()


def test_a_call_that_is_not_known_is_hung_up(toy: Toy, toy_batch: CallBatch) -> None:
    nobody = f"{PUBLIC}/api/carriers/toy/answer?call=0b9d2e2e-7b1c-4d65-9d38-1f0b9a7f0001"
    assert asked(nobody, {"status": "in-progress"}) == "hang up"
    assert asked(nobody.split("?")[0] + "?call=nonsense", {}) == "hang up"
    assert asked(nobody.replace("/answer", "/key"), {"key": "9"}) == "hang up"


def test_a_call_that_was_taken_out_is_hung_up(toy: Toy, toy_batch: CallBatch) -> None:
    place()
    Call.objects.update(is_cancel_requested=True)
    assert asked(toy.rings[0].answer_url, {"status": "in-progress"}) == "hang up"


def test_a_stream_gets_the_variables_and_sip_its_uri(
    toy: Toy, toy_batch: CallBatch, toy_phone: PhoneNumber
) -> None:
    place()
    Call.objects.update(variables={"name": "Ada", "age": 36, "vip": True, "none": None})
    agent_is(
        toy_phone, connection_type="stream", connection_target="wss://a.example", opt_out_key=""
    )
    said = asked(toy.rings[0].answer_url, {"status": "in-progress"})
    assert said == (
        'stream wss://a.example {"age": "36", "name": "Ada", "none": "", "vip": "true"}'
    )
    agent_is(toy_phone, connection_type="sip", connection_target="sip:a@b.example")
    assert asked(toy.rings[0].answer_url, {"status": "in-progress"}) == "sip sip:a@b.example"


def test_a_recording_is_added_after_the_end(toy: Toy, toy_batch: CallBatch, api: Api) -> None:
    place()
    url = toy.rings[0].callback_url
    tell(url, {"status": "completed"})
    link = "https://toy.example/recording.mp3"
    assert tell(url, {"recording": link}) == "recorded"
    assert tell(url, {"recording": f"{link}2"}) == "ignored"
    assert CallAttempt.objects.get().recording_url == link


def test_without_an_agent_no_real_phone_rings(
    toy: Toy, toy_batch: CallBatch, toy_phone: PhoneNumber, api: Api, owner: Person
) -> None:
    PhoneNumber.objects.update(agent=None)
    now = timezone.now()
    wake(owner.workspace.id, now)
    found = claim_calls(now=now, most=10, lease=LEASE)
    assert found is not None
    assert found.calls == []
    path = f"/api/call/call-details/{Call.objects.get().id}"
    waiting = checked(api.get(path, owner.with_key), 200)["data"]["waitingFor"]
    assert waiting["reason"] == "no_agent"


# --- Opting out -----------------------------------------------------------------------------------


def test_the_key_lists_the_number_at_once(toy: Toy, toy_batch: CallBatch) -> None:
    place()
    [ring] = toy.rings
    key_url = ring.answer_url.replace("/answer", "/key")
    assert asked(key_url, {"key": "9"}) == "say 'Goodbye.'"
    entry = DoNotCallEntry.objects.get()
    assert (entry.phone_number, entry.type, entry.request_uuid, entry.created_by) == (
        *(ring.to_number, "opt-out", ring.request_uuid, None),
    )
    assert asked(key_url, {"key": "9"}) == "say 'Goodbye.'"  # pressed twice
    assert DoNotCallEntry.objects.count() == 1


def test_another_key_repeats_the_message_and_lists_nobody(toy: Toy, toy_batch: CallBatch) -> None:
    place()
    key_url = toy.rings[0].answer_url.replace("/answer", "/key")
    assert "and listen" in asked(key_url, {"key": "5"})
    assert asked(key_url, {}) == "hang up"
    assert not DoNotCallEntry.objects.exists()


def test_an_agent_without_a_key_listens_to_none(
    toy: Toy, toy_batch: CallBatch, toy_phone: PhoneNumber
) -> None:
    agent_is(toy_phone, opt_out_key="")
    place()
    assert "listen" not in asked(toy.rings[0].answer_url, {"status": "in-progress"})
    key_url = toy.rings[0].answer_url.replace("/answer", "/key")
    asked(key_url, {"key": "9"})
    assert not DoNotCallEntry.objects.exists()


# --- Voicemail ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "detection", "document", "status", "reason"),
    [
        ("ignore", Detection.NONE, "say 'Hello", "completed", "voicemail"),
        ("leave_message", Detection.END, "say 'Hello", "completed", "voicemail"),
        ("hang_up", Detection.START, "hang up", "failed", "voicemail"),
        ("retry", Detection.START, "hang up", "pending", "retry_later"),
    ],
)
def test_voicemail_is_an_outcome_of_its_own(
    toy: Toy,
    toy_batch: CallBatch,
    toy_phone: PhoneNumber,
    api: Api,
    owner: Person,
    policy: str,
    detection: Detection,
    document: str,
    status: str,
    reason: str,
) -> None:
    agent_is(toy_phone, on_voicemail=policy)
    place()
    [ring] = toy.rings
    assert ring.detection is detection
    said = asked(ring.answer_url, {"status": "in-progress", "by": "machine"})
    assert said.startswith(document)
    assert "listen" not in said  # a machine presses nothing
    tell(ring.callback_url, {"status": "completed"})
    call = Call.objects.get()
    assert call.status == status
    details = checked(api.get(f"/api/call/call-details/{call.id}", owner.with_key), 200)["data"]
    assert details["attempts"][0]["callStatus"] == "voicemail"
    assert [event["reason"] for event in details["events"]][-1] == reason


def test_a_retry_that_meets_a_machine_again_and_again_ends(
    toy: Toy, toy_batch: CallBatch, toy_phone: PhoneNumber
) -> None:
    agent_is(toy_phone, on_voicemail="retry")
    for _ in range(2):
        Call.objects.update(next_attempt_at=timezone.now())
        place()
        tell(toy.rings[-1].callback_url, {"status": "completed", "by": "machine"})
    call = Call.objects.get()
    assert (call.status, call.attempts_made) == ("failed", 2)


def test_a_human_is_no_voicemail(toy: Toy, toy_batch: CallBatch, toy_phone: PhoneNumber) -> None:
    agent_is(toy_phone, on_voicemail="hang_up")
    place()
    assert "listen" in asked(toy.rings[0].answer_url, {"status": "in-progress", "by": "human"})
    tell(toy.rings[0].callback_url, {"status": "completed"})
    assert CallAttempt.objects.get().status == "completed"

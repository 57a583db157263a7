"""What may be done with a batch in the back office: by whom, only after a yes, through the services."""

from typing import Any

import pytest
from django.test import Client

from batches.api import streams
from batches.models import BatchStatus, Call, CallBatch
from tests import factories
from tests.batches.admin.batches import STEERED, audited, batch_of, html_of, page, words_of
from tests.batches.admin.browsers import browser
from tests.cast import Person
from workspaces.models import AuditEvent, Workspace


@pytest.fixture
def leader(owner: Person) -> Client:
    return browser(owner)


def status_of(batch: CallBatch) -> str:
    return CallBatch.objects.get(id=batch.id).status


def calls_of(batch: CallBatch, status: str) -> int:
    return Call.objects.filter(batch=batch, status=status).count()


# --- Who ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", STEERED)
def test_a_member_may_not_and_a_stranger_does_not_see_it(
    owner: Person, member: Person, stranger: Person, verb: str
) -> None:
    batch = batch_of(owner, BatchStatus.ACTIVE, pending=1, failed=1)
    before = CallBatch.objects.values().get(id=batch.id)
    for who, code in ((member, 403), (stranger, 404)):
        client = browser(who)
        assert client.get(page(verb, batch.id)).status_code == code
        assert client.post(page(verb, batch.id), {"statuses": ["failed"]}).status_code == code
    assert CallBatch.objects.values().get(id=batch.id) == before
    assert audited(batch) == []


@pytest.mark.parametrize("verb", STEERED)
def test_nothing_happens_before_a_yes(leader: Client, owner: Person, verb: str) -> None:
    batch = batch_of(owner, BatchStatus.ACTIVE, pending=1, failed=1)
    before = CallBatch.objects.values().get(id=batch.id)
    html_of(leader, page(verb, batch.id))
    assert CallBatch.objects.values().get(id=batch.id) == before
    assert audited(batch) == []


@pytest.mark.parametrize("verb", STEERED)
@pytest.mark.parametrize("id_", ["nonsense", "0" * 24])
def test_what_is_not_there_is_not_found(leader: Client, verb: str, id_: str) -> None:
    assert leader.get(page(verb, id_)).status_code == 404


@pytest.mark.parametrize("verb", [*STEERED, "export", "preflight"])
def test_a_deleted_batch_is_left_alone(leader: Client, owner: Person, verb: str) -> None:
    batch = batch_of(owner, pending=1)
    CallBatch.objects.filter(id=batch.id).update(deleted_at=batch.created_at)
    assert leader.get(page(verb, batch.id)).status_code == 404


# --- Start and stop -------------------------------------------------------------------------------


def test_a_batch_is_started_and_stopped(leader: Client, owner: Person) -> None:
    batch = batch_of(owner, pending=2)
    asked = words_of(html_of(leader, page("start", batch.id)))
    assert "Called at once: 2 of 2 pending." in asked

    response = leader.post(page("start", batch.id), follow=True)
    assert status_of(batch) == BatchStatus.ACTIVE
    assert "The batch is active" in response.content.decode()

    leader.post(page("stop", batch.id))
    assert status_of(batch) == BatchStatus.STOPPED
    assert audited(batch) == ["batch.start", "batch.stop"]
    event = AuditEvent.objects.filter(action="batch.stop").get()
    assert (event.user_id, event.credential_kind) == (owner.user.id, "session")


@pytest.mark.parametrize(
    ("calls", "change", "sentence"),
    [
        (0, {}, "The batch has no call to make."),
        (1, {"kill_reason": "the regulator called", "kill_at": "now"}, "the regulator called"),
    ],
)
def test_what_cannot_be_started_says_why(
    leader: Client, owner: Person, calls: int, change: dict[str, Any], sentence: str
) -> None:
    batch = batch_of(owner, pending=calls)
    if change:
        workspace = Workspace.objects.get(id=owner.workspace.id)
        workspace.kill_reason = change["kill_reason"]
        workspace.killed_at = batch.created_at
        workspace.save()
    response = leader.post(page("start", batch.id))
    assert response.status_code == 200
    html = response.content.decode()
    assert sentence in html
    assert "batchId" not in html  # the API's own word
    assert status_of(batch) == BatchStatus.DRAFT


def test_a_huge_batch_is_not_looked_through_while_somebody_waits(
    leader: Client, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batches.admin.batch_deeds.MOST_LOOKED_AHEAD", 1)
    batch = batch_of(owner, pending=2)
    html = html_of(leader, page("start", batch.id))
    assert "2 calls are pending: too many" in html
    assert "Called at once" not in html


# --- Retry and cancel -----------------------------------------------------------------------------


def test_calls_of_the_chosen_statuses_are_put_back(leader: Client, owner: Person) -> None:
    batch = batch_of(owner, BatchStatus.STOPPED, failed=2, unknown=1, completed=1)
    asked = words_of(html_of(leader, page("retry", batch.id)))
    assert "Failed: 2" in asked
    assert "Unknown (it may have rung): 1" in asked

    response = leader.post(page("retry", batch.id), {"statuses": ["failed"]}, follow=True)

    assert "2 calls are pending again." in response.content.decode()
    assert [calls_of(batch, one) for one in ("pending", "unknown", "completed")] == [2, 1, 1]
    assert audited(batch) == ["batch.retry_calls"]


@pytest.mark.parametrize("statuses", [[], ["completed"], ["nonsense"]])
def test_only_what_the_api_retries_is_retried(
    leader: Client, owner: Person, statuses: list[str]
) -> None:
    batch = batch_of(owner, BatchStatus.STOPPED, failed=1, completed=1)
    assert leader.post(page("retry", batch.id), {"statuses": statuses}).status_code == 200
    assert calls_of(batch, "pending") == 0


def test_contacts_are_taken_out_by_their_numbers(leader: Client, owner: Person) -> None:
    batch = batch_of(owner, pending=0)
    for number in ("+13105550001", "+13105550002"):
        factories.CallFactory.create(batch=batch, phone_number=number)
    given = "13105550001\n\n +1 310 555 0009 \n"
    response = leader.post(page("cancel", batch.id), {"phoneNumbers": given}, follow=True)
    assert "1 taken out, 0 being hung up, of 2 given." in response.content.decode()
    assert calls_of(batch, "cancelled") == 1
    assert calls_of(batch, "pending") == 1
    assert audited(batch) == ["batch.cancel_calls"]


def test_a_number_that_is_none_is_named_and_nothing_typed_is_lost(
    leader: Client, owner: Person
) -> None:
    batch = batch_of(owner, pending=1)
    response = leader.post(page("cancel", batch.id), {"phoneNumbers": "13105550001\nhello"})
    html = response.content.decode()
    assert "Number 2: " in html
    assert "hello</textarea>" in html
    assert audited(batch) == []


# --- Delete ---------------------------------------------------------------------------------------


def test_a_deleted_batch_stops_and_is_gone_from_the_list(leader: Client, owner: Person) -> None:
    batch = batch_of(owner, BatchStatus.ACTIVE, pending=1)
    assert "It has 1 calls." in html_of(leader, page("delete", batch.id))
    response = leader.post(page("delete", batch.id), follow=True)
    assert "This batch was deleted" in response.content.decode()
    stored = CallBatch.objects.get(id=batch.id)
    assert stored.deleted_at is not None
    assert stored.status == BatchStatus.STOPPED
    assert audited(batch) == ["batch.delete"]
    assert batch.name not in html_of(leader, page("changelist"))
    assert leader.post(page("delete", batch.id)).status_code == 404


# --- Export ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "media_type", "start"),
    [
        ({}, "text/csv", b"_id,phoneNumber,"),
        ({"format": "ndjson"}, "application/x-ndjson", b'{"_id":'),
    ],
)
def test_whoever_sees_a_batch_may_take_its_calls_along(
    owner: Person, member: Person, query: dict[str, str], media_type: str, start: bytes
) -> None:
    batch = batch_of(owner, pending=2)
    response: Any = browser(member).get(page("export", batch.id), query)
    assert response["Content-Type"].startswith(media_type)
    assert batch.name.replace(" ", "_") in response["Content-Disposition"]
    assert b"".join(response.streaming_content).startswith(start)


def test_a_stranger_or_an_unknown_format_gets_no_file(owner: Person, stranger: Person) -> None:
    batch = batch_of(owner, pending=1)
    assert browser(stranger).get(page("export", batch.id)).status_code == 404
    assert browser(owner).get(page("export", batch.id), {"format": "exe"}).status_code == 404


def test_a_second_download_at_a_time_is_put_off_with_a_sentence(
    leader: Client, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_running", {-1})  # another thread writes one
    batch = batch_of(owner, pending=1)
    response = leader.get(page("export", batch.id), follow=True)
    assert "Another download is running." in response.content.decode()

"""Carriers that refuse, fail, or want to be left alone: what becomes of calls, accounts and batches."""

import asyncio
from datetime import timedelta
from typing import Any

from django.utils import timezone

from batches.dialer.claim import claim_calls
from batches.dialer.placing import Placer, Result
from batches.dialer.records import record_results
from batches.models import Call, CallAttempt, CallBatch
from batches.services.carrier_trouble import FAILURES_TO_PAUSE
from calling.carriers.base import CarrierError, CarrierUnsure
from calling.models import CarrierAccount, PhoneNumber
from tests.batches.dialer.steps import LEASE, TIMING, dialed_batch
from tests.batches.toy_calls import place
from tests.calling.carriers.toy import Toy
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.services.dialing import wake


def test_refused_credentials_pause_the_batch_and_cost_the_call_nothing(
    toy: Toy, toy_batch: CallBatch, api: Api, owner: Person
) -> None:
    toy.refuses = lambda request: CarrierError(
        "The carrier refuses these credentials.",
        permanent=True,
        of_account=True,
        code="credentials_refused",
    )
    place()
    toy_batch.refresh_from_db()
    assert (toy_batch.status, toy_batch.status_reason) == ("paused", "carrier_refused")
    call = Call.objects.get()
    assert (call.status, call.attempts_made) == ("pending", 0)
    [phone] = checked(api.get("/api/call/phones", owner.with_key), 200)["data"]["phones"]
    assert phone["carrierProblem"]["message"] == "The carrier refuses these credentials."


def test_a_number_that_the_carrier_does_not_call_fails_alone(
    toy: Toy, toy_batch: CallBatch
) -> None:
    toy.refuses = lambda request: CarrierError("Blocked.", permanent=True, code="number_blocked")
    place()
    assert CallAttempt.objects.get().hangup_cause == "number_blocked"
    assert Call.objects.get().status == "failed"
    assert CarrierAccount.objects.get().failures == 0


def test_too_many_failures_in_a_row_pause_the_batch_with_the_evidence(
    toy: Toy, toy_batch: CallBatch, api: Api, owner: Person
) -> None:
    toy.refuses = lambda request: CarrierError("Unreachable.", permanent=False, code="away")
    for number in range(1, FAILURES_TO_PAUSE + 1):
        toy_batch.refresh_from_db()
        assert toy_batch.status == "active"
        place()
        account = CarrierAccount.objects.get()
        assert account.failures == number
        assert account.resting_until is not None
        rest = (account.resting_until - timezone.now()).total_seconds()
        assert 0 < rest <= 60
        now = timezone.now()
        CarrierAccount.objects.update(resting_until=now)
        Call.objects.update(next_attempt_at=now)
    toy_batch.refresh_from_db()
    assert (toy_batch.status, toy_batch.status_reason) == ("paused", "carrier_failing")
    assert (Call.objects.get().status, CallAttempt.objects.count()) == ("pending", 0)
    [phone] = checked(api.get("/api/call/phones", owner.with_key), 200)["data"]["phones"]
    assert phone["carrierProblem"]["failures"] == FAILURES_TO_PAUSE
    preflight = api.get(f"/api/call/batch-preflight/{toy_batch.id}", owner.with_key)
    codes = [one["code"] for one in checked(preflight, 200)["data"]["warnings"]]
    assert "carrier_failing" in codes


def test_a_resting_account_places_nothing_and_then_tries_with_one_call(
    toy: Toy, owner: Person, toy_phone: PhoneNumber, api: Api
) -> None:
    dialed_batch(owner, 5, phones=[toy_phone])
    CarrierAccount.objects.update(calls_per_second=0)
    toy.refuses = lambda request: CarrierError("Unreachable.", permanent=False, code="away")
    now = timezone.now()
    wake(owner.workspace.id, now)
    first = claim_calls(now=now, most=1, lease=LEASE)
    assert first is not None
    result = asyncio.run(Placer(TIMING).place(first.calls[0]))
    assert result is not None
    record_results([result], TIMING, now=timezone.now())
    rest = CarrierAccount.objects.get().resting_until
    assert rest is not None

    def claim(at: Any) -> int:
        wake(owner.workspace.id, at)
        found = claim_calls(now=at, most=10, lease=LEASE)
        return len(found.calls) if found else 0

    assert claim(rest - timedelta(milliseconds=50)) == 0
    assert claim(rest + timedelta(milliseconds=50)) == 1
    assert claim(rest + timedelta(milliseconds=60)) == 0


def test_one_success_closes_the_breaker(toy: Toy, toy_batch: CallBatch) -> None:
    CarrierAccount.objects.update(failures=5, resting_until=timezone.now())
    place()
    account = CarrierAccount.objects.get()
    assert (account.failures, account.resting_until) == (0, None)


def test_of_many_calls_at_once_one_failure_counts(
    toy: Toy, owner: Person, toy_phone: PhoneNumber
) -> None:
    dialed_batch(owner, 5, phones=[toy_phone])
    CarrierAccount.objects.update(calls_per_second=0)
    toy.refuses = lambda request: CarrierUnsure("The carrier answered 500")
    now = timezone.now()
    wake(owner.workspace.id, now)
    found = claim_calls(now=now, most=10, lease=LEASE)
    assert found is not None

    async def all_at_once() -> list[Result | None]:
        placer = Placer(TIMING)
        return list(await asyncio.gather(*(placer.place(call) for call in found.calls)))

    results = [one for one in asyncio.run(all_at_once()) if one is not None]
    record_results(results, TIMING, now=timezone.now())
    assert (len(results), CarrierAccount.objects.get().failures) == (5, 1)


def test_a_carrier_that_wants_fewer_requests_gets_a_pause_and_no_blame(
    toy: Toy, toy_batch: CallBatch
) -> None:
    toy.refuses = lambda request: CarrierError(
        "Slow down.", permanent=False, retry_after=30, code="too_many_requests"
    )
    place()
    account = CarrierAccount.objects.get()
    assert account.failures == 0
    assert account.resting_until is not None
    assert 25 < (account.resting_until - timezone.now()).total_seconds() <= 30
    due = Call.objects.get().next_attempt_at
    assert 25 < (due - timezone.now()).total_seconds() <= 30

"""Which number calls whom: in turn, and a contact always from the same one."""

from collections import Counter

import pytest

from batches.dialer.claim import Claim
from batches.models import BatchNumber
from batches.services.batches import update_batch
from calling.carriers.base import CallProgress
from calling.models import PhoneNumber
from tests.batches.dialer.steps import (
    NOW,
    after,
    call_of,
    claim,
    dialed_batch,
    end,
    next_dial_at,
    number_of,
    timeline,
)
from tests.cast import Person
from workspaces.callers import Actor


@pytest.fixture
def phones(owner: Person) -> list[PhoneNumber]:
    return [number_of(owner) for _ in range(3)]


def callers(claimed: Claim) -> list[str]:
    return [one.from_number for one in claimed.calls]


def numbers(*phones: PhoneNumber) -> list[str]:
    return [phone.number for phone in phones]


def test_numbers_take_turns_in_their_order_over_several_claims(
    owner: Person, phones: list[PhoneNumber]
) -> None:
    a, b, c = phones
    dialed_batch(owner, 8, phones=phones)
    assert callers(claim(most=2)) == numbers(a, b)
    assert callers(claim(most=4)) == numbers(c, a, b, c)
    assert callers(claim(most=1)) == numbers(a)
    assert callers(claim(most=9)) == numbers(b)


def test_many_calls_are_spread_evenly(owner: Person, phones: list[PhoneNumber]) -> None:
    dialed_batch(owner, 90, phones=phones)
    counts = Counter(number for _ in range(9) for number in callers(claim(most=10)))
    assert counts == dict.fromkeys(numbers(*phones), 30)


def test_each_batch_has_a_rotation_of_its_own(owner: Person, phones: list[PhoneNumber]) -> None:
    a, b, c = phones
    first = dialed_batch(owner, 3, phones=[a, b])
    second = dialed_batch(owner, 3, phones=[c, b, a])
    of_batch: dict[str, list[str]] = {first.id: [], second.id: []}
    for _ in range(3):
        for one in claim(most=2).calls:
            of_batch[one.batch_id.hex()].append(one.from_number)
    assert of_batch == {first.id: numbers(a, b, a), second.id: numbers(c, b, a)}


def test_an_inactive_number_is_left_out(owner: Person, phones: list[PhoneNumber]) -> None:
    a, b, c = phones
    PhoneNumber.objects.filter(id=b.id).update(is_active=False)
    dialed_batch(owner, 4, phones=phones)
    assert callers(claim()) == numbers(a, c, a, c)


def test_a_number_that_is_full_is_passed_over(owner: Person, phones: list[PhoneNumber]) -> None:
    a, b, c = phones
    PhoneNumber.objects.filter(id=b.id).update(concurrency_limit=1)
    dialed_batch(owner, 5, phones=phones)
    assert callers(claim()) == numbers(a, b, c, a, c)


def test_a_batch_without_an_active_number_dials_nothing_and_says_so(owner: Person) -> None:
    batch = dialed_batch(owner, phones=[number_of(owner, is_active=False)])
    found = claim()
    assert found.calls == []
    assert [id_.hex() for id_ in found.without_number] == [batch.id]


# --- Retries --------------------------------------------------------------------------------------


def busy_from(number: PhoneNumber, owner: Person, phones: list[PhoneNumber]) -> str:
    """A contact whose first call, from this number, was busy; it is due again at NOW."""
    turns = phones.index(number) + 1
    batch = dialed_batch(owner, turns, phones=phones, retry=5, delay=0)
    last = claim().calls[-1]
    assert last.from_number == number.number
    end(last, CallProgress.BUSY)
    return batch.id


def test_a_retry_comes_from_the_same_number(owner: Person, phones: list[PhoneNumber]) -> None:
    busy_from(phones[1], owner, phones)
    for turn in range(1, 4):
        [again] = claim(after(turn)).calls
        assert again.from_number == phones[1].number
        end(again, CallProgress.BUSY, after(turn))


def test_a_retry_does_not_take_a_turn_of_the_rotation(
    owner: Person, phones: list[PhoneNumber]
) -> None:
    a, b, _ = phones
    batch = dialed_batch(owner, 3, phones=[a, b], retry=1, delay=0)
    [first] = claim(most=1).calls
    end(first, CallProgress.BUSY)
    assert batch.calls.get(id=first.call_id.hex()).next_attempt_at == NOW
    others = [one.from_number for one in claim().calls if one.call_id != first.call_id]
    assert others == numbers(b, a)


def test_a_retry_comes_from_the_next_number_when_its_own_left_the_rotation(
    owner: Person, phones: list[PhoneNumber]
) -> None:
    a, b, c = phones
    batch_id = busy_from(b, owner, phones)
    update_batch(
        workspace_id=owner.workspace.id,
        batch_id=batch_id,
        changes={},
        phone_ids=[c.id, a.id],
        actor=Actor(),
        now=NOW,
    )
    [again] = claim(after(1)).calls
    assert again.from_number in numbers(a, c)
    assert call_of(again).caller_id in (a.id, c.id)


def test_a_retry_comes_from_the_next_number_when_its_own_was_deactivated(
    owner: Person, phones: list[PhoneNumber]
) -> None:
    _, b, c = phones
    busy_from(b, owner, phones)
    PhoneNumber.objects.filter(id=b.id).update(is_active=False)
    assert callers(claim(after(1))) == numbers(c)


def test_a_retry_waits_for_tomorrow_when_its_number_had_its_calls_of_today(
    owner: Person, phones: list[PhoneNumber]
) -> None:
    midnight = NOW.replace(day=25, hour=5)  # of New York, where the workspace is
    PhoneNumber.objects.filter(id=phones[0].id).update(daily_cap=1)
    busy_from(phones[0], owner, phones)

    found = claim(after(1))
    assert found.calls == []
    [deferred] = found.deferred
    assert found.deferred[deferred] == midnight
    assert next_dial_at(owner.workspace) == after(1.1)

    assert callers(claim(midnight)) == numbers(phones[0])


def test_a_retry_waits_while_its_number_is_full(owner: Person, phones: list[PhoneNumber]) -> None:
    a = phones[0]
    PhoneNumber.objects.filter(id=a.id).update(concurrency_limit=1)
    busy_from(a, owner, phones)
    dialed_batch(owner, 1, phones=[a], retry=0)
    both = claim(after(1))  # one of the two takes the only line
    [taken] = both.calls
    assert taken.from_number == a.number
    assert claim(after(2)).calls == []
    end(taken, CallProgress.COMPLETED, after(3))
    assert callers(claim(after(10))) == numbers(a)


def test_a_retry_that_is_put_off_is_still_in_the_timeline_as_a_retry(
    owner: Person, phones: list[PhoneNumber]
) -> None:
    PhoneNumber.objects.filter(id=phones[0].id).update(daily_cap=1)
    busy_from(phones[0], owner, phones)
    claim(after(1))
    call = BatchNumber.objects.get(position=0).batch.calls.get()
    assert timeline(call)[-1] == ("pending", "retry_later", "busy")

"""Small batches end beside large ones, small workspaces beside large ones."""

from collections import Counter

from batches.dialer.claim import Claim
from calling.carriers.base import CallProgress
from tests import factories
from tests.batches.dialer.steps import NOW, after, claim, dialed_batch, end, number_of
from tests.cast import Person
from workspaces.models import Workspace
from workspaces.services.dialing import wake


def by_batch(found: Claim) -> Counter[str]:
    return Counter(one.batch_id.hex() for one in found.calls)


def test_a_batch_of_10_ends_within_three_claims_beside_one_of_thousands(owner: Person) -> None:
    large = dialed_batch(owner, 3000)
    assert by_batch(claim(most=200)) == {large.id: 200}
    small = dialed_batch(owner, 10)
    taken = Counter[str]()
    for turn in range(3):
        taken += by_batch(claim(after(turn), most=20))
    assert taken[small.id] == 10
    assert taken[large.id] == 50  # and nothing is left unused


def test_two_batches_share_a_claim_evenly_however_large_they_are(owner: Person) -> None:
    large, other = dialed_batch(owner, 500), dialed_batch(owner, 100)
    assert by_batch(claim(most=60)) == {large.id: 30, other.id: 30}


def test_a_batch_gets_no_larger_share_for_its_time_zones(owner: Person) -> None:
    spread, plain = dialed_batch(owner, 0), dialed_batch(owner, 30)
    for zone in ("Europe/Berlin", "Asia/Tokyo", "America/New_York", "Asia/Kolkata"):
        factories.CallFactory.create_batch(10, batch=spread, timezone=zone)
    taken = by_batch(claim(most=20))
    assert taken[plain.id] >= 8  # it has one lane of five
    taken += by_batch(claim(most=20))
    assert taken == {spread.id: 20, plain.id: 20}


def test_batches_take_turns_when_there_is_one_free_slot_at_a_time(owner: Person) -> None:
    large, small = dialed_batch(owner, 300), dialed_batch(owner, 10)
    Workspace.objects.update(concurrency_limit=1)
    order = []
    for turn in range(20):
        [one] = claim(after(turn)).calls
        order.append(one.batch_id.hex())
        end(one, CallProgress.COMPLETED, after(turn))
    assert all({*order[n : n + 2]} == {large.id, small.id} for n in range(0, 20, 2))


def test_a_new_batch_gets_the_slots_that_a_large_one_frees(owner: Person) -> None:
    large = dialed_batch(owner, 300)
    Workspace.objects.update(concurrency_limit=6)
    held = list(claim().calls)
    small = dialed_batch(owner, 10)
    order = []
    for turn in range(1, 4):
        end(held.pop(0), CallProgress.COMPLETED, after(turn))
        [one] = claim(after(turn)).calls
        order.append(one.batch_id.hex())
    assert order == [small.id] * 3  # then each has half
    end(held.pop(0), CallProgress.COMPLETED, after(5))
    assert by_batch(claim(after(5))).keys() <= {large.id, small.id}


def test_workspaces_take_turns(owner: Person, stranger: Person) -> None:
    for who in (owner, stranger):
        dialed_batch(who, 100)
    order = [claim(after(turn / 1000), most=10).workspace_id for turn in range(1, 11)]
    both = {owner.workspace.id, stranger.workspace.id}
    assert all({*order[n : n + 2]} == both for n in range(0, 10, 2))


def test_a_workspace_that_wakes_is_not_behind_one_that_always_has_something_to_do(
    owner: Person, stranger: Person
) -> None:
    dialed_batch(owner, 300)
    for turn in range(5):
        claim(after(turn), most=10)
    dialed_batch(stranger, 1, phones=[number_of(stranger)])
    wake(owner.workspace.id, NOW)
    two = {claim(after(5 + turn), most=10).workspace_id for turn in range(2)}
    assert stranger.workspace.id in two

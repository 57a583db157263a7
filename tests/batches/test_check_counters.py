"""manage.py check_counters: the counters of batches against their calls."""

import pytest
from django.core.management import CommandError, call_command

from batches.models import Call, CallCounter
from batches.services.counters import PICKED, change_counts
from tests import factories
from tests.batches.contacts import call, ready_batch
from tests.cast import Person

NUMBER = "12125551001"


def output(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_nothing_at_all_is_no_drift(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check_counters")
    assert output(capsys) == ["No drift."]


def test_counters_that_are_right_are_no_drift(
    owner: Person, stranger: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    for who in (owner, stranger):
        batch = ready_batch(who)
        call(batch, NUMBER, "completed", is_picked=True)
        call(batch, "12125551002")
    factories.CallBatchFactory.create(workspace=owner.workspace)  # without calls and counters
    call_command("check_counters")
    assert output(capsys) == ["No drift."]


def test_slots_are_summed(owner: Person, capsys: pytest.CaptureFixture[str]) -> None:
    """A slot alone may be negative: a call came in through one and went on through another."""
    batch = ready_batch(owner)
    call(batch, NUMBER)
    slot = CallCounter.objects.get(batch=batch)
    CallCounter.objects.filter(id=slot.id).update(pending=5)
    CallCounter.objects.create(
        workspace=owner.workspace,
        batch=batch,
        slot=(slot.slot + 1) % CallCounter.SLOTS,
        pending=-4,
    )
    call_command("check_counters")
    assert output(capsys) == ["No drift."]


def test_each_difference_is_printed_and_fails(
    owner: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong, right = ready_batch(owner), ready_batch(owner)
    call(wrong, NUMBER)
    call(right, NUMBER)
    drift = {"pending": -1, "in-progress": 2, PICKED: 3}
    change_counts(workspace_id=owner.workspace.id, batch_id=wrong.id, changes=drift)

    with pytest.raises(CommandError, match=r"^1 batches with a drift\.$"):
        call_command("check_counters")

    assert output(capsys) == [
        f"batch {wrong.id}: pending counted 0, really 1",
        f"batch {wrong.id}: in-progress counted 2, really 0",
        f"batch {wrong.id}: picked counted 3, really 0",
    ]
    undo = {name: -number for name, number in drift.items()}
    change_counts(workspace_id=owner.workspace.id, batch_id=wrong.id, changes=undo)
    call_command("check_counters")


def test_calls_without_counters_and_counters_without_calls_are_found(
    owner: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    uncounted, empty = ready_batch(owner), ready_batch(owner)
    call(uncounted, NUMBER, "failed")
    CallCounter.objects.all().delete()
    change_counts(workspace_id=owner.workspace.id, batch_id=empty.id, changes={"completed": 1})

    with pytest.raises(CommandError, match=r"^2 batches with a drift\.$"):
        call_command("check_counters")

    assert sorted(output(capsys)) == sorted(
        [
            f"batch {uncounted.id}: failed counted 0, really 1",
            f"batch {empty.id}: completed counted 1, really 0",
        ]
    )
    Call.objects.all().delete()
    CallCounter.objects.all().delete()

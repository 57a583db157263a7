"""What the worker does about imports that nobody will finish and rows that nobody fetched."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from batches.models import Import, ImportErrorRow, ImportStatus
from batches.tasks import clean_up_error_rows, close_abandoned_imports
from tests import factories

pytestmark = pytest.mark.django_db


def record(age: timedelta, **fields: Any) -> Import:
    then = timezone.now() - age
    made: Import = factories.ImportFactory.create(created_at=then, updated_at=then, **fields)
    return made


def status_of(one: Import) -> str:
    return Import.objects.get(id=one.id).status


def test_an_import_whose_process_died_does_not_stay_running() -> None:
    dead = record(timedelta(minutes=16), status=ImportStatus.RUNNING)
    alive = record(timedelta(minutes=14), status=ImportStatus.RUNNING)
    done = record(timedelta(days=1), status=ImportStatus.STORED)

    assert close_abandoned_imports(0) == 1

    assert [status_of(one) for one in (dead, alive, done)] == ["failed", "running", "stored"]
    assert close_abandoned_imports(0) == 0


def test_refused_rows_are_kept_for_a_month_and_their_import_for_good() -> None:
    old, young = record(timedelta(days=31)), record(timedelta(days=29))
    for one in (old, young):
        ImportErrorRow.objects.create(
            workspace=one.workspace, source=one, row=2, cells=["x"], errors=[]
        )

    assert clean_up_error_rows(0) == 1

    assert ImportErrorRow.objects.get().source_id == young.id
    assert Import.objects.count() == 2

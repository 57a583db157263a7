"""Carriers' requests as they came: kept for a month, to be looked at in the back office."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from batches.models import CarrierCallback
from batches.services.callback_archive import keep_callback
from batches.tasks import clean_up_carrier_callbacks
from calling.carriers.base import Callback
from tests import factories
from tests.cast import Person

CALLBACK = Callback(url="https://outdial.example/x?call=1", headers={}, body=b"CallStatus=\xff<b>")


def kept(person: Person, days: int) -> CarrierCallback:
    attempt = factories.CallAttemptFactory.create(
        call__batch__workspace=person.workspace, call__batch__created_by=person.user
    )
    then = timezone.now() - timedelta(days=days)
    return keep_callback(attempt, carrier="twilio", callback=CALLBACK, now=then)


@pytest.mark.django_db
def test_they_are_kept_for_a_month(owner: Person) -> None:
    kept(owner, 31)
    young = kept(owner, 29)
    assert clean_up_carrier_callbacks(0) == 1
    assert CarrierCallback.objects.get().id == young.id


def test_staff_see_what_came_and_cannot_change_it(owner: Person, admin_client: Client) -> None:
    callback = kept(owner, 0)
    path = "/admin/batches/carriercallback/"
    assert "Twilio" in admin_client.get(path).content.decode()
    page = admin_client.get(f"{path}{callback.id}/change/").content.decode()
    assert "CallStatus=\ufffd&lt;b&gt;" in page
    assert 'name="_save"' not in page

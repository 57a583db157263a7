from collections.abc import Iterator
from contextlib import suppress

import pytest
from django.db import InternalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from batches.services.counters import drifts
from calling.models import PhoneNumber
from tests import factories
from tests.cast import Api, Person, person
from workspaces.callers import Role


@pytest.fixture(autouse=True)
def _counters_tell_the_truth(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test did, the counters of every batch equal its calls at the end."""
    if "db" not in request.fixturenames:
        yield
        return
    request.getfixturevalue("db")  # set up before this, so that it is undone after this
    yield
    with suppress(InternalError):  # a test that ends in a broken transaction left nothing behind
        assert list(drifts()) == []


@pytest.fixture(autouse=True)
def _no_job_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a test that commits, Django empties only the tables that it manages: not the queue's."""
    marker = request.node.get_closest_marker("django_db")
    commits = {"transactional_db", "live_server"}.intersection(request.fixturenames)
    if not commits and not (marker and marker.kwargs.get("transaction")):
        yield
        return
    request.getfixturevalue("transactional_db")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")


@pytest.fixture
def owner(db: None) -> Person:
    return person()


@pytest.fixture
def member(owner: Person) -> Person:
    return person(owner.workspace, Role.MEMBER)


@pytest.fixture
def stranger(db: None) -> Person:
    return person()


@pytest.fixture
def phone(owner: Person) -> PhoneNumber:
    number: PhoneNumber = factories.PhoneNumberFactory.create(
        workspace=owner.workspace, created_by=owner.user
    )
    return number


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def staff(db: None) -> Client:
    """A browser that is signed in to the back office."""
    user = factories.UserFactory.create(is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def statements(db: None) -> Iterator[CaptureQueriesContext]:
    """Every statement that the test sends, savepoints and the like included."""
    with CaptureQueriesContext(connection) as captured:
        yield captured

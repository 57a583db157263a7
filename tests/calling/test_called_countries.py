"""The countries that a workspace calls: its own list, or else those of its numbers."""

from django.test.utils import CaptureQueriesContext

from calling.models import PhoneNumber
from tests import factories
from tests.cast import Person


def add_numbers(person: Person, *numbers: str) -> None:
    for number in numbers:
        factories.PhoneNumberFactory.create(
            workspace=person.workspace, created_by=person.user, number=number
        )


def test_a_workspace_calls_the_countries_of_its_numbers(
    owner: Person, stranger: Person, statements: CaptureQueriesContext
) -> None:
    add_numbers(owner, "+12125551234", "+13105552002", "+442079460000", "+80012345678")
    add_numbers(stranger, "+493012345678")
    before = len(statements)
    assert PhoneNumber.objects.called_countries(owner.workspace) == {"US", "GB"}
    assert len(statements) == before + 1


def test_its_own_list_comes_before_its_numbers(
    owner: Person, statements: CaptureQueriesContext
) -> None:
    add_numbers(owner, "+12125551234")
    owner.workspace.called_countries = ["DE"]
    before = len(statements)
    assert PhoneNumber.objects.called_countries(owner.workspace) == {"DE"}
    assert len(statements) == before


def test_without_list_and_numbers_there_is_none(owner: Person) -> None:
    assert PhoneNumber.objects.called_countries(owner.workspace) == frozenset()

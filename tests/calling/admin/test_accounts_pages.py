"""The pages of carrier accounts: how they are, asking the carrier, new credentials."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from calling.admin.states import state_of_account
from calling.carriers.base import CarrierError
from calling.models import CarrierAccount, PhoneNumber
from calling.services.accounts import note_refusal, note_success
from tests import factories
from tests.calling.admin.desk import ACCOUNT, NEW_TOKEN, TOKEN, Desk, browser, page, refusal, tells
from tests.cast import Person
from workspaces.models import AuditEvent, DialSchedule

OTHER_KEYS = ["b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3Q="]  # open nothing
NOW = timezone.now()


@pytest.fixture
def account(desk_phone: PhoneNumber) -> CarrierAccount:
    return CarrierAccount.objects.get()


# --- How it is ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "word", "part"),
    [
        ({}, "well", "takes its calls"),
        ({"failures": 3, "resting_until": NOW + timedelta(hours=1)}, "resting", "3 failures"),
        ({"failures": 1, "resting_until": NOW}, "failing", "1 failure"),
        ({"resting_until": NOW}, "trying again", "fewer requests"),
        ({"last_error": "No.", "last_error_at": NOW}, "refused", "since"),
    ],
)
def test_the_breaker_is_told_in_words(
    leader: Client, account: CarrierAccount, fields: dict[str, Any], word: str, part: str
) -> None:
    CarrierAccount.objects.update(**fields)
    account.refresh_from_db()
    state = state_of_account(account, timezone.now())
    assert state.word == word
    assert part in state.sentence
    assert state.sentence in leader.get(page(account)).content.decode()
    assert word in leader.get(reverse("admin:calling_carrieraccount_changelist")).content.decode()


@pytest.mark.parametrize(
    ("asked", "error"), [(timedelta(seconds=-1), "Refused."), (timedelta(seconds=1), "")]
)
def test_a_success_unsays_the_errors_that_were_before_it(
    account: CarrierAccount, asked: timedelta, error: str
) -> None:
    note_refusal(account.id, "Refused.", now=NOW)
    note_success({account.id: NOW + asked}, now=NOW)
    account.refresh_from_db()
    assert account.last_error == error
    assert (account.last_error_at is None) == (error == "")
    assert DialSchedule.objects.filter(workspace=account.workspace).exists() == (error == "")


def test_an_older_success_still_closes_the_breaker(account: CarrierAccount) -> None:
    CarrierAccount.objects.update(
        failures=2, resting_until=NOW, last_error="Away.", last_error_at=NOW
    )
    note_success({account.id: NOW - timedelta(seconds=1)}, now=NOW)
    account.refresh_from_db()
    assert (account.failures, account.resting_until) == (0, None)
    assert account.last_error == "Away."


# --- Asking the carrier ---------------------------------------------------------------------------


def sentence(response: Any) -> tuple[str, str]:
    [message] = response.context["messages"]
    return message.level_tag, str(message)


def test_a_success_closes_the_breaker(
    leader: Client, owner: Person, account: CarrierAccount, desk: Desk
) -> None:
    CarrierAccount.objects.update(
        failures=3, resting_until=NOW + timedelta(hours=1), last_error="No.", last_error_at=NOW
    )
    response = leader.post(page(account, "test"), follow=True)

    assert sentence(response) == ("success", "Desk takes the credentials.")
    assert desk.seen == [(ACCOUNT, TOKEN, "old key", account.numbers.get().number)]
    account.refresh_from_db()
    assert (account.failures, account.resting_until, account.last_error) == (0, None, "")
    assert account.credentials == {"accSId": ACCOUNT, "authToken": TOKEN, "publicKey": "old key"}
    event = AuditEvent.objects.get(target_id=account.id)
    assert (event.action, event.changes["result"]) == ("carrieraccount.test", "taken")
    assert event.workspace_id == owner.workspace.id
    assert not tells(response.content.decode())
    assert not tells(event.changes)


@pytest.mark.parametrize(
    ("error", "part", "last_error"),
    [
        (refusal(), "Desk: The carrier says no.", "The carrier says no."),
        (refusal("phoneNumber", "number_not_owned"), "It was asked about +1", ""),
        (CarrierError("Not now.", permanent=False), "Desk could not be asked: Not now.", ""),
        (TimeoutError(), "did not answer in time", ""),
    ],
    ids=["refused", "number", "away", "late"],
)
def test_what_it_says_is_told_and_kept_if_it_is_of_the_account(
    leader: Client,
    account: CarrierAccount,
    desk: Desk,
    error: Exception,
    part: str,
    last_error: str,
) -> None:
    desk.error = error
    response = leader.post(page(account, "test"), follow=True)
    level, text = sentence(response)
    assert level == "error"
    assert part in text
    account.refresh_from_db()
    assert (account.last_error, account.failures) == (last_error, 0)
    assert AuditEvent.objects.get(target_id=account.id).changes["result"] != "taken"


@pytest.mark.django_db(transaction=True)
def test_it_is_asked_outside_of_any_transaction(owner: Person, desk_phone: PhoneNumber) -> None:
    account = CarrierAccount.objects.get()
    leader = browser(owner)
    assert leader.post(page(account, "test")).status_code == 302
    assert leader.post(page(account, "renew"), {"auth_token": NEW_TOKEN}).status_code == 302


def test_looking_asks_nobody(leader: Client, account: CarrierAccount, desk: Desk) -> None:
    for verb in ("change", "test", "renew"):
        assert leader.get(page(account, verb)).status_code == 200
    assert desk.seen == []
    assert not AuditEvent.objects.filter(target_id=account.id).exists()


def test_credentials_that_cannot_be_read_are_said_to_be(
    leader: Client, account: CarrierAccount, desk: Desk, settings: Settings
) -> None:
    settings.ENCRYPTION_KEYS = OTHER_KEYS
    response = leader.post(page(account, "test"), follow=True)
    assert "cannot be decrypted" in sentence(response)[1]
    assert desk.seen == []


@pytest.mark.parametrize("verb", ["test", "renew"])
def test_only_who_leads_asks(
    reader: Client, outsider: Client, account: CarrierAccount, desk: Desk, verb: str
) -> None:
    for client, status in ((reader, 403), (outsider, 404)):
        assert client.get(page(account, verb)).status_code == status
        assert client.post(page(account, verb), {"auth_token": "x"}).status_code == status
    text = reader.get(page(account)).content.decode()
    assert page(account, verb) not in text
    assert desk.seen == []


# --- New credentials ------------------------------------------------------------------------------


def test_a_new_token_is_verified_and_then_replaces_the_old_one(
    leader: Client, account: CarrierAccount, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    note_refusal(account.id, "No.", now=NOW)
    number = account.numbers.get().number
    response = leader.post(page(account, "renew"), {"auth_token": NEW_TOKEN}, follow=True)

    assert sentence(response)[0] == "success"
    assert desk.seen == [(ACCOUNT, NEW_TOKEN, "old key", number)]
    stored = CarrierAccount.objects.get()
    assert stored.credentials == {
        "accSId": ACCOUNT,
        "authToken": NEW_TOKEN,
        "publicKey": "old key",
    }
    assert (stored.last_error, bytes(stored.digest)) == ("", bytes(account.digest))
    event = AuditEvent.objects.get(target_id=account.id)
    assert event.action == "carrieraccount.renew"
    log = capsys.readouterr()
    assert not tells([event.changes, response.content.decode(), log.out, log.err])


def test_a_token_that_is_refused_changes_nothing(
    leader: Client, account: CarrierAccount, desk: Desk
) -> None:
    desk.error = refusal()
    response = leader.post(page(account, "renew"), {"auth_token": NEW_TOKEN})
    assert response.context["form"].errors["auth_token"] == ["The carrier says no."]
    assert not tells(response.content.decode())
    account.refresh_from_db()
    assert account.credentials["authToken"] == TOKEN
    assert not AuditEvent.objects.filter(target_id=account.id).exists()


def test_what_cannot_be_read_is_mended_by_the_same_account_only(
    leader: Client, account: CarrierAccount, desk: Desk, settings: Settings
) -> None:
    settings.ENCRYPTION_KEYS = OTHER_KEYS
    url = page(account, "renew")
    assert 'name="account_id"' in leader.get(url).content.decode()
    other = leader.post(url, {"account_id": "AC-other", "auth_token": NEW_TOKEN})
    assert other.context["form"].errors["account_id"]
    assert desk.seen == []
    mended = leader.post(url, {"account_id": ACCOUNT, "auth_token": NEW_TOKEN})
    assert mended.status_code == 302
    stored = CarrierAccount.objects.get().credentials
    assert (stored["accSId"], stored["authToken"]) == (ACCOUNT, NEW_TOKEN)


def test_the_page_of_an_account_shows_its_numbers_and_no_others(
    leader: Client, owner: Person, account: CarrierAccount
) -> None:
    other = factories.PhoneNumberFactory.create(workspace=owner.workspace, created_by=owner.user)
    text = leader.get(page(account)).content.decode()
    assert account.numbers.get().number in text
    assert other.number not in text

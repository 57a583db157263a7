"""Encrypted fields, their keys, and `manage.py reencrypt`."""

import io
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from calling.models import CarrierAccount
from config.settings.base import encryption_keys
from tests import factories
from workspaces.encryption import DecryptionFailed, reencrypted
from workspaces.management.commands import reencrypt

FIRST, SECOND, THIRD = (urlsafe_b64encode(letter * 32).decode() for letter in (b"1", b"2", b"3"))
SECRET = {"accSId": "AC-secret", "authToken": "token-secret", "more": [1, None, "ü"]}


@pytest.fixture(autouse=True)
def _keys(settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = [FIRST]


def account(**fields: Any) -> CarrierAccount:
    made: CarrierAccount = factories.CarrierAccountFactory.create(
        **{"credentials": SECRET, **fields}
    )
    return made


def credentials(row: CarrierAccount) -> Any:
    return CarrierAccount.objects.get(id=row.id).credentials


def stored(row: CarrierAccount) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT credentials FROM calling_carrieraccount WHERE id = %s", [bytes.fromhex(row.id)]
        )
        [(value,)] = cursor.fetchall()
    return bytes(value)


# --- The field ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [SECRET, {}, [], "", "text", 0, False, {"a": {"b": [1.5]}}])
def test_what_is_written_is_read(db: None, value: Any) -> None:
    row = account(credentials=value)
    assert credentials(row) == value
    assert CarrierAccount.objects.values_list("credentials", flat=True).get() == value
    CarrierAccount.objects.update(credentials={"new": value})
    assert credentials(row) == {"new": value}


def test_what_is_stored_does_not_contain_the_secret(db: None) -> None:
    first, second = account(), account()
    for row in (first, second):
        assert b"secret" not in stored(row)
        assert b"accSId" not in stored(row)
    assert stored(first) != stored(second)  # the same secret twice does not look the same


def test_another_key_opens_nothing_and_says_so(db: None, settings: Settings) -> None:
    row = account()
    settings.ENCRYPTION_KEYS = [SECOND]
    with pytest.raises(DecryptionFailed, match=r"CarrierAccount\.credentials") as caught:
        credentials(row)
    assert SECOND not in str(caught.value)
    assert caught.value.__suppress_context__


def test_what_was_tampered_with_does_not_open(db: None) -> None:
    row = account()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE calling_carrieraccount SET credentials = set_byte(credentials, 40, 65)"
            " WHERE get_byte(credentials, 40) <> 65"
        )
        changed = cursor.rowcount
        if not changed:
            cursor.execute(
                "UPDATE calling_carrieraccount SET credentials = set_byte(credentials, 40, 66)"
            )
    with pytest.raises(DecryptionFailed):
        credentials(row)


def test_an_older_key_still_opens_and_the_first_writes(db: None, settings: Settings) -> None:
    old = account()
    settings.ENCRYPTION_KEYS = [SECOND, FIRST]
    new = account()
    assert credentials(old) == credentials(new) == SECRET
    settings.ENCRYPTION_KEYS = [SECOND]
    assert credentials(new) == SECRET
    with pytest.raises(DecryptionFailed):
        credentials(old)


def test_who_does_not_ask_for_the_secret_does_not_open_it(db: None, settings: Settings) -> None:
    row = account()
    settings.ENCRYPTION_KEYS = [SECOND]
    [found] = CarrierAccount.objects.defer("credentials")
    assert found.carrier == row.carrier
    with pytest.raises(DecryptionFailed):
        _ = found.credentials


# --- The setting ----------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [[FIRST], [FIRST, SECOND]], ids=["one", "two"])
def test_keys_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, keys: list[str]
) -> None:
    monkeypatch.setenv("ENCRYPTION_KEYS", ", ".join(keys))
    assert encryption_keys() == keys


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", "short", "ü" * 44, FIRST[:-2], f"1:{FIRST}"),
        *(f"{FIRST},short", f"{FIRST}{SECOND}", f"{FIRST} {SECOND}", f"{FIRST},"),
    ],
)
def test_what_is_no_key_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("ENCRYPTION_KEYS", text)
    with pytest.raises(ImproperlyConfigured, match="ENCRYPTION_KEYS must be") as caught:
        encryption_keys()
    assert FIRST not in str(caught.value)


def test_production_does_not_start_without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENCRYPTION_KEYS", raising=False)
    with pytest.raises(ImproperlyConfigured, match="ENCRYPTION_KEYS"):
        encryption_keys()


# --- The command ----------------------------------------------------------------------------------


def run() -> str:
    out = io.StringIO()
    call_command("reencrypt", stdout=out, stderr=out)
    return out.getvalue()


def test_everything_comes_under_the_first_key(db: None, settings: Settings) -> None:
    old = [account() for _ in range(3)]
    settings.ENCRYPTION_KEYS = [SECOND, FIRST]
    new = account()
    before = stored(new)

    assert run().startswith(
        "calling.CarrierAccount.credentials: 3 re-encrypted, 1 were under the first key,"
        " 0 open with no key\n"
    )

    settings.ENCRYPTION_KEYS = [SECOND]
    assert all(credentials(row) == SECRET for row in [*old, new])
    assert stored(new) == before
    assert "0 re-encrypted, 4 were under the first key" in run()


def test_nothing_else_of_a_row_changes(db: None, settings: Settings) -> None:
    row = account()
    before = CarrierAccount.objects.defer("credentials").values("id", "updated_at", "digest").get()
    settings.ENCRYPTION_KEYS = [SECOND, FIRST]
    run()
    after = CarrierAccount.objects.defer("credentials").values("id", "updated_at", "digest").get()
    assert after == before
    assert credentials(row) == SECRET


def test_it_goes_through_many_rows_a_few_at_a_time(
    db: None,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    statements: CaptureQueriesContext,
) -> None:
    """Pages of 2, 2 and 1, an empty one, and an UPDATE a row."""
    monkeypatch.setattr(reencrypt, "ROWS_AT_A_TIME", 2)
    rows = [account() for _ in range(5)]
    settings.ENCRYPTION_KEYS = [SECOND, FIRST]
    before = len(statements)
    assert "5 re-encrypted" in run()
    assert len(statements) - before == 4 + 5 + 2  # two more columns, both without a row
    settings.ENCRYPTION_KEYS = [SECOND]
    assert all(credentials(row) == SECRET for row in rows)


def test_what_opens_with_no_key_is_named_and_left_alone(db: None, settings: Settings) -> None:
    lost, kept = account(), account()
    settings.ENCRYPTION_KEYS = [THIRD]
    CarrierAccount.objects.filter(id=kept.id).update(credentials=SECRET)
    before = stored(lost)
    settings.ENCRYPTION_KEYS = [SECOND, THIRD]
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"^1 secrets open with none of ENCRYPTION_KEYS\.$"):
        call_command("reencrypt", stdout=out, stderr=out)
    assert f"calling.CarrierAccount {lost.id} opens with no key" in out.getvalue()
    assert "1 re-encrypted" in out.getvalue()
    assert stored(lost) == before
    assert credentials(kept) == SECRET


def test_what_is_written_meanwhile_is_not_overwritten(
    db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = account()
    settings.ENCRYPTION_KEYS = [SECOND, FIRST]

    def slowly(value: bytes) -> bytes | None:
        CarrierAccount.objects.update(credentials={"authToken": "newer"})
        return reencrypted(value)

    monkeypatch.setattr(reencrypt, "reencrypted", slowly)
    assert "0 re-encrypted, 1 were under the first key" in run()
    assert credentials(row) == {"authToken": "newer"}

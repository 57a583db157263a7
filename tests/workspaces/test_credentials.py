"""The secrets of keys and tokens: how they are made, told apart, compared and kept to themselves."""

import hmac
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from tests import factories
from tests.cast import Api, Person
from workspaces.credentials import (
    CREDENTIAL_IN_TEXT,
    CredentialPrefix,
    StoredSecret,
    matches,
    mint,
    public_id_of,
)
from workspaces.models import AccessToken, ApiKey

every_prefix = pytest.mark.parametrize("prefix", CredentialPrefix)
ALPHANUMERIC = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@every_prefix
def test_a_new_credential_has_its_shape(prefix: CredentialPrefix) -> None:
    text, secret = mint(prefix)
    assert re.fullmatch(rf"{prefix}_[0-9A-Za-z]{{12}}_[0-9A-Za-z]{{38}}", text)
    assert text.split("_")[2] == secret.public_id
    assert public_id_of(text, prefix) == secret.public_id
    assert len(secret.digest) == 32


@every_prefix
def test_a_credential_matches_itself_and_no_other(prefix: CredentialPrefix) -> None:
    (text, secret), (other_text, other_secret) = mint(prefix), mint(prefix)
    assert matches(text, secret)
    assert not matches(other_text, secret)
    assert not matches(text, other_secret)
    assert not matches("", secret)


def test_no_two_credentials_share_a_part() -> None:
    texts = [mint(CredentialPrefix.API_KEY)[0] for _ in range(200)]
    for position in (2, 3):
        assert len({text.split("_")[position] for text in texts}) == 200


def test_a_key_is_no_token_and_a_token_is_no_key() -> None:
    key, _ = mint(CredentialPrefix.API_KEY)
    token, _ = mint(CredentialPrefix.ACCESS_TOKEN)
    assert public_id_of(key, CredentialPrefix.ACCESS_TOKEN) is None
    assert public_id_of(token, CredentialPrefix.API_KEY) is None


@given(position=st.integers(9, 58), letter=st.sampled_from(ALPHANUMERIC))
def test_one_wrong_character_is_seen_by_the_checksum(position: int, letter: str) -> None:
    text, _ = mint(CredentialPrefix.API_KEY)
    mistyped = text[:position] + letter + text[position + 1 :]
    known = public_id_of(mistyped, CredentialPrefix.API_KEY)
    assert (known is None) is (mistyped != text)


@given(text=st.text(max_size=80) | st.text(ALPHANUMERIC, min_size=51, max_size=51))
def test_any_other_text_is_none(text: str) -> None:
    for prefix in CredentialPrefix:
        assert public_id_of(text, prefix) is None
        assert public_id_of(f"{prefix}_{text}", prefix) is None


@every_prefix
def test_space_around_a_credential_is_not_forgiven(prefix: CredentialPrefix) -> None:
    text, _ = mint(prefix)
    for changed in (f" {text}", f"{text} ", f"{text}\n", text.upper(), text + text[-1]):
        assert public_id_of(changed, prefix) is None


# --- Peppers --------------------------------------------------------------------------------------


def test_the_newest_pepper_is_used_and_the_old_ones_go_on(settings: Settings) -> None:
    settings.CREDENTIAL_PEPPERS = {1: "first" * 10}
    old_text, old = mint(CredentialPrefix.API_KEY)
    settings.CREDENTIAL_PEPPERS = {1: "first" * 10, 2: "second" * 10}
    new_text, new = mint(CredentialPrefix.API_KEY)

    assert (old.pepper, new.pepper) == (1, 2)
    assert matches(old_text, old)
    assert matches(new_text, new)


def test_a_withdrawn_pepper_ends_its_credentials_over_http(
    api: Api, owner: Person, settings: Settings
) -> None:
    assert api.get("/api/auth/me", owner.with_key).status_code == 200
    assert set(ApiKey.objects.values_list("pepper", flat=True)) == {2}
    settings.CREDENTIAL_PEPPERS = {3: "another" * 10}
    for headers in (owner.with_key, owner.with_token):
        assert api.get("/api/auth/me", headers).status_code == 401


def test_a_changed_pepper_fits_nothing(settings: Settings) -> None:
    text, secret = mint(CredentialPrefix.API_KEY)
    settings.CREDENTIAL_PEPPERS = {secret.pepper: "tampered" * 10}
    assert not matches(text, secret)


def test_the_digest_depends_on_the_pepper_and_on_every_part(settings: Settings) -> None:
    text, secret = mint(CredentialPrefix.API_KEY)
    pepper = settings.CREDENTIAL_PEPPERS[secret.pepper]
    assert secret.digest == hmac.digest(pepper.encode(), text.encode(), "sha256")


def test_an_unknown_credential_costs_the_work_of_a_wrong_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text, secret = mint(CredentialPrefix.API_KEY)
    wrong, _ = mint(CredentialPrefix.API_KEY)
    work: list[Any] = []
    digest, compare = hmac.digest, hmac.compare_digest

    def counted_digest(*arguments: Any) -> bytes:
        work.append(("digest", arguments[0], len(arguments[1])))
        return digest(*arguments)

    def counted_compare(one: bytes, other: bytes) -> bool:
        work.append(("compare", len(one), len(other)))
        return compare(one, other)

    monkeypatch.setattr(hmac, "digest", counted_digest)
    monkeypatch.setattr(hmac, "compare_digest", counted_compare)
    costs = []
    for candidate, stored in ((wrong, None), (wrong, secret), (text, secret)):
        work.clear()
        matches(candidate, stored)
        costs.append(list(work))
    assert costs[0] == costs[1] == costs[2]
    assert len(costs[0]) == 2


def test_no_secret_matches_the_placeholder_of_an_unknown_one() -> None:
    text, secret = mint(CredentialPrefix.API_KEY)
    assert not matches(text, None)
    assert not matches(text, StoredSecret(secret.public_id, bytes(32), secret.pepper))


# --- Discretion -----------------------------------------------------------------------------------


def test_a_row_never_shows_its_secret(db: None) -> None:
    user = factories.UserFactory.create()
    key = factories.ApiKeyFactory.create(created_by=user)
    token = factories.AccessTokenFactory.create(user=user)
    for text, row in (
        (key.text, ApiKey.objects.get()),
        (token.text, AccessToken.objects.get()),
    ):
        shown = f"{row} {row!r} {row.prefix} {row.__dict__}"
        assert text not in shown
        assert text.rpartition("_")[2] not in shown
        assert row.prefix == text.rpartition("_")[0]
        assert matches(text, row.stored_secret)


@every_prefix
def test_logs_recognise_a_credential_wherever_it_stands(prefix: CredentialPrefix) -> None:
    text, secret = mint(prefix)
    for around in (text, f"key={text}!", f"'{text}'", text[:-5], f"x{text}"):
        assert secret.public_id not in CREDENTIAL_IN_TEXT.sub("", around)

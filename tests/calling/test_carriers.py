"""Carriers: the simulator, the registry, and credentials that do not show."""

import asyncio
from dataclasses import FrozenInstanceError

import pytest

from calling.carriers.base import CarrierError, Credentials
from calling.carriers.registry import CARRIERS
from calling.carriers.simulator import Simulator

NUMBER = "+12125551234"


def verify(token: str, number: str = NUMBER) -> None:
    asyncio.run(Simulator().verify_credentials(Credentials("AC1", token), number))


@pytest.mark.parametrize("number", [NUMBER, "+442079460100", "+80012345678"])
def test_the_simulator_owns_every_number(number: str) -> None:
    verify("any token", number)


@pytest.mark.parametrize("token", ["Refused", "refused ", "refused!", "x"])
def test_the_simulator_refuses_one_token_only(token: str) -> None:
    verify(token)
    with pytest.raises(CarrierError) as caught:
        verify("refused")
    error = caught.value
    assert (error.field, error.code, error.permanent) == ("authToken", "credentials_refused", True)
    assert "refused" not in error.message
    assert str(error) == error.message


def test_every_carrier_that_a_number_may_have_is_there() -> None:
    assert set(CARRIERS) == {"plivo", "twilio", "telnyx", "simulator"}


def test_credentials_do_not_show() -> None:
    credentials = Credentials("AC-very-secret", "token-very-secret")
    for text in (repr(credentials), str(credentials), f"{credentials}", f"{[credentials]}"):
        assert "very-secret" not in text
    with pytest.raises(FrozenInstanceError):
        credentials.auth_token = "x"  # type: ignore[misc]

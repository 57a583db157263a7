from typing import Any

import pytest
from django.core.checks import ERROR

from config.checks import (
    address_for_callbacks,
    carriers_that_call_back,
    https_behind_a_proxy,
    mail_that_arrives,
    times_of_the_dialer,
)


@pytest.mark.parametrize(
    ("redirect", "proxies", "warnings"),
    [(True, 0, ["outdial.W001"]), (True, 1, []), (False, 0, []), (False, 1, [])],
)
def test_a_redirect_to_https_wants_a_trusted_proxy(
    settings: Any, redirect: bool, proxies: int, warnings: list[str]
) -> None:
    settings.SECURE_SSL_REDIRECT = redirect
    settings.TRUSTED_PROXY_COUNT = proxies
    assert [warning.id for warning in https_behind_a_proxy()] == warnings


@pytest.mark.parametrize(
    ("backend", "warnings"), [("dummy", ["outdial.W002"]), ("smtp", []), ("console", [])]
)
def test_mails_that_go_nowhere_are_said(settings: Any, backend: str, warnings: list[str]) -> None:
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{backend}.EmailBackend"
    assert [warning.id for warning in mail_that_arrives()] == warnings


@pytest.mark.parametrize(("base", "warnings"), [("", ["outdial.W003"]), ("https://x.example", [])])
def test_carriers_that_cannot_call_back_are_said(
    settings: Any, base: str, warnings: list[str]
) -> None:
    settings.PUBLIC_BASE_URL = base
    assert [warning.id for warning in carriers_that_call_back()] == warnings


def test_the_times_as_they_come_are_good() -> None:
    assert times_of_the_dialer() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UNSURE_LOOKUP_SECONDS", []),
        ("UNSURE_LOOKUP_SECONDS", [0.0, 5.0, 5.0]),
        ("UNSURE_LOOKUP_SECONDS", [5.0, 0.0]),
        ("UNSURE_LOOKUP_SECONDS", [-1.0, 5.0]),
        ("UNSURE_LOOKUP_SECONDS", [0.0, float("inf")]),
        ("UNSURE_LOOKUP_SECONDS", [0.0, float("nan")]),
        ("DIALER_LEASE_SECONDS", 1.9),
        ("DIALER_LEASE_SECONDS", float("nan")),
        ("DIALER_STOP_SECONDS", 0.5),
        ("CALLBACK_PATIENCE_SECONDS", 0.0),
        ("SIMULATOR_TIME_SCALE", -1.0),
    ],
)
def test_a_time_that_the_dialer_cannot_work_with_is_an_error(
    settings: Any, name: str, value: Any
) -> None:
    setattr(settings, name, value)
    [error] = times_of_the_dialer()
    assert (error.id, error.level) == ("outdial.E001", ERROR)
    assert name in error.msg


@pytest.mark.parametrize("good", ["", "https://outdial.example", "http://127.0.0.1:8000/outdial/"])
def test_an_address_for_callbacks(settings: Any, good: str) -> None:
    settings.PUBLIC_BASE_URL = good
    assert address_for_callbacks() == []


@pytest.mark.parametrize(
    "bad",
    [
        *("outdial.example", "ftp://outdial.example", "https://", "https://x.example:port"),
        *("https://x.example?a=b", "https://x.example#a", "https://a@x.example", "https://[x"),
    ],
)
def test_an_address_that_carriers_cannot_use_is_an_error(settings: Any, bad: str) -> None:
    settings.PUBLIC_BASE_URL = bad
    [error] = address_for_callbacks()
    assert (error.id, error.level) == ("outdial.E002", ERROR)

from typing import Any

import pytest

from config.checks import https_behind_a_proxy, mail_that_arrives


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

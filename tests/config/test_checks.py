from typing import Any

import pytest

from config.checks import https_behind_a_proxy


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

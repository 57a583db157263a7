"""axe-core reads every main page, as does whoever has no mouse."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage
from pytest_django.live_server_helper import LiveServer

from tests.browser.back_office import LOOKS, PAGES, Look, sign_in
from tests.browser.showcase import showcase

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.django_db(transaction=True),
]
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_axe_finds_nothing_serious(browser: Browser, live_server: LiveServer, look: Look) -> None:
    shown = showcase()
    context = look.context(browser, live_server.url)
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.extend(_error(message)))
    page.on("pageerror", lambda error: errors.extend([str(error)]))
    page.goto("/admin/login/")
    found = {"sign-in": _serious(Axe().run(page, options=RULES).response)}
    sign_in(page)
    too_wide = []
    for name, address in PAGES.items():
        page.goto(address(shown))
        page.wait_for_load_state("networkidle")
        found[name] = _serious(Axe().run(page, options=RULES).response)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
            too_wide.append(name)
    context.close()
    assert {name: problems for name, problems in found.items() if problems} == {}
    assert too_wide == []
    assert errors == []


def _error(message: ConsoleMessage) -> list[str]:
    return [f"{message.text} {message.location}"] if message.type == "error" else []


def _serious(response: dict) -> list[str]:  # type: ignore[type-arg]
    return [
        f"{one['id']}: {node['target']} {node['failureSummary'][:200]}"
        for one in response["violations"]
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"][:3]
    ]

"""The switch between live and sandbox, by keyboard, and its banner, for every eye."""

import os
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from calling.models import PhoneNumber
from tests import factories
from tests.browser.back_office import LOOKS, Look, sign_in
from tests.browser.showcase import Showcase, showcase
from tests.browser.test_accessibility import RULES, _serious

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.django_db(transaction=True),
]
BANNER = "Nothing here is live"


def furnish(shown: Showcase) -> PhoneNumber:
    sandbox = factories.SandboxFactory.create(
        sandbox_of=shown.workspace, name=f"{shown.workspace} (sandbox)"
    )
    phone: PhoneNumber = factories.PhoneNumberFactory.create(
        workspace=sandbox, created_by=shown.viewer, number="+12125550100", label="Sandbox"
    )
    return phone


def press(page: Page, name: str) -> None:
    """A button of the switch, with the keyboard."""
    button = page.get_by_role("button", name=name, exact=True)
    if not button.is_visible():  # the navigation is folded away on a phone
        page.locator("span.material-symbols-outlined", has_text="dock_to_right").last.click()
    button.focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.wait_for_load_state("networkidle")


def look_at(page: Page, name: str) -> dict[str, list[str]]:
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")
    found = _serious(Axe().run(page, options=RULES).response)
    is_too_wide = page.evaluate("document.documentElement.scrollWidth > innerWidth + 1")
    return {name: [*found, *(["too wide"] if is_too_wide else [])]}


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_nobody_mistakes_the_sandbox_for_what_is_live(
    browser: Browser, live_server: LiveServer, look: Look
) -> None:
    shown = showcase()
    phone = furnish(shown)
    context = look.context(browser, live_server.url)
    page = context.new_page()
    sign_in(page)
    expect(page.get_by_text(BANNER)).to_have_count(0)
    found = look_at(page, f"sandbox-off-{look.name}")

    press(page, "Sandbox")
    for name, address in (
        ("home", "/admin/"),
        ("numbers", "/admin/calling/phonenumber/"),
        ("workspace", f"/admin/workspaces/workspace/{phone.workspace_id}/change/"),
    ):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        expect(page.get_by_text(BANNER)).to_be_visible()
        expect(page.get_by_text("Spring renewal reminders")).to_have_count(0)
        found |= look_at(page, f"sandbox-{name}-{look.name}")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.get_by_text(BANNER)).to_be_in_viewport()

    page.get_by_role("button", name="Back to live").press("Enter")
    expect(page.get_by_text(BANNER)).to_have_count(0)
    context.close()
    assert {name: problems for name, problems in found.items() if problems} == {}

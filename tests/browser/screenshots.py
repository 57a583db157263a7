"""`make screenshots`: every main page, light, dark and narrow, into the folder SCREENSHOTS."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from tests.browser.back_office import LOOKS, PAGES, Look, sign_in
from tests.browser.showcase import showcase

FOLDER = Path(os.environ.get("SCREENSHOTS", "screenshots"))

README = ("home", "batch")  # docs/images: what one sees without scrolling


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_screenshots(browser: Browser, live_server: LiveServer, look: Look) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    shown = showcase()
    context = look.context(browser, live_server.url)
    page = context.new_page()
    page.goto("/admin/login/")
    page.screenshot(path=FOLDER / f"sign-in-{look.name}.png")
    sign_in(page)
    for name, address in PAGES.items():
        page.goto(address(shown))
        page.wait_for_load_state("networkidle")
        page.screenshot(path=FOLDER / f"{name}-{look.name}.png", full_page=True)
        if name in README and look.name == "light":
            page.screenshot(path=FOLDER / f"readme-{name}.png")
        print(f"{FOLDER / name}-{look.name}.png")
    context.close()

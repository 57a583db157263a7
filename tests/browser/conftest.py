"""A real browser: Debian's Chromium, driven by Playwright, against a live server."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


# Not longer than this folder's tests: Playwright runs an event loop in this thread, in which
# Django sees asynchronous code and no other test could start a loop of its own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    found = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    chromium = os.environ.get("CHROMIUM") or next(found, None)
    assert chromium, "These tests need Chromium: install it, or name it in CHROMIUM."
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def outside(browser: Browser) -> list[str]:
    """The addresses that a page asked for on other hosts."""
    return []


@pytest.fixture
def page(browser: Browser, live_server: LiveServer, outside: list[str]) -> Iterator[Page]:
    context = browser.new_context(base_url=live_server.url)
    page = context.new_page()

    def note(url: str) -> None:
        if not url.startswith((live_server.url, "data:", "blob:")):
            outside.append(url)

    page.on("request", lambda request: note(request.url))
    yield page
    context.close()

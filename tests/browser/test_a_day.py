"""A day in the back office, against the whole stack: web server, worker, dialer, simulator."""

import csv
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.back_office import sign_in
from tests.local.running_stack import RunningStack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SPEED = {"SIMULATOR_TIME_SCALE": "0.1", "CALLBACK_PATIENCE_SECONDS": "5"}
HEADER = ["phoneNumber", "name", "account_id"]
GOOD = [[f"1310555{2000 + 10 * row}", f"Customer {row}", f"A-{row}"] for row in range(6)]
BAD = [["12", "Nobody", "A-7"], ["13105552990", "", "A-8"]]
FIXED = [["13105552980", "Somebody", "A-7"], ["13105552990", "Late name", "A-8"]]
MANY = 20_000  # milliseconds, for what a worker or a dialer does


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[RunningStack]:
    with RunningStack(tmp_path / "data", variables=SPEED) as running:
        yield running.wait_ready()


@pytest.fixture
def page(browser: Browser, stack: RunningStack, outside: list[str]) -> Iterator[Page]:
    url = f"http://127.0.0.1:{stack.port}"
    context = browser.new_context(base_url=url, timezone_id="America/New_York")
    page = context.new_page()
    page.on(
        "request", lambda asked: None if asked.url.startswith(url) else outside.append(asked.url)
    )
    yield page
    context.close()


def demo_of(stack: RunningStack) -> Any:
    return json.loads((stack.data / "demo.json").read_text())


def write(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


def open_page(page: Page, name: str) -> None:
    page.locator("#nav-sidebar").get_by_role("link", name=name, exact=True).click()


def fact(page: Page, name: str) -> Any:
    return page.locator("dl > div", has=page.locator("dt", has_text=name)).locator("dd").first


def make_key(page: Page) -> str:
    open_page(page, "API access")
    page.get_by_role("link", name="Add API key").first.click()
    page.get_by_label("Name").fill("For the CRM")
    page.get_by_role("button", name="Create the key").click()
    return page.get_by_label("The key", exact=True).input_value()


def make_batch(page: Page, name: str) -> None:
    open_page(page, "Batches")
    page.get_by_role("link", name="Add call batch").first.click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("+12125550100").check()
    page.get_by_role("button", name="Create the batch").click()
    expect(page.get_by_text("Draft").first).to_be_visible()


def upload(page: Page, file: Path) -> None:
    page.get_by_role("link", name="Upload contacts").first.click()
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Look at the file").click()


def test_a_day(page: Page, stack: RunningStack, outside: list[str], tmp_path: Path) -> None:
    demo = demo_of(stack)
    ours, others = demo["workspaces"]
    sign_in(page, ours["email"], ours["password"])

    key = make_key(page)
    asked = urllib.request.Request(f"{demo['baseUrl']}/api/auth/me", headers={"x-api-key": key})
    with urllib.request.urlopen(asked) as response:
        assert json.loads(response.read())["data"]["workspace"]["_id"] == ours["workspaceId"]

    make_batch(page, "Renewals")
    batch_page = page.url
    upload(page, write(tmp_path / "contacts.csv", [*GOOD, *BAD]))
    expect(page.get_by_text("Download the rows that failed")).to_be_visible(timeout=MANY)
    assert fact(page, "Invalid rows").inner_text() == "2"
    with page.expect_download() as failed:
        page.get_by_text("Download the rows that failed").click()
    rows = list(csv.reader(failed.value.path().read_text().splitlines()))
    assert len(rows) == 1 + len(BAD)
    page.get_by_role("link", name="Another file").click()
    page.locator("input[type=file]").set_input_files(write(tmp_path / "fixed.csv", [*GOOD, *FIXED]))
    page.get_by_role("button", name="Look at the file").click()
    page.get_by_role("button", name="Import 8 contacts").click(timeout=MANY)
    page.get_by_role("link", name="Go to the batch").click(timeout=MANY)

    page.get_by_role("link", name="Start").first.click()
    page.get_by_role("button", name="Start the batch").click()
    expect(page.get_by_text("8 of 8 calls done")).to_be_visible(timeout=60_000)

    with page.expect_download() as exported:
        page.get_by_role("link", name="Export CSV").click()
    assert len(exported.value.path().read_text().splitlines()) == 9

    page.get_by_role("link", name="+13105552000").first.click()
    expect(page.get_by_text("Answered").first).to_be_visible()
    page.get_by_role("link", name="Do not call again").click()
    page.get_by_role("button", name="Put it on the list").click()
    open_page(page, "Do not call")
    expect(page.get_by_text("+13105552000").first).to_be_visible()

    kill_and_release(page)
    assert outside == []
    stranger_sees_nothing(page, others, batch_page)


def kill_and_release(page: Page) -> None:
    open_page(page, "Workspaces")
    page.get_by_role("link", name="Acme Outreach").first.click()
    page.get_by_role("link", name="Kill switch").click()
    page.get_by_label("Reason").fill("A wrong list was uploaded")
    page.get_by_role("button", name="Throw the kill switch").click()
    expect(page.get_by_role("heading", name="The kill switch is on")).to_be_visible()
    switched_page = page.url
    open_page(page, "Home")
    expect(page.get_by_text("A wrong list was uploaded").first).to_be_visible()
    page.goto(switched_page)
    page.get_by_role("link", name="Release the kill switch").first.click()
    page.get_by_role("button", name="Release the kill switch").click()
    expect(page.get_by_role("heading", name="The kill switch is on")).to_have_count(0)


def stranger_sees_nothing(page: Page, who: Any, batch_page: str) -> None:
    page.context.clear_cookies()
    sign_in(page, who["email"], who["password"])
    for name in ("Batches", "Calls", "Do not call", "Phone numbers", "API access", "Audit log"):
        open_page(page, name)
        text = page.locator("#content").inner_text()
        assert "Renewals" not in text
        assert "+1310555" not in text
        assert "Acme" not in text
    response = page.goto(batch_page)
    assert response is not None
    assert "Renewals" not in page.locator("body").inner_text()

import json
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django import Settings

from batches.models import CallBatch
from config.demo import seed
from tests import factories
from tests.cast import person

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_create_batch_works_from_the_swagger_page(page: Page, outside: list[str]) -> None:
    owner = person()
    phone = factories.PhoneNumberFactory.create(workspace=owner.workspace)
    page.goto("/api/docs")
    page.locator("button.authorize").first.click()
    key = page.locator(".auth-container", has_text="x-api-key")
    key.locator("input").fill(owner.key)
    key.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close").first.click()

    operation = page.locator("#operations-Batches-createBatch")
    operation.locator(".opblock-summary").click()
    operation.get_by_role("button", name="Try it out").click()
    editor = operation.locator("textarea.body-param__text")
    request = json.loads(editor.input_value())
    assert request["batchName"] == "API Campaign May 2025"
    editor.fill(json.dumps({**request, "callingNumbers": [phone.id]}))
    operation.get_by_role("button", name="Execute").click()

    answer = operation.locator(".live-responses-table")
    expect(answer.locator(".response-col_status").last).to_contain_text("201")
    assert CallBatch.objects.get().name == "API Campaign May 2025"
    assert outside == []


def test_beside_demo_data_the_key_is_filled_in_and_an_example_runs(
    page: Page, outside: list[str], settings: Settings, tmp_path: Path
) -> None:
    settings.DEMO_FILE = tmp_path / "demo.json"
    workspace = seed(path=settings.DEMO_FILE, base_url="", now=timezone.now())["workspaces"][0]
    page.goto("/api/docs")
    operation = page.locator("#operations-Batches-createBatch")
    operation.locator(".opblock-summary").click()
    operation.get_by_role("button", name="Try it out").click()
    expect(operation.locator("textarea.body-param__text")).to_contain_text(workspace["phoneIds"][0])
    operation.get_by_role("button", name="Execute").click()

    answer = operation.locator(".live-responses-table")
    expect(answer.locator(".response-col_status").last).to_contain_text("201")
    operation = page.locator("#operations-Batches-listBatches")
    operation.locator(".opblock-summary").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table")
    expect(answer.locator(".response-col_status").last).to_contain_text("200")
    assert outside == []


def test_redoc_shows_the_api_without_any_outside_host(page: Page, outside: list[str]) -> None:
    page.goto("/api/redoc")
    heading = page.get_by_role("heading", name="Create Call Batch")
    expect(heading).to_be_visible(timeout=30_000)  # ReDoc draws the whole document at once
    page.wait_for_load_state("networkidle")
    assert outside == []


def test_an_operator_signs_in_and_finds_a_batch(page: Page, outside: list[str]) -> None:
    owner = person()
    batch = factories.CallBatchFactory.create(
        workspace=owner.workspace, created_by=owner.user, name="Spring campaign"
    )
    factories.UserFactory.create(email="staff@example.com", is_staff=True, is_superuser=True)
    page.goto("/admin/")
    page.get_by_label("E-mail").fill("staff@example.com")
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Log in").click()

    page.locator("#nav-sidebar").get_by_role("link", name="Batches", exact=True).click()
    page.goto(f"{page.url}?q={batch.id}")
    page.get_by_role("link", name="Spring campaign").click()

    expect(page.locator("#content")).to_contain_text(owner.workspace.name)
    assert outside == []

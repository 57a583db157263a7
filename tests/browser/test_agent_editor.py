"""The rows of an agent's variables, and the preview that follows what is typed."""

import pytest
from playwright.sync_api import Page, expect

from calling.models import Agent
from tests import factories
from tests.cast import person

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_variables_are_edited_by_keyboard_and_heard_at_once(page: Page) -> None:
    owner = person()
    agent = factories.AgentFactory.create(
        workspace=owner.workspace,
        created_by=owner.user,
        connection_target="Hello {name}.",
        variables=[
            {"key": "name", "type": "string", "required": True},
            {"key": "plan", "type": "enum", "required": False, "enum": ["Basic", "Plus"]},
        ],
    )
    problems: list[str] = []
    page.on("console", lambda told: problems.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    factories.UserFactory.create(email="staff@example.com", is_staff=True, is_superuser=True)
    page.goto(f"/admin/login/?next=/admin/calling/agent/{agent.id}/change/")
    page.get_by_label("E-mail").fill("staff@example.com")
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Log in").click()

    spoken = page.locator(".od-spoken")
    expect(spoken).to_have_text("Hello name.")
    page.locator("#agent-samples").get_by_label("name").fill("Ada")
    expect(spoken).to_have_text("Hello Ada.")
    page.get_by_label("Text or address").fill("Hello {name}, you have {plan}.")
    expect(spoken).to_have_text("Hello Ada, you have Basic.")

    page.get_by_role("button", name="Move down: variable name").press("Enter")
    expect(page.get_by_role("button", name="Move up: variable name")).to_be_focused()
    page.get_by_role("button", name="Add a variable").press("Enter")
    page.keyboard.type("name")
    page.get_by_role("button", name="Save and continue editing").click()
    wrong = page.locator(".od-variable [aria-invalid]")
    expect(wrong).to_be_focused()
    expect(wrong).to_have_accessible_description("Must not repeat a key.")

    wrong.fill("due")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator("#content-main, #main").first).to_contain_text("was changed")
    assert [one["key"] for one in Agent.objects.get().variables] == ["plan", "name", "due"]
    assert problems == []

"""Signing in to the back office with a browser, and its main pages."""

from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Page

from tests import factories
from tests.browser.showcase import EMAIL, Showcase

ZONE = "America/New_York"
Address = Callable[[Showcase], str]


@dataclass(frozen=True)
class Look:
    """How somebody looks at a page."""

    name: str
    width: int
    height: int
    scheme: str

    def context(self, browser: Browser, url: str) -> BrowserContext:
        return browser.new_context(
            base_url=url,
            viewport={"width": self.width, "height": self.height},
            color_scheme=self.scheme,  # type: ignore[arg-type]
            timezone_id=ZONE,
        )


LOOKS = (
    Look("light", 1440, 900, "light"),
    Look("dark", 1440, 900, "dark"),
    Look("narrow", 390, 844, "light"),
)


def _list(name: str) -> Address:
    return lambda _: reverse(f"admin:{name}_changelist")


PAGES: dict[str, Address] = {
    "home": lambda _: "/admin/",
    "batches": _list("batches_callbatch"),
    "batch": lambda shown: reverse("admin:batches_callbatch_change", args=[shown.batch.id]),
    "new-batch": lambda _: reverse("admin:batches_callbatch_add"),
    "calls": _list("batches_call"),
    "call": lambda shown: reverse("admin:batches_call_change", args=[shown.call.id]),
    "pending-call": lambda shown: reverse("admin:batches_call_change", args=[shown.pending.id]),
    "imports": _list("batches_import"),
    "do-not-call": _list("batches_donotcallentry"),
    "numbers": _list("calling_phonenumber"),
    "accounts": _list("calling_carrieraccount"),
    "agents": _list("calling_agent"),
    "new-agent": lambda _: reverse("admin:calling_agent_add"),
    "api-access": _list("workspaces_apikey"),
    "new-key": lambda _: reverse("admin:workspaces_apikey_add"),
    "webhooks": _list("workspaces_webhookendpoint"),
    "new-webhook": lambda _: reverse("admin:workspaces_webhookendpoint_add"),
    "webhook": lambda shown: reverse(
        "admin:workspaces_webhookendpoint_change", args=[shown.hooks.webhook.id]
    ),
    "send-span-again": lambda shown: reverse(
        "admin:workspaces_webhookendpoint_replay", args=[shown.hooks.webhook.id]
    ),
    "delivery": lambda shown: reverse(
        "admin:workspaces_webhookdelivery_change", args=[shown.hooks.delivery.id]
    ),
    "events": _list("workspaces_event"),
    "event": lambda shown: reverse(
        "admin:workspaces_event_change", args=[shown.hooks.delivery.event_id]
    ),
    "members": _list("workspaces_membership"),
    "workspace": lambda shown: reverse(
        "admin:workspaces_workspace_change", args=[shown.workspace.id]
    ),
    "audit-log": _list("workspaces_auditevent"),
}


def sign_in(page: Page, email: str = EMAIL, password: str = factories.PASSWORD) -> None:
    page.goto("/admin/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")

"""Webhooks in the back office: made, changed, tried out, watched, and sent again what they missed."""

import re
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from tests import factories
from tests.cast import Person
from tests.workspaces.conftest import SignIn
from tests.workspaces.hooks import attempted, delivered, page, page_of, text_of, words_of
from workspaces.models import AuditEvent, WebhookDelivery, WebhookEndpoint

LIST = reverse("admin:workspaces_webhookendpoint_changelist")
ADD = reverse("admin:workspaces_webhookendpoint_add")
HERE = "http://127.0.0.1:9/hook"
DEEDS = ("edit", "switch_off", "switch_on", "rotate", "test", "replay", "delete")


@pytest.fixture(autouse=True)
def _takes_what_is_here(settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]


# --- Making one -----------------------------------------------------------------------------------


def test_one_is_made_and_its_secret_is_shown_once(leader: Client, owner: Person) -> None:
    form = {"workspace": owner.workspace.id, "url": HERE, "description": "CRM"}
    response = leader.post(ADD, {**form, "event_types": ["dnc.added", "batch.completed"]})

    secret = re.search(r"whsec_[\w+/=]+", text_of(response))
    made = WebhookEndpoint.objects.get()
    assert secret is not None
    assert secret[0] == made.secret
    assert "no-store" in response["Cache-Control"]
    assert made.event_types == ["batch.completed", "dnc.added"]
    assert (made.url, made.description, made.created_by) == (HERE, "CRM", owner.user)
    event = AuditEvent.objects.get(action="webhook.create")
    assert (event.user_id, event.credential_kind) == (owner.user.id, "session")
    leader.post(page(made, "test"))
    delivery = WebhookDelivery.objects.get()
    for url in [LIST, page(made), page_of(delivery), *(page(made, name) for name in DEEDS)]:
        assert "whsec_" not in text_of(leader.get(url))
        assert secret[0].removeprefix("whsec_") not in text_of(leader.get(url))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"url": ""}, "This field is required."),
        ({"url": "https://10.0.0.1/hook"}, "The host's address is not public."),
        ({"url": "https://user:pass@127.0.0.1/"}, "Must have no user name or password."),
        ({"url": "hook"}, "Must be an https:// URL"),
        ({"url": HERE + "x" * 2000}, "at most 2000 characters"),
        ({"description": "x" * 201}, "at most 200 characters"),
        ({"description": "\0"}, "Null characters are not allowed."),
        ({"event_types": ["webhook.test"]}, "is not one of the available choices"),
        ({"workspace": ""}, "This field is required."),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_nothing_typed_is_lost(
    leader: Client, owner: Person, fields: dict[str, Any], sentence: str
) -> None:
    typed = {"workspace": owner.workspace.id, "url": HERE, "description": "Told", **fields}
    typed.setdefault("event_types", ["dnc.added"])
    response = leader.post(ADD, typed)
    assert response.status_code == 200
    assert list(response.context["form"].errors) == list(fields)
    assert sentence in text_of(response)
    assert f'value="{typed["url"]}"' in text_of(response) or not typed["url"]
    assert not WebhookEndpoint.objects.exists()


def test_it_is_changed_without_looking_up_an_address_that_stays(
    leader: Client, webhook: WebhookEndpoint
) -> None:
    typed = {"url": webhook.url, "description": "CRM", "event_types": ["call.failed"]}
    assert leader.post(page(webhook, "edit"), typed).status_code == 302
    webhook.refresh_from_db()
    assert (webhook.description, webhook.event_types) == ("CRM", ["call.failed"])
    [event] = AuditEvent.objects.filter(action="webhook.update")
    assert event.changes["fields"] == ["description", "event_types"]

    response = leader.post(page(webhook, "edit"), {**typed, "url": "https://192.168.0.1/"})
    assert list(response.context["form"].errors) == ["url"]
    assert leader.post(page(webhook, "edit"), {**typed, "url": HERE}).status_code == 302
    assert WebhookEndpoint.objects.get().url == HERE


# --- What can be done with one --------------------------------------------------------------------


def test_it_is_switched_off_and_on_after_a_question(
    leader: Client, webhook: WebhookEndpoint
) -> None:
    delivered(webhook, "pending")
    assert "Waiting and given up: 1." in words_of(leader.get(page(webhook, "switch_off")))
    assert leader.post(page(webhook, "switch_off")).status_code == 302
    assert WebhookEndpoint.objects.get().disabled_reason == "by_hand"
    assert WebhookDelivery.objects.get().status == "failed"
    shown = text_of(leader.get(page(webhook)))
    for name in ("test", "replay", "switch_off"):
        assert page(webhook, name) not in shown
    for name in ("test", "replay"):  # by an old page
        typed = {"since": "2026-01-01T00:00", "until": "2026-01-02T00:00"}
        response = leader.post(page(webhook, name), typed)
        assert response.context["form"].non_field_errors() == ["This webhook is switched off."]

    assert "It has been off since" in words_of(leader.get(page(webhook, "switch_on")))
    assert leader.post(page(webhook, "switch_on")).status_code == 302
    assert WebhookEndpoint.objects.get().is_enabled


def test_a_new_secret_is_shown_once_and_the_old_one_signs_for_a_while(
    leader: Client, webhook: WebhookEndpoint
) -> None:
    old = webhook.secret
    assert "for 24 hours" in words_of(leader.get(page(webhook, "rotate")))
    response = leader.post(page(webhook, "rotate"))
    webhook.refresh_from_db()
    assert webhook.secret != old
    assert f'value="{webhook.secret}"' in text_of(response)
    assert old not in text_of(response)
    assert "signs, too, until" in words_of(response)
    assert "Two secrets sign until" in words_of(leader.get(page(webhook)))
    assert "ends now" in words_of(leader.get(page(webhook, "rotate")))


def test_it_is_deleted_after_a_question(leader: Client, webhook: WebhookEndpoint) -> None:
    delivered(webhook)
    assert leader.get(page(webhook, "delete")).status_code == 200
    assert WebhookEndpoint.objects.exists()
    response = leader.post(page(webhook, "delete"))
    assert response["Location"] == LIST
    assert not WebhookEndpoint.objects.exists()
    assert AuditEvent.objects.filter(action="webhook.delete").count() == 1


def test_who_only_reads_finds_no_button_and_no_page_behind_it(
    sign_in: SignIn, member: Person, webhook: WebhookEndpoint
) -> None:
    delivery = delivered(webhook)
    reader = sign_in(member.user)
    shown = text_of(reader.get(page(webhook))) + text_of(reader.get(page_of(delivery)))
    assert webhook.url in shown
    for address in [*(page(webhook, name) for name in DEEDS), page_of(delivery, "again")]:
        assert address not in shown
        assert reader.get(address).status_code == 403
    assert reader.get(ADD).status_code == 403
    WebhookEndpoint.objects.all().delete()
    assert "An admin or owner" in text_of(reader.get(LIST))


# --- A span again ---------------------------------------------------------------------------------


def test_a_span_is_sent_again_as_told_in_the_zone_of_the_viewer(
    leader: Client, webhook: WebhookEndpoint
) -> None:
    leader.cookies["outdial_zone"] = "America/New_York"
    inside = timezone.now().replace(year=2026, month=7, day=1, hour=14, minute=30)  # 10:30 there
    for number, (moment, type_) in enumerate(
        [
            (inside, "batch.completed"),
            (inside, "call.completed"),
            (inside - timedelta(hours=1), "batch.completed"),
            (inside + timedelta(hours=1), "batch.completed"),
        ]
    ):
        factories.EventFactory.create(
            workspace=webhook.workspace, created_at=moment, type=type_, position=number
        )
    asked = leader.get(page(webhook, "replay"))
    assert "America/New_York" in text_of(asked)
    typed = {"since": "2026-07-01T10:00", "until": "2026-07-01T11:00", "only_failed": "on"}
    leader.post(page(webhook, "replay"), {**typed, "types": ["batch.completed"]})
    [delivery] = WebhookDelivery.objects.all()
    assert (delivery.event.created_at, delivery.event.type) == (inside, "batch.completed")

    response = leader.post(page(webhook, "replay"), typed, follow=True)  # the other one
    assert "1 event is on the way." in text_of(response)
    response = leader.post(page(webhook, "replay"), typed, follow=True)
    assert "There was nothing to send in that span." in text_of(response)
    response = leader.post(page(webhook, "replay"), {**typed, "only_failed": ""}, follow=True)
    assert "2 events are on the way." in text_of(response)


@pytest.mark.parametrize(
    ("since", "until", "wrong"),
    [
        ("2026-07-01T11:00", "2026-07-01T11:00", ["until"]),
        ("yesterday", "2026-07-01T11:00", ["since"]),
        ("", "", ["since", "until"]),
        ("2026-03-08T02:30", "2026-07-01T11:00", ["since"]),  # there was no such time
        ("0001-01-01T00:00", "9999-12-31T23:59", []),
    ],
)
def test_an_odd_span_is_told(
    leader: Client, webhook: WebhookEndpoint, since: str, until: str, wrong: list[str]
) -> None:
    leader.cookies["outdial_zone"] = "America/New_York"
    response = leader.post(page(webhook, "replay"), {"since": since, "until": until})
    if not wrong:
        assert response.status_code == 302
        return
    assert list(response.context["form"].errors) == wrong
    assert f'value="{since}"' in text_of(response) or not since


# --- The page of one ------------------------------------------------------------------------------


def test_deliveries_are_listed_filtered_and_leafed_through(
    leader: Client, webhook: WebhookEndpoint
) -> None:
    for _ in range(26):
        delivered(webhook, type="call.completed")
    failed = delivered(webhook, "failed", type="dnc.added")
    attempted(failed, status_code=None, error="No answer within 15 seconds.")
    delivered(factories.WebhookEndpointFactory.create(workspace=webhook.workspace))

    shown = leader.get(page(webhook)).context
    assert (len(shown["rows"]), shown["page"].paginator.count) == (25, 27)
    assert shown["rows"][0].delivery == failed
    assert shown["rows"][0].answer == "no answer"
    assert len(leader.get(page(webhook), {"page": "2"}).context["rows"]) == 2
    for query in (
        {"status": "failed"},
        {"type": "dnc.added"},
        {"status": "failed", "type": "dnc.added"},
    ):
        assert [row.delivery for row in leader.get(page(webhook), query).context["rows"]] == [
            failed
        ]
    nothing = leader.get(page(webhook), {"status": "pending"})
    assert "No delivery of this webhook is like that." in text_of(nothing)
    for odd in ({"status": "x"}, {"type": "\0"}, {"page": "-1"}, {"page": "x" * 20}):
        assert leader.get(page(webhook), odd).context["page"].paginator.count == 27


def test_pages_cost_the_same_for_one_delivery_and_for_many(
    leader: Client, webhook: WebhookEndpoint
) -> None:
    delivery, costs = delivered(webhook), []
    addresses = (page(webhook), page(webhook, "live"), page_of(delivery))
    leader.get(addresses[0])  # what is asked once in a process
    for _ in range(2):
        for address in addresses:
            with CaptureQueriesContext(connection) as sent:
                assert leader.get(address).status_code == 200
            costs.append(len(sent))
        for _ in range(5):
            delivered(webhook)
            attempted(delivery)
    # Session, user, memberships, the row; then figures, count, page, last attempts, or the attempts.
    # On a whole page two more, for its frame.
    assert costs == [10, 8, 7] * 2


def test_it_is_looked_after_while_something_waits(leader: Client, webhook: WebhookEndpoint) -> None:
    leader.post(page(webhook, "test"))
    [delivery] = WebhookDelivery.objects.all()
    live = page(webhook, "live")
    for address, part in ((page(webhook), live), (page_of(delivery), page_of(delivery, "live"))):
        assert f'hx-get="{part}' in text_of(leader.get(address))
    part = text_of(leader.get(live, {"was": ""}))
    assert 'id="webhook-state" hx-swap-oob="true"' in part
    assert f'hx-get="{live}' in part

    WebhookDelivery.objects.update(status="succeeded", finished_at=timezone.now())
    for address in (live, page_of(delivery, "live")):
        assert "hx-get" not in text_of(leader.get(address))
    leader.post(page(webhook, "switch_off"))
    assert leader.get(live, {"was": ""})["HX-Refresh"] == "true"


def test_the_list_says_how_each_is_doing(leader: Client, owner: Person) -> None:
    assert "Make a webhook" in text_of(leader.get(LIST))
    now, mine = timezone.now(), {"workspace": owner.workspace, "created_by": owner.user}
    states: dict[str, dict[str, Any]] = {
        "well": {},
        "ill": {"failing_since": now},
        "tired": {"rests_until": now + timedelta(hours=1)},
        "gone": {"disabled_reason": "gone", "disabled_at": now},
        "off": {"disabled_reason": "by_hand", "disabled_at": now},
    }
    for name, fields in states.items():
        factories.WebhookEndpointFactory.create(**mine, description=name, **fields)
    delivered(WebhookEndpoint.objects.get(description="well"))
    delivered(WebhookEndpoint.objects.get(description="ill"), "pending")
    shown = words_of(leader.get(LIST))
    for words in ("working", "failing since", "resting until", "It answered 410 Gone, since"):
        assert words in shown
    for state, names in {
        "working": {"well", "tired"},
        "failing": {"ill"},
        "off": {"gone", "off"},
    }.items():
        found = leader.get(LIST, {"state": state}).context["cl"].result_list
        assert {row.description for row in found} == names
    rows = {row.description: row.figures for row in leader.get(LIST).context["cl"].result_list}
    assert rows["well"].succeeded_at is not None
    assert (rows["well"].waiting, rows["ill"].waiting) == (0, 1)

"""/api/webhooks: made, shown, changed, tried out; what was sent, and sending it again."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.serializers import serialize
from django.db import connection
from django.utils.timezone import now
from pytest_django import Settings

from tests import factories
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.ids import new_object_id
from workspaces.models import AuditEvent, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from workspaces.services.webhooks import MOST_WEBHOOKS

WEBHOOKS = "/api/webhooks"
URL = "https://1.1.1.1/hooks?key=theirs"  # an address needs no look-up
SHOWN = [
    *("_id", "url", "description", "eventTypes", "enabled", "disabledReason", "failingSince"),
    *("createdAt", "updatedAt"),
]


def create(api: Api, who: Person, **body: Any) -> Any:
    return api.post(WEBHOOKS, {"url": URL} | body, who.with_key)


def problem(response: Any) -> tuple[str, str]:
    (error,) = checked(response, 400)["data"]["errors"]
    return error["field"], error["code"]


def test_a_webhook_is_made_shown_changed_and_deleted(api: Api, owner: Person) -> None:
    types = ["call.completed", "batch.created"]
    made = checked(create(api, owner, description=" Orders ", eventTypes=types), 201)["data"]
    assert list(made) == [*SHOWN, "secret"]
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert (made["description"], made["eventTypes"]) == ("Orders", sorted(types))
    assert (made["enabled"], made["disabledReason"], made["failingSince"]) == (True, None, None)
    path = f"{WEBHOOKS}/{made['_id']}"
    assert checked(api.get(path, owner.with_read_key), 200)["data"] == made
    listed = checked(api.get(WEBHOOKS, owner.with_read_key), 200)["data"]
    assert listed["webhooks"] == [made]
    assert listed["pagination"] == {"total": 1, "page": 1, "limit": 10, "totalPages": 1}

    changes = {"enabled": False, "eventTypes": [], "url": "https://1.0.0.1/"}
    changed = checked(api.request("PATCH", path, changes, owner.with_key), 200)["data"]
    assert (changed["enabled"], changed["disabledReason"]) == (False, "by_hand")
    assert (changed["eventTypes"], changed["url"]) == ([], "https://1.0.0.1/")
    assert changed["description"] == "Orders"
    changed = checked(api.request("PATCH", path, {"enabled": True}, owner.with_key), 200)["data"]
    assert (changed["enabled"], changed["disabledReason"]) == (True, None)

    rotated = checked(api.post(f"{path}/rotate-secret", None, owner.with_key), 200)["data"]
    assert list(rotated) == ["secret"]
    checked(api.post(f"{path}/test", None, owner.with_key), 201)
    checked(api.request("DELETE", path, None, owner.with_key), 200)
    checked(api.get(path, owner.with_key), 404)
    assert [e.action for e in AuditEvent.objects.order_by("created_at")] == [
        *("webhook.create", "webhook.update", "webhook.update", "webhook.rotate_secret"),
        *("webhook.test", "webhook.delete"),
    ]
    # Neither a secret nor the path of an address, which may be one, is in the trail.
    trail = serialize("json", AuditEvent.objects.all())
    assert "1.0.0.1" in trail
    assert not [text for text in (secret, rotated["secret"], "theirs", "hooks") if text in trail]


def test_a_secret_is_stored_encrypted(api: Api, owner: Person) -> None:
    secret = checked(create(api, owner), 201)["data"]["secret"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM workspaces_webhookendpoint")
        stored = bytes(cursor.fetchone()[0])
    assert secret.encode() not in stored
    assert WebhookEndpoint.objects.get().secret == secret


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"url": "https://127.0.0.1/"}, "url", "private_address"),
        ({"url": "http://1.1.1.1/"}, "url", "https_required"),
        ({"url": "https://2130706433/"}, "url", "malformed_url"),
        ({"url": "https://a:b@1.1.1.1/"}, "url", "url_credentials"),
        ({"url": "https://1.1.1.1/#a"}, "url", "url_fragment"),
        ({"url": f"https://1.1.1.1/{'a' * 2000}"}, "url", "max_length"),
        ({"url": 7}, "url", "invalid"),
        ({"eventTypes": ["call.answered"]}, "eventTypes[0]", "invalid_choice"),
        ({"eventTypes": ["webhook.test"]}, "eventTypes[0]", "invalid_choice"),
        ({"description": "a\nb"}, "description", "control_character"),
        ({"enabled": False}, "enabled", "unknown_field"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(
    api: Api, owner: Person, settings: Settings, body: dict[str, Any], field: str, code: str
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    assert problem(create(api, owner, **body)) == (field, code)
    if "enabled" not in body:
        webhook = factories.WebhookEndpointFactory(workspace=owner.workspace)
        response = api.request("PATCH", f"{WEBHOOKS}/{webhook.id}", body, owner.with_key)
        assert problem(response) == (field, code)


def test_a_workspace_has_so_many_and_no_more(api: Api, owner: Person, stranger: Person) -> None:
    for _ in range(MOST_WEBHOOKS):
        factories.WebhookEndpointFactory(workspace=owner.workspace)
    assert problem(create(api, owner)) == ("url", "too_many_webhooks")
    checked(create(api, stranger), 201)


def test_the_log_of_a_webhook(api: Api, owner: Person, stranger: Person) -> None:
    webhook = factories.WebhookEndpointFactory(workspace=owner.workspace)
    other = factories.WebhookEndpointFactory(workspace=owner.workspace)
    pending, failed, tested = (
        factories.WebhookDeliveryFactory(
            endpoint=webhook,
            event__type=type_,
            status=status,
            finished_at=None if status == "pending" else now(),
            attempts_made=attempts,
            created_at=now() - timedelta(seconds=age),
        )
        for type_, status, attempts, age in (
            ("batch.created", "pending", 0, 3),
            ("batch.created", "failed", 2, 2),
            ("webhook.test", "succeeded", 1, 1),
        )
    )
    factories.WebhookDeliveryFactory(endpoint=other)
    for delivery, status, minutes in ((failed, None, 5), (failed, 500, 1), (tested, 204, 1)):
        WebhookAttempt.objects.create(
            workspace=owner.workspace,
            delivery=delivery,
            url=webhook.url,
            started_at=now() - timedelta(minutes=minutes),
            duration_ms=12,
            status_code=status,
            response="Sorry" if status == 500 else "",
            error="" if status else "No answer within 15 seconds.",
        )
    path = f"{WEBHOOKS}/{webhook.id}/deliveries"

    def listed(**query: str) -> list[dict[str, Any]]:
        data = checked(api.get(path, owner.with_read_key, **query), 200)["data"]
        rows: list[dict[str, Any]] = data["deliveries"]
        assert data["pagination"]["total"] == len(rows)
        return rows

    rows = listed()
    assert [row["_id"] for row in rows] == [tested.id, failed.id, pending.id]
    assert rows[1]["lastAttempt"]["statusCode"] == 500
    assert rows[2]["lastAttempt"] is None
    assert (rows[1]["nextAttemptAt"], rows[2]["finishedAt"]) == (None, None)
    assert rows[2]["nextAttemptAt"]
    assert [row["_id"] for row in listed(status="failed")] == [failed.id]
    assert [row["_id"] for row in listed(type="webhook.test")] == [tested.id]
    assert listed(status="failed", type="call.failed") == []
    assert problem(api.get(path, owner.with_key, status="lost")) == ("status", "invalid_choice")

    one = checked(api.get(f"{path}/{failed.id}", owner.with_read_key), 200)["data"]
    assert one["event"]["id"] == one["eventId"] == failed.event_id
    assert one["event"]["data"] == failed.event.data
    assert [attempt["error"] for attempt in one["attempts"]] == ["No answer within 15 seconds.", ""]
    assert one["attempts"][1]["response"] == "Sorry"
    # Of another webhook, of nobody, of somebody else.
    checked(api.get(f"{WEBHOOKS}/{other.id}/deliveries/{failed.id}", owner.with_key), 404)
    checked(api.get(f"{path}/{new_object_id()}", owner.with_key), 404)
    checked(api.get(f"{path}/{failed.id}", stranger.with_key), 404)


def test_events_are_sent_again_one_or_a_span(api: Api, owner: Person) -> None:
    webhook = factories.WebhookEndpointFactory(workspace=owner.workspace)
    old = factories.WebhookDeliveryFactory(
        endpoint=webhook, status="failed", finished_at=now(), event__position=1
    )
    path = f"{WEBHOOKS}/{webhook.id}"
    again = checked(api.post(f"{path}/deliveries/{old.id}/replay", None, owner.with_key), 201)[
        "data"
    ]
    assert again["_id"] != old.id
    assert (again["eventId"], again["status"]) == (old.event_id, "pending")
    WebhookDelivery.objects.exclude(id=old.id).delete()

    span: dict[str, Any] = {"since": (now() - timedelta(hours=1)).isoformat(), "onlyFailed": True}
    data = checked(api.post(f"{path}/replay", span, owner.with_key), 200)["data"]
    assert data == {"queued": 1}
    data = checked(api.post(f"{path}/replay", span, owner.with_key), 200)["data"]
    assert data == {"queued": 0}  # it waits already
    future = {"since": (now() + timedelta(hours=1)).isoformat()}
    assert problem(api.post(f"{path}/replay", future, owner.with_key)) == (
        *("since", "not_before_until"),
    )
    other = factories.WebhookEndpointFactory(workspace=owner.workspace)
    replay = f"{WEBHOOKS}/{other.id}/deliveries/{old.id}/replay"
    checked(api.post(replay, None, owner.with_key), 404)

    api.request("PATCH", path, {"enabled": False}, owner.with_key)
    for what in ("test", "replay", f"deliveries/{old.id}/replay"):
        body = span if what == "replay" else None
        response = api.post(f"{path}/{what}", body, owner.with_key)
        assert problem(response) == ("id", "webhook_disabled")

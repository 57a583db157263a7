"""What the constraints of webhooks, events, sandboxes and idempotent requests refuse."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.utils import timezone

from tests import factories
from workspaces.ids import new_object_id
from workspaces.models import IdempotentRequest, Workspace

endpoint: Callable[..., Any] = factories.WebhookEndpointFactory.create
delivery: Callable[..., Any] = factories.WebhookDeliveryFactory.create
event: Callable[..., Any] = factories.EventFactory.create


def request(**fields: Any) -> IdempotentRequest:
    now = timezone.now()
    workspace = fields.pop("workspace", None) or factories.WorkspaceFactory.create()
    given = {"operation": "createBatch", "key": "once", "fingerprint": b"", **fields}
    return IdempotentRequest.objects.create(
        workspace=workspace, claimed_until=now, created_at=now, **given
    )


def same_key_twice() -> None:
    first = request()
    request(workspace=first.workspace)


def same_position_twice() -> None:
    first = event(position=1)
    event(workspace=first.workspace, position=1)


def sandbox_of_itself() -> None:
    id_ = new_object_id()
    factories.WorkspaceFactory.create(id=id_, sandbox_of=Workspace(id=id_))


REFUSED: dict[str, list[Callable[[], Any]]] = {
    "idempotentrequest_key_once": [same_key_twice],
    "idempotentrequest_answer_whole": [
        partial(request, status_code=200),
        partial(request, finished_at=timezone.now(), status_code=200),
    ],
    "event_position_once": [same_position_twice],
    "event_type_known": [partial(event, type="batch.lost"), partial(event, type="")],
    "webhookendpoint_event_types_known": [partial(endpoint, event_types=["batch.lost"])],
    "webhookendpoint_disabled_with_reason": [
        partial(endpoint, disabled_reason="gone"),
        partial(endpoint, disabled_at=timezone.now()),
        partial(endpoint, disabled_reason="tired", disabled_at=timezone.now()),
    ],
    "webhookendpoint_old_secret_ends": [
        partial(endpoint, old_secret="whsec_x"),
        partial(endpoint, old_secret_ends_at=timezone.now()),
    ],
    "webhookdelivery_status_known": [
        partial(delivery, status="lost"),
        partial(delivery, status=""),
    ],
    "workspace_not_its_own_sandbox": [sandbox_of_itself],
}

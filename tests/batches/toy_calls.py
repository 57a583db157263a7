"""Calls through the toy carrier, step by step, and what it says of them."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

from django.test import Client
from django.utils import timezone

from batches.dialer.claim import claim_calls
from batches.dialer.placing import Placer, Result
from batches.dialer.records import record_results
from batches.dialer.store import Claimed
from batches.models import CallAttempt, CallBatch
from calling.models import Agent, PhoneNumber
from tests.batches.dialer.steps import LEASE, TIMING
from tests.calling.carriers.toy import SIGNATURE
from workspaces.services.dialing import wake

PUBLIC = "https://outdial.example"
TOKEN = "t0ken"


def claimed() -> Claimed:
    """The next call, whatever its workspace was waiting for."""
    now = timezone.now()
    wake(CallBatch.objects.get().workspace_id, now)
    found = claim_calls(now=now, most=10, lease=LEASE)
    assert found is not None
    assert len(found.calls) == 1
    return found.calls[0]


def place() -> tuple[Claimed, Result]:
    """Claim, place and record one call, the gate aside."""
    call = claimed()
    now = timezone.now()
    CallAttempt.objects.filter(request_uuid=call.request_uuid).update(created_at=now)
    result = asyncio.run(Placer(TIMING).place(call))
    assert result is not None
    record_results([result], TIMING, now=timezone.now())
    return call, result


def post(url: str, said: dict[str, Any], token: str = TOKEN) -> Any:
    parts = urlsplit(url)
    return Client().generic(
        "POST",
        f"{parts.path}?{parts.query}",
        json.dumps(said),
        "application/json",
        headers={SIGNATURE: token},
    )


def tell(url: str, said: dict[str, Any]) -> str:
    """What the callback did."""
    response = post(url, said)
    assert response.status_code == 200, response.content
    return str(response["X-Callback-Effect"])


def asked(url: str, said: dict[str, Any]) -> str:
    response = post(url, said)
    assert response.status_code == 200, response.content
    assert response["Content-Type"].startswith("application/xml")
    return str(response.content.decode())


def agent_is(phone: PhoneNumber, **fields: Any) -> None:
    Agent.objects.filter(id=phone.agent_id).update(**fields)

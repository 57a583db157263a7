"""The `data` of events, for the OpenAPI document."""

from typing import Any

from workspaces.models import EventType

_BATCH = {"batchId": "67def9053495307c718d9dfb", "batchName": "Marketing Campaign May 2025"}
_STARTED = {**_BATCH, "queue_status": "active", "uuid": "crm-run-1"}
_COUNTS = {
    "pending": 0,
    "in-progress": 0,
    "completed": 120,
    "failed": 25,
    "skipped": 4,
    "unknown": 1,
    "cancelled": 0,
}
_ATTEMPT = {
    "requestUUID": "550e8400-e29b-41d4-a716-446655440000",
    "from": "12125559999",
    "callStatus": "completed",
    "callDuration": 42,
    "answeredBy": "human",
    "hangupCause": "Normal Hangup",
    "createdAt": "2025-05-15T14:30:00.000Z",
    "answeredAt": "2025-05-15T14:30:06.500Z",
    "endedAt": "2025-05-15T14:30:48.900Z",
}
_CALL = {
    "callId": "64e5f12345abcdef11111111",
    **_BATCH,
    "phoneNumber": "12125551234",
    "externalId": "contact-5678",
}


def _rests(status: str, **more: str) -> dict[str, Any]:
    numbers = {"totalCalls": 150, "calls": _COUNTS, "callsPicked": 122}
    return {**_BATCH, "queue_status": status, **more, "uuid": "crm-run-1", **numbers}


def _ended(status: str, reason: str, **attempt: Any) -> dict[str, Any]:
    told = {"callStatus": status, "reason": reason, "attemptsMade": 1, "uuid": "crm-run-1"}
    return {**_CALL, **told, "attempt": attempt}


def _missed(status: str, **more: str) -> dict[str, Any]:
    attempt = {name: _ATTEMPT[name] for name in ("requestUUID", "from", "createdAt", "endedAt")}
    return {**attempt, "callStatus": status, "callDuration": 0, **more}


EVENT_DATA_EXAMPLES: dict[EventType, dict[str, Any]] = {
    EventType.BATCH_CREATED: {
        **_BATCH,
        "queue_status": "draft",
        "userId": "64e5f12345abcdef12345678",
        "totalCalls": 0,
    },
    EventType.BATCH_STARTED: _STARTED,
    EventType.BATCH_STOPPED: _rests("stopped"),
    EventType.BATCH_PAUSED: _rests("paused", statusReason="carrier_failing"),
    EventType.BATCH_COMPLETED: _rests("completed"),
    EventType.CALL_COMPLETED: _ended("completed", "answered", **_ATTEMPT),
    EventType.CALL_FAILED: _ended(
        "failed", "attempts_used_up", **_missed("busy", hangupCause="User Busy")
    ),
    EventType.CALL_SKIPPED: {
        **_CALL,
        "callStatus": "skipped",
        "reason": "do_not_call",
        "attemptsMade": 0,
    },
    EventType.CALL_UNKNOWN: _ended("unknown", "outcome_unknown", **_missed("unknown")),
    EventType.DNC_ADDED: {
        "entryId": "67def9053495307c718d9dff",
        "phoneNumber": "12125551234",
        "type": "opt-out",
        "requestUUID": "550e8400-e29b-41d4-a716-446655440000",
    },
    EventType.CARRIER_PAUSED: {
        "accountId": "67def9053495307c718d9d01",
        "integration": "twilio",
        "reason": "carrier_refused",
    },
}

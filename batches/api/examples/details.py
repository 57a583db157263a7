"""The documented requests and responses, for the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiExample


def _answer(name: str, message: str, data: dict[str, Any]) -> OpenApiExample:
    envelope = {"message": message, "status": True, "code": 200, "errorMessage": "", "data": data}
    return OpenApiExample(name, response_only=True, status_codes=["200"], value=envelope)


BATCH_DETAILS = [
    _answer(
        "First page",
        "Calls fetched successfully",
        {
            "batchId": "67def9053495307c718d9dfb",
            "batchName": "Marketing Campaign May 2025",
            "batchStatus": "active",
            "page": 1,
            "limit": 10,
            "total": 150,
            "totalPages": 15,
            "data": [
                {
                    "_id": "64e5f12345abcdef11111111",
                    "phoneNumber": "12125551234",
                    "name": "Emily Davis",
                    "account_id": "ACC-5678",
                    "priority": "high",
                    "phoneLogs": [
                        {
                            "requestUUID": "550e8400-e29b-41d4-a716-446655440000",
                            "callStatus": "completed",
                            "callDuration": 120,
                            "recordingUrl": "https://example.com/recording.mp3",
                            "transcript": "Call transcript here...",
                            "createdAt": "2025-05-15T14:30:00.000Z",
                        }
                    ],
                    "callStatus": "completed",
                    "createdAt": "2025-05-15T14:00:00.000Z",
                }
            ],
            "callingNumbers": ["64e5f12345abcdef87654321"],
            "retry": 3,
            "delay": 60,
            "timezone": "America/New_York",
            "callingHour": {"start": "09:00", "end": "17:00"},
            "allowedDays": [1, 2, 3, 4, 5],
            "batchType": "outbound",
            "enableDNC": True,
            "statusReason": None,
        },
    ),
]
CALL_DETAILS = [
    _answer(
        "A call that is tried again",
        "Call fetched successfully",
        {
            "_id": "64e5f12345abcdef11111111",
            "batchId": "67def9053495307c718d9dfb",
            "phoneNumber": "12125551234",
            "timezone": "America/New_York",
            "variables": {"name": "Emily Davis", "account_id": "ACC-5678"},
            "callStatus": "pending",
            "attemptsMade": 1,
            "attempts": [
                {
                    "requestUUID": "550e8400-e29b-41d4-a716-446655440000",
                    "from": "12125550100",
                    "callStatus": "busy",
                    "callDuration": 0,
                    "hangupCause": "USER_BUSY",
                    "createdAt": "2025-05-15T14:30:00.000Z",
                    "answeredAt": None,
                    "endedAt": "2025-05-15T14:30:09.000Z",
                }
            ],
            "events": [
                {
                    "from": "failed",
                    "to": "pending",
                    "reason": "retry_requested",
                    "requestUUID": None,
                    "detail": "",
                    "userId": "64e5f12345abcdef12345678",
                    "createdAt": "2025-05-15T14:20:00.000Z",
                }
            ],
            "waitingFor": {
                "reason": "batch_stopped",
                "until": None,
                "detail": "The batch was stopped.",
            },
            "createdAt": "2025-05-15T14:00:00.000Z",
            "updatedAt": "2025-05-15T14:30:09.000Z",
        },
    ),
]
BATCH_STATS = [
    _answer(
        "A batch at work",
        "Statistics fetched successfully",
        {
            "batchId": "67def9053495307c718d9dfb",
            "batchStatus": "active",
            "statusReason": None,
            "totalCalls": 150,
            "calls": {
                "pending": 60,
                "in-progress": 2,
                "completed": 80,
                "failed": 6,
                "skipped": 1,
                "unknown": 1,
                "cancelled": 0,
            },
            "callsPicked": 82,
            "answerRate": 0.7736,
            "attempts": 108,
            "attemptsPerHour": [
                {"hour": "2025-05-15T13:00:00.000Z", "attempts": 68, "answered": 51},
                {"hour": "2025-05-15T14:00:00.000Z", "attempts": 40, "answered": 31},
            ],
            "projectedFinish": "2025-05-15T15:40:00.000Z",
        },
    ),
]
BATCH_PREFLIGHT = [
    _answer(
        "A draft for two coasts",
        "Preflight fetched successfully",
        {
            "batchId": "67def9053495307c718d9dfb",
            "batchStatus": "draft",
            "pendingCalls": 150,
            "dialNow": 90,
            "waiting": {
                "window": 58,
                "doNotCall": 2,
                "retryDelay": 0,
                "contactCap": 0,
                "contactBusy": 0,
                "numberCap": 0,
                "noNumber": 0,
                "otherSession": 0,
                "killSwitch": 0,
            },
            "timezones": [
                {
                    "timezone": "America/Los_Angeles",
                    "calls": 58,
                    "dialNow": 0,
                    "open": False,
                    "opensAt": "2025-05-15T16:00:00.000Z",
                    "closesAt": None,
                },
                {
                    "timezone": "America/New_York",
                    "calls": 92,
                    "dialNow": 90,
                    "open": True,
                    "opensAt": "2025-05-15T14:00:00.000Z",
                    "closesAt": "2025-05-15T21:00:00.000Z",
                },
            ],
            "earliest": "2025-05-15T14:00:00.000Z",
            "likelyFinish": "2025-05-15T16:00:35.000Z",
            "warnings": [],
        },
    ),
]

"""The documented requests and responses, for the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiExample


def _answer(name: str, message: str, **data: Any) -> OpenApiExample:
    return OpenApiExample(
        name,
        response_only=True,
        status_codes=["200"],
        value={"message": message, "status": True, "code": 200, "errorMessage": "", **data},
    )


SWITCH = [
    OpenApiExample("On", request_only=True, value={"enable": True}),
    _answer("Switched", "DNC setting updated successfully"),
]
ADD = [
    OpenApiExample("A number", request_only=True, value={"phoneNumber": "12125551234"}),
    OpenApiExample(
        "The outcome of a call",
        request_only=True,
        value={
            "phoneNumber": "12125551234",
            "batchId": "64e5f12345abcdef98765432",
            "requestUUID": "550e8400-e29b-41d4-a716-446655440000",
            "type": "asked during the call",
        },
    ),
    _answer("Added", "Phone number added to DNC successfully"),
]
LIST = [
    _answer(
        "First page",
        "DNC list fetched successfully",
        data={
            "dncList": [
                {
                    "_id": "64e5f12345abcdef44444444",
                    "phoneNumber": "12125551234",
                    "type": "asked during the call",
                    "orgId": "64e5f12345abcdef00000001",
                    "batchId": "64e5f12345abcdef98765432",
                    "requestUUID": "550e8400-e29b-41d4-a716-446655440000",
                    "callRecording": "https://example.com/recording.mp3",
                    "transcription": "Call transcript here...",
                    "createdAt": "2025-05-15T14:30:00.000Z",
                }
            ],
            "pagination": {"total": 1, "page": 1, "limit": 10, "totalPages": 1},
        },
    )
]
DELETE = [_answer("Deleted", "DNC record deleted successfully")]
IMPORT = [
    _answer(
        "One row refused",
        "DNC file imported successfully",
        data={
            "importId": "64e5f12345abcdef55555555",
            "added": 118,
            "alreadyListed": 2,
            "totalInvalid": 1,
            "invalidRows": [
                {
                    "row": 7,
                    "errors": [
                        {
                            "field": "phoneNumber",
                            "code": "too_short",
                            "message": "It is too short for a number with its country code.",
                        }
                    ],
                }
            ],
        },
    )
]

"""The documented requests and responses, for the OpenAPI document."""

from drf_spectacular.utils import OpenApiExample

CREATE_BATCH = [
    OpenApiExample(
        "Weekday campaign",
        request_only=True,
        value={
            "batchName": "API Campaign May 2025",
            "callingNumbers": ["64e5f12345abcdef87654321"],
            "retry": 3,
            "delay": 60,
            "timezone": "America/New_York",
            "callingHour": {"start": "09:00", "end": "17:00"},
            "allowedDays": [1, 2, 3, 4, 5],
        },
    ),
    OpenApiExample(
        "Created",
        response_only=True,
        status_codes=["201"],
        value={
            "message": "Batch created successfully",
            "status": True,
            "code": 201,
            "errorMessage": "",
            "data": "64e5f12345abcdef98765432",
        },
    ),
]
LIST_BATCHES = [
    OpenApiExample(
        "First page",
        response_only=True,
        status_codes=["200"],
        value={
            "message": "Batches fetched successfully",
            "status": True,
            "code": 200,
            "errorMessage": "",
            "data": {
                "batches": [
                    {
                        "_id": "64e5f12345abcdef98765432",
                        "batchName": "Marketing Campaign May 2025",
                        "totalCalls": 150,
                        "callsPicked": 120,
                        "callsCompleted": 100,
                        "queue_status": "active",
                        "createdAt": "2025-05-01T12:00:00.000Z",
                        "updatedAt": "2025-05-15T14:30:00.000Z",
                    }
                ],
                "pagination": {"total": 25, "page": 1, "limit": 10, "totalPages": 3},
            },
        },
    ),
]

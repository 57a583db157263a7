"""The documented requests and responses of adding contacts, for the OpenAPI document."""

from drf_spectacular.utils import OpenApiExample

ADD_CALLS = [
    OpenApiExample(
        "Two contacts",
        request_only=True,
        value={
            "batchId": "64e5f12345abcdef98765432",
            "call_data": [
                {
                    "phoneNumber": "12125551001",
                    "name": "Sarah Johnson",
                    "account_id": "ACC-1001",
                    "custom_field_1": "value1",
                    "priority": "high",
                },
                {
                    "phoneNumber": "13105552002",
                    "name": "Michael Chen",
                    "account_id": "ACC-1002",
                    "category": "support",
                },
            ],
        },
    ),
    OpenApiExample(
        "Added",
        response_only=True,
        status_codes=["200"],
        value={
            "message": "Calls enqueued successfully",
            "status": True,
            "code": 200,
            "errorMessage": "",
            "data": {
                "added": 2,
                "callIds": ["64e5f12345abcdef11111111", "64e5f12345abcdef22222222"],
            },
        },
    ),
    OpenApiExample(
        "A chunk refused",
        response_only=True,
        status_codes=["207"],
        value={
            "message": "Some chunks were refused",
            "status": False,
            "code": 207,
            "errorMessage": "call_data[1500].phoneNumber: This field is required.",
            "data": {
                "added": 1,
                "callIds": ["64e5f12345abcdef11111111"],
                "failedChunks": [
                    {
                        "chunkNum": 2,
                        "error": "call_data[1500].phoneNumber: This field is required.",
                        "errors": [
                            {
                                "index": 1500,
                                "field": "call_data[1500].phoneNumber",
                                "code": "required",
                                "message": "This field is required.",
                            }
                        ],
                    }
                ],
            },
        },
    ),
]
UPLOAD = [
    OpenApiExample(
        "Stored",
        response_only=True,
        status_codes=["201"],
        value={
            "success": True,
            "batch": {
                "_id": "64e5f12345abcdef98765432",
                "batchName": "Marketing Campaign May 2025",
                "callingNumbers": ["64e5f12345abcdef87654321"],
                "totalCalls": 100,
            },
        },
    ),
    OpenApiExample(
        "Invalid rows",
        response_only=True,
        status_codes=["422"],
        value={
            "success": False,
            "message": "Nothing was stored: 1 row is invalid.",
            "invalidRows": [
                {
                    "row": 7,
                    "errors": [
                        {
                            "field": "phoneNumber",
                            "code": "too_short",
                            "message": "The number is too short for its country.",
                        }
                    ],
                }
            ],
            "totalInvalid": 1,
        },
    ),
]

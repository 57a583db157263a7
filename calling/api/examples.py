"""Requests and responses for the OpenAPI document."""

from drf_spectacular.utils import OpenApiExample

CREATE_AGENT = [
    OpenApiExample(
        "A spoken message",
        request_only=True,
        value={
            "name": "Payment reminder",
            "language": "en-US",
            "variables": [
                {"key": "name", "type": "string", "required": True},
                {"key": "plan", "type": "enum", "enum": ["basic", "plus"]},
            ],
            "connection": {"type": "message", "message": "Hello {name}, your bill is due."},
        },
    ),
    OpenApiExample(
        "A media stream",
        request_only=True,
        value={
            "name": "Voice assistant",
            "language": "en-GB",
            "connection": {"type": "stream", "url": "wss://voice.example.com/calls"},
        },
    ),
]
ADD_PHONE = [
    OpenApiExample(
        "A number of the simulator",
        request_only=True,
        value={
            "userId": "64e5f12345abcdef12345678",
            "phoneNumber": "12125551234",
            "integration": "simulator",
            "authToken": "any but refused",
            "accSId": "any",
        },
    ),
    OpenApiExample(
        "Added",
        response_only=True,
        status_codes=["201"],
        value={
            "message": "Phone number added successfully",
            "status": True,
            "code": 201,
            "errorMessage": "",
            "data": {
                "_id": "64e5f12345abcdef87654321",
                "userId": "64e5f12345abcdef12345678",
                "phoneNumber": "12125551234",
                "integration": "simulator",
                "createdAt": "2025-05-15T10:30:00.000Z",
            },
        },
    ),
]

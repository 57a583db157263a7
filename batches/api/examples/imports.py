"""The requests and responses of imports, for the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

_IMPORT = {
    "_id": "64e5f12345abcdef33333333",
    "batchId": "64e5f12345abcdef98765432",
    "userId": "64e5f12345abcdef12345678",
    "kind": "contacts",
    "source": "csv",
    "fileName": "contacts.csv",
    "dryRun": False,
    "status": "stored",
    "progress": 100,
    "rowsRead": 103,
    "rowsInvalid": 1,
    "rowsDuplicate": 2,
    "rowsAdded": 100,
    "rowsUpdated": 0,
    "rowsAlreadyAdded": 0,
    "errors": [
        {
            "row": 7,
            "errors": [
                {"field": "phoneNumber", "code": "required", "message": "This field is required."}
            ],
        }
    ],
    "createdAt": "2025-05-15T14:00:00.000Z",
    "updatedAt": "2025-05-15T14:00:01.000Z",
}


def _answer(name: str, message: str, data: dict[str, Any]) -> OpenApiExample:
    envelope = {"message": message, "status": True, "code": 200, "errorMessage": "", "data": data}
    return OpenApiExample(name, response_only=True, status_codes=["200"], value=envelope)


LIST_IMPORTS = [
    _answer(
        "First page",
        "Imports fetched successfully",
        {
            "imports": [_IMPORT],
            "pagination": {"total": 1, "page": 1, "limit": 10, "totalPages": 1},
        },
    ),
]
GET_IMPORT = [_answer("An import", "Import fetched successfully", _IMPORT)]
IMPORT_ERRORS = [
    OpenApiExample(
        "A refused row",
        response_only=True,
        status_codes=["200"],
        media_type="text/csv",
        value="phoneNumber,name,errors\r\n,Sarah Johnson,phoneNumber: This field is required.\r\n",
    ),
]

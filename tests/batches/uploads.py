"""What the tests of uploading files have in common."""

import json
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from batches.api.views.contacts import ContactsViewSet
from calling.models import PhoneNumber
from tests.cast import Person
from tests.envelope import checked

UPLOAD = "/api/call/upload"
DOCUMENTED_NAME = "Marketing Campaign May 2025"


def csv_file(*lines: str, name: str = "contacts.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, "".join(f"{line}\n" for line in lines).encode(), "text/csv")


def numbers_file(count: int, *more: str) -> SimpleUploadedFile:
    """So many good rows, then these."""
    return csv_file("phoneNumber", *(str(13105550000 + n) for n in range(count)), *more)


def file_of(content: bytes, name: str = "contacts.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def form(who: Person, phone: PhoneNumber, **changes: Any) -> dict[str, Any]:
    """A good form; a field that is changed to None is left out."""
    fields = {
        "file": numbers_file(2),
        "userId": who.user.id,
        "batchName": DOCUMENTED_NAME,
        "callingNumbers": json.dumps([phone.id]),
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def post(fields: dict[str, Any], headers: dict[str, str]) -> Any:
    body = encode_multipart(BOUNDARY, fields)
    client = Client(raise_request_exception=False)
    return client.generic("POST", UPLOAD, body, MULTIPART_CONTENT, headers=headers)


def upload(who: Person, phone: PhoneNumber, code: int = 201, **changes: Any) -> Any:
    """The checked body of an answer."""
    response = post(form(who, phone, **changes), who.with_key)
    return checked(response, code, ContactsViewSet.upload.endpoint)  # type: ignore[attr-defined]


def bad_rows(body: Any) -> list[tuple[int, list[tuple[str, str]]]]:
    """Row, and field and code of each of its errors."""
    return [
        (row["row"], [(error["field"], error["code"]) for error in row["errors"]])
        for row in body["invalidRows"]
    ]

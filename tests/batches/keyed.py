"""Each request that takes an `Idempotency-Key`, as a right one, and what it may be varied by."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests import factories
from tests.batches.contacts import ADD, call, contacts, number_with_agent, ready_batch
from tests.batches.uploads import UPLOAD, numbers_file
from tests.cast import Api, Person

CREATE = "/api/call/createBatch"
START = "/api/call/start-calling"
LIST = "/api/dnc/add"
ADD_PHONE = "/api/call/add-phone"
NUMBER = "12125551234"
TOKEN, ACCOUNT = "token-9f8e7d6c", "AC-1a2b3c4d"


@dataclass(frozen=True)
class Keyed:
    """`body` makes a body that is right for this person; `change` is what makes it another one."""

    path: str
    body: Callable[[Person], dict[str, Any]]
    code: int
    change: dict[str, Any]


def with_id(key: str, who: Person) -> dict[str, str]:
    return {**who.with_key, "Idempotency-Key": key}


def send(api: Api, path: str, body: Any, who: Person, key: str = "once") -> Any:
    return api.post(path, body, with_id(key, who))


def to_create(who: Person) -> dict[str, Any]:
    phone = factories.PhoneNumberFactory.create(workspace=who.workspace, created_by=who.user)
    return {"batchName": "Once", "callingNumbers": [phone.id]}


def to_add(count: int, *bad: Any, **more: Any) -> Callable[[Person], dict[str, Any]]:
    return lambda who: {
        "batchId": ready_batch(who).id,
        "call_data": [*contacts(count), *bad],
        **more,
    }


def to_upload(**more: Any) -> Callable[[Person], dict[str, Any]]:
    return lambda who: {
        "file": numbers_file(3, "12"),
        "userId": who.user.id,
        "batchName": "Once",
        "callingNumbers": json.dumps([number_with_agent(who).id]),
        "type": "true",
        **more,
    }


def to_start(**more: Any) -> Callable[[Person], dict[str, Any]]:
    def body(who: Person) -> dict[str, Any]:
        batch = ready_batch(who)
        call(batch, NUMBER)
        return {"batchId": batch.id, "userId": who.user.id, **more}

    return body


def to_list(who: Person) -> dict[str, Any]:
    return {"phoneNumber": NUMBER}


def to_add_phone(who: Person) -> dict[str, Any]:
    return {
        "userId": who.user.id,
        "phoneNumber": NUMBER,
        "integration": "simulator",
        "authToken": TOKEN,
        "accSId": ACCOUNT,
    }


REQUESTS = {
    "create": Keyed(CREATE, to_create, 201, {"batchName": "Twice"}),
    "add": Keyed(ADD, to_add(3, startCalling=True), 200, {"startCalling": False}),
    "add many": Keyed(ADD, to_add(1200), 200, {"dryRun": True}),
    "add in part": Keyed(ADD, to_add(1000, {"phoneNumber": "1"}), 207, {"call_data": []}),
    "only check": Keyed(ADD, to_add(2, dryRun=True), 200, {"dryRun": False}),
    "upload": Keyed(UPLOAD, to_upload(), 201, {"file": numbers_file(4, "12")}),
    "only check a file": Keyed(UPLOAD, to_upload(dryRun="true"), 200, {"dryRun": "false"}),
    "start": Keyed(START, to_start(), 200, {"uuid": "another"}),
    "start with contacts": Keyed(START, to_start(callData=contacts(2)), 200, {"callData": []}),
    "list": Keyed(LIST, to_list, 200, {"phoneNumber": "12125551235"}),
    "add a phone": Keyed(ADD_PHONE, to_add_phone, 201, {"authToken": "another"}),
}

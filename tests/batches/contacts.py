"""What the tests of adding, starting and stopping have in common."""

from typing import Any

from batches.models import Call, CallBatch
from batches.services.counters import counts_of
from tests import factories
from tests.cast import Api, Person
from tests.envelope import checked

ADD = "/api/call/addCallsToBatch"
UNKNOWN_ID = "64e5f12345abcdef87654321"
FINISHED = ["completed", "failed", "skipped", "cancelled"]


def ready_batch(who: Person, *, variables: Any = (), **fields: Any) -> CallBatch:
    """A batch with a number and an agent that asks for these variables, and nobody to call yet."""
    phone = number_with_agent(who, variables)
    mine = {"workspace": who.workspace, "created_by": who.user}
    batch: CallBatch = factories.CallBatchFactory.create(**mine, **fields)
    factories.BatchNumberFactory.create(batch=batch, phone=phone)
    return batch


def number_with_agent(who: Person, variables: Any = (), **fields: Any) -> Any:
    mine = {"workspace": who.workspace, "created_by": who.user}
    agent = factories.AgentFactory.create(**mine, variables=list(variables), **fields)
    return factories.PhoneNumberFactory.create(**mine, agent=agent)


def variable(key: str, kind: str = "string", required: bool = True, **more: Any) -> dict[str, Any]:
    return {"key": key, "type": kind, "required": required, **more}


def call(batch: CallBatch, number: str, status: str = "pending", **fields: Any) -> Call:
    """A call that the batch has; `number` as digits."""
    made: Call = factories.CallFactory.create(
        batch=batch, phone_number=f"+{number}", status=status, **fields
    )
    return made


def contacts(count: int, first: int = 0, **variables: Any) -> list[dict[str, Any]]:
    """So many contacts with numbers one after the other."""
    return [{"phoneNumber": str(13105550000 + first + n), **variables} for n in range(count)]


def add(api: Api, who: Person, batch: CallBatch, records: Any, code: int = 200, **more: Any) -> Any:
    """The checked body of an answer to addCallsToBatch."""
    body = {"batchId": batch.id, "call_data": records, **more}
    return checked(api.post(ADD, body, who.with_key), code)


def errors(body: Any) -> list[tuple[str, str]]:
    return [(error["field"], error["code"]) for error in body["data"]["errors"]]


def chunk_errors(body: Any) -> list[tuple[str, str]]:
    """Of the records of a request in which no chunk was good."""
    chunks = body["data"]["errors"]
    return [(error["field"], error["code"]) for chunk in chunks for error in chunk["errors"]]


def statuses(batch: CallBatch) -> dict[str, str]:
    """The status of each call by its number."""
    return {call.phone_number[1:]: call.status for call in batch.calls.all()}


def counted(batch: CallBatch) -> dict[str, int]:
    """The counters of a batch that are not 0."""
    return {name: number for name, number in counts_of(batch.id).items() if number}


def fresh(batch: CallBatch) -> CallBatch:
    return CallBatch.objects.select_related("session").get(id=batch.id)

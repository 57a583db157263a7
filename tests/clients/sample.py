"""A batch from its creation to its export, with the client that `make clients` generates.

A program: BASE_URL API_KEY USER_ID PHONE_ID; it prints each number with what became of it, then the
export. tests/clients/test_python_client.py runs it, and has mypy check it against the client.
"""

import sys
import time

from httpx import Timeout
from outdial_client import AuthenticatedClient
from outdial_client.api.batches import create_batch
from outdial_client.api.calls import batch_details, batch_stats, export_csv
from outdial_client.api.contacts import add_calls_to_batch
from outdial_client.api.dialing import start_calling
from outdial_client.models import (
    AddCalls,
    AddCallsToBatchResponse200,
    AddedCalls,
    BatchDetailsResponse200,
    BatchStatsResponse200,
    Contact,
    CreateBatch,
    CreateBatchResponse201,
    Error,
    StartCalling,
    StartCallingResponse200,
)

OUTCOMES = {"23": "answered", "05": "busy, then answered", "04": "not in service"}


def main(base_url: str, api_key: str, user_id: str, phone_id: str) -> None:
    client = AuthenticatedClient(
        base_url, token=api_key, prefix="", auth_header_name="x-api-key", timeout=Timeout(30)
    )
    with client:
        batch_id = create(client, phone_id)
        contacts = [contact(end, why) for end, why in OUTCOMES.items()]
        first, again = add(client, batch_id, contacts), add(client, batch_id, contacts)
        assert (first.added, len(first.call_ids)) == (3, 3)
        assert (again.added, again.already_added) == (0, 3)
        start(client, batch_id, user_id)
        wait(client, batch_id)
        export(client, batch_id)


def contact(end: str, why: str) -> Contact:
    made = Contact(f"121255501{end}", external_id=end)
    made["name"], made["account_id"] = why, f"ACC-{end}"  # what the agent asks for
    return made


def create(client: AuthenticatedClient, phone_id: str) -> str:
    nobody = create_batch.sync(client=client, body=CreateBatch("No number", ["0" * 24]))
    assert isinstance(nobody, Error)
    assert nobody.error_message.startswith("callingNumbers")

    body = CreateBatch("Welcome calls", [phone_id], retry=1, delay=0)
    created = create_batch.sync(client=client, body=body)
    assert isinstance(created, CreateBatchResponse201), created
    return created.data


def add(client: AuthenticatedClient, batch_id: str, contacts: list[Contact]) -> AddedCalls:
    body = AddCalls(batch_id, call_data=contacts)
    added = add_calls_to_batch.sync(client=client, body=body)
    assert isinstance(added, AddCallsToBatchResponse200), added
    return added.data


def start(client: AuthenticatedClient, batch_id: str, user_id: str) -> None:
    started = start_calling.sync(client=client, body=StartCalling(batch_id, user_id))
    assert isinstance(started, StartCallingResponse200), started
    assert started.data.status == "started"


def wait(client: AuthenticatedClient, batch_id: str) -> None:
    give_up = time.monotonic() + 60
    while True:
        stats = batch_stats.sync(batch_id, client=client)
        assert isinstance(stats, BatchStatsResponse200), stats
        if stats.data.batch_status == "completed":
            return
        assert time.monotonic() < give_up, stats.data
        time.sleep(0.2)


def export(client: AuthenticatedClient, batch_id: str) -> None:
    details = batch_details.sync(batch_id, client=client, limit=100)
    assert isinstance(details, BatchDetailsResponse200), details
    for call in details.data.data:
        print(call.phone_number, call.call_status, call["name"], len(call.phone_logs))
    exported = export_csv.sync(client=client, batch_id=batch_id)
    assert isinstance(exported, str), exported
    print(exported, end="")


if __name__ == "__main__":
    main(*sys.argv[1:])

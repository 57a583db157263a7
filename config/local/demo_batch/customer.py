"""The API, as the demo's customer uses it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from config.local.demo_batch.contacts import Contact
from config.local.process import StackError

TIMEOUT = 30.0  # seconds


class NoAnswer(StackError):
    """Nobody answers at the stack's address, or it asks to come back later."""


class Customer:
    """Owns one workspace of the demo, and calls from all its numbers.

    Every method raises NoAnswer, and StackError with what the API says when it refuses.
    """

    def __init__(self, demo_file: Path) -> None:
        """Raises StackError when there is no such file, for nobody has started a stack there."""
        try:
            demo = json.loads(demo_file.read_text())
            workspace = demo["workspaces"][0]
            self.url = str(demo["baseUrl"])
            self._key, self._user = str(workspace["apiKey"]), str(workspace["userId"])
            self._phones: list[str] = workspace["phoneIds"]
        except FileNotFoundError:
            raise StackError(
                f"there is no {demo_file}: start the stack with `make run`, then try again"
            ) from None
        except (OSError, ValueError, LookupError, TypeError):
            raise StackError(f"cannot read {demo_file}: `make run` writes it anew") from None
        # Straight to the machine itself: no proxy of the environment lies between.
        self._http = httpx.Client(
            base_url=self.url, headers={"x-api-key": self._key}, timeout=TIMEOUT, trust_env=False
        )

    def __enter__(self) -> Customer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def create_batch(self, name: str, *, retry: int, delay: int) -> str:
        """A draft that may ring at any hour. Returns its id."""
        body = {"batchName": name, "callingNumbers": self._phones, "retry": retry, "delay": delay}
        return str(self._ask("POST", "/api/call/createBatch", json=body)["data"])

    def add_contacts(self, batch_id: str, contacts: Sequence[Contact]) -> None:
        records = [
            {"phoneNumber": one.number, "name": f"Contact {place}", "account_id": f"ACC-{place}"}
            for place, one in enumerate(contacts, start=1)
        ]
        body = {"batchId": batch_id, "call_data": records}
        self._ask("POST", "/api/call/addCallsToBatch", json=body)

    def start(self, batch_id: str) -> None:
        self._steer("start-calling", batch_id)

    def stop(self, batch_id: str) -> None:
        """No further call starts; those under way finish."""
        self._steer("stop-calling", batch_id)

    def statistics(self, batch_id: str) -> dict[str, Any]:
        return self._data(f"/api/call/batch-stats/{batch_id}")

    def latest_calls(self, batch_id: str, limit: int) -> list[dict[str, Any]]:
        """Those that changed last, the newest first."""
        query = {"sortBy": "updatedAt", "limit": limit}
        calls: list[dict[str, Any]] = self._data(f"/api/call/batch-details/{batch_id}", query)[
            "data"
        ]
        return calls

    def wait_of_a_pending_call(self, batch_id: str) -> str:
        """What one of the pending calls waits for, in a sentence; '' when none is pending."""
        query = {"filter": '{"callStatus": "pending"}', "limit": 1}
        pending = self._data(f"/api/call/batch-details/{batch_id}", query)["data"]
        if not pending:
            return ""
        call = self._data(f"/api/call/call-details/{pending[0]['_id']}")
        return str((call["waitingFor"] or {}).get("detail", ""))

    def all_calls(self, batch_id: str) -> list[dict[str, Any]]:
        response = self._send("GET", "/api/call/export/ndjson", params={"batchId": batch_id})
        return [json.loads(line) for line in response.text.splitlines()]

    def list_number(self, number: str) -> None:
        """Put it on the do-not-call list."""
        self._ask("POST", "/api/dnc/add", json={"phoneNumber": number, "type": "demo"})

    def unlist_number(self, number: str) -> None:
        for entry in self._data("/api/dnc/list", {"search": number})["dncList"]:
            self._ask("DELETE", f"/api/dnc/delete/{entry['_id']}")

    def _steer(self, verb: str, batch_id: str) -> None:
        body = {"batchId": batch_id, "userId": self._user}
        self._ask("POST", f"/api/call/{verb}", json=body)

    def _data(self, path: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        data: dict[str, Any] = self._ask("GET", path, params=params)["data"]
        return data

    def _ask(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._send(method, path, **arguments).json()
        except ValueError:
            raise StackError(f"what answers at {self.url} is no Outdial") from None
        return answer

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **arguments)
        except httpx.TransportError:
            raise NoAnswer(
                f"nothing answers at {self.url}: start the stack with `make run`, then try again"
            ) from None
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            raise NoAnswer(f"{self.url} is busy or cannot reach its database: try again")
        if response.is_error:
            raise StackError(f"{method} {path} is refused: {_sentence(response)}")
        return response


def _sentence(response: httpx.Response) -> str:
    try:
        return str(response.json()["errorMessage"])
    except (ValueError, LookupError, TypeError):
        return f"status {response.status_code}"

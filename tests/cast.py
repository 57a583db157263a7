"""The cast of every test: an owner and a member of one workspace, a stranger with another."""

import json
from dataclasses import dataclass
from typing import Any

from django.core.files import File
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from config.api.error_codes import CODES
from tests import factories
from workspaces.callers import Role, Scope
from workspaces.models import User, Workspace


@dataclass(frozen=True)
class Person:
    """Somebody with every kind of credential for one workspace."""

    user: User
    workspace: Workspace
    key: str
    read_key: str
    token: str

    @property
    def with_key(self) -> dict[str, str]:
        return {"x-api-key": self.key}

    @property
    def with_read_key(self) -> dict[str, str]:
        return {"x-api-key": self.read_key}

    @property
    def with_token(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def person(workspace: Workspace | None = None, role: Role = Role.OWNER) -> Person:
    workspace = workspace or factories.WorkspaceFactory.create()
    user = factories.MembershipFactory.create(workspace=workspace, role=role).user
    return _with_credentials(user, workspace)


def in_sandbox(who: Person) -> Person:
    """The same person in the sandbox of their workspace."""
    live = who.workspace
    sandbox = Workspace.objects.filter(sandbox_of=live).first()
    return _with_credentials(who.user, sandbox or factories.SandboxFactory.create(sandbox_of=live))


def _with_credentials(user: User, workspace: Workspace) -> Person:
    mine = {"workspace": workspace, "created_by": user}
    return Person(
        user=user,
        workspace=workspace,
        key=factories.ApiKeyFactory(**mine).text,
        read_key=factories.ApiKeyFactory(**mine, scopes=[Scope.READ.value]).text,
        token=factories.AccessTokenFactory(workspace=workspace, user=user).text,
    )


class Api:
    """HTTP through the whole stack, JSON in and out; an exception is the 500 that a client sees.

    A test that gets an error with a code which docs/errors.md does not have fails.
    """

    def __init__(self) -> None:
        self._client = Client(raise_request_exception=False)

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        return self.request("POST", path, body, headers)

    def get(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Any:
        return _known(self._client.get(path, query, headers=headers or {}))

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Any:
        """A `str` or `bytes` body is sent as it is, one with a file in it as a form, else as JSON."""
        if isinstance(body, dict) and any(isinstance(value, File) for value in body.values()):
            for file in body.values():
                if isinstance(file, File):
                    file.seek(0)  # it may have been sent before
            form = encode_multipart(BOUNDARY, body)
            return _known(
                self._client.generic(method, path, form, MULTIPART_CONTENT, headers=headers or {})
            )
        raw = isinstance(body, str | bytes)
        data = body if raw else json.dumps({} if body is None else body)
        return _known(self._client.generic(method, path, data, JSON, headers=headers or {}))


JSON = "application/json"


def _known(response: Any) -> Any:
    if response.get("Content-Type") == JSON and b'"code":"' in response.content:
        unknown = unknown_codes(response.json())
        assert not unknown, f"Not in config/api/error_codes.py: {unknown}"
    return response


def unknown_codes(answer: Any) -> set[str]:
    """The codes of errors, wherever they stand in an answer, that the catalogue lacks."""
    if isinstance(answer, list):
        return set().union(*map(unknown_codes, answer))
    if not isinstance(answer, dict):
        return set()
    own = {answer["code"]} if {"field", "code", "message"} <= answer.keys() else set()
    return set().union(own - CODES.keys(), *map(unknown_codes, answer.values()))

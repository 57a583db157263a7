"""What an action says of itself, once, for the permission, the view, the tests and the schema."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, extend_schema

from workspaces.api.idempotency import PARAMETER, answered_once
from workspaces.api.strict import QuerySerializer, StrictSerializer
from workspaces.permissions import Access

MEGABYTE = 1_000_000
JSON, FORM = "application/json", "multipart/form-data"
Action = TypeVar("Action", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`result` describes `data` for the schema: a serializer (class or field), or None for null.

    `bad_credentials` is the status for a missing or bad credential (403 where the contract says so).
    `errors` adds documented statuses to the common ones, each with its reason.
    `alternatives` are further statuses with a body of their own: its `data`, or all of it where the
    endpoint is `bare`; a serializer, or a schema.
    `multipart` takes a form with files in the place of JSON. `media_type` names what a success streams.
    `etag`: a single thing that has one. Its GET takes `If-None-Match`, its PATCH and DELETE `If-Match`
    (`ApiViewSet.precondition`).
    `idempotent` takes an `Idempotency-Key`: see `workspaces.api.idempotency`.
    `with_data` and `bare` describe the documented exceptions to the envelope.
    """

    access: Access
    message: str
    result: Any = None
    body: type[StrictSerializer] | None = None
    query: type[QuerySerializer] | None = None
    status: int = 200
    bad_credentials: int = 401
    max_body: int = MEGABYTE
    errors: Mapping[int, str] = field(default_factory=dict)
    alternatives: Mapping[int, Any] = field(default_factory=dict)
    multipart: bool = False
    media_type: str = "application/json"
    bare: bool = False
    etag: bool = False
    idempotent: bool = False
    with_data: bool = True


def endpoint(
    access: Access,
    *,
    operation: str,
    tags: Sequence[str],
    summary: str,
    description: str = "",
    examples: Sequence[OpenApiExample] = (),
    **settings: Any,
) -> Callable[[Action], Action]:
    """Declare a viewset action as an API endpoint; `settings` are the fields of `Endpoint`.

    `operation` is the OpenAPI operation id, from which client generators name their methods.
    """
    declared = Endpoint(access, **settings)
    parameters: list[Any] = [declared.query] if declared.query else []
    if declared.idempotent:
        parameters.append(PARAMETER)

    def declare(action: Action) -> Action:
        documented = extend_schema(
            operation_id=operation,
            request={FORM: declared.body} if declared.multipart else declared.body,
            parameters=parameters or None,
            responses={
                (code, declared.media_type if code == declared.status else JSON): body
                for code, body in {
                    declared.status: declared.result,
                    **declared.alternatives,
                }.items()
            },
            tags=list(tags),
            summary=summary,
            description=description,
            examples=list(examples),
        )(answered_once(operation, action) if declared.idempotent else action)
        documented.endpoint = declared  # type: ignore[attr-defined]
        return documented

    return declare

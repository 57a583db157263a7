"""How an `@endpoint` declaration becomes OpenAPI: envelope, security, and every status it can have."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent

from calling.carriers.registry import CARRIERS
from config.api.envelope import is_success
from workspaces.api.conditional import IF_MATCH, IF_NONE_MATCH
from workspaces.api.endpoint import JSON, Endpoint
from workspaces.api.idempotency import REPLAYED
from workspaces.ids import OBJECT_ID_PATTERN
from workspaces.permissions import Access

Schema = dict[str, Any]

_BODY_METHODS = {"POST", "PUT", "PATCH"}
_REASONS = {
    400: "A malformed request or an invalid field, named in `data.errors`.",
    401: "Missing, malformed, unknown, expired or revoked credentials.",
    403: "Valid credentials that may not do this.",
    404: "It does not exist, or belongs to another workspace.",
    406: "`Accept` rules JSON out.",
    409: "A request with this `Idempotency-Key` is still running; see `Retry-After`.",
    410: "It is no longer there.",
    412: "`If-Match` names another state: it has been changed since. Fetch it again.",
    413: "The body is too large.",
    415: "The body is of another media type.",
    422: "Nothing was stored: rows of the file are invalid.",
    429: "Too many requests with these credentials, or of this workspace; see `Retry-After`.",
    500: "Our fault; `errorMessage` names the request id.",
    503: "The database is away; see `Retry-After`.",
}
_FIELD_ERROR: Schema = {
    "type": "object",
    "properties": {
        "field": {"type": "string", "examples": ["callingNumbers[0]"]},
        "code": {"type": "string", "examples": ["unknown_number"]},
        "message": {"type": "string"},
    },
    "required": ["field", "code", "message"],
}
_ERROR_DATA: Schema = {
    "oneOf": [
        {"type": "null"},
        {
            "type": "object",
            "properties": {"errors": {"type": "array", "items": _FIELD_ERROR, "maxItems": 100}},
            "required": ["errors"],
        },
    ]
}
_HEADERS: dict[int | None, dict[str, Schema]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string", "const": "Bearer"}}},
    409: {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}}},
    429: {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}}},
    503: {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}}},
}
_TAG: Schema = {
    "schema": {"type": "string", "pattern": '^"[!#-~]+"$'},
    "description": "What `If-None-Match` and `If-Match` name. New when the answer is.",
}
# Of a caller without limits an answer has none of the two.
_RATE_LIMITS: Schema = {
    "RateLimit-Policy": {
        "schema": {"type": "string"},
        "description": "The limits: `q` requests in `w` seconds, of `key` (or token) and `workspace`.",
        "example": '"key";q=6000;w=60, "workspace";q=12000;w=60',
    },
    "RateLimit": {
        "schema": {"type": "string"},
        "description": "What is left of them: about `r` requests in the next `t` seconds.",
        "example": '"key";r=5990;t=31, "workspace";r=11990;t=31',
    },
}
_REPLAYED: Schema = {
    "schema": {"type": "string", "const": "true"},
    "description": "The answer was given before, to a request with the same `Idempotency-Key`.",
}
# Path parameters that are no ids.
_WORDS: Mapping[str, Schema] = {"carrier": {"type": "string", "enum": sorted(CARRIERS)}}


class WorkspaceSecurity(OpenApiAuthenticationExtension):
    target_class = "workspaces.authentication.WorkspaceAuthentication"
    name = ["apiKeyAuth", "bearerAuth"]

    def get_security_definition(self, auto_schema: Any) -> list[Schema]:
        return [
            {
                "type": "apiKey",
                "in": "header",
                "name": "x-api-key",
                "description": "A workspace key. When both are sent, the key decides.",
            },
            {
                "type": "http",
                "scheme": "bearer",
                "description": "A user in one workspace: the token of `POST /api/auth/login`.",
            },
        ]


class EndpointSchema(AutoSchema):
    @property
    def declared(self) -> Endpoint:
        endpoint = getattr(self.view, "endpoint", None)
        assert isinstance(endpoint, Endpoint), f"{self.view}: an action without @endpoint"  # noqa: S101
        return endpoint

    def get_auth(self) -> list[Schema]:
        super().get_auth()  # registers the schemes
        access = self.declared.access
        if access is Access.PUBLIC:
            return []
        tokens_only = access in {Access.KEYS, Access.TOKEN}
        return [{"bearerAuth": []}] if tokens_only else [{"apiKeyAuth": []}, {"bearerAuth": []}]

    def _is_list_view(self, serializer: Any = None) -> bool:
        """A list is an object with its pagination, described as such: no array around it."""
        return False

    def _get_response_bodies(self, *args: Any, **kwargs: Any) -> Schema:
        bodies: Schema = super()._get_response_bodies(*args, **kwargs)
        declared = self.declared
        for code, response in bodies.items():
            is_usual = int(code) == declared.status
            response["description"] = declared.message if is_usual else HTTPStatus(int(code)).phrase
            content = response.setdefault("content", {JSON: {}})
            if JSON in content and not declared.bare:
                content[JSON]["schema"] = _answer(declared, int(code), content[JSON].get("schema"))
        for number in self._error_codes(declared):
            bodies.setdefault(str(number), self._error_body(number, declared))
        if declared.idempotent:
            self._add_replays(bodies)
        if declared.etag:
            self._add_tags(bodies)
        if declared.access is not Access.PUBLIC:
            for code in ("429", str(declared.status)):
                bodies[code]["headers"] = {**bodies[code].get("headers", {}), **_RATE_LIMITS}
        return dict(sorted(bodies.items()))

    def _add_tags(self, bodies: Schema) -> None:
        if self.method == "DELETE":
            return
        bodies[str(self.declared.status)].setdefault("headers", {})["ETag"] = _TAG
        if self.method == "GET":
            bodies["304"] = {
                "description": "It is what `If-None-Match` names.",
                "headers": {"ETag": _TAG},
            }

    def get_override_parameters(self) -> list[Any]:
        own: list[Any] = super().get_override_parameters()
        if self.declared.etag:
            return [*own, IF_NONE_MATCH if self.method == "GET" else IF_MATCH]
        return own

    def _add_replays(self, bodies: Schema) -> None:
        """What an `Idempotency-Key` adds to the answers that are there."""
        for code, response in bodies.items():
            if int(code) < HTTPStatus.BAD_REQUEST:
                response.setdefault("headers", {})[REPLAYED] = _REPLAYED
        reused = bodies["422"]["content"][JSON]
        error = self._error_component().ref
        if reused["schema"] != error:  # a file's refused rows, without the envelope
            reused["schema"] = {"anyOf": [reused["schema"], error]}

    def _error_codes(self, declared: Endpoint) -> list[int]:
        codes = {406, 500, 503, *declared.errors}
        if declared.idempotent:
            codes |= {409, 422}
        has_path_ids = "{" in self.path
        if declared.body or declared.query or has_path_ids or self.method in _BODY_METHODS:
            codes.add(400)
        if declared.body:
            codes |= {413, 415}
        if declared.access is not Access.PUBLIC:
            codes |= {403, 429, declared.bad_credentials}
        if declared.etag and self.method != "GET":
            codes |= {400, 412}
        if has_path_ids:
            codes.add(404)
        return sorted(codes)

    def _error_body(self, code: int, declared: Endpoint) -> Schema:
        reason = _REASONS[code]
        if code == HTTPStatus.UNPROCESSABLE_ENTITY and declared.idempotent:
            reason = "The `Idempotency-Key` came with another request before."
        if code == HTTPStatus.FORBIDDEN and declared.bad_credentials == HTTPStatus.FORBIDDEN:
            reason = f"{_REASONS[401]} Or valid ones that may not do this."
        return {
            "description": declared.errors.get(code, reason),
            "content": {"application/json": {"schema": self._error_component().ref}},
            **({"headers": _HEADERS[code]} if code in _HEADERS else {}),
        }

    def _error_component(self) -> ResolvedComponent:
        component = ResolvedComponent(
            name="Error",
            type=ResolvedComponent.SCHEMA,
            object="Error",
            schema=_envelope(status=False, error_message={"minLength": 1}, data=_ERROR_DATA),
        )
        self.registry.register_on_missing(component)
        return component

    def _resolve_path_parameters(self, variables: list[str]) -> list[Schema]:
        return [
            {
                "in": "path",
                "name": name,
                "required": True,
                "schema": _WORDS.get(name, {"type": "string", "pattern": OBJECT_ID_PATTERN}),
            }
            for name in variables
        ]

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Schema:
        schema: Schema = super()._map_basic_serializer(serializer, direction)
        if "__doc__" not in vars(type(serializer)) or not type(serializer).__doc__:
            schema.pop("description", None)  # its base class's, which is not for integrators
        if getattr(serializer, "refuse_unknown", False):
            schema["additionalProperties"] = False
            schema.pop("description", None)  # what the validated data are
        if names := getattr(serializer, "exactly_one_of", ()):
            # As `oneOf` it would be a union without fields to generators of clients.
            one, other = names
            schema["if"] = {"required": [one]}
            schema["then"] = {"not": {"required": [other]}}
            schema["else"] = {"required": [other]}
        return schema


def _answer(declared: Endpoint, code: int, data: Schema | None) -> Schema:
    succeeded = is_success(code)
    if data and code >= HTTPStatus.BAD_REQUEST:  # besides what every error may have
        data = {"anyOf": [*_ERROR_DATA["oneOf"], data]}
    schema = _envelope(
        status=succeeded,
        error_message={"const": ""} if succeeded else {"minLength": 1},
        data=data or {"type": "null"},
        code=code,
    )
    if not declared.with_data:
        del schema["properties"]["data"]
        schema["required"].remove("data")
    return schema


def _envelope(
    *, status: bool, error_message: Schema, data: Schema, code: int | None = None
) -> Schema:
    return {
        "type": "object",
        "properties": {
            "message": {"type": "string"},
            "status": {"type": "boolean", "const": status},
            "code": {"type": "integer", **({"const": code} if code else {})},
            "errorMessage": {"type": "string", **error_message},
            "data": data,
        },
        "required": ["message", "status", "code", "errorMessage", "data"],
    }

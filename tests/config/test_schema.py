"""The OpenAPI document: committed, free of warnings, complete; its pages ask no outside host."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.staticfiles import finders
from django.core.management import call_command
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from tests import routes
from tests.cast import Api
from tests.envelope import checked
from workspaces.api.endpoint import JSON, Endpoint

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.yaml"
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> Any:
    return yaml.safe_load(COMMITTED.read_text())


def operations(document: Any) -> dict[str, Any]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def test_the_committed_document_is_the_generated_one(tmp_path: Path) -> None:
    """`make openapi` writes it. A warning of the generator fails here."""
    fresh = tmp_path / "openapi.yaml"
    call_command("spectacular", file=str(fresh), validate=True, fail_on_warn=True)
    assert COMMITTED.read_text() == fresh.read_text()


def test_it_is_a_valid_openapi_document(document: Any) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document, cls=OpenAPIV31SpecValidator)


def test_what_is_served_is_what_is_committed(api: Api, db: None, document: Any) -> None:
    response = api.get("/api/schema")
    assert response.status_code == 200
    assert yaml.safe_load(response.content) == document
    as_json = api.get("/api/schema", {"accept": "application/vnd.oai.openapi+json"})
    assert as_json.json() == document


def test_both_ways_to_sign_in_are_described(document: Any) -> None:
    schemes = document["components"]["securitySchemes"]
    assert (schemes["apiKeyAuth"]["in"], schemes["apiKeyAuth"]["name"]) == ("header", "x-api-key")
    assert (schemes["bearerAuth"]["type"], schemes["bearerAuth"]["scheme"]) == ("http", "bearer")
    ways = [way for one in operations(document).values() for way in one.get("security", [])]
    used = {name for way in ways for name in way}
    assert used == set(schemes)


def test_only_the_login_and_signed_callbacks_need_no_credentials(document: Any) -> None:
    public = [name for name, one in operations(document).items() if not one.get("security")]
    hooks = [f"POST /api/carriers/{{carrier}}/{hook}" for hook in ("answer", "callback", "key")]
    assert public == ["POST /api/auth/login", *hooks]


def test_every_operation_documents_its_errors(document: Any) -> None:
    for name, operation in operations(document).items():
        codes = set(operation["responses"])
        assert {"406", "500", "503"} <= codes, name
        assert codes & {"200", "201"}, name
        if operation.get("security"):
            assert "403" in codes, name
        if "requestBody" in operation:
            assert {"400", "413", "415"} <= codes, name
        if "{" in name:
            assert {"400", "404"} <= codes, name


def test_missing_credentials_are_a_401_except_where_documented(document: Any) -> None:
    without = {
        name
        for name, one in operations(document).items()
        if one.get("security") and "401" not in one["responses"]
    }
    assert without == {"POST /api/call/createBatch", "POST /api/call/addCallsToBatch"}


def test_every_answer_is_the_envelope_in_its_order(document: Any) -> None:
    endpoints = {str(route): route.endpoint for route in routes.routes()}
    for name, operation in operations(document).items():
        for code, answer in operation["responses"].items():
            if code == "401":
                assert "WWW-Authenticate" in answer["headers"]
            if code in ("429", "503"):
                assert "Retry-After" in answer["headers"]
            _check_envelope(document, endpoints[name], int(code), answer)


def _check_envelope(document: Any, endpoint: Endpoint, code: int, answer: Any) -> None:
    if code == 304:
        assert "content" not in answer
        return
    succeeded = code < 400
    if succeeded and endpoint.media_type != JSON:
        assert list(answer["content"]) == [endpoint.media_type]
        return
    if endpoint.bare and (succeeded or code == 422):
        return
    schema = answer["content"][JSON]["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    keys = ["message", "status", "code", "errorMessage", "data"]
    expected = keys if endpoint.with_data or not succeeded else keys[:-1]
    assert list(schema["properties"]) == schema["required"] == expected
    assert schema["properties"]["status"]["const"] is (succeeded and code != 207)


def test_an_idempotency_key_and_its_answers_are_described(document: Any) -> None:
    taking = {str(route) for route in routes.routes() if route.endpoint.idempotent}
    assert taking
    for name, operation in operations(document).items():
        headers = [one for one in operation.get("parameters", []) if one["in"] == "header"]
        keys = [one for one in headers if one["name"] == "Idempotency-Key"]
        assert bool(keys) is (name in taking), name
        if keys:
            assert not keys[0].get("required")
            assert re.fullmatch(
                keys[0]["schema"]["pattern"], "8e03978e-40d5-43dd-bc93-6894a57f9324"
            )
            assert "Retry-After" in operation["responses"]["409"]["headers"]
            assert "422" in operation["responses"]
            for code, answer in operation["responses"].items():
                assert ("Idempotency-Replayed" in answer.get("headers", {})) is (int(code) < 400)


def test_every_operation_has_a_name_and_a_place_of_its_own(document: Any) -> None:
    every = operations(document).values()
    ids = [operation["operationId"] for operation in every]
    assert len(set(ids)) == len(ids)
    tags = {tag["name"] for tag in document["tags"]}
    assert all(set(operation["tags"]) <= tags and operation["summary"] for operation in every)


def test_bodies_refuse_unknown_fields_and_ids_have_their_pattern(document: Any) -> None:
    schemas = document["components"]["schemas"]
    for operation in operations(document).values():
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                words = {"type": "string", "enum": ["plivo", "simulator", "telnyx", "twilio"]}
                is_carrier = parameter["name"] == "carrier"
                id_ = {"type": "string", "pattern": "^[0-9a-f]{24}$"}
                assert parameter["schema"] == (words if is_carrier else id_)
        if "requestBody" in operation:
            [content] = operation["requestBody"]["content"].values()
            body = content["schema"]
            schema = schemas[body["$ref"].rpartition("/")[2]]
            assert schema["additionalProperties"] is False


# --- The pages ------------------------------------------------------------------------------------

PAGES = ["/api/docs", "/api/redoc"]
_outside = re.compile(r"""(?:src|href|url|data-url)\s*[=:(]\s*["']?\s*((?:https?:)?//[^"')\s>]+)""")
_reference = re.compile(r"""(?:src|href)=["']([^"']+)""")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_references_no_outside_host(api: Api, db: None, page: str) -> None:
    response = api.get(page)
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/html")
    html = response.content.decode()
    assert "/api/schema" in html
    assert not _outside.findall(html)
    policy = response["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_loads_is_there(api: Api, db: None, page: str) -> None:
    references = _reference.findall(api.get(page).content.decode())
    assert references
    for reference in references:
        if reference.startswith("/static/"):
            assert finders.find(reference.removeprefix("/static/")), reference
        elif not reference.startswith("data:"):
            assert api.get(reference).status_code == 200, reference


def test_the_bundle_of_redoc_names_no_host_to_load_from(api: Api, db: None) -> None:
    response = api.get("/api/redoc.js")
    assert response["Content-Type"].startswith("text/javascript")
    assert b"cdn.redoc.ly" not in response.content


@pytest.mark.parametrize("page", ["/api/schema", *PAGES])
def test_a_page_needs_no_credentials_and_minds_no_bad_ones(api: Api, db: None, page: str) -> None:
    assert api.get(page, {"x-api-key": "nonsense"}).status_code == 200
    assert api.request("HEAD", page).status_code == 200
    checked(api.get(page, {"accept": "image/png"}), 406)

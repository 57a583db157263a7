"""Every answer under /api is the envelope: successes, and the errors of every layer."""

from typing import Any

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client
from pytest_django import Settings

from calling.models import PhoneNumber
from tests import factories
from tests.cast import JSON, Api, Person
from tests.envelope import checked

CREATE = "/api/call/createBatch"
LOGIN = "/api/auth/login"
ME = "/api/auth/me"


@pytest.fixture(params=[False, True], ids=["", "debug"])
def debug(request: pytest.FixtureRequest, settings: Settings) -> bool:
    """Both ways: with DEBUG Django would answer with pages of its own."""
    settings.DEBUG = request.param
    return bool(request.param)


def raw(body: bytes | str, headers: dict[str, str], content_type: str = JSON) -> Any:
    client = Client(raise_request_exception=False)
    return client.generic("POST", CREATE, body, content_type, headers=headers)


# --- Success --------------------------------------------------------------------------------------


def test_a_success_is_the_envelope(
    api: Api, owner: Person, phone: PhoneNumber, debug: bool
) -> None:
    body = {"batchName": "One", "callingNumbers": [phone.id]}
    assert checked(api.post(CREATE, body, owner.with_key), 201)["data"]
    assert checked(api.get(ME, owner.with_token), 200)["data"]


def test_head_on_a_get_has_its_headers_and_no_body(api: Api, owner: Person) -> None:
    got, head = (api.request(method, ME, headers=owner.with_key) for method in ("GET", "HEAD"))
    checked(head, 200)
    assert head["Content-Type"] == got["Content-Type"]


# --- 400 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"}",
        b"nonsense",
        b"{'batchName': 'x'}",
        b'{"batchName": "x",}',
        b'{"batchName": "x"} {"batchName": "y"}',
        b'{"retry": NaN}',
        b'{"retry": Infinity}',
        b'{"retry": -Infinity}',
        b'{"retry": 01}',
        b'{"batchName": "\xff"}',
        b'{"batchName": "\xc3"}',
        b'{"batchName": "\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"batchName": "x"}',
        '{"batchName": "x"}'.encode("utf-16"),
        b'{"batchName": "a\x00b"}',
        b'{"batchName": "line\nbreak"}',
        rb'{"batchName": "a\u0000b"}',
        rb'{"a\u0000b": 1}',
        rb'{"callingHour": {"start": ["\u0000"]}}',
        rb'{"batchName": "\ud800"}',
        rb'{"batchName": "\udc00\ud800"}',
        rb'{"batchName": "\x41"}',
        b"[" * 2000 + b"]" * 2000,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b'{"retry": 1' + b"0" * 5000 + b"}",
        b'{"retry": 1e999}',
        b"[]",
        b"null",
        b"7",
        b'"text"',
    ],
    ids=lambda body: repr(body)[:32],
)
def test_a_body_that_is_no_sound_json_object_is_a_400(
    owner: Person, debug: bool, body: bytes
) -> None:
    checked(raw(body, owner.with_key), 400)


def test_a_repeated_name_is_taken_once_and_an_escaped_one_is_the_same_name(
    owner: Person, phone: PhoneNumber
) -> None:
    body = f'{{"batchName": 7, "batchNam\\u0065": "x", "callingNumbers": ["{phone.id}"]}}'
    checked(raw(body, owner.with_key), 201)


def test_validation_names_the_field_in_a_sentence_and_in_a_list(
    api: Api, owner: Person, debug: bool
) -> None:
    body = checked(api.post(CREATE, {"batchName": ""}, owner.with_key), 400)
    assert body["message"] == "Validation failed"
    assert body["errorMessage"] == "batchName: This field may not be blank. … and 1 more"
    assert [error["field"] for error in body["data"]["errors"]] == ["batchName", "callingNumbers"]


def test_at_most_a_hundred_errors_are_listed(api: Api, owner: Person) -> None:
    unknown = {f"field{number}": 1 for number in range(300)}
    body = checked(api.post(CREATE, unknown, owner.with_key), 400)
    assert len(body["data"]["errors"]) == 100
    assert body["errorMessage"].endswith("… and 301 more")  # and the two that are missing


def test_a_long_unknown_name_does_not_come_back_whole(api: Api, owner: Person) -> None:
    response = api.post(CREATE, {"x" * 500_000: 1}, owner.with_key)
    checked(response, 400)
    assert len(response.content) < 2000


@pytest.mark.parametrize("query", ["a=%00", "%00", "a=%FF", "a=%C3%28", "%ED%A0%80=1"])
@pytest.mark.parametrize("path", [ME, CREATE, "/api/schema", "/api/nothing"])
def test_a_query_string_that_is_no_clean_text_is_a_400_everywhere(
    api: Api, owner: Person, debug: bool, path: str, query: str
) -> None:
    checked(api.request("GET", f"{path}?{query}", headers=owner.with_key), 400)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:port", "a b", "", "127.0.0.1\x00"])
def test_a_foreign_host_header_is_a_400(owner: Person, debug: bool, host: str) -> None:
    client = Client(raise_request_exception=False)
    response = client.get(ME, headers={**owner.with_key, "host": host})
    body = checked(response, 400)
    assert host == "" or host not in body["errorMessage"]


# --- 401, 403, 404, 405, 406 ----------------------------------------------------------------------


def test_every_layer_calls_a_status_by_the_same_name(api: Api, owner: Person) -> None:
    by_the_parser = api.post(CREATE, "{", owner.with_key)
    by_the_middleware = api.request("GET", f"{ME}?q=%00", headers=owner.with_key)
    by_django = api.get(ME, {**owner.with_key, "Host": "evil.example"})
    refusals = (by_the_parser, by_the_middleware, by_django)
    assert {checked(refusal, 400)["message"] for refusal in refusals} == {"Bad request"}


def test_no_credentials(api: Api, db: None, debug: bool) -> None:
    checked(api.get(ME), 401)
    checked(api.post(CREATE), 403)


def test_good_credentials_that_may_not(api: Api, owner: Person, debug: bool) -> None:
    checked(api.post(CREATE, {}, owner.with_read_key), 403)


@pytest.mark.parametrize(
    "path",
    [
        *("/api", "/api/", "/api//", "/api/nothing", "/api/call", "/api/call/", "/api/admin/"),
        *(f"{CREATE}/", "/api/call/createbatch", "/api//call/createBatch", "/api/schema/"),
        *("/api/../api/nothing", "/api/call/batches/", "/api/%2e%2e/healthz", "/api/healthz"),
        *("/api/caf%C3%A9", "/api/%FF", "/api/%00", "/api/a%0Ab", "/api/index.html"),
    ],
)
def test_an_unknown_url_is_a_404_to_everybody_and_every_method(
    api: Api, debug: bool, path: str
) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        response = api.request(method, path)
        checked(response, 404)
        assert "Location" not in response


@pytest.mark.parametrize("path", ["/apiary", "/", "/nothing", "/admin/nothing", "/healthz"])
def test_what_is_not_under_api_is_left_alone(api: Api, db: None, path: str) -> None:
    response = api.get(path)
    assert response["X-Request-Id"]
    assert b"errorMessage" not in response.content


def test_a_wrong_method(api: Api, db: None, debug: bool) -> None:
    response = api.request("PUT", "/api/workspace")
    checked(response, 405)
    assert response["Allow"] == "GET, HEAD, PATCH"
    for page in ("/api/schema", "/api/docs", "/api/redoc", "/api/redoc.js"):
        response = api.post(page)
        checked(response, 405)
        assert set(response["Allow"].split(", ")) >= {"GET", "HEAD"}


@pytest.mark.parametrize("method", ["PROPFIND", "BREW"])
def test_an_unheard_of_method_is_a_405(api: Api, owner: Person, method: str) -> None:
    checked(api.request(method, ME, headers=owner.with_key), 405)


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png, text/*;q=0.5"])
def test_an_accept_that_rules_json_out_is_a_406(
    api: Api, owner: Person, debug: bool, accept: str
) -> None:
    checked(api.get(ME, {**owner.with_key, "accept": accept}), 406)


@pytest.mark.parametrize("accept", ["", "*/*", "application/*", "application/json; q=0.1", "x"])
def test_an_accept_that_allows_json_or_makes_no_sense(api: Api, owner: Person, accept: str) -> None:
    response = api.get(ME, {**owner.with_key, "accept": accept})
    checked(response, 406 if accept == "x" else 200)


# --- 413, 415, 429 --------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", [JSON, "text/plain"])
def test_a_body_over_a_megabyte_is_a_413(owner: Person, debug: bool, content_type: str) -> None:
    checked(raw(b'{"batchName": "' + b"x" * 1_000_000 + b'"}', owner.with_key, content_type), 413)


def test_a_body_of_a_megabyte_is_read(owner: Person) -> None:
    body = b'{"batchName": "' + b"x" * (1_000_000 - 17) + b'"}'
    assert len(body) == 1_000_000
    assert "batchName" in checked(raw(body, owner.with_key), 400)["errorMessage"]
    checked(raw(body + b" ", owner.with_key), 413)


@pytest.mark.parametrize(
    "content_type",
    [
        *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
        *("application/jsonp", "application/vnd.api+json", "", "nonsense", "/"),
    ],
)
def test_a_body_that_is_not_called_json_is_a_415(
    owner: Person, debug: bool, content_type: str
) -> None:
    checked(raw(b'{"batchName": "x"}', owner.with_key, content_type), 415)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON"])
def test_json_under_its_other_spellings(owner: Person, content_type: str) -> None:
    checked(raw(b'{"batchName": "x"}', owner.with_key, content_type), 400)


def test_too_many_logins(api: Api, owner: Person, debug: bool) -> None:
    wrong = {"email": owner.user.email, "password": "wrong"}
    codes = [api.post(LOGIN, wrong).status_code for _ in range(7)]
    assert codes == [401, 401, 401, 401, 429, 429, 429]
    checked(api.post(LOGIN, {**wrong, "password": factories.PASSWORD}), 429)


# --- 500 and 503 ----------------------------------------------------------------------------------


def test_an_unforeseen_error_names_the_request_and_leaks_nothing(
    api: Api, owner: Person, phone: PhoneNumber, debug: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("the password of the database is hunter2")

    monkeypatch.setattr("batches.services.batches.create_batch", fail)
    body = {"batchName": "x", "callingNumbers": [phone.id]}

    response = api.post(CREATE, body, {**owner.with_key, "X-Request-Id": "trace-me"})

    answer = checked(response, 500)
    assert answer["errorMessage"] == (
        "Something went wrong on our side. Tell support the request id trace-me."
    )
    assert answer["data"] is None
    for leak in ("hunter2", "RuntimeError", "create_batch", "Traceback"):
        assert leak not in response.content.decode()


def test_an_error_in_a_middleware_is_the_envelope_too(
    api: Api, owner: Person, debug: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr("django.middleware.common.CommonMiddleware.process_response", fail)
    response = api.get(ME, {**owner.with_key, "X-Request-Id": "trace-me"})

    assert "trace-me" in checked(response, 500)["errorMessage"]
    assert "hunter2" not in response.content.decode()


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_is_away_is_a_503(
    api: Api,
    owner: Person,
    debug: bool,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error("connection to server at 10.1.2.3 failed: hunter2")

    monkeypatch.setattr("workspaces.authentication.find_credential", fail)
    for response in (api.get(ME, owner.with_key), api.post(CREATE, {}, owner.with_key)):
        checked(response, 503)
        assert "10.1.2.3" not in response.content.decode()

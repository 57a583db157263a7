"""What the logs say, and what they must never say."""

import json
import logging
from typing import Any

import pytest
import structlog
from structlog.stdlib import ProcessorFormatter

from calling.models import PhoneNumber
from config.logging import configure_logging, redact, without_row_values
from tests import factories
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.credentials import CredentialPrefix, mint

CREATE, LOGIN, ME = "/api/call/createBatch", "/api/auth/login", "/api/auth/me"
Captured = pytest.CaptureFixture[str]


def lines(capsys: Captured) -> list[dict[str, Any]]:
    """Standard output, every line of which is an event of the log."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def requests(capsys: Captured) -> list[dict[str, Any]]:
    return [line for line in lines(capsys) if line["event"] == "request"]


# --- A line a request -----------------------------------------------------------------------------


def test_each_request_is_one_line_with_its_id(api: Api, owner: Person, capsys: Captured) -> None:
    ids = [
        api.get(ME, {**owner.with_key, "X-Request-Id": "trace-1"})["X-Request-Id"],
        api.get(ME)["X-Request-Id"],
        api.post(CREATE, "{", owner.with_key)["X-Request-Id"],
        api.get("/api/nothing")["X-Request-Id"],
        api.get("/admin/")["X-Request-Id"],
    ]
    logged = lines(capsys)
    assert [line["request_id"] for line in logged] == ids
    assert [(line["method"], line["path"], line["status"]) for line in logged] == [
        ("GET", ME, 200),
        ("GET", ME, 401),
        ("POST", CREATE, 400),
        ("GET", "/api/nothing", 404),
        ("GET", "/admin/", 302),
    ]
    assert all(line["event"] == "request" and line["level"] == "info" for line in logged)
    assert all(0 <= line["ms"] < 60_000 for line in logged)
    assert all(line["timestamp"].endswith("Z") for line in logged)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_are_not_worth_a_line(api: Api, db: None, capsys: Captured, path: str) -> None:
    assert api.get(path).status_code == 200
    assert lines(capsys) == []


def test_a_query_string_is_not_logged(api: Api, owner: Person, capsys: Captured) -> None:
    """A search may be somebody's phone number."""
    path = f"/api/call/batches/{owner.user.id}"
    api.get(path, owner.with_key, search="12125550199")
    api.get(path, owner.with_key, search="12125550199", page="x")
    api.request("GET", f"{path}?search=12125550199%00", headers=owner.with_key)
    output = capsys.readouterr().out
    assert output.count(path) == 3
    assert "0199" not in output


def test_a_request_id_is_not_carried_into_the_next_request(
    api: Api, db: None, capsys: Captured
) -> None:
    api.get(ME, {"X-Request-Id": "first"})
    api.get(ME)
    first, second = requests(capsys)
    assert first["request_id"] == "first"
    assert second["request_id"] != "first"


# --- Errors ---------------------------------------------------------------------------------------


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(**_: Any) -> None:
        raise error

    monkeypatch.setattr("batches.services.batches.create_batch", fail)


def test_an_unforeseen_error_is_logged_once_with_its_trace(
    api: Api,
    owner: Person,
    phone: PhoneNumber,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing(monkeypatch, RuntimeError("what happened"))
    body = {"batchName": "x", "callingNumbers": [phone.id]}
    checked(api.post(CREATE, body, {**owner.with_key, "X-Request-Id": "trace-500"}), 500)

    error, request = lines(capsys)
    assert (error["event"], error["level"]) == ("unhandled_exception", "error")
    assert error["request_id"] == request["request_id"] == "trace-500"
    assert "RuntimeError: what happened" in error["exception"]
    assert request["status"] == 500


def formatted(records: list[logging.LogRecord]) -> str:
    """What the handler of the settings writes of records that libraries made."""
    formatters = (handler.formatter for handler in logging.getLogger().handlers)
    ours = next(one for one in formatters if isinstance(one, ProcessorFormatter))
    return "\n".join(ours.format(record) for record in records)


# --- Secrets --------------------------------------------------------------------------------------


def test_no_secret_is_logged_wherever_a_client_puts_it(
    api: Api,
    owner: Person,
    phone: PhoneNumber,
    capsys: Captured,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new_password = "another long password"
    login = api.post(LOGIN, {"email": owner.user.email, "password": factories.PASSWORD})
    made = api.post(
        "/api/workspace/api-keys", {"name": "x", "scopes": ["calling:read"]}, owner.with_token
    )
    member = {"email": "new@example.com", "password": new_password}
    checked(api.post("/api/workspace/members", member, owner.with_token), 201)
    texts = [
        *(owner.key, owner.read_key, owner.token),
        checked(login, 200)["data"]["token"],
        checked(made, 201)["data"]["apiKey"],
    ]
    for text in texts:
        api.get(f"/api/{text}")
        api.get(f"/{text}/x")
        api.get(ME, {"x-api-key": text[:-1], "X-Request-Id": text})
        api.get(ME, key=text)
        api.get(ME, {"host": text})
        api.post(CREATE, {text: text, "batchName": text}, owner.with_key)
        api.post(LOGIN, {"email": text, "password": text})
        api.post("/api/auth/logout", text)
        api.request(text, ME)
        with monkeypatch.context() as patch:
            failing(patch, RuntimeError(f"could not use {text}", {"key": [text]}))
            body = {"batchName": text, "callingNumbers": [phone.id]}
            checked(api.post(CREATE, body, owner.with_key), 500)

    output = capsys.readouterr().out + formatted(caplog.records)
    assert len(output.splitlines()) >= 12 * len(texts)
    for text in texts:  # as a method it is logged in capitals, which would give most of it away
        assert text.rpartition("_")[2][:10].lower() not in output.lower()
    for password in (factories.PASSWORD, new_password):
        assert password not in output


@pytest.mark.django_db(transaction=True)
def test_a_row_that_the_database_refuses_is_not_quoted(
    api: Api, owner: Person, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL's message has a DETAIL with all values of the row, also over several lines."""

    def fail(**_: Any) -> None:
        factories.CallFactory.create(
            phone_number="+12125551234", variables={"note": "the\n\nsecret"}, status="nonsense"
        )

    monkeypatch.setattr("batches.services.batches.create_batch", fail)
    number = factories.PhoneNumberFactory.create(workspace=owner.workspace)
    body = {"batchName": "x", "callingNumbers": [number.id]}
    checked(api.post(CREATE, body, owner.with_key), 500)
    output = capsys.readouterr().out
    assert "call_status_known" in output
    assert "DETAIL: [redacted]" in output
    assert "2125551234" not in output
    assert "secret" not in output


def test_what_quotes_a_row_is_cut_out_up_to_the_next_paragraph() -> None:
    event = {"event": "x", "exception": "bad\nCONTEXT: COPY incoming: 12125551234\n\nThen:\nmore"}
    cut = without_row_values(None, "error", event)
    assert cut == {"event": "x", "exception": "bad\nCONTEXT: [redacted]\n\nThen:\nmore"}


def test_the_redacted_text_still_says_which_kind_it_was() -> None:
    line = (
        '{"event":"odk_live_abcdefghijkl_secret is bad","list":["x odt_live_abc",7],"an":"odd one"}'
    )
    assert redact(None, "info", line) == (
        '{"event":"odk_live_[redacted] is bad","list":["x odt_live_[redacted]",7],"an":"odd one"}'
    )


@pytest.mark.parametrize("as_json", [True, False])
def test_both_formats_redact_own_events_and_those_of_libraries(as_json: bool) -> None:
    key, _ = mint(CredentialPrefix.API_KEY)
    before = structlog.get_config()
    try:
        formatter = configure_logging(as_json=as_json, level="INFO")["formatters"]["structured"]
        for processors in (structlog.get_config()["processors"], formatter["processors"]):
            assert processors[-1] is redact
            rendered: Any = {"event": f"using {key}", "level": "info", "nested": {key: [key]}}
            for processor in processors[-2:]:
                rendered = processor(None, "info", rendered)
            assert key not in str(rendered)
            assert "[redacted]" in str(rendered)
    finally:
        structlog.configure(**before)

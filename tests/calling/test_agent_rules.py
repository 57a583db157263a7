"""What an agent may be: each rule of the input, named by its field."""

from typing import Any

import pytest

from calling.models import Agent
from tests.cast import Api, Person
from tests.envelope import checked

PATH = "/api/agents"
HELLO = {"type": "message", "message": "Hello."}
ID = "64e5f12345abcdef87654321"


def variable(**fields: Any) -> dict[str, Any]:
    return {"variables": [{"key": "name", "type": "string", **fields}]}


def connection(**fields: Any) -> dict[str, Any]:
    return {"connection": fields}


def text(message: str) -> dict[str, Any]:
    return connection(type="message", message=message)


def stream(url: str) -> dict[str, Any]:
    return connection(type="stream", url=url)


def sip(uri: str) -> dict[str, Any]:
    return connection(type="sip", uri=uri)


def enum(*values: Any) -> dict[str, Any]:
    return variable(type="enum", enum=list(values))


REFUSED = [
    ({"name": ""}, "name", "blank"),
    ({"name": None}, "name", "null"),
    ({"name": "x" * 201}, "name", "max_length"),
    ({"name": "two\nlines"}, "name", "control_character"),
    ({"nome": "x"}, "nome", "unknown_field"),
    ({"_id": ID}, "_id", "unknown_field"),
    *(
        ({"language": language}, "language", "malformed")
        for language in ["english", "e", "en_US", "en-", "-en", "en-US-", " en", "en\n", "日本"]
    ),
    ({"language": None}, "language", "null"),
    ({"language": 7}, "language", "invalid"),
    ({"language": "en" + "-abcdefgh" * 4}, "language", "max_length"),
    ({"variables": {}}, "variables", "not_a_list"),
    ({"variables": None}, "variables", "null"),
    ({"variables": ["name"]}, "variables[0]", "invalid"),
    (
        {"variables": [{"key": f"v{number}", "type": "string"} for number in range(101)]},
        *("variables", "max_length"),
    ),
    ({"variables": [{"type": "string"}]}, "variables[0].key", "required"),
    ({"variables": [{"key": "name"}]}, "variables[0].type", "required"),
    (variable(key=""), "variables[0].key", "blank"),
    (variable(key="x" * 65), "variables[0].key", "max_length"),
    (variable(key="a\tb"), "variables[0].key", "control_character"),
    *(
        (variable(key=key), "variables[0].key", "reserved_name")
        for key in [
            *("_id", "phoneLogs", "callStatus", "createdAt", "updatedAt", "waitingFor"),
            *("phoneNumber", "timezone"),
        ]
    ),
    (
        {
            "variables": [
                {"key": "name", "type": "string"},
                {"key": "plan", "type": "string"},
                {"key": " name", "type": "number"},
            ]
        },
        *("variables[2].key", "repeated_key"),
    ),
    (variable(type="text"), "variables[0].type", "invalid_choice"),
    (variable(type=["string"]), "variables[0].type", "invalid_choice"),
    (variable(required="yes"), "variables[0].required", "invalid"),
    (variable(required=1), "variables[0].required", "invalid"),
    (variable(description=""), "variables[0].description", "blank"),
    (variable(default="x"), "variables[0].default", "unknown_field"),
    (variable(type="enum"), "variables[0].enum", "required"),
    (variable(enum=["a"]), "variables[0].enum", "other_type"),
    (enum(), "variables[0].enum", "empty"),
    (enum("a", "b", "a"), "variables[0].enum", "repeated_value"),
    (enum("a", " a"), "variables[0].enum", "repeated_value"),
    (enum("a", ""), "variables[0].enum[1]", "blank"),
    (enum("a", 7), "variables[0].enum[1]", "invalid"),
    (enum(*map(str, range(101))), "variables[0].enum", "max_length"),
    ({"connection": None}, "connection", "null"),
    ({"connection": "Hello."}, "connection", "invalid"),
    (connection(message="Hello."), "connection.type", "required"),
    (connection(type="letter"), "connection.type", "invalid_choice"),
    (connection(type="message"), "connection.message", "required"),
    (connection(type="stream"), "connection.url", "required"),
    (connection(type="sip"), "connection.uri", "required"),
    (connection(**HELLO, url="wss://example.com"), "connection.url", "other_type"),
    (connection(**HELLO, uri="sip:a@example.com"), "connection.uri", "other_type"),
    (
        connection(type="sip", uri="sip:a@example.com", message="Hello."),
        *("connection.message", "other_type"),
    ),
    (connection(**HELLO, voice="low"), "connection.voice", "unknown_field"),
    (text(""), "connection.message", "blank"),
    (text("  "), "connection.message", "blank"),
    (text("x" * 5001), "connection.message", "max_length"),
    (text("Hello {name}."), "connection.message", "unknown_placeholder"),
    (text("Hello {phoneNumber}."), "connection.message", "unknown_placeholder"),
    *(
        (stream(url), "connection.url", "malformed")
        for url in [
            *("ws://example.com", "https://example.com", "wss://", "wss:///path", "example.com"),
            *("wss://user:password@example.com", "wss://user@example.com/path"),
            *(
                "wss://example.com/a b",
                "wss://example.com/\n",
                " wss://example.com",
                "wss://ex ample",
            ),
            *("wss://example.com/#here", "wss://example.com:port/", "wss://exämple.com/"),
        ]
    ),
    (stream("wss://example.com/" + "x" * 2000), "connection.url", "max_length"),
    *(
        (sip(uri), "connection.uri", "malformed")
        for uri in [
            *("sip:example.com", "sip:@example.com", "sip:desk@", "desk@example.com"),
            *(
                "tel:+12125551234",
                "sip:desk:secret@example.com",
                "sip:a@b@c",
                "sip:a b@example.com",
            ),
            "sip:desk@example.com\n",
        ]
    ),
    (sip("sip:desk@example.com;" + "x" * 500), "connection.uri", "max_length"),
]


@pytest.mark.parametrize(("changes", "field", "code"), REFUSED, ids=lambda value: str(value)[:60])
def test_each_rule_names_its_field(
    api: Api, owner: Person, changes: dict[str, Any], field: str, code: str
) -> None:
    request = {"name": "Agent", "connection": HELLO, **changes}
    body = checked(api.post(PATH, request, owner.with_token), 400)
    assert [(error["field"], error["code"]) for error in body["data"]["errors"]] == [(field, code)]
    assert not Agent.objects.exists()


@pytest.mark.parametrize("field", ["name", "connection"])
def test_name_and_connection_are_required(api: Api, owner: Person, field: str) -> None:
    request = {"name": "Agent", "connection": HELLO}
    del request[field]
    [error] = checked(api.post(PATH, request, owner.with_token), 400)["data"]["errors"]
    assert (error["field"], error["code"]) == (field, "required")


def test_an_unknown_placeholder_is_named(api: Api, owner: Person) -> None:
    request = {**variable(), "name": "Agent", **text("Hello {name}, your {amount due} is late.")}
    body = checked(api.post(PATH, request, owner.with_token), 400)
    assert "{amount due}" in body["errorMessage"]


ACCEPTED = [
    *({"language": tag} for tag in ["en", "fil", "en-US", "es-419", "zh-Hant-TW", "de-CH-1996"]),
    {"variables": [{"key": f"v{number}", "type": "date"} for number in range(100)]},
    variable(key="x" * 64),
    variable(key="Straße 1"),
    *(variable(type=kind) for kind in ["string", "number", "boolean", "date"]),
    variable(required=True, description="First name"),
    enum("a"),
    enum(*map(str, range(100))),
    text("x" * 5000),
    text("Braces {} of nothing, and { alone."),
    {**variable(key="amount due"), **text("Pay {amount due}, all of {amount due}.")},
    *(
        stream(url)
        for url in [
            *("wss://example.com", "wss://voice:8443/a/b?c=d&e=%20@f", "wss://[2001:db8::1]:1/"),
            *("wss://example.com?token=x", "wss://192.0.2.1/"),
        ]
    ),
    *(
        sip(uri)
        for uri in [
            *("sip:desk@example.com", "sips:+12125551234@192.0.2.1:5061;transport=tls"),
            "sip:a.b-c_d@[2001:db8::1]",
        ]
    ),
]


@pytest.mark.parametrize("changes", ACCEPTED, ids=lambda value: str(value)[:60])
def test_the_bounds_themselves_are_accepted(
    api: Api, owner: Person, changes: dict[str, Any]
) -> None:
    request = {"name": "Agent", "connection": HELLO, **changes}
    agent = checked(api.post(PATH, request, owner.with_token), 201)["data"]
    for name in changes:
        sent, kept = request[name], agent[name]
        if name == "variables":
            kept = [{key: item[key] for key in ours} for ours, item in zip(sent, kept, strict=True)]
        assert kept == sent

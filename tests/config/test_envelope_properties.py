"""Whatever a client sends: the envelope comes back, never a 5xx, and the request keeps its id."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from calling.models import PhoneNumber
from tests.cast import JSON, Api, Person
from tests.envelope import checked

CREATE = "/api/call/createBatch"

# One owner serves all examples of a test: what they store does not matter to each other.
one_fixture_for_all = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
texts = st.text(max_size=30)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda children: st.lists(children, max_size=5) | st.dictionaries(texts, children, max_size=5),
    max_leaves=20,
)
ALMOST = {
    "batchName": "x",
    "callingNumbers": ["64e5f12345abcdef87654321"],
    "retry": 3,
    "delay": 60,
    "timezone": "UTC",
    "callingHour": {"start": "09:00", "end": "17:00"},
    "allowedDays": [1, 2],
    "batchType": "mixed",
    "enableDNC": True,
}


def send(body: bytes | str, headers: dict[str, str], content_type: str = JSON) -> Any:
    client = Client(raise_request_exception=False)
    return client.generic("POST", CREATE, body, content_type, headers=headers)


@one_fixture_for_all
@given(body=values)
def test_any_json_is_answered_with_a_400(owner: Person, body: Any) -> None:
    checked(send(json.dumps(body), owner.with_key), 400)


@one_fixture_for_all
@given(changes=st.dictionaries(st.sampled_from(sorted(ALMOST)), values, min_size=1, max_size=3))
def test_any_value_in_any_field_is_stored_or_refused(
    owner: Person, phone: PhoneNumber, changes: dict[str, Any]
) -> None:
    body = {**ALMOST, "callingNumbers": [phone.id], **changes}
    response = send(json.dumps(body), owner.with_key)
    answer = checked(response)
    assert response.status_code in (201, 400)
    if response.status_code == 400 and answer["data"]:
        named = {re.split(r"[.\[]", error["field"])[0] for error in answer["data"]["errors"]}
        assert named <= set(changes)


@one_fixture_for_all
@given(body=st.binary(max_size=200))
@example(body=b"\x00")
@example(body=b"\xef\xbb\xbf{}")
def test_any_bytes_are_answered_with_a_400(owner: Person, body: bytes) -> None:
    checked(send(body, owner.with_key), 400)


@one_fixture_for_all
@given(path=st.text(st.characters(codec="utf-8"), max_size=40), query=texts)
def test_any_path_is_answered(api: Api, owner: Person, path: str, query: str) -> None:
    response = api.get(f"/api/{path.replace('?', '').replace('#', '')}", owner.with_key, q=query)
    if response["Content-Type"] == JSON:  # else a documentation page
        checked(response)
    assert response.status_code < 500


header_texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=140)


@one_fixture_for_all
@given(
    name=st.sampled_from(["x-api-key", "authorization", "x-workspace-id", "accept"]),
    text=header_texts,
)
def test_any_header_is_answered(api: Api, owner: Person, name: str, text: str) -> None:
    response = api.get("/api/auth/me", {**owner.with_token, name: text})
    checked(response)
    assert response.status_code in (200, 401, 403, 406)


# --- Request ids ----------------------------------------------------------------------------------


@one_fixture_for_all
@given(given_id=st.from_regex(r"[A-Za-z0-9._-]{1,128}", fullmatch=True))
def test_a_sound_request_id_is_echoed(api: Api, db: None, given_id: str) -> None:
    assert api.get("/api/auth/me", {"X-Request-Id": given_id})["X-Request-Id"] == given_id


@one_fixture_for_all
@given(given_id=header_texts.filter(lambda text: not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", text)))
@example(given_id="")
@example(given_id="x" * 129)
@example(given_id="a b")
@example(given_id="trailing\n")
@example(given_id="é")
@example(given_id="<script>")
def test_any_other_request_id_is_replaced(api: Api, db: None, given_id: str) -> None:
    given = api.get("/api/auth/me", {"X-Request-Id": given_id})["X-Request-Id"]
    assert re.fullmatch(r"[0-9a-f]{32}", given)


@pytest.mark.parametrize("path", ["/healthz", "/admin/login/", "/nothing", "/api/nothing"])
def test_every_response_has_an_id_of_its_own(api: Api, db: None, path: str) -> None:
    ids = {api.get(path)["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3
